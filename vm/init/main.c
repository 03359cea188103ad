/*
 * PID 1 of a guest: makes the machine what the config drive says, runs the
 * function, answers the control port, and ends the machine when the function
 * ends.  Whatever fails before that ends it too, with one line on the console.
 */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>
#include "vm/guest.h"
#include "vm/init/config.h"
#include "vm/init/console.h"
#include "vm/init/control.h"
#include "vm/init/function.h"
#include "vm/init/life.h"
#include "vm/init/modules.h"
#include "vm/init/mounts.h"
#include "vm/init/net.h"
#include "vm/init/ops.h"

#define MODULES_DIR   "/modules"
#define CONFIG_DRIVE  "/dev/vdc"
#define TRIAL_WAIT_S  10
#define LAST_WORDS    1024              /* bytes of output on the console */
#define LAST_LINES    10

enum {
    FD_SIGNAL = 0,
    FD_OUTPUT,                          /* and one more */
    FD_CONTROL = FD_OUTPUT + 2,
    FD_COUNT = FD_CONTROL + FCV_CONTROL_FDS
};

typedef struct {
    int             signal_fd;
    fcv_config_t    conf;
    fcv_function_t  function;
    fcv_output_t    output;
    fcv_control_t   control;
    fcv_life_t      life;
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


/* 0: no trial; 1: only to come up; 2: with drives and network */

static int
trial_kind(void)
{
    int      fd;
    char     line[4096], *rest, *word;
    ssize_t  n;

    fd = open("/proc/cmdline", O_RDONLY|O_CLOEXEC);
    if (fd < 0) {
        return 0;
    }

    n = read(fd, line, sizeof(line) - 1);
    close(fd);
    line[n > 0 ? n : 0] = '\0';

    rest = line;

    while ((word = strsep(&rest, " \n")) != NULL) {
        if (strcmp(word, FCV_TRIAL_ALONE) == 0) {
            return 1;
        }

        if (strcmp(word, FCV_TRIAL_WHOLE) == 0) {
            return 2;
        }
    }

    return 0;
}


static int
write_hosts(const fcv_config_t *conf, fcf_err_t *err)
{
    char  text[256];

    snprintf(text, sizeof(text), "127.0.0.1 localhost\n127.0.1.1 %s\n",
             conf->hostname);

    if (fcv_write_file("/etc/hosts", text, err) < 0) {
        return -1;
    }

    snprintf(text, sizeof(text), "%s\n", conf->hostname);

    return fcv_write_file("/etc/hostname", text, err);
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

    if (fcv_config_read(&guest->conf, CONFIG_DRIVE, err) < 0) {
        return fcf_err_wrap(err, "config drive " CONFIG_DRIVE);
    }

    if (guest->conf.time_ms > 0
        && fcv_set_clock(guest->conf.time_ms, err) < 0)
    {
        return -1;
    }

    if (fcv_net_up(&guest->conf, err) < 0) {
        return fcf_err_wrap(err, "network");
    }

    if (fcv_mount_root(err) < 0 || write_hosts(&guest->conf, err) < 0) {
        return -1;
    }

    return 0;
}


static int
start(guest_t *guest, fcf_err_t *err)
{
    if (open_signals(guest, err) < 0
        || fcv_control_open(&guest->control, guest->conf.address,
                            guest->conf.gateway, &guest->output, fcv_op,
                            &guest->life, err) < 0
        || fcv_function_start(&guest->function, &guest->conf, err) < 0)
    {
        return -1;
    }

    fcv_life_init(&guest->life, &guest->function);

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

    for (i = 0; i < 2; i++) {
        fds[FD_OUTPUT + i].fd = guest->function.pipe[i];
        fds[FD_OUTPUT + i].events = POLLIN;
    }

    fcv_control_want(&guest->control, &fds[FD_CONTROL]);

    n = poll(fds, FD_COUNT, fcv_life_wait(&guest->life));

    if (n < 0) {
        return;
    }

    for (i = 0; i < 2; i++) {
        if (fds[FD_OUTPUT + i].fd >= 0 && fds[FD_OUTPUT + i].revents) {
            read_output(guest, (fcv_stream_e) i);
        }
    }

    if (fds[FD_SIGNAL].revents) {
        read_signals(guest);
    }

    fcv_control_ready(&guest->control, &fds[FD_CONTROL]);

    if (fcv_life_wait(&guest->life) == 0) {
        fcv_life_event(&guest->life, FCV_ON_TIMEOUT);
    }

    if (is_flushed(guest)) {
        fcv_life_event(&guest->life, FCV_ON_FLUSHED);
    }
}


static void
say_end(const guest_t *guest)
{
    char    status[64], words[LAST_WORDS];
    size_t  len;

    if (guest->life.stopped) {
        fcv_say("stopped");
        return;
    }

    fcv_function_status(&guest->function, status, sizeof(status));
    len = fcv_output_tail(&guest->output, words, sizeof(words), LAST_LINES);

    fcv_say("the function ended: %s; %s", status,
            len > 0 ? "its last output:" : "it wrote nothing");
    fcv_say_lines(words, len);
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

    trial = trial_kind();

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
