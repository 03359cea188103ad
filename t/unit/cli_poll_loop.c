/* The command's loop keeps the rules of client/fcf_loop.h. */

#include <unistd.h>
#include "cli/poll_loop.h"
#include "t/unit/tap.h"

static fcf_loop_t    loop;
static fcc_poll_t   *poll_;
static fcf_timer_t  *timers[2];
static fcf_io_t     *ios[2];
static int           fds[2][2];
static char          log_[64];
static char          name_a[] = "a", name_b[] = "b", name_t[] = "t";


static void
note(char c)
{
    size_t  n;

    n = strlen(log_);
    log_[n] = c;
    log_[n + 1] = '\0';
}


static void
on_timer(void *arg)
{
    note(*(const char *) arg);
}


/* again at once, as work in turns does */
static void
on_again(void *arg)
{
    note(*(const char *) arg);
    loop.timer_set(timers[0], 0);
}


static void
on_other_goes(void *arg)
{
    note(*(const char *) arg);
    loop.timer_free(timers[1]);
}


static void
on_read(void *arg, unsigned events)
{
    note(events & FCF_READ ? *(const char *) arg : '?');
}


/* whichever comes first takes the other away */
static void
on_read_other_goes(void *arg, unsigned events)
{
    on_read(arg, events);
    loop.io_del(ios[*(const char *) arg == 'a']);
}


static void
test_timers(void)
{
    timers[0] = loop.timer_new(&loop, on_timer, name_a);
    timers[1] = loop.timer_new(&loop, on_timer, name_b);

    is_int(fcc_poll_turn(poll_, -1), -1, "nothing to wait for");

    loop.timer_set(timers[0], 0);
    is_str(log_, "", "never inline");
    is_int(fcc_poll_turn(poll_, -1), 0, "a turn");
    is_str(log_, "a", "in the next turn, once");
    is_int(fcc_poll_turn(poll_, -1), -1, "one shot");

    loop.timer_set(timers[0], 40);
    loop.timer_set(timers[1], 20);
    loop.timer_set(timers[0], 5);
    log_[0] = '\0';
    while (fcc_poll_turn(poll_, -1) == 0) { /* void */ }
    is_str(log_, "ab", "in the order of their times; the last one set holds");

    loop.timer_set(timers[0], 1);
    loop.timer_stop(timers[0]);
    is_int(fcc_poll_turn(poll_, -1), -1, "stopped");
    loop.timer_free(timers[0]);
    loop.timer_free(timers[1]);

    log_[0] = '\0';
    timers[0] = loop.timer_new(&loop, on_other_goes, name_a);
    timers[1] = loop.timer_new(&loop, on_timer, name_b);
    loop.timer_set(timers[0], 0);
    loop.timer_set(timers[1], 0);
    (void) fcc_poll_turn(poll_, -1);
    is_int(fcc_poll_turn(poll_, -1), -1, "and no more");
    is_str(log_, "a", "one that was freed by another does not run");
    loop.timer_free(timers[0]);
}


static void
test_ios(void)
{
    int   i;
    char  c;

    for (i = 0; i < 2; i++) {
        ok(pipe(fds[i]) == 0, "a pipe");
    }

    log_[0] = '\0';
    ios[0] = loop.io_add(&loop, fds[0][0], on_read, name_a);
    is_int(fcc_poll_turn(poll_, -1), -1, "no event is asked for");
    ok(write(fds[0][1], "x", 1) == 1, "something to read");
    is_int(loop.io_set(ios[0], FCF_READ), 0, "asked for");
    is_str(log_, "", "never inline");
    (void) fcc_poll_turn(poll_, -1);
    (void) fcc_poll_turn(poll_, -1);
    is_str(log_, "aa", "level triggered");

    /* a busy timer does not starve it */

    timers[0] = loop.timer_new(&loop, on_again, name_t);
    loop.timer_set(timers[0], 0);
    log_[0] = '\0';
    (void) fcc_poll_turn(poll_, -1);
    (void) fcc_poll_turn(poll_, -1);
    is_str(log_, "atat", "timers and descriptors take turns");
    loop.timer_free(timers[0]);

    is_int(loop.io_set(ios[0], 0), 0, "not any more");
    is_int(fcc_poll_turn(poll_, -1), -1, "then it is not heard");
    loop.io_del(ios[0]);

    log_[0] = '\0';
    ok(write(fds[1][1], "x", 1) == 1, "both have something");
    ios[0] = loop.io_add(&loop, fds[0][0], on_read_other_goes, name_a);
    ios[1] = loop.io_add(&loop, fds[1][0], on_read_other_goes, name_b);
    (void) loop.io_set(ios[0], FCF_READ);
    (void) loop.io_set(ios[1], FCF_READ);
    (void) fcc_poll_turn(poll_, -1);
    is_int(strlen(log_), 1, "one that was deleted by another is not told");
    loop.io_del(ios[log_[0] == 'a' ? 0 : 1]);

    for (i = 0; i < 2; i++) {
        ok(read(fds[i][0], &c, 1) == 1, "nothing was read by the loop");
        (void) close(fds[i][0]);
        (void) close(fds[i][1]);
    }
}


int
main(void)
{
    poll_ = fcc_poll_new(&loop);
    ok(poll_ != NULL, "made");

    test_timers();
    test_ios();
    fcc_poll_free(poll_);

    return tap_done();
}
