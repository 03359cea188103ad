#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "t/unit/vmm_fake.h"


extern char  **environ;


static int
fake_log(void)
{
    return open("../requests", O_WRONLY | O_CREAT | O_APPEND, 0600);
}


/* what it has from the agent: environment, limits, descriptors, files */
static void
fake_files(int argc, char **argv)
{
    int             i, fd, log;
    char            path[64], text[256];
    ssize_t         n;
    struct rlimit   r;
    struct stat     st;

    static const char *const  files[] = { "kernel", "initrd", "runtime.img",
                                          "function.img", "config.img" };

    log = fake_log();

    for (i = 1; i < argc; i++) {
        dprintf(log, "%s%s", argv[i], i < argc - 1 ? " " : "\n");
    }

    for (i = 0; environ[i] != NULL; i++) {
        dprintf(log, "env %s\n", environ[i]);
    }

    getrlimit(RLIMIT_NOFILE, &r);
    dprintf(log, "nofile %lu %lu\n", r.rlim_cur, r.rlim_max);
    getrlimit(RLIMIT_FSIZE, &r);
    dprintf(log, "fsize %lu %lu\n", r.rlim_cur, r.rlim_max);
    getrlimit(RLIMIT_CORE, &r);
    dprintf(log, "core %lu\n", r.rlim_max);

    for (fd = 0; fd < 1024; fd++) {
        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        n = fd != log ? readlink(path, text, sizeof(text)) : -1;

        if (n > 0) {
            dprintf(log, "fd %d %s%.*s\n", fd,
                    fcntl(fd, F_GETFL) & O_NONBLOCK ? "nonblocking " : "",
                    (int) n, text);
        }
    }

    for (i = 0; i < 5; i++) {
        n = readlink(files[i], text, sizeof(text));
        dprintf(log, "%s %s %.*s\n", files[i],
                stat(files[i], &st) == 0 ? "there" : "missing",
                n > 0 ? (int) n : 0, text);
    }

    close(log);
}


static void
fake_flood(void)
{
    int  i;

    for (i = 0; i < 100000; i++) {
        dprintf(STDERR_FILENO, "line %d of what nobody wants\n", i);
    }
}


/* each line is written, however long the other side takes */
static void
fake_noise(void)
{
    int             i, fd;
    char            line[32];
    struct pollfd   p;

    fd = open("console", O_WRONLY | O_NONBLOCK);
    p.fd = fd;
    p.events = POLLOUT;

    for (i = 0; i < 12500; i++) {
        snprintf(line, sizeof(line), "line %9d\n", i);

        while (write(fd, line, 15) < 0) {
            poll(&p, 1, -1);
        }
    }

    close(fd);
}


static void
fake_endless(int fd)
{
    char  line[1024];

    memset(line, 'x', sizeof(line));
    dprintf(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");

    while (dprintf(fd, "400\r\n%.1024s\r\n", line) > 0) {
        /* until nobody reads it */
    }
}


/* size: of the body at least, filled up with spaces */
static void
fake_version(int fd, const char *version, size_t size)
{
    char    body[192];
    size_t  len;

    snprintf(body, sizeof(body), "{\"vmm_version\":\"%s\"}", version);
    len = strlen(body);
    dprintf(fd, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s%*s",
            size > len ? size : len, body,
            size > len ? (int) (size - len) : 0, "");
}


/* a refusal whose words make it that long, of letters that a log cleans */
static void
fake_fault(int fd, size_t size)
{
    char    *body;
    size_t   i, head;

    static const char  begin[] = "{\"fault_message\":\"";

    head = sizeof(begin) - 1;
    body = malloc(size);

    if (body == NULL || size < head + 2) {
        exit(9);
    }

    memcpy(body, begin, head);

    for (i = head; i < size - 2; i++) {
        body[i] = "ab\x7f"[i % 3];
    }

    memcpy(body + size - 2, "\"}", 2);
    dprintf(fd, "HTTP/1.1 400 Bad Request\r\nContent-Length: %zu\r\n\r\n"
            "%.*s", size, (int) size, body);
    free(body);
}


/* of a call, or once the guest runs */
static void
fake_lack(int fd, const char *path)
{
    static const char  fault[] = "{\"fault_message\":\"Memory: Cannot allocate "
        "memory (os error 12)\"}";

    if (strcmp(path, "/actions") == 0) {
        dprintf(fd, "HTTP/1.1 204 No Content\r\n\r\n");
        fprintf(stderr, "vsock: No space left on device (os error 28)\n"
                "exit_code=7\n");
        exit(7);
    }

    dprintf(fd, "HTTP/1.1 400 Bad Request\r\nContent-Length: %zu\r\n\r\n%s",
            sizeof(fault) - 1, fault);
}


static void
fake_serve(int fd, const char *script)
{
    int      log;
    char     buf[8192], *end, *p, path[128], want[128], action[16];

    size_t   n, need;
    ssize_t  got;

    static const char  fault[] = "{\"fault_message\":\"The kernel file cannot "
        "be opened: No such file or directory (os error 2)\"}";

    log = fake_log();
    n = 0;

    if (sscanf(script, "%15[a-z]=%127s", action, want) != 2) {
        action[0] = want[0] = '\0';
    }

    for ( ;; ) {
        got = read(fd, buf + n, sizeof(buf) - 1 - n);
        if (got <= 0) {
            break;
        }

        n += (size_t) got;
        buf[n] = '\0';

        end = strstr(buf, "\r\n\r\n");
        if (end == NULL) {
            continue;
        }

        p = strcasestr(buf, "content-length:");
        need = (size_t) (end + 4 - buf)
               + (p != NULL && p < end ? strtoul(p + 15, NULL, 10) : 0);

        if (n < need) {
            continue;
        }

        sscanf(buf, "%*s %127s", path);
        dprintf(log, "%.*s %s\n", (int) strcspn(buf, "\r") - 9, buf, end + 4);
        n = 0;

        if (strcmp(path, "/") == 0 && strcmp(script, "version=none") != 0
            && strcmp(want, "/") != 0)
        {
            fake_version(fd, strcmp(action, "version") == 0 ? want : "1.16.0",
                         strcmp(action, "size") == 0 ? strtoul(want, NULL, 10)
                                                     : 0);

        } else if (strcmp(action, "fault") == 0
                   && strcmp(path, "/machine-config") == 0)
        {
            fake_fault(fd, strtoul(want, NULL, 10));

        } else if (strcmp(path, want) != 0) {
            dprintf(fd, "HTTP/1.1 204 No Content\r\n\r\n");

        } else if (strcmp(action, "refuse") == 0) {
            dprintf(fd, "HTTP/1.1 400 Bad Request\r\nContent-Length: %zu\r\n"
                    "\r\n%s", sizeof(fault) - 1, fault);

        } else if (strcmp(action, "lack") == 0) {
            fake_lack(fd, path);

        } else if (strcmp(action, "huge") == 0) {
            signal(SIGPIPE, SIG_IGN);
            fake_endless(fd);
            break;

        } else if (strcmp(action, "garbage") == 0) {
            dprintf(fd, "HTTP/1.1 500 Oops\r\nContent-Length: 5\r\n\r\nwhat?");

        } else if (strcmp(action, "exit") == 0) {
            fprintf(stderr, "one\ntwo\nfirst \x1b[1mline\x1b[0m\n"
                    "bad \x07luck\nexit_code=7\n");
            exit(7);

        } else if (strcmp(action, "hang") == 0) {
            pause();
        }
    }

    close(log);
}


int
fct_fake_vmm(int argc, char **argv)
{
    const char         *sock = argv[2], *script = argv[6];
    int                 fd, client, console, i;
    struct sockaddr_un  sun = { .sun_family = AF_UNIX };

    if (strcmp(script, "die") == 0) {
        fprintf(stderr, "no such luck\n");
        return 3;
    }

    if (strcmp(script, "silent") == 0) {
        for ( ;; ) {
            pause();
        }
    }

    if (strcmp(script, "files") == 0) {
        fake_files(argc, argv);
        script = "hang=/actions";
    }

    if (strcmp(script, "flood") == 0) {
        fake_flood();
        script = "exit=/machine-config";
    }

    if (strcmp(script, "noisy") == 0) {
        fake_noise();
        script = "exit=/actions";
    }

    if (strcmp(script, "panic=/actions") == 0) {
        console = open("console", O_RDWR | O_NONBLOCK);

        for (i = 0; i < 200; i++) {
            dprintf(console, "line %d of the boot\r\n", i);
        }

        dprintf(console, "\x1b[31mKernel panic\x1b[0m - not \x01syncing\r\n");
        script = "exit=/actions";
    }

    fd = socket(AF_UNIX, SOCK_STREAM, 0);
    snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", sock);

    if (bind(fd, (struct sockaddr *) &sun, sizeof(sun)) != 0) {
        return 4;
    }

    if (strcmp(script, "late") == 0) {
        poll(NULL, 0, 100);
    }

    listen(fd, 8);

    while ((client = accept(fd, NULL, NULL)) >= 0) {
        fake_serve(client, script);
        close(client);
    }

    return 5;
}
