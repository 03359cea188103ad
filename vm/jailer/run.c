#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "vm/jailer/jailer.h"


unsigned long long
fcv_jail_us(int clock_id)
{
    struct timespec  ts;

    clock_gettime(clock_id, &ts);

    return (unsigned long long) ts.tv_sec * 1000000
           + (unsigned long long) ts.tv_nsec / 1000;
}


static int
netns_join(const char *path, fcf_err_t *err)
{
    int  fd, rc;

    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return fcf_err_sys(err, errno, "Failed to open file %s", path);
    }

    rc = setns(fd, CLONE_NEWNET);

    if (rc != 0) {
        (void) fcf_err_sys(err, errno, "Failed to join network namespace: "
                           "netns");
    }

    close(fd);

    return rc;
}


static int
limits_set(const fcv_jail_t *jail, fcf_err_t *err)
{
    struct rlimit  fsize = { jail->fsize, jail->fsize };
    struct rlimit  files = { jail->no_file, jail->no_file };

    if (jail->fsize_set && setrlimit(RLIMIT_FSIZE, &fsize) != 0) {
        return fcf_err_sys(err, errno, "Failed to set limit for resource: "
                           "size of file");
    }

    if (setrlimit(RLIMIT_NOFILE, &files) != 0) {
        return fcf_err_sys(err, errno, "Failed to set limit for resource: "
                           "number of file descriptors");
    }

    return 0;
}


/* Two forks: a session of its own, but not its leader, so that no terminal
 * becomes its own. */
static int
daemonize(fcv_jail_t *jail, int null, fcf_err_t *err)
{
    int    i;
    pid_t  pid;

    for (i = 0; i < 2; i++) {
        pid = fork();

        if (pid < 0) {
            return fcf_err_sys(err, errno, "Failed to daemonize");
        }

        if (pid > 0) {
            _exit(0);
        }

        if (i == 0 && setsid() < 0) {
            return fcf_err_sys(err, errno, "Failed to daemonize: setsid");
        }

        jail->cpu_us += fcv_jail_us(CLOCK_PROCESS_CPUTIME_ID);
    }

    for (i = STDIN_FILENO; i <= STDERR_FILENO; i++) {
        if (dup2(null, i) < 0) {
            return fcf_err_sys(err, errno, "Failed to duplicate fd");
        }
    }

    return 0;
}


static int
pid_save(const fcv_jail_t *jail, pid_t pid, fcf_err_t *err)
{
    int   fd, saved;
    char  path[NAME_MAX + 8], text[32];

    snprintf(path, sizeof(path), "/%s.pid", jail->exec_name);
    snprintf(text, sizeof(text), "%d", (int) pid);

    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0) {
        return fcf_err_sys(err, errno, "Failed to open file %s", path);
    }

    saved = write(fd, text, strlen(text)) < 0 ? errno : 0;
    close(fd);

    return saved == 0 ? 0
           : fcf_err_sys(err, saved, "Failed to write to %s", path);
}


/* groups first: without the user's rights they could not be given up */
static int
rights_drop(const fcv_jail_t *jail, fcf_err_t *err)
{
    if (setgroups(0, NULL) != 0 || setgid(jail->gid) != 0
        || setuid(jail->uid) != 0)
    {
        return fcf_err_sys(err, errno, "Failed to exec into Firecracker");
    }

    return 0;
}


static int
program_run(const fcv_jail_t *jail, fcf_err_t *err)
{
    char    path[NAME_MAX + 2], start[32], cpu[32], parent[32], **argv;
    size_t  i, n;

    argv = calloc(jail->args->nextra + 10, sizeof(argv[0]));
    if (argv == NULL) {
        return fcf_err_set(err, FCF_E_NOMEM, "out of memory");
    }

    snprintf(path, sizeof(path), "/%s", jail->exec_name);
    snprintf(start, sizeof(start), "%llu", jail->start_us);
    snprintf(cpu, sizeof(cpu), "%llu",
             fcv_jail_us(CLOCK_PROCESS_CPUTIME_ID));
    snprintf(parent, sizeof(parent), "%llu", jail->cpu_us);

    n = 0;
    argv[n++] = path;
    argv[n++] = (char *) "--id";
    argv[n++] = (char *) jail->args->id;
    argv[n++] = (char *) "--start-time-us";
    argv[n++] = start;
    argv[n++] = (char *) "--start-time-cpu-us";
    argv[n++] = cpu;
    argv[n++] = (char *) "--parent-cpu-time-us";
    argv[n++] = parent;

    for (i = 0; i < jail->args->nextra; i++) {
        argv[n++] = jail->args->extra[i];
    }

    if (rights_drop(jail, err) == 0) {
        (void) signal(SIGPIPE, SIG_DFL);
        execv(path, argv);
        (void) fcf_err_sys(err, errno, "Failed to exec into Firecracker");
    }

    free(argv);

    return -1;
}


/* The child is process 1 of a new PID namespace; nobody waits for it. */
static int
program_run_pidns(const fcv_jail_t *jail, fcf_err_t *err)
{
    int    leader;
    pid_t  pid;

    leader = getsid(0) == getpid();
    fflush(stdout);

    pid = (pid_t) syscall(SYS_clone, CLONE_NEWPID, NULL, NULL, NULL, 0);

    if (pid < 0) {
        return fcf_err_sys(err, errno, "Failed cloning into a new child "
                           "process");
    }

    if (pid > 0) {
        return pid_save(jail, pid, err);
    }

    /* a leader's end sends its session a SIGHUP */
    if (leader && setsid() < 0) {
        return fcf_err_sys(err, errno, "Failed to daemonize: setsid");
    }

    return program_run(jail, err);
}


int
fcv_jail_run(fcv_jail_t *jail, fcf_err_t *err)
{
    int  null;

    null = -1;

    if (fcv_jail_mkdirs(jail->root, err) != 0
        || fcv_jail_copy(jail, err) != 0
        || (jail->args->netns != NULL
            && netns_join(jail->args->netns, err) != 0)
        || limits_set(jail, err) != 0
        || fcv_jail_cgroup_enter(jail, err) != 0)
    {
        return -1;
    }

    if (jail->args->daemonize) {
        null = open("/dev/null", O_RDONLY | O_CLOEXEC);

        if (null < 0) {
            return fcf_err_sys(err, errno, "Failed to open /dev/null");
        }
    }

    if (fcv_jail_enter(jail, err) != 0) {
        return -1;
    }

    jail->cpu_us = fcv_jail_us(CLOCK_PROCESS_CPUTIME_ID) - jail->start_cpu_us;
    fflush(stdout);

    if (jail->args->daemonize && daemonize(jail, null, err) != 0) {
        return -1;
    }

    if (jail->args->new_pid_ns) {
        return program_run_pidns(jail, err);
    }

    return pid_save(jail, getpid(), err) != 0 ? -1 : program_run(jail, err);
}
