/* A function that does what its path says, and tells how that went: see
 * t/agent/wild.t. */

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/mman.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <unistd.h>

#define MB  (1024 * 1024)

static int  port;                       /* its descriptor */


static int
is(const char *path, const char *name)
{
    size_t  n = strlen(name);

    return strncmp(path, name, n) == 0 && (path[n] == ' ' || path[n] == '?');
}


/* in a session of its own, and so does each that it makes */
static void
bomb(void)
{
    if (fork() == 0) {
        for ( ;; ) {
            if (fork() == 0) {
                setsid();
            }
        }
    }
}


/* none of them takes much, and who is killed has a successor */
static void
small(void)
{
    char  *p;

    if (fork() != 0) {
        return;
    }

    for ( ;; ) {
        if (fork() == 0) {
            p = malloc(MB);
            memset(p, 1, MB);
            pause();
        }

        usleep(1000);
    }
}


static void
zombies(void)
{
    if (fork() == 0) {
        signal(SIGCHLD, SIG_DFL);

        for ( ;; ) {
            if (fork() == 0) {
                _exit(0);
            }
        }
    }
}


/* the whole of it is one process: the function */
static void
eat(void)
{
    for ( ;; ) {
        memset(malloc(MB), 1, MB);
    }
}


/* what can be written until it cannot */
static int
fill(const char *path, int keep)
{
    int          fd, n = 0;
    static char  data[MB];

    fd = open(path, O_WRONLY | O_CREAT, 0600);

    while (fd >= 0 && write(fd, data, MB) == MB) {
        n++;
    }

    n = fd < 0 ? -errno : n;
    close(fd);

    if (!keep) {
        unlink(path);
    }

    return n;
}


static void
flood(void)
{
    int          i;
    static char  line[1000];

    memset(line, 'y', sizeof(line));
    line[sizeof(line) - 1] = '\n';

    for (i = 0; i < 5000; i++) {
        if (write(i % 2 + 1, line, sizeof(line)) < 0) {
            break;
        }
    }
}


static int
files(int sockets)
{
    int         fd, n = 0, max = -1;
    static int  fds[100000];

    while (n < 100000) {
        fd = sockets ? socket(AF_INET, SOCK_STREAM, 0)
                     : open("/dev/null", O_RDONLY);
        if (fd < 0) {
            max = errno;
            break;
        }

        fds[n++] = fd;
    }

    fprintf(stderr, "%d of them, then %s\n", n, strerror(max));

    while (n > 0) {
        close(fds[--n]);
    }

    return max;
}


static int
address(void)
{
    int                  fd, rc;
    struct ifreq         req;
    struct sockaddr_in  *in = (struct sockaddr_in *) &req.ifr_addr;

    memset(&req, 0, sizeof(req));
    strcpy(req.ifr_name, "eth0");
    in->sin_family = AF_INET;
    in->sin_addr.s_addr = inet_addr("172.16.0.77");
    fd = socket(AF_INET, SOCK_DGRAM, 0);
    rc = ioctl(fd, SIOCSIFADDR, &req);
    close(fd);

    return rc < 0 ? errno : 0;
}


static int
written(const char *path)
{
    int  fd, rc;

    fd = open(path, O_WRONLY);
    rc = fd < 0 || write(fd, "b\n", 2) < 0 ? errno : 0;

    if (fd >= 0) {
        close(fd);
    }

    return rc;
}


/* every signal that there is, to who is process 1 */
static int
kills(void)
{
    int  i, done = 0;

    for (i = 1; i < 65; i++) {
        done += kill(1, i) == 0;
    }

    return done;
}


static void
does(const char *path, char *said)
{
    if (is(path, "/bomb")) {
        bomb();

    } else if (is(path, "/small")) {
        small();

    } else if (is(path, "/zombies")) {
        zombies();

    } else if (is(path, "/fill")) {
        sprintf(said, "%d %d", fill("/tmp/x", 0),
                fill("/dev/shm/x", 0));

    } else if (is(path, "/keep")) {
        sprintf(said, "%d", fill("/tmp/kept", 1));

    } else if (is(path, "/eat")) {
        eat();

    } else if (is(path, "/flood")) {
        flood();

    } else if (is(path, "/files")) {
        sprintf(said, "%d %d", files(0), files(1));

    } else if (is(path, "/may")) {
        sprintf(said, "kmsg %d console %d ttyS0 %d sysrq %d address %d "
                "reboot %d signals %d mount %d",
                written("/dev/kmsg"), written("/dev/console"),
                written("/dev/ttyS0"), written("/proc/sysrq-trigger"),
                address(), reboot(RB_AUTOBOOT) < 0 ? errno : 0, kills(),
                mount("none", "/tmp", "tmpfs", 0, NULL) < 0 ? errno : 0);

    } else if (is(path, "/shut")) {
        close(port);

    } else if (is(path, "/exit")) {
        fprintf(stderr, "I go\n");
        exit(7);

    } else if (is(path, "/hold")) {
        sleep(1000);

    } else if (is(path, "/own")) {
        setsid();
        setpgid(0, 0);
        strcpy(said, "on my own");
    }
}


static void
serve(int fd)
{
    char     head[8192], said[1024] = "done", answer[2048];
    char    *path;
    ssize_t  n;

    n = read(fd, head, sizeof(head) - 1);
    head[n > 0 ? n : 0] = '\0';
    path = strchr(head, ' ');

    if (path) {
        does(path + 1, said);
    }

    n = snprintf(answer, sizeof(answer), "HTTP/1.1 200 OK\r\nContent-Length: "
                 "%zu\r\nConnection: close\r\n\r\n%s", strlen(said), said);
    (void) !write(fd, answer, (size_t) n);
    close(fd);
}


int
main(int argc, char **argv)
{
    int                 fd, one = 1;
    const char         *late = getenv("LATE");
    struct sockaddr_in  in = { .sin_family = AF_INET };

    (void) argc;
    (void) argv;
    sleep(late ? (unsigned) atoi(late) : 0);
    port = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(port, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    in.sin_port = htons((uint16_t) atoi(getenv("PORT")));

    if (bind(port, (struct sockaddr *) &in, sizeof(in)) != 0
        || listen(port, 64) != 0)
    {
        perror("port");
        return 1;
    }

    while ((fd = accept(port, NULL, NULL)) >= 0 || errno == EBADF) {
        if (fd < 0) {
            sleep(1000);
        } else {
            serve(fd);
        }
    }

    perror("accept");

    return 1;
}
