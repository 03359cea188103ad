#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <linux/magic.h>

#include "agent/wire/wire.h"

#define FCA_WIRE_SEALS  (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW)

typedef union {
    char            space[CMSG_SPACE(sizeof(int))];
    struct cmsghdr  align;
} fca_wire_cmsg_t;

/* A path that is too long for a socket's address goes through its directory,
 * held open in *dirfd, else -1. */
static int
fill_addr(struct sockaddr_un *addr, const char *path, int *dirfd,
    fcf_err_t *err)
{
    int          n;
    char        *dir;
    const char  *slash;

    *dirfd = -1;
    memset(addr, 0, sizeof(*addr));
    addr->sun_family = AF_UNIX;

    if (strlen(path) < sizeof(addr->sun_path)) {
        memcpy(addr->sun_path, path, strlen(path) + 1);
        return 0;
    }

    slash = strrchr(path, '/');
    dir = slash ? strndup(path, (size_t) (slash - path)) : NULL;
    if (dir == NULL) {
        return fcf_err_set(err, FCF_E_INVALID, "%s: too long", path);
    }

    *dirfd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    free(dir);

    if (*dirfd == -1) {
        return fcf_err_sys(err, errno, "directory of %s", path);
    }

    n = snprintf(addr->sun_path, sizeof(addr->sun_path),
                 "/proc/self/fd/%d/%s", *dirfd, slash + 1);

    if (n < 0 || (size_t) n >= sizeof(addr->sun_path)) {
        close(*dirfd);
        *dirfd = -1;
        return fcf_err_set(err, FCF_E_INVALID, "%s: too long a name", path);
    }

    return 0;
}

static int
new_socket(fcf_err_t *err)
{
    int  fd;

    fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    return fd == -1 ? fcf_err_sys(err, errno, "socket") : fd;
}

int
fca_wire_bind(const char *path, fcf_err_t *err)
{
    int                 fd, dirfd, e;
    fcf_err_t           why;
    struct stat         st;
    struct sockaddr_un  addr;

    why.sys_errno = 0;
    fd = fca_wire_connect(path, &why);

    if (fd != -1 || why.sys_errno == EAGAIN) {
        fca_wire_close(fd);
        return fcf_err_set(err, FCF_E_EXISTS, "somebody listens on %s", path);
    }

    fd = new_socket(err);
    if (fd == -1 || fill_addr(&addr, path, &dirfd, err) == -1) {
        goto failed;
    }

    /* what is left of one that was killed */
    if (lstat(addr.sun_path, &st) == 0 && S_ISSOCK(st.st_mode)) {
        (void) unlink(addr.sun_path);
    }

    e = bind(fd, (struct sockaddr *) &addr, sizeof(addr)) == 0 ? 0 : errno;

    if (dirfd != -1) {
        close(dirfd);
    }

    if (e == 0) {
        return fd;
    }

    fcf_err_sys(err, e, "cannot bind %s", path);

failed:

    if (fd != -1) {
        close(fd);
    }

    return -1;
}

int
fca_wire_listen(int fd, fcf_err_t *err)
{
    return listen(fd, 4) == 0 ? 0 : fcf_err_sys(err, errno, "listen");
}

int
fca_wire_connect(const char *path, fcf_err_t *err)
{
    int                 fd, dirfd, e;
    struct sockaddr_un  addr;

    fd = new_socket(err);
    if (fd == -1 || fill_addr(&addr, path, &dirfd, err) == -1) {
        goto failed;
    }

    /* never waits: a listener whose backlog is full refuses with EAGAIN */
    e = connect(fd, (struct sockaddr *) &addr, sizeof(addr)) == 0 ? 0 : errno;

    if (dirfd != -1) {
        close(dirfd);
    }

    if (e == 0) {
        return fd;
    }

    fcf_err_sys(err, e, "%s", path);

failed:

    if (fd != -1) {
        close(fd);
    }

    return -1;
}

int
fca_wire_peer(int fd, pid_t *pid, uid_t *uid, fcf_err_t *err)
{
    socklen_t     len;
    struct ucred  cred;

    len = sizeof(cred);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == -1) {
        return fcf_err_sys(err, errno, "SO_PEERCRED");
    }

    *pid = cred.pid;
    *uid = cred.uid;

    return 0;
}

int
fca_wire_send(int sock, const fca_wire_msg_t *msg, int fd, fcf_err_t *err)
{
    ssize_t          n;
    struct iovec     iov;
    struct msghdr    hdr;
    struct cmsghdr  *cmsg;
    fca_wire_cmsg_t  control;

    iov.iov_base = (void *) (uintptr_t) msg;
    iov.iov_len = msg->head.len;
    memset(&hdr, 0, sizeof(hdr));
    hdr.msg_iov = &iov;
    hdr.msg_iovlen = 1;

    if (fd != -1) {
        memset(&control, 0, sizeof(control));
        hdr.msg_control = control.space;
        hdr.msg_controllen = sizeof(control.space);
        cmsg = CMSG_FIRSTHDR(&hdr);
        cmsg->cmsg_level = SOL_SOCKET;
        cmsg->cmsg_type = SCM_RIGHTS;
        cmsg->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(cmsg), &fd, sizeof(int));
    }

    do {
        n = sendmsg(sock, &hdr, MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);

    if (n >= 0) {
        return 1;
    }

    /* the last: too many descriptors of ours are under way */
    if (errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM
        || errno == ETOOMANYREFS)
    {
        return 0;
    }

    return fcf_err_sys(err, errno, "sending %s",
                       fca_wire_name(msg->head.type));
}

/* the one descriptor that came along, or -1; the kernel has closed any more */
static int
taken_fd(struct msghdr *hdr)
{
    int              fd;
    struct cmsghdr  *cmsg;

    fd = -1;
    cmsg = CMSG_FIRSTHDR(hdr);

    if (cmsg && cmsg->cmsg_level == SOL_SOCKET
        && cmsg->cmsg_type == SCM_RIGHTS
        && cmsg->cmsg_len == CMSG_LEN(sizeof(int)))
    {
        memcpy(&fd, CMSG_DATA(cmsg), sizeof(int));
    }

    return fd;
}

/* One came along for which we have no number free: OPEN is answered with that,
 * else it is no fault of the peer's. */
static int
without_fd(const fca_wire_msg_t *msg, size_t n, fca_wire_side_e from,
    fcf_err_t *err)
{
    if (fca_wire_check(msg, n, 1, from, err) != 0) {
        return -1;
    }

    if (msg->head.type == FCA_WIRE_OPEN) {
        return 1;
    }

    return fcf_err_set(err, FCF_E_LIMIT, "no descriptor is free for that of "
                       "a %s", fca_wire_name(msg->head.type));
}

int
fca_wire_recv(int sock, fca_wire_msg_t *msg, int *fd, fca_wire_side_e from,
    fcf_err_t *err)
{
    ssize_t          n;
    struct iovec     iov;
    struct msghdr    hdr;
    fca_wire_cmsg_t  control;

    *fd = -1;
    memset(msg, 0, sizeof(*msg));
    iov.iov_base = msg;
    iov.iov_len = sizeof(*msg);
    memset(&hdr, 0, sizeof(hdr));
    hdr.msg_iov = &iov;
    hdr.msg_iovlen = 1;
    hdr.msg_control = control.space;
    hdr.msg_controllen = CMSG_LEN(sizeof(int));     /* for one, not two */

    do {
        n = recvmsg(sock, &hdr, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    } while (n < 0 && errno == EINTR);

    if (n < 0 && errno == EAGAIN) {
        return 0;
    }

    if (n <= 0) {
        return fcf_err_set(err, FCF_E_UNAVAILABLE, "it is gone%s%s",
                           n < 0 ? ": " : "", n < 0 ? strerror(errno) : "");
    }

    *fd = taken_fd(&hdr);

    if ((hdr.msg_flags & MSG_CTRUNC) && *fd == -1) {
        return without_fd(msg, (size_t) n, from, err);
    }

    if (hdr.msg_flags & (MSG_CTRUNC | MSG_TRUNC)) {
        fcf_err_set(err, FCF_E_PROTOCOL, "a %s with more than belongs to it",
                    fca_wire_name(msg->head.type));

    } else if (fca_wire_check(msg, (size_t) n, *fd != -1, from, err) == 0) {
        return 1;
    }

    fca_wire_close(*fd);
    *fd = -1;

    return -1;
}

/* close() of a socket that lingers waits for its peer, whatever its flags */
void
fca_wire_close(int fd)
{
    struct linger  off;

    if (fd == -1) {
        return;
    }

    memset(&off, 0, sizeof(off));
    (void) setsockopt(fd, SOL_SOCKET, SO_LINGER, &off, sizeof(off));
    close(fd);
}

fca_route_stat_t *
fca_wire_page_new(int *fd, fcf_err_t *err)
{
    void  *page;

    *fd = memfd_create("fcfaas-routes", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (*fd == -1 || ftruncate(*fd, (off_t) FCA_WIRE_PAGE) == -1
        || fcntl(*fd, F_ADD_SEALS, FCA_WIRE_SEALS) == -1)
    {
        fcf_err_sys(err, errno, "page of counters");
        return NULL;
    }

    page = mmap(NULL, FCA_WIRE_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, *fd,
                0);
    if (page == MAP_FAILED) {
        fcf_err_sys(err, errno, "page of counters");
        return NULL;
    }

    return page;
}

/* One that can be made smaller, or of huge pages that run out, would be a bus
 * error to its reader. */
const fca_route_stat_t *
fca_wire_page_map(int fd, fcf_err_t *err)
{
    int            seals;
    void          *page;
    struct stat    st;
    struct statfs  fs;

    seals = fcntl(fd, F_GET_SEALS);

    if (seals == -1 || (seals & FCA_WIRE_SEALS) != FCA_WIRE_SEALS
        || fstat(fd, &st) == -1 || st.st_size != (off_t) FCA_WIRE_PAGE
        || fstatfs(fd, &fs) == -1 || fs.f_type != TMPFS_MAGIC)
    {
        fcf_err_set(err, FCF_E_PROTOCOL, "its page of counters is not sealed "
                    "memory of the right size");
        return NULL;
    }

    page = mmap(NULL, FCA_WIRE_PAGE, PROT_READ, MAP_SHARED, fd, 0);
    if (page == MAP_FAILED) {
        fcf_err_sys(err, errno, "page of counters");
        return NULL;
    }

    return page;
}

void
fca_wire_page_unmap(const fca_route_stat_t *page)
{
    if (page) {
        munmap((void *) (uintptr_t) page, FCA_WIRE_PAGE);
    }
}

int
fca_wire_port(int fd, struct in_addr *addr)
{
    int                 listening;
    socklen_t           len;
    struct sockaddr_in  sin;

    listening = 0;
    len = sizeof(listening);

    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) == -1
        || !listening)
    {
        return -1;
    }

    len = sizeof(sin);

    if (getsockname(fd, (struct sockaddr *) &sin, &len) == -1
        || len != sizeof(sin) || sin.sin_family != AF_INET)
    {
        return -1;
    }

    *addr = sin.sin_addr;

    return ntohs(sin.sin_port);
}
