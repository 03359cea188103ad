/* What a jailed program finds: one "name value" a line.  Static, since a jail
 * has no libraries.  It ends with the code in its last argument. */

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

extern char  **environ;


static void
limit(const char *name, int which)
{
    struct rlimit  r;

    getrlimit((__rlimit_resource_t) which, &r);
    printf("%s %lld %lld\n", name, (long long) r.rlim_cur,
           (long long) r.rlim_max);
}


int
main(int argc, char **argv)
{
    int     i;
    char    cwd[256];
    mode_t  mask;

    for (i = 0; i < argc; i++) {
        printf("argv %s\n", argv[i]);
    }

    for (i = 0; environ[i] != NULL; i++) {
        printf("env %s\n", environ[i]);
    }

    for (i = 0; i < 1024; i++) {
        if (fcntl(i, F_GETFD) >= 0) {
            printf("fd %d\n", i);
        }
    }

    mask = umask(0);
    printf("cwd %s\nids %d %d %d %d\ngroups %d\numask %03o\npid %d\n"
           "sid %d\n", getcwd(cwd, sizeof(cwd)), (int) getuid(),
           (int) geteuid(), (int) getgid(), (int) getegid(),
           getgroups(0, NULL), (unsigned) mask, (int) getpid(),
           (int) getsid(0));

    limit("nofile", RLIMIT_NOFILE);
    limit("fsize", RLIMIT_FSIZE);
    printf("up %s\n", access("/../etc/passwd", F_OK) == 0 ? "open" : "shut");
    printf("tun %s\n", open("/dev/net/tun", O_RDWR) >= 0 ? "opens"
                                                       : strerror(errno));

    return atoi(argv[argc - 1]);
}
