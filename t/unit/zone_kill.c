/*
 * Processes that bind, release and wait at random are killed (-9) and stopped
 * at random points, inside the mutex and outside.  No other hangs; once they
 * are quiet the zone counts exactly what those who live hold.  ZONE_SECONDS:
 * how long (2), ZONE_MEMBERS: how many (6).
 */

#include "ngx_fcfaas_module/zone/fcz_mem.h"
#include "t/unit/tap.h"
#include "t/unit/zone_new.h"
#include "t/unit/zone_worker.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>


#define HANG_MS  10000


static int  nmembers = 6;


static void
spawn(int k)
{
    pid_t  pid;

    shared->truth[k].pid = 0;
    pid = fork();

    if (pid == 0) {
        worker(&shared->truth[k]);
        _exit(0);
    }

    while (fcz_read(&shared->truth[k].pid) == 0) {
        (void) poll(NULL, 0, 1);
    }
}


static void
kill_one(int k)
{
    pid_t  pid;

    pid = shared->truth[k].pid;
    shared->truth[k].stopped = 0;

    (void) kill(pid, SIGKILL);
    (void) waitpid(pid, NULL, 0);
    spawn(k);
}


/* every one that may run does: 1; or not for HANG_MS */
static int
all_run(void)
{
    int       k;
    uint64_t  steps, start;

    for (k = 0; k < nmembers; k++) {

        steps = fcz_read(&shared->truth[k].steps);
        start = fcz_now();

        while (!shared->truth[k].stopped
               && fcz_read(&shared->truth[k].steps) == steps)
        {
            if (fcz_now() - start > HANG_MS) {
                return 0;
            }

            (void) poll(NULL, 0, 1);
        }
    }

    return 1;
}


static void
go(mode_e mode)
{
    int       k;
    uint32_t  round;

    round = shared->round + 1;
    fcz_write(&shared->mode, mode);
    fcz_write(&shared->round, round);

    /* all of them first: one of them may have the mutex */

    for (k = 0; k < nmembers; k++) {
        (void) kill(shared->truth[k].pid, SIGCONT);
        shared->truth[k].stopped = 0;
    }

    for (k = 0; k < nmembers; k++) {
        while (mode != RUN
               && fcz_read(&shared->truth[k].quiet) != round)
        {
            (void) poll(NULL, 0, 1);
        }
    }
}


/* those whom the last step of another may have left something to tell */
static void
settle(mode_e mode)
{
    go(mode);
    go(mode);
}


static uint32_t
truly(int slot)
{
    int       k;
    uint32_t  n;

    for (k = 0, n = 0; k < nmembers; k++) {
        n += shared->truth[k].held[slot];
    }

    return n;
}


/* the cells of the zone against what is so */
static int
wrong(void)
{
    int            i, k, bad;
    uint32_t       n, held, waiting[POOLS], sum, l;
    char           name[16];
    fcz_key_t      key;
    fcz_pool_t     pool;
    fcz_cells_t    where;
    fcz_member_t   m;
    fcz_poolcell_t *p;

    memset(&m, 0, sizeof(m));
    memset(waiting, 0, sizeof(waiting));
    fcz_mem_where(zone, &where);
    m.zone = zone;
    m.cells = &where;
    bad = 0;
    held = 0;
    sum = 0;

    for (k = 0; k < nmembers; k++) {
        for (i = 0; i < POOLS; i++) {
            waiting[i] += shared->truth[k].waiting[i];
        }
    }

    for (i = 0; i < SLOTS; i++) {
        (void) snprintf(name, sizeof(name), "f%d", i % POOLS);
        fcz_key(zone, &key, name, "");
        fcz_pool_init(&pool, &key);
        n = fcz_mem_pool_of(&m, &pool);
        p = &where.pools[n];

        if (i < POOLS && p->waiting != waiting[i]) {
            printf("# pool %d: %u wait, counted %u\n", i, waiting[i],
                   p->waiting);
            bad++;
        }

        sum += i < POOLS ? p->busy : 0;

        (void) snprintf(name, sizeof(name), "n1-%d", i);
        fcz_key(zone, &key, name, name);
        n = where.cells[fcz_mem_cell(&m, &key, n)].busy;
        held += truly(i);

        if (n != truly(i)) {
            printf("# instance %d: %u inside, counted %u\n", i, truly(i), n);
            bad++;
        }
    }

    for (k = 0, n = 0; k < FCZ_MEMBERS_MAX; k++) {
        for (l = zone->entries[k].ledgers; l != FCZ_NONE;
             l = where.ledgers[l].next)
        {
            n += where.ledgers[l].count;
        }
    }

    if (n != held || sum != held) {
        printf("# %u inside, %u in ledgers, %u in pools\n", held, n, sum);
        bad++;
    }

    return bad;
}


/* those who were killed inside are not there any more */
static void
recount(void)
{
    int  i;

    for (i = 0; i < SLOTS; i++) {
        shared->over[i] = truly(i);
    }

    shared->overbooked = 0;
}


/* without signals: never more inside than the limit */
static void
run_steps(uint32_t n)
{
    uint32_t  bound, pulled;

    bound = fcz_read(&shared->bound) + n;
    pulled = fcz_read(&shared->pulled) + n / 100;

    while (fcz_read(&shared->bound) < bound
           || fcz_read(&shared->pulled) < pulled)
    {
        (void) poll(NULL, 0, 1);
    }
}


static void
signals(uint32_t ms)
{
    int       k, hung, kills, stops;
    uint64_t  end;

    hung = 0;
    kills = 0;
    stops = 0;

    for (end = fcz_now() + ms; fcz_now() < end && !hung; ) {

        k = (int) (random() % nmembers);

        switch (random() % 4) {

        case 0:
            kill_one(k);
            kills++;
            break;

        case 1:
            (void) kill(shared->truth[k].pid, SIGSTOP);
            shared->truth[k].stopped = 1;
            stops++;
            break;

        default:
            (void) kill(shared->truth[k].pid, SIGCONT);
            shared->truth[k].stopped = 0;
        }

        (void) poll(NULL, 0, (int) (random() % 4));

        if (random() % 8 == 0) {
            hung = !all_run();
        }
    }

    ok(!hung, "killed %d times, stopped %d times: no other hangs", kills,
       stops);
    printf("# epochs %u\n", zone->epoch);
}


int
main(void)
{
    int          i;
    uint32_t     ms, alone, broken;
    const char  *text;

    text = getenv("ZONE_SECONDS");
    ms = 1000 * (uint32_t) (text ? atoi(text) : 2);
    text = getenv("ZONE_MEMBERS");
    nmembers = text ? atoi(text) : nmembers;

    if (nmembers > MEMBERS_MAX) {
        nmembers = MEMBERS_MAX;
    }

    zone = fct_zone_new(256);
    shared = fct_map(sizeof(shared_t));
    srandom((unsigned) getpid());

    for (i = 0; i < nmembers; i++) {
        spawn(i);
    }

    run_steps(20000);
    is_int(shared->overbooked, 0, "never more inside than the limit");
    settle(QUIET);
    is_int(wrong(), 0, "quiet: what is counted is what is so");

    go(RUN);
    signals(ms);
    settle(QUIET);
    is_int(wrong(), 0, "quiet again: the same, after all that");

    recount();
    go(RUN);
    run_steps(20000);
    is_int(shared->overbooked, 0, "and the limit holds again");
    settle(EMPTY);
    is_int(wrong(), 0, "all given back: nothing is counted");

    for (i = 0, alone = 0, broken = 0; i < nmembers; i++) {
        alone += shared->truth[i].alone;
        broken += shared->truth[i].broken;
        (void) kill(shared->truth[i].pid, SIGKILL);
    }

    is_int(broken, 0, "no count went below zero");
    printf("# alone %u times\n", alone);

    while (wait(NULL) > 0) { /* void */ }

    return tap_done();
}
