/*
 * A process dies inside the zone's mutex, or stands still there: what that
 * costs the others.
 */

#include "ngx_fcfaas_module/zone/fcz_mem.h"
#include "t/unit/tap.h"
#include "t/unit/zone_new.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>


typedef struct {
    fcz_member_t  m;
    fcz_pool_t    pool;
    fcz_slot_t    slot;
} member_t;

static fcz_t    *zone;
static member_t  a, b;


static void
member_join(member_t *m)
{
    fcz_key_t  key;

    if (fcz_join(&m->m, zone) == -1) {
        exit(1);
    }

    fcz_key(zone, &key, "f", "");
    fcz_pool_init(&m->pool, &key);
    fcz_key(zone, &key, "f", "n1-1");
    fcz_slot_init(&m->slot, &m->pool, &key);
}


static fcz_rc_e
take(member_t *m, uint32_t limit)
{
    return fcz_bind(&m->m, &m->slot, limit, &(uint64_t) { 0 }, 1);
}


static uint32_t
busy(member_t *m)
{
    fcz_view_t  view;

    fcz_view(&m->m, &m->pool, &view);

    return view.busy;
}


static unsigned
rung(member_t *m)
{
    uint64_t  n;

    return read(fcz_bell(&m->m), &n, sizeof(n)) == sizeof(n);
}


/* holds one slot, and gets the signal with the mutex in its hand */
static pid_t
inside(int sig)
{
    int       status;
    pid_t     pid;
    member_t  c;

    pid = fork();

    if (pid == 0) {
        member_join(&c);

        if (take(&c, 0) == FCZ_OK && fcz_lock(&c.m)) {
            (void) raise(sig);
            fcz_unlock(&c.m);
        }

        for ( ;; ) {
            (void) pause();
        }
    }

    (void) waitpid(pid, &status, WUNTRACED);

    return pid;
}


static void
end(pid_t pid)
{
    (void) kill(pid, SIGKILL);
    (void) waitpid(pid, NULL, 0);
}


static void
test_death(void)
{
    uint32_t  epoch;
    uint64_t  start;

    epoch = zone->epoch;
    is_int(take(&a, 4), FCZ_OK, "a holds one");
    is_int(take(&b, 4), FCZ_OK, "b holds one");

    (void) inside(SIGKILL);

    is_int(take(&a, 4), FCZ_SETTLING, "one died inside: nothing is bound");
    is_int(zone->epoch, epoch + 1, "a new epoch");
    is_int(a.m.events, FCZ_E_EPOCH, "which is told");
    ok(rung(&b), "b is rung");
    is_int(take(&a, 4), FCZ_SETTLING, "a has told, b has not");
    is_int(busy(&a), 1, "a's is counted");
    fcz_beat(&b.m);
    is_int(busy(&a), 2, "b's is counted, the dead one's is not");
    ok(rung(&a), "a is rung");
    is_int(take(&a, 4), FCZ_OK, "and it goes on");

    fcz_release(&a.m, &a.slot);
    a.m.events = 0;

    (void) inside(SIGKILL);
    start = fcz_now();

    while (take(&a, 4) == FCZ_SETTLING) {
        (void) poll(NULL, 0, 5);
    }

    ok(fcz_now() - start >= FCZ_SETTLE_MS - 10,
       "once more, and b stands still: it is not waited for longer than that");
    is_int(busy(&a), 2, "what a holds is counted");
    fcz_release(&b.m, &b.slot);
    is_int(busy(&a), 2, "what b gives back was not");
    fcz_release(&a.m, &a.slot);
    fcz_release(&a.m, &a.slot);
    is_int(busy(&a), 0, "none is left");
    a.m.events = b.m.events = 0;
}


/* one that died while its parent stands still: nobody waits for it */
static void
test_unreaped(void)
{
    int        fd[2];
    char       index;
    pid_t      pid;
    member_t   c;
    siginfo_t  info;

    if (pipe(fd) == -1) {
        exit(1);
    }

    pid = fork();

    if (pid == 0) {
        member_join(&c);
        (void) take(&c, 4);
        index = (char) c.m.index;
        (void) !write(fd[1], &index, 1);

        for ( ;; ) {
            (void) pause();
        }
    }

    is_int(read(fd[0], &index, 1), 1, "another one is there");
    is_int(busy(&a), 1, "and holds one");

    fcz_write(&zone->entries[(int) index].beat, 0);
    fcz_beat(&a.m);
    is_int(busy(&a), 1, "silent for long: it does as long as it lives");

    (void) kill(pid, SIGKILL);
    (void) waitid(P_PID, (id_t) pid, &info, WEXITED|WNOWAIT);
    fcz_beat(&a.m);
    is_int(busy(&a), 0, "dead, and not waited for: it is given back");

    (void) waitpid(pid, NULL, 0);
    (void) close(fd[0]);
    (void) close(fd[1]);
}


static void
test_stopped(void)
{
    pid_t     pid;
    member_t  c;

    is_int(take(&a, 2), FCZ_OK, "a holds one");
    pid = inside(SIGSTOP);

    is_int(take(&a, 2), FCZ_OK, "one stands still inside: a counts alone");
    is_int(a.m.events, FCZ_E_ALONE, "which is told");
    is_int(a.m.alone_by, pid, "and who that is");
    is_int(take(&a, 2), FCZ_FULL, "its own limit it keeps");
    fcz_release(&a.m, &a.slot);
    is_int(take(&b, 2), FCZ_OK, "b counts alone too");
    fcz_beat(&a.m);
    is_int(a.m.events, FCZ_E_ALONE, "it is told once");

    (void) kill(pid, SIGCONT);

    while (!(a.m.events & FCZ_E_TOGETHER)) {
        fcz_beat(&a.m);
        (void) poll(NULL, 0, 1);
    }

    fcz_beat(&b.m);
    is_int(busy(&a), 3, "it goes on: all three are counted");
    end(pid);
    member_join(&c);
    is_int(busy(&a), 2, "killed: whoever joins next gives its back");
    fcz_leave(&c.m);

    a.m.events = 0;
    pid = inside(SIGSTOP);
    is_int(take(&a, 9), FCZ_OK, "another one stands still inside");
    is_int(a.m.events, FCZ_E_ALONE, "again");
    end(pid);
    fcz_beat(&a.m);
    is_int(a.m.events, FCZ_E_ALONE|FCZ_E_TOGETHER|FCZ_E_EPOCH,
           "it is killed there: over, in a new epoch");
    is_int(busy(&a), 2, "a's two are counted");
}


/* more processes than there are entries */
static void
test_crowd(void)
{
    int                  i;
    static fcz_member_t  all[FCZ_MEMBERS_MAX];

    fcz_leave(&a.m);
    fcz_leave(&b.m);
    zone = fct_zone_new(64);

    for (i = 0; i < FCZ_MEMBERS_MAX; i++) {
        (void) fcz_join(&all[i], zone);
    }

    is_int(all[FCZ_MEMBERS_MAX - 1].index, FCZ_MEMBERS_MAX - 1, "128 join");
    member_join(&a);
    is_int(a.m.index, FCZ_NONE, "one more finds no entry");
    is_int(fcz_bell(&a.m), -1, "nor a bell");
    is_int(take(&a, 1), FCZ_OK, "and counts alone");
    is_int(take(&a, 1), FCZ_FULL, "to its limit");
    fcz_leave(&all[77]);
    fcz_beat(&a.m);
    is_int(a.m.index, 77, "one leaves: it takes that place");
    is_int(busy(&a), 1, "and tells what it holds");
    fcz_leave(&a.m);

    for (i = 0; i < FCZ_MEMBERS_MAX; i++) {
        fcz_leave(&all[i]);
    }
}


int
main(void)
{
    zone = fct_zone_new(64);
    member_join(&a);
    member_join(&b);

    test_death();
    test_unreaped();
    test_stopped();
    test_crowd();

    return tap_done();
}
