/*
 * Drives agent/vmm/vmm_cgroup*.c: one command a line on standard input, one
 * or more lines each on standard output, the last of which is "." alone.
 * t/agent/cgroup.t runs it here and, as process 1, in a guest whose kernel has
 * version 2; there it reads /script.
 */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/sched.h>

#include "agent/vmm/vmm_cgroup.h"

#define CHUNK  (1024 * 1024)

static fca_cgroups_t  *cgroups;
static pid_t           child;


static void
cat(const char *path)
{
    FILE  *f;
    char   line[4096];

    f = fopen(path, "re");

    if (f == NULL) {
        printf("%s: %s\n", path, strerror(errno));
        return;
    }

    while (fgets(line, sizeof(line), f) != NULL) {
        printf("%s%s", line, strchr(line, '\n') != NULL ? "" : "\n");
    }

    fclose(f);
}


/* open MODE NODE [ROOT [PROC]] */
static void
cmd_open(char **words)
{
    fcf_err_t           err;
    fca_cgroups_conf_t  conf = {
        .mode = strcmp(words[1], "yes") == 0 ? FCA_CGROUPS_YES
                : strcmp(words[1], "no") == 0 ? FCA_CGROUPS_NO
                                              : FCA_CGROUPS_AUTO,
        .node_id = words[2],
        .tag = "t",
        .root = words[3] != NULL && strcmp(words[3], "-") != 0 ? words[3]
                                                               : "",
        .proc = words[3] != NULL ? words[4] : NULL,
    };

    fca_cgroups_close(cgroups);
    cgroups = fca_cgroups_open(&conf, &err);

    if (cgroups == NULL) {
        printf("refused %s\n", err.msg);
        return;
    }

    printf("open %d %s\n", fca_cgroups_version(cgroups),
           fca_cgroups_words(cgroups));
}


/* until it is killed, with so many MB */
static void
hold(unsigned long long mb)
{
    char  *p;

    while (mb-- > 0) {
        p = malloc(CHUNK);

        if (p == NULL) {
            _exit(3);
        }

        memset(p, 1, CHUNK);
    }

    for ( ;; ) {
        pause();
    }
}


/* run ID MB CPU PIDS USE: a child in a group of its own */
static void
cmd_run(char **words)
{
    int                   fds[2], in[2];
    char                  path[64], go;
    long                  pid;
    fcf_err_t             err;
    struct clone_args     args;
    fca_cgroup_entry_t    entry;
    fca_cgroup_limits_t   limits = { atoll(words[2]), atoi(words[3]),
                                     atoi(words[4]) };

    if (fca_cgroup_make(cgroups, words[1], &limits, &entry, &err) != 0) {
        printf("failed %s\n", err.msg);
        return;
    }

    memset(&args, 0, sizeof(args));
    args.exit_signal = SIGCHLD;
    fca_cgroup_clone(&entry, (uint64_t *) &args.flags,
                     (uint64_t *) &args.cgroup);

    if (pipe(fds) != 0 || pipe(in) != 0) {
        exit(2);
    }

    fflush(stdout);
    pid = syscall(SYS_clone3, &args, sizeof(args));

    if (pid == 0) {
        if (fca_cgroup_enter(&entry, &err) != 0
            || write(in[1], "x", 1) != 1 || read(fds[0], &go, 1) != 1)
        {
            _exit(4);
        }

        hold(strtoull(words[5], NULL, 10));
    }

    child = (pid_t) pid;

    close(in[1]);

    if (pid < 0 || read(in[0], &go, 1) != 1) {
        printf("failed %s\n", pid < 0 ? strerror(errno) : "it is not in");
        return;
    }

    close(in[0]);

    fca_cgroup_entry_close(&entry);
    snprintf(path, sizeof(path), "/proc/%d/cgroup", (int) child);
    cat(path);

    if (write(fds[1], "x", 1) != 1) {
        exit(2);
    }

    close(fds[0]);
    close(fds[1]);
}


/* wait: for the child's end; kill: that too, after SIGKILL */
static void
cmd_wait(int sig)
{
    int  status;

    if (sig != 0) {
        kill(child, sig);
    }

    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
        /* again */
    }

    printf("%s %d\n", WIFSIGNALED(status) ? "signal" : "exit",
           WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
}


static void
cmd_remove(char **words)
{
    fcf_err_t  err;

    if (fca_cgroup_remove(cgroups, words[1], (unsigned) atoi(words[2]), &err)
        != 0)
    {
        printf("failed %s\n", err.msg);
        return;
    }

    printf("removed\n");
}


static void
cmd_other(char **words)
{
    if (strcmp(words[0], "mkdir") == 0) {
        printf("%s\n", mkdir(words[1], 0755) == 0 ? "made"
                                                  : strerror(errno));

    } else if (strcmp(words[0], "stat") == 0) {
        printf("%s\n", access(words[1], F_OK) == 0 ? "there" : "gone");

    } else if (strcmp(words[0], "enter") == 0) {
        /* this process itself */
        FILE  *f = fopen(words[1], "we");

        printf("%s\n", f != NULL && fputs("0", f) >= 0 && fclose(f) == 0
                       ? "entered" : strerror(errno));

    } else if (strcmp(words[0], "stay") == 0) {
        /* one that lives where this one does now */
        child = fork();

        if (child == 0) {
            hold(0);
        }

        printf("stays\n");

    } else {
        printf("unknown command\n");
    }
}


static void
command(char *line)
{
    char    *words[8] = { NULL }, *rest;
    size_t   n;

    for (n = 0, rest = NULL; n < 7; n++) {
        words[n] = strtok_r(n == 0 ? line : NULL, " \n", &rest);
        if (words[n] == NULL) {
            break;
        }
    }

    if (words[0] == NULL) {
        return;
    }

    if (strcmp(words[0], "open") == 0) {
        cmd_open(words);

    } else if (strcmp(words[0], "run") == 0) {
        cmd_run(words);

    } else if (strcmp(words[0], "wait") == 0) {
        cmd_wait(0);

    } else if (strcmp(words[0], "kill") == 0) {
        cmd_wait(SIGKILL);

    } else if (strcmp(words[0], "kills") == 0) {
        printf("%lld\n", fca_cgroup_oom_kills(cgroups, words[1]));

    } else if (strcmp(words[0], "remove") == 0) {
        cmd_remove(words);

    } else if (strcmp(words[0], "cat") == 0) {
        cat(words[1]);

    } else {
        cmd_other(words);
    }

    printf(".\n");
    fflush(stdout);
}


static void
guest(void)
{
    mkdir("/proc", 0755);
    mkdir("/sys", 0755);
    mount("none", "/proc", "proc", 0, NULL);
    mount("none", "/sys", "sysfs", 0, NULL);
    mount("none", "/sys/fs/cgroup", "cgroup2", 0, NULL);

    if (freopen("/script", "re", stdin) == NULL) {
        printf("no /script\n");
    }
}


int
main(void)
{
    char  line[1024];

    if (getpid() == 1) {
        guest();
    }

    while (fgets(line, sizeof(line), stdin) != NULL) {
        if (getpid() == 1) {
            printf("> %s", line);
        }

        command(line);
    }

    fca_cgroups_close(cgroups);

    if (getpid() == 1) {
        printf("end\n");
        fflush(stdout);
        sync();
        reboot(RB_AUTOBOOT);
    }

    return 0;
}
