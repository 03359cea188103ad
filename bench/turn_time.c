/*
 * Preloaded into nginx: how much CPU each turn of a worker's loop takes, from
 * the return of one epoll_wait() to the call of the next.  CPU time, not time:
 * what others do on the same cores does not count, and neither do interrupts
 * that the kernel accounts for.
 *
 * Each process that waits keeps its figures in a file of its pid below
 * $TURN_TIME, as turn_time_t, which whoever reads may also set to 0.  With
 * $TURN_TRACE (in us) a turn that takes longer writes where it is then to
 * standard error, as far as the kernel's tick sees it.
 */

#include <errno.h>
#include <execinfo.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>


#define OVER_N  8       /* longer than 1 ms, 2, ... */


typedef struct {
    uint64_t  before;           /* us, until it first waited for events: the
                                   call before that is nginx's test of epoll */
    uint64_t  turns;
    uint64_t  cpu;              /* us, of all turns */
    uint64_t  longest;          /* us */
    uint64_t  over[OVER_N];
} turn_time_t;


typedef int (*epoll_wait_pt)(int, struct epoll_event *, int, int);

static epoll_wait_pt  next_epoll_wait;
static turn_time_t   *turn_time;
static pid_t          owner;
static uint64_t       began;
static timer_t        trace;
static long           trace_us;


static uint64_t
cpu_us(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);

    return (uint64_t) ts.tv_sec * 1000000 + (uint64_t) ts.tv_nsec / 1000;
}


static void
on_trace(int sig)
{
    int    n, keep;
    void  *frames[32];

    (void) sig;

    keep = errno;
    n = backtrace(frames, 32);
    (void) !write(2, "a long turn:\n", 13);
    backtrace_symbols_fd(frames, n, 2);
    errno = keep;
}


static void
trace_start(void)
{
    void             *frame;
    const char       *text;
    struct sigevent   ev = { .sigev_notify = SIGEV_SIGNAL,
                             .sigev_signo = SIGRTMIN };
    struct sigaction  sa = { .sa_handler = on_trace,
                             .sa_flags = SA_RESTART };

    text = getenv("TURN_TRACE");

    if (text == NULL
        || timer_create(CLOCK_THREAD_CPUTIME_ID, &ev, &trace) == -1)
    {
        return;
    }

    /* it loads a library the first time */
    (void) backtrace(&frame, 1);

    (void) sigaction(SIGRTMIN, &sa, NULL);
    trace_us = atol(text);
}


static void
trace_arm(long us)
{
    struct itimerspec  its = { .it_value = { .tv_sec = us / 1000000,
                                   .tv_nsec = us % 1000000 * 1000 } };

    if (trace_us) {
        (void) timer_settime(trace, 0, &its, NULL);
    }
}


static void
start(void)
{
    int          fd;
    char         path[4096];
    const char  *dir;

    dir = getenv("TURN_TIME");
    owner = getpid();
    turn_time = NULL;

    if (dir == NULL) {
        return;
    }

    (void) snprintf(path, sizeof(path), "%s/%d", dir, (int) owner);

    fd = open(path, O_RDWR|O_CREAT|O_TRUNC|O_CLOEXEC, 0644);

    if (fd == -1) {
        return;
    }

    if (ftruncate(fd, sizeof(turn_time_t)) == 0) {
        turn_time = mmap(NULL, sizeof(turn_time_t), PROT_READ|PROT_WRITE,
                         MAP_SHARED, fd, 0);
        if (turn_time == MAP_FAILED) {
            turn_time = NULL;
        }
    }

    (void) close(fd);

    if (turn_time != NULL) {
        trace_start();
    }
}


static void
note(uint64_t us)
{
    unsigned  i;

    turn_time->turns++;
    turn_time->cpu += us;

    if (us > turn_time->longest) {
        turn_time->longest = us;
    }

    for (i = 0; i < OVER_N && us >= (i + 1) * 1000; i++) {
        turn_time->over[i]++;
    }
}


int
epoll_wait(int epfd, struct epoll_event *events, int maxevents, int timeout)
{
    int  n;

    if (next_epoll_wait == NULL) {
        next_epoll_wait = (epoll_wait_pt) dlsym(RTLD_NEXT, "epoll_wait");
    }

    if (owner != getpid()) {
        start();

    } else if (turn_time != NULL && turn_time->before == 0) {
        turn_time->before = cpu_us();

    } else if (turn_time != NULL) {
        trace_arm(0);
        note(cpu_us() - began);
    }

    n = next_epoll_wait(epfd, events, maxevents, timeout);

    began = cpu_us();
    trace_arm(trace_us);

    return n;
}
