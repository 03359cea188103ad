/*
 * PID 1 of a guest: makes the machine what the config drive says, runs the
 * function, answers the control port, and ends the machine when the function
 * ends.  Whatever fails before that ends it too, with one line on the console.
 */

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>
#include "vm/guest.h"
#include "vm/init/clone.h"
#include "vm/init/config.h"
#include "vm/init/console.h"
#include "vm/init/control.h"
#include "vm/init/etc.h"
#include "vm/init/full.h"
#include "vm/init/function.h"
#include "vm/init/life.h"
#include "vm/init/listen.h"
#include "vm/init/modules.h"
#include "vm/init/mounts.h"
#include "vm/init/net.h"
#include "vm/init/oom.h"
#include "vm/init/ops.h"
#include "vm/init/program.h"
#include "vm/init/trial.h"

#define MODULES_DIR   "/modules"
#define TRIAL_WAIT_S  10
#define LAST_WORDS    1024              /* bytes of output on the console */
#define LAST_LINES    10

enum {
    FD_SIGNAL = 0,
    FD_OOM,
    FD_CLONE,
    FD_OUTPUT,                          /* and one more */
    FD_CONTROL = FD_OUTPUT + 2,
    FD_COUNT = FD_CONTROL + FCV_CONTROL_FDS
};

typedef struct {
    int             signal_fd, oom_fd;
    fcv_config_t    conf;
    int             own;                /* it has a root of its own */
    fcv_program_t   program;
    fcv_function_t  function;
    fcv_output_t    output;
    fcv_control_t   control;
    fcv_life_t      life;
    fcv_clone_t     clone;
    fcv_ops_t       ops;
    fcv_watch_t     watch;
    fcv_full_t      full;
    char            deaf[256];          /* why it cannot be reached */
} guest_t;


/* with reboot=k a restart is what ends the VMM (the i8042's reset line) */

static void
end_machine(void)
{
    sync();
    tcdrain(STDERR_FILENO);
    reboot(RB_AUTOBOOT);

    for ( ;; ) {
        pause();
    }
}


/* A function of a thousand busy processes is still heard, watched and ended:
 * none of them has this, whatever it forks.  A kernel without goes on. */

static void
go_first(void)
{
    struct sched_param  param = { .sched_priority = 1 };

    if (sched_setscheduler(0, SCHED_FIFO|SCHED_RESET_ON_FORK, &param) < 0) {
        fcv_say("no priority for init: %s", strerror(errno));
    }
}


static int
open_signals(guest_t *guest, fcf_err_t *err)
{
    sigset_t  set;

    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);

    guest->signal_fd = -1;

    if (sigprocmask(SIG_BLOCK, &set, NULL) == 0) {
        guest->signal_fd = signalfd(-1, &set, SFD_CLOEXEC|SFD_NONBLOCK);
    }

    if (guest->signal_fd < 0) {
        return fcf_err_sys(err, errno, "signalfd");
    }

    /* Ctrl-Alt-Del comes as SIGINT instead of restarting at once */
    reboot(RB_DISABLE_CAD);

    return 0;
}


static int
prepare(guest_t *guest, fcf_err_t *err)
{
    if (fcv_modules_load(MODULES_DIR, err) < 0) {
        return -1;
    }

    if (fcv_config_read(&guest->conf, fcv_config_drive(), err) < 0) {
        return fcf_err_wrap(err, "config drive %s", fcv_config_drive());
    }

    guest->own = fcv_own_root();

    if (guest->conf.time_ms > 0
        && fcv_set_clock(guest->conf.time_ms, err) < 0)
    {
        return -1;
    }

    if (fcv_net_up(&guest->conf, err) < 0) {
        return fcf_err_wrap(err, "network");
    }

    if (guest->conf.seed && fcv_seed(guest->conf.seed, "seed", err) < 0) {
        return -1;
    }

    if (fcv_mount_root(err) < 0) {
        return -1;
    }

    return fcv_etc_write(&guest->conf, err);
}


static int
start(guest_t *guest, fcf_err_t *err)
{
    go_first();
    guest->oom_fd = fcv_oom_open();
    fcv_full_start(&guest->full, fcv_now_ms());

    if (open_signals(guest, err) < 0
        || fcv_control_open(&guest->control, guest->conf.address,
                            guest->conf.gateway, &guest->output, fcv_op,
                            &guest->ops, err) < 0
        || fcv_program_find(&guest->program, guest->own, err) < 0
        || fcv_function_start(&guest->function, &guest->conf, &guest->program,
                              err) < 0)
    {
        return -1;
    }

    guest->ops.life = &guest->life;
    guest->ops.clone = &guest->clone;
    fcv_life_init(&guest->life, &guest->function);
    fcv_clone_init(&guest->clone, &guest->conf, &guest->control);
    fcv_watch_start(&guest->watch, guest->conf.port, fcv_now_ms());

    return 0;
}


/* a bounded piece: the other descriptors have their turn too */

static void
read_output(guest_t *guest, fcv_stream_e stream)
{
    ssize_t      n;
    static char  buf[65536];

    n = read(guest->function.pipe[stream], buf, sizeof(buf));

    if (n > 0) {
        fcv_output_add(&guest->output, stream, buf, (size_t) n);

    } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
        close(guest->function.pipe[stream]);
        guest->function.pipe[stream] = -1;
    }
}


static void
read_signals(guest_t *guest)
{
    struct signalfd_siginfo  info;

    while (read(guest->signal_fd, &info, sizeof(info))
           == (ssize_t) sizeof(info))
    {
        if (info.ssi_signo == SIGCHLD) {

            if (fcv_function_reap(&guest->function)) {
                fcv_life_event(&guest->life, FCV_ON_ENDED);
            }

        } else {
            guest->life.stop_ms = FCV_STOP_TIMEOUT_MS;
            fcv_life_event(&guest->life, FCV_ON_STOP);
        }
    }
}


/* The function itself is told of with its end; a process of its that dies
 * alone here, since it may go on without. */

static void
read_oom(guest_t *guest)
{
    char   name[64];
    pid_t  pid;

    while (guest->oom_fd >= 0
           && (pid = fcv_oom_read(guest->oom_fd, name)) >= 0)
    {
        if (pid == 0) {
            continue;
        }

        if (pid == guest->function.leader) {
            guest->function.oom = 1;
            continue;
        }

        fcv_full_killed(&guest->full, (int) pid, name,
                        fcv_memory_mb(guest->conf.memory_mb), fcv_now_ms());
    }
}


static void
say_output(const guest_t *guest)
{
    char    words[LAST_WORDS];
    size_t  len;

    len = fcv_output_tail(&guest->output, words, sizeof(words), LAST_LINES);
    fcv_say_lines(words, len);
}


/* Listeners are looked for until the port is open, or the host, which follows
 * whom it has reached, knows more; nothing is done after. */

static void
watch_port(guest_t *guest)
{
    int64_t  now;
    char     words[sizeof(guest->deaf)];

    now = fcv_now_ms();

    if (guest->control.followed) {
        fcv_watch_end(&guest->watch);
    }

    if (guest->life.state != FCV_LIFE_RUNNING
        || fcv_watch_wait(&guest->watch, now) != 0)
    {
        return;
    }

    switch (fcv_watch_look(&guest->watch, now, words, sizeof(words))) {
    case FCV_WATCH_QUIET:
        break;

    case FCV_WATCH_TOLD:
        fcv_say("%s", words);
        say_output(guest);
        break;

    case FCV_WATCH_DEAF:
        memcpy(guest->deaf, words, sizeof(words));
        fcv_say("%s", words);
        fcv_life_event(&guest->life, FCV_ON_DEAF);
        break;
    }
}


/* negative: for ever */

static int
sooner(int a, int b)
{
    return a < 0 || (b >= 0 && b < a) ? b : a;
}


/* until a deadline of the function's life, or the next look at its port or at
 * what it has used up */

static int
wait_ms(const guest_t *guest)
{
    int      ms;
    int64_t  now = fcv_now_ms();

    ms = sooner(fcv_life_wait(&guest->life), fcv_clone_wait(&guest->clone));

    if (guest->life.state != FCV_LIFE_RUNNING) {
        return ms;
    }

    ms = sooner(ms, fcv_full_wait(&guest->full, now));

    return sooner(ms, fcv_watch_wait(&guest->watch, now));
}


/* everything is read (nobody holds the pipes any more) and sent on */

static int
is_flushed(const guest_t *guest)
{
    return guest->function.pipe[FCV_STDOUT] < 0
           && guest->function.pipe[FCV_STDERR] < 0
           && !fcv_control_behind(&guest->control);
}


static void
turn(guest_t *guest)
{
    int            i, n;
    struct pollfd  fds[FD_COUNT];

    fds[FD_SIGNAL].fd = guest->signal_fd;
    fds[FD_SIGNAL].events = POLLIN;

    fds[FD_OOM].fd = guest->oom_fd;
    fds[FD_OOM].events = POLLIN;

    for (i = 0; i < 2; i++) {
        fds[FD_OUTPUT + i].fd = guest->function.pipe[i];
        fds[FD_OUTPUT + i].events = POLLIN;
    }

    fcv_clone_want(&guest->clone, &fds[FD_CLONE]);
    fcv_control_want(&guest->control, &fds[FD_CONTROL]);

    n = poll(fds, FD_COUNT, wait_ms(guest));

    if (n < 0) {
        return;
    }

    for (i = 0; i < 2; i++) {
        if (fds[FD_OUTPUT + i].fd >= 0 && fds[FD_OUTPUT + i].revents) {
            read_output(guest, (fcv_stream_e) i);
        }
    }

    if (fds[FD_OOM].revents) {
        read_oom(guest);
    }

    if (fds[FD_SIGNAL].revents) {
        read_signals(guest);
    }

    fcv_control_ready(&guest->control, &fds[FD_CONTROL]);
    fcv_clone_ready(&guest->clone, &fds[FD_CLONE]);

    if (fcv_life_wait(&guest->life) == 0) {
        fcv_life_event(&guest->life, FCV_ON_TIMEOUT);
    }

    watch_port(guest);

    if (guest->life.state == FCV_LIFE_RUNNING) {
        fcv_full_look(&guest->full, fcv_now_ms());
    }

    if (is_flushed(guest)) {
        fcv_life_event(&guest->life, FCV_ON_FLUSHED);
    }
}


static void
say_end(guest_t *guest)
{
    char  status[96], memory[64];

    read_oom(guest);

    if (guest->life.stopped) {
        fcv_say("stopped");
        return;
    }

    if (guest->life.deaf) {
        fcv_say("the function was ended: %s%s", guest->deaf,
                guest->output.total > 0 ? "; its last output:" : "");
        say_output(guest);
        return;
    }

    memory[0] = '\0';

    if (guest->function.oom) {
        snprintf(memory, sizeof(memory), ", of which there are %d MB",
                 fcv_memory_mb(guest->conf.memory_mb));
    }

    fcv_function_status(&guest->function, status, sizeof(status));
    fcv_say("the function ended: %s%s; %s", status, memory,
            guest->output.total > 0 ? "its last output:"
                                    : "it wrote nothing");
    say_output(guest);
}


/* With a network the host looks whether it reaches us, and ends the VM. */

static void
run_trial(guest_t *guest, int kind)
{
    fcf_err_t          err;
    static const char  ok[] = FCV_TRIAL_WORD "\n";

    if (kind == 2 && prepare(guest, &err) < 0) {
        fcv_say("%s", err.msg);
        return;
    }

    if (write(STDOUT_FILENO, ok, sizeof(ok) - 1) < 0) {
        fcv_say("console: %s", strerror(errno));
    }

    if (kind == 2) {
        sleep(TRIAL_WAIT_S);
    }
}


int
main(void)
{
    int        trial;
    fcf_err_t  err;

    static guest_t  guest;

    if (getpid() != 1) {
        fcv_say("this is the init of a guest, it runs as process 1 only");
        return 1;
    }

    if (fcv_mount_kernel(&err) < 0) {
        fcv_say("%s", err.msg);
        end_machine();
    }

    trial = fcv_trial_kind();

    if (trial) {
        run_trial(&guest, trial);
        end_machine();
    }

    if (prepare(&guest, &err) < 0 || start(&guest, &err) < 0) {
        fcv_say("%s", err.msg);
        end_machine();
    }

    while (guest.life.state != FCV_LIFE_GONE) {
        turn(&guest);
    }

    say_end(&guest);
    end_machine();
}
