#include <errno.h>
#include <grp.h>
#include <malloc.h>
#include <seccomp.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/capability.h>

#include "agent/base/user.h"
#include "agent/proxy/sandbox.h"

/* The proxy opens no file and starts no thread or process once it runs; what
 * it is given comes as descriptors. */
static const int  fca_sandbox_calls[] = {
    /* sockets: SOCK_STREAM over IPv4 alone is made, see below */
    SCMP_SYS(accept4), SCMP_SYS(connect), SCMP_SYS(recvfrom),
    SCMP_SYS(recvmsg), SCMP_SYS(sendto), SCMP_SYS(sendmsg),
    SCMP_SYS(shutdown), SCMP_SYS(getsockopt), SCMP_SYS(setsockopt),
    SCMP_SYS(getsockname), SCMP_SYS(getpeername),

    /* descriptors, and the wait for them */
    SCMP_SYS(read), SCMP_SYS(readv), SCMP_SYS(write), SCMP_SYS(writev),
    SCMP_SYS(close), SCMP_SYS(fcntl), SCMP_SYS(poll), SCMP_SYS(ppoll),
    SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait),

    /* memory; none that can be executed, see below */
    SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise),

    /* threads, time, signals, the end */
    SCMP_SYS(futex), SCMP_SYS(sched_yield), SCMP_SYS(sched_getaffinity),
    SCMP_SYS(clock_gettime), SCMP_SYS(gettimeofday), SCMP_SYS(getrandom),
    SCMP_SYS(restart_syscall), SCMP_SYS(rt_sigreturn),
    SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigaction), SCMP_SYS(getpid),
    SCMP_SYS(gettid), SCMP_SYS(exit), SCMP_SYS(exit_group),
    /* frees a thread's memory at its end */
    SCMP_SYS(set_robust_list), SCMP_SYS(rseq),
};

/* What a sanitizer's report, and its look for leaks at the end, need. */
#if defined(__SANITIZE_ADDRESS__)
#define FCA_SANITIZED  1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FCA_SANITIZED  1
#endif
#endif

#ifdef FCA_SANITIZED
static const int  fca_sandbox_sanitizer[] = {
    SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(readlink),
    SCMP_SYS(readlinkat), SCMP_SYS(stat), SCMP_SYS(fstat),
    SCMP_SYS(newfstatat), SCMP_SYS(lseek), SCMP_SYS(pread64),
    SCMP_SYS(getdents), SCMP_SYS(getdents64), SCMP_SYS(ioctl),
    SCMP_SYS(prlimit64), SCMP_SYS(getrlimit), SCMP_SYS(sigaltstack),
    SCMP_SYS(prctl), SCMP_SYS(clone), SCMP_SYS(wait4), SCMP_SYS(ptrace),
    SCMP_SYS(process_vm_readv), SCMP_SYS(getppid), SCMP_SYS(tkill),
    SCMP_SYS(kill), SCMP_SYS(arch_prctl), SCMP_SYS(access),
};
#endif

int
fca_sandbox_user(const char *user, fcf_err_t *err)
{
    gid_t  gid;
    uid_t  uid;

    if (geteuid() != 0 && getuid() != 0) {
        return 0;
    }

    if (fca_user_find(user, &uid, &gid, err) != 0) {
        return -1;
    }

    if (setgroups(0, NULL) != 0 || setresgid(gid, gid, gid) != 0
        || setresuid(uid, uid, uid) != 0)
    {
        return fcf_err_sys(err, errno, "becoming user %s", user);
    }

    return 0;
}

static int
no_capability(fcf_err_t *err)
{
    int                              none;
    struct __user_cap_data_struct    data[2];
    struct __user_cap_header_struct  head;

    none = 0;
    memset(data, 0, sizeof(data));
    head.version = _LINUX_CAPABILITY_VERSION_3;
    head.pid = 0;

    if (syscall(SYS_capget, &head, data) == 0
        && !(data[0].effective | data[0].permitted | data[0].inheritable
             | data[1].effective | data[1].permitted | data[1].inheritable))
    {
        none = 1;
    }

    memset(data, 0, sizeof(data));

    /* a unit's filter may refuse what need not be done */
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0
        || prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0
        || (!none && syscall(SYS_capset, &head, data) != 0))
    {
        return fcf_err_sys(err, errno, "giving up capabilities");
    }

    return 0;
}

static int
allow_calls(scmp_filter_ctx filter, const int *calls, size_t n)
{
    int     rc;
    size_t  i;

    for (i = 0, rc = 0; i < n && rc == 0; i++) {
        rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0);
    }

    return rc;
}

/* those that depend on what they are asked for */
static int
allow_some(scmp_filter_ctx filter)
{
    int  rc;

    rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 2,
                          SCMP_A0(SCMP_CMP_EQ, AF_INET, 0),
                          SCMP_A1(SCMP_CMP_MASKED_EQ, 0xff, SOCK_STREAM));

    if (rc == 0) {
        rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
                              SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    }

    if (rc == 0) {
        rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
                              SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    }

    /* how libuv makes a descriptor non-blocking */
    if (rc == 0) {
        rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
                              SCMP_A1(SCMP_CMP_EQ, FIONBIO, 0));
    }

    /* a failed assertion is to be told as such */
    if (rc == 0) {
        rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
                              SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t) getpid(),
                                      0));
    }

    return rc;
}

static int
load_filter(scmp_filter_ctx filter)
{
    int  rc;

    rc = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);

    if (rc == 0) {
        rc = allow_calls(filter, fca_sandbox_calls,
                         sizeof(fca_sandbox_calls) / sizeof(int));
    }

#ifdef FCA_SANITIZED
    if (rc == 0) {
        rc = allow_calls(filter, fca_sandbox_sanitizer,
                         sizeof(fca_sandbox_sanitizer) / sizeof(int));
    }
#endif

    if (rc == 0) {
        rc = allow_some(filter);
    }

    return rc == 0 ? seccomp_load(filter) : rc;
}

void
fca_sandbox_prepare(void)
{
    /* a second arena of glibc's malloc, when it shrinks, opens a file below
     * /proc to see whether it may */
    mallopt(M_ARENA_MAX, 1);
}

int
fca_sandbox_enter(fcf_err_t *err)
{
    int              rc;
    scmp_filter_ctx  filter;

    if (no_capability(err) != 0) {
        return -1;
    }

    filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
    if (filter == NULL) {
        return fcf_err_set(err, FCF_E_NOMEM, "seccomp: out of memory");
    }

    rc = load_filter(filter);
    seccomp_release(filter);

    return rc == 0 ? 0 : fcf_err_sys(err, -rc, "seccomp");
}
