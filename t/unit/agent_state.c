/*
 * Worker numbers and leases on a disk that takes its time, or is full: the
 * loop goes on.  This program has fdatasync() to itself.
 */

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "agent/base/state.h"
#include "agent/base/tree.h"
#include "t/unit/tap.h"

static char         dir[] = "/tmp/fcfaas-state-XXXXXX";
static uv_loop_t    uv;
static pthread_t    loop_thread;
static int          watching, on_loop;  /* calls that wait, on its thread */
static int          hold, full;
static sem_t        held, let_go;


int
fdatasync(int fd)
{
    (void) fd;

    if (watching && pthread_equal(pthread_self(), loop_thread)) {
        on_loop++;
        return 0;
    }

    if (__atomic_load_n(&hold, __ATOMIC_SEQ_CST)) {
        sem_post(&held);
        sem_wait(&let_go);
    }

    if (__atomic_load_n(&full, __ATOMIC_SEQ_CST)) {
        errno = ENOSPC;
        return -1;
    }

    return 0;
}


int
fsync(int fd)
{
    (void) fd;

    on_loop += watching && pthread_equal(pthread_self(), loop_thread);

    return 0;
}


static void
set(int *flag, int value)
{
    __atomic_store_n(flag, value, __ATOMIC_SEQ_CST);
}


static void
tick(uv_timer_t *timer)
{
    ++*(int *) timer->data;
}


/* numbers are taken until one is refused; how many came, all in a row */
static int
take(fca_state_t *state, uint64_t *next, fcf_err_t *err)
{
    int       n;
    uint64_t  number;

    for (n = 0; n < 100000; n++) {
        if (fca_state_number(state, &number, err) != 0) {
            return n;
        }

        if (number != *next) {
            return -1;
        }

        ++*next;
    }

    return n;
}


static void
open_async(fca_state_t *state)
{
    fcf_err_t  err;

    is_int(fca_state_open(state, dir, &err), 0, "opened");
    is_int(fca_state_async(state, &uv, &err), 0, "on a loop");
    watching = 1;
}


static void
test_slow(void)
{
    int           ticks;
    uint64_t      next;
    fcf_err_t     err = { 0 };
    fca_state_t   state;
    uv_timer_t    timer;

    open_async(&state);
    next = 1;
    ticks = 0;
    timer.data = &ticks;
    uv_timer_init(&uv, &timer);

    set(&hold, 1);
    is_int(take(&state, &next, &err), FCA_STATE_BLOCK,
           "a block is there at once");
    is_int(err.code, FCF_E_UNAVAILABLE, "then the disk is waited for: %s",
           err.msg);
    sem_wait(&held);

    uv_timer_start(&timer, tick, 1, 1);

    while (ticks < 3) {
        uv_run(&uv, UV_RUN_ONCE);
    }

    uv_close((uv_handle_t *) &timer, NULL);
    is_int(ticks, 3, "by nobody on the loop");
    is_int(take(&state, &next, &err), 0, "there is no number yet");

    set(&hold, 0);
    sem_post(&let_go);
    uv_run(&uv, UV_RUN_DEFAULT);
    is_int(take(&state, &next, &err), FCA_STATE_BLOCK, "then there are more");
    uv_run(&uv, UV_RUN_DEFAULT);

    /* what is under way at the end is written still */
    set(&hold, 1);
    (void) take(&state, &next, &err);
    sem_wait(&held);
    fca_state_close(&state);
    set(&hold, 0);
    sem_post(&let_go);
    uv_run(&uv, UV_RUN_DEFAULT);

    watching = 0;
    open_async(&state);
    ok(state.next >= next, "no number is given twice");
    fca_state_close(&state);
    uv_run(&uv, UV_RUN_DEFAULT);
}


static void
test_full(void)
{
    int64_t       leases[2] = { 5, 6 }, found[2];
    uint64_t      next;
    fcf_err_t     err = { 0 };
    fca_state_t   state;

    watching = 0;
    set(&full, 1);
    is_int(fca_state_open(&state, dir, &err), 0, "a full disk opens");
    next = state.next;
    is_int(fca_state_async(&state, &uv, &err), 0, "and the agent starts");
    watching = 1;

    is_int(take(&state, &next, &err), 0, "without a number");
    is_int(err.code, FCF_E_UNAVAILABLE, "which is tried for again: that it "
           "was full a moment ago says nothing");
    uv_run(&uv, UV_RUN_DEFAULT);
    is_int(take(&state, &next, &err), 0, "in vain");
    is_int(err.code, FCF_E_SYSTEM, "with the reason");
    ok(strstr(err.msg, "No space left") != NULL, "%s", err.msg);
    uv_run(&uv, UV_RUN_DEFAULT);

    set(&full, 0);
    (void) take(&state, &next, &err);
    uv_run(&uv, UV_RUN_DEFAULT);
    ok(take(&state, &next, &err) >= FCA_STATE_BLOCK,
       "well again, it goes on");
    uv_run(&uv, UV_RUN_DEFAULT);

    is_int(fca_state_leases_store(&state, leases, 2, &err), 0, "leases");
    fca_state_close(&state);
    uv_run(&uv, UV_RUN_DEFAULT);

    is_int(fca_state_open(&state, dir, &err), 0, "opened again");
    is_int(fca_state_leases_load(&state, found, 2), 2, "are noted");
    fca_state_close(&state);
}


int
main(void)
{
    if (mkdtemp(dir) == NULL) {
        return 1;
    }

    loop_thread = pthread_self();
    sem_init(&held, 0, 0);
    sem_init(&let_go, 0, 0);
    uv_loop_init(&uv);

    test_slow();
    test_full();

    is_int(on_loop, 0, "nothing waited for a disk on the loop's thread");
    is_int(uv_loop_close(&uv), 0, "no handle is left");
    is_int(fca_tree_remove(dir, NULL), 0, "no file is left");

    return tap_done();
}
