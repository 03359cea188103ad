/*
 * Processes that bind, release and wait at random are killed (-9) and stopped
 * at random points, inside the mutex and outside.  No other hangs; once they
 * are quiet the zone counts exactly what those who live hold.  ZONE_SECONDS:
 * how long (2), ZONE_MEMBERS: how many (6).
 */

#include "ngx_fcfaas_module/zone/fcz_mem.h"
#include "t/unit/tap.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>


#define MEMBERS_MAX  16
#define POOLS         4
#define SLOTS        32         /* instances, in turns of the pools */
#define LIMIT         3
#define HELD_MAX     16         /* by one process at once */
#define HANG_MS   10000


typedef enum {
    RUN = 0,                    /* bind, release, wait */
    QUIET,                      /* keep what there is, and beat */
    EMPTY                       /* give all back, and beat */
} mode_e;

typedef struct {
    fcz_pool_t    pools[POOLS];
    fcz_slot_t    slots[SLOTS];
    fcz_member_t  m;
    int           held[HELD_MAX];
    int           nheld;
    int           waits;        /* for this pool; or -1 */
    uint64_t      ticket;
} worker_t;

/* in memory of its own: what is so, for the parent to compare */
typedef struct {
    pid_t     pid;
    int       stopped;
    uint64_t  steps;
    uint32_t  quiet;            /* of this round */
    uint32_t  held[SLOTS];
    uint32_t  waiting[POOLS];
    uint32_t  alone;            /* times */
    uint32_t  broken;
} truth_t;

typedef struct {
    mode_e    mode;
    uint32_t  round;
    uint32_t  over[SLOTS];      /* in the instance, told by all */
    uint32_t  overbooked;
    uint32_t  bound;
    uint32_t  pulled;           /* of them, by one that waited */
    truth_t   truth[MEMBERS_MAX];
} shared_t;

static fcz_t     *zone;
static shared_t  *shared;
static int        nmembers = 6;


static void *
map(size_t size)
{
    void  *p;

    p = mmap(NULL, size, PROT_READ|PROT_WRITE, MAP_SHARED|MAP_ANONYMOUS,
             -1, 0);

    if (p == MAP_FAILED) {
        perror("mmap");
        exit(1);
    }

    return p;
}


static void
worker_init(worker_t *w, truth_t *t)
{
    int        i;
    char       name[16];
    fcz_key_t  key;

    memset(w, 0, sizeof(worker_t));
    memset(t, 0, sizeof(truth_t));

    t->pid = getpid();
    w->waits = -1;
    srandom((unsigned) getpid());

    if (fcz_join(&w->m, zone) == -1) {
        _exit(1);
    }

    for (i = 0; i < POOLS; i++) {
        (void) snprintf(name, sizeof(name), "f%d", i);
        fcz_key(zone, &key, name, "");
        fcz_pool_init(&w->pools[i], &key);
    }

    for (i = 0; i < SLOTS; i++) {
        (void) snprintf(name, sizeof(name), "n1-%d", i);
        fcz_key(zone, &key, name, name);
        fcz_slot_init(&w->slots[i], &w->pools[i % POOLS], &key);
    }
}


static int
worker_bind(worker_t *w, truth_t *t, int i, unsigned newcomer)
{
    uint32_t  n;

    if (w->nheld == HELD_MAX
        || fcz_bind(&w->m, &w->slots[i], LIMIT, w->ticket, newcomer)
           != FCZ_OK)
    {
        return 0;
    }

    w->held[w->nheld++] = i;
    t->held[i]++;

    n = __atomic_add_fetch(&shared->over[i], 1, __ATOMIC_SEQ_CST);

    if (n > LIMIT) {
        __atomic_add_fetch(&shared->overbooked, 1, __ATOMIC_SEQ_CST);
    }

    __atomic_add_fetch(newcomer ? &shared->bound : &shared->pulled, 1,
                       __ATOMIC_SEQ_CST);
    return 1;
}


static void
worker_release(worker_t *w, truth_t *t, int k)
{
    int  i;

    i = w->held[k];
    w->held[k] = w->held[--w->nheld];

    __atomic_sub_fetch(&shared->over[i], 1, __ATOMIC_SEQ_CST);
    t->held[i]--;
    fcz_release(&w->m, &w->slots[i]);
}


static void
worker_wait(worker_t *w, truth_t *t, int pool)
{
    if (fcz_wait_add(&w->m, &w->pools[pool], 0, 0) == FCZ_OK) {
        w->waits = pool;
        t->waiting[pool]++;
        fcz_wait_head(&w->m, &w->pools[pool], w->ticket);
    }
}


/* one that waits: rung or not, it tries its pool's instances */
static void
worker_pull(worker_t *w, truth_t *t)
{
    int            i, done;
    uint64_t       n;
    fcz_pool_t    *pools[4];
    struct pollfd  p = { .fd = fcz_bell(&w->m), .events = POLLIN };

    if (poll(&p, 1, 5) == 1 && read(p.fd, &n, sizeof(n)) == sizeof(n)) {
        while (fcz_heard(&w->m, pools, 4)) { /* void */ }
    }

    done = random() % 20 == 0;

    for (i = w->waits; i < SLOTS && !done; i += POOLS) {
        done = worker_bind(w, t, i, 0);
    }

    if (done) {
        t->waiting[w->waits]--;
        fcz_wait_sub(&w->m, &w->pools[w->waits], FCZ_NO_TICKET);
        w->waits = -1;
    }
}


static void
worker_run(worker_t *w, truth_t *t)
{
    int  i;

    if (w->waits != -1) {
        worker_pull(w, t);
        return;
    }

    i = (int) (random() % SLOTS);
    w->ticket = fcz_ticket(zone);

    if (w->nheld && random() % 2) {
        worker_release(w, t, (int) (random() % w->nheld));

    } else if (!worker_bind(w, t, i, 1) && random() % 256 == 0) {
        worker_wait(w, t, i % POOLS);
    }
}


static void
worker(truth_t *t)
{
    mode_e    mode;
    uint32_t  round;
    worker_t  w;

    (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
    worker_init(&w, t);

    for ( ;; ) {
        round = fcz_read(&shared->round);
        mode = fcz_read(&shared->mode);

        if (mode == RUN) {
            worker_run(&w, t);

            if (t->steps % 64 == 0) {
                fcz_offers(&w.m);
                fcz_beat(&w.m);
            }

        } else {

            while (mode == EMPTY && w.nheld) {
                worker_release(&w, t, 0);
            }

            fcz_beat(&w.m);
            fcz_write(&t->quiet, w.m.untold ? 0 : round);
            (void) poll(NULL, 0, 1);
        }

        t->alone += (w.m.events & FCZ_E_ALONE) != 0;
        t->broken += (w.m.events & FCZ_E_BROKEN) != 0;
        w.m.events = 0;
        fcz_write(&t->steps, t->steps + 1);
    }
}


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
        n = fcz_mem_pool(&m, &key);
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
    int          i, bells[FCZ_MEMBERS_MAX];
    size_t       size;
    uint32_t     ms, alone, broken;
    const char  *text;

    text = getenv("ZONE_SECONDS");
    ms = 1000 * (uint32_t) (text ? atoi(text) : 2);
    text = getenv("ZONE_MEMBERS");
    nmembers = text ? atoi(text) : nmembers;

    if (nmembers > MEMBERS_MAX) {
        nmembers = MEMBERS_MAX;
    }

    for (i = 0; i < FCZ_MEMBERS_MAX; i++) {
        bells[i] = eventfd(0, EFD_NONBLOCK|EFD_CLOEXEC);
    }

    size = fcz_size(256);
    zone = fcz_create(map(size), size, bells);
    shared = map(sizeof(shared_t));
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
