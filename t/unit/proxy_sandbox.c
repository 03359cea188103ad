/* What fcfaas-proxy can do no more once it is shut in, and what it still can.
 * Each try is a process of its own. */

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "agent/proxy/sandbox.h"
#include "t/unit/tap.h"

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED  1
#else
#define SANITIZED  0
#endif

typedef struct {
    const char   *name;
    long        (*call)(void);
    int           sanitizer;        /* a sanitizer needs the same */
} attempt_t;

#define ATTEMPT(id, expr)                                                   \
    static long                                                             \
    id(void)                                                                \
    {                                                                       \
        return (expr);                                                      \
    }

static char *const  no_args[] = { NULL };

ATTEMPT(run, execve("/bin/true", no_args, no_args))
ATTEMPT(open_file, syscall(SYS_openat, AT_FDCWD, "/etc/passwd", O_RDONLY))
ATTEMPT(make_unix, socket(AF_UNIX, SOCK_STREAM, 0))
ATTEMPT(make_udp, socket(AF_INET, SOCK_DGRAM, 0))
ATTEMPT(make_ipv6, socket(AF_INET6, SOCK_STREAM, 0))
ATTEMPT(make_packet, socket(AF_PACKET, SOCK_STREAM, 0))
ATTEMPT(make_netlink, socket(AF_NETLINK, SOCK_RAW, 0))
ATTEMPT(bind_port, bind(0, NULL, 0))
ATTEMPT(listen_port, listen(0, 1))
ATTEMPT(map_code, (long) mmap(NULL, 4096, PROT_READ | PROT_EXEC,
                              MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))
ATTEMPT(make_code, mprotect(&errno, 1, PROT_READ | PROT_EXEC))
ATTEMPT(trace, syscall(SYS_ptrace, PTRACE_ATTACH, getppid(), 0, 0))
ATTEMPT(signal_parent, syscall(SYS_kill, getppid(), SIGTERM))
ATTEMPT(signal_thread, syscall(SYS_tgkill, 1, 1, SIGTERM))
ATTEMPT(fork_off, syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0))
ATTEMPT(become_root, syscall(SYS_setuid, 0))
ATTEMPT(delete_file, unlink("/nowhere"))
ATTEMPT(change_root, chroot("/"))
ATTEMPT(trace_kernel, syscall(SYS_bpf, 0, 0, 0))
ATTEMPT(io_ring, syscall(SYS_io_uring_setup, 1, NULL))
ATTEMPT(user_fault, syscall(SYS_userfaultfd, 0))
ATTEMPT(wait_child, syscall(SYS_wait4, -1, 0, WNOHANG, 0))

static const attempt_t  forbidden[] = {
    { "run a program", run, 0 }, { "open a file", open_file, 1 },
    { "a unix socket", make_unix, 0 }, { "UDP", make_udp, 0 },
    { "IPv6", make_ipv6, 0 }, { "packets", make_packet, 0 },
    { "netlink", make_netlink, 0 }, { "bind", bind_port, 0 },
    { "listen", listen_port, 0 }, { "map code", map_code, 0 },
    { "make code", make_code, 0 }, { "trace", trace, 1 },
    { "signal a process", signal_parent, 1 },
    { "signal another's thread", signal_thread, 0 },
    { "fork", fork_off, 1 }, { "become root", become_root, 0 },
    { "delete a file", delete_file, 0 }, { "chroot", change_root, 0 },
    { "bpf", trace_kernel, 0 }, { "io_uring", io_ring, 0 },
    { "userfaultfd", user_fault, 0 }, { "wait for a child", wait_child, 1 },
};

static long
reach_guest(void)
{
    int                 fd, on = 1;
    struct sockaddr_in  sin = { .sin_family = AF_INET };

    fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    sin.sin_port = htons(1);

    /* no right is needed for the device, on a socket that has none yet */
    if (fd == -1
        || setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", 2) == -1
        || setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on)) == -1
        || (connect(fd, (struct sockaddr *) &sin, sizeof(sin)) == -1
            && errno != EINPROGRESS && errno != ECONNREFUSED))
    {
        return -1;
    }

    return close(fd);
}

static long
take_memory(void)
{
    int    i;
    void  *p[64];

    for (i = 0; i < 64; i++) {
        p[i] = malloc(1 << i % 20);
        if (p[i] == NULL) {
            return -1;
        }

        memset(p[i], 1, (size_t) 1 << i % 20);
    }

    for (i = 0; i < 64; i++) {
        free(p[i]);
    }

    return 0;
}

/* whoever was root is no more, in any of the ids */
static long
not_root(void)
{
    return getuid() == 61234 && geteuid() == 61234 ? 0 : -1;
}

static const attempt_t  allowed[] = {
    { "connect to a guest by its device", reach_guest, 0 },
    { "take memory and give it back", take_memory, 0 },
};

static int
attempt(long (*call)(void))
{
    int        status;
    pid_t      pid;
    fcf_err_t  err;

    fflush(stdout);
    pid = fork();

    if (pid == 0) {
        if (fca_sandbox_user("61234:61235", &err) != 0
            || not_root() != 0 || fca_sandbox_enter(&err) != 0)
        {
            _exit(99);
        }

        _exit(call() == -1 ? 1 : 0);
    }

    waitpid(pid, &status, 0);

    return status;
}

static void
users(void)
{
    fcf_err_t  err;

    ok(fca_sandbox_user("no-such-user", &err) == -1, "an unknown user");
    ok(strstr(err.msg, "no-such-user") != NULL, "by name");
    ok(fca_sandbox_user("root", &err) == -1, "root is no user to become");
    ok(fca_sandbox_user("0", &err) == -1, "nor is 0");
    ok(fca_sandbox_user("61234:0", &err) == -1, "nor its group");
    ok(fca_sandbox_user("61234x", &err) == -1, "not a number");
    ok(fca_sandbox_user("", &err) == -1, "nothing");
    is_int(getuid(), 0, "and nothing has changed");
}

int
main(void)
{
    int     status;
    size_t  i;

    if (getuid() != 0) {
        printf("1..0 # SKIP must be root\n");
        return 0;
    }

    users();

    for (i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++) {
        status = attempt(allowed[i].call);
        ok(WIFEXITED(status) && WEXITSTATUS(status) == 0, "can: %s",
           allowed[i].name);
    }

    for (i = 0; i < sizeof(forbidden) / sizeof(forbidden[0]); i++) {
        if (SANITIZED && forbidden[i].sanitizer) {
            continue;
        }

        status = attempt(forbidden[i].call);
        ok(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS,
           "cannot: %s (status %x)", forbidden[i].name, (unsigned) status);
    }

    return tap_done();
}
