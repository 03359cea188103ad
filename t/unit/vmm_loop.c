/*
 * What the driver must not do on the loop's thread, and what a VMM's process
 * must not hold: this program has some of the C library's functions to itself,
 * and so sees who calls them.
 */

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "t/unit/vmm_run.h"

static pthread_t  loop_thread;
static int        watching;
static char       blocked[256];         /* calls on the loop's thread */

/* the child's end of each is the odd one */
static int        holding;
static int        cloned[2], go_on[2];


static void
seen(const char *what)
{
    if (watching && pthread_equal(pthread_self(), loop_thread)
        && strstr(blocked, what) == NULL)
    {
        snprintf(blocked + strlen(blocked), sizeof(blocked) - strlen(blocked),
                 "%s ", what);
    }
}


#define REAL(type, name, ...)                                               \
    static type  (*real)(__VA_ARGS__);                                      \
                                                                            \
    if (real == NULL) {                                                     \
        *(void **) &real = dlsym(RTLD_NEXT, name);                          \
    }


int
fsync(int fd)
{
    REAL(int, "fsync", int)
    seen("fsync");
    return real(fd);
}


int
fdatasync(int fd)
{
    REAL(int, "fdatasync", int)
    seen("fdatasync");
    return real(fd);
}


int
rename(const char *from, const char *to)
{
    REAL(int, "rename", const char *, const char *)
    seen("rename");
    return real(from, to);
}


int
mkdir(const char *path, mode_t mode)
{
    REAL(int, "mkdir", const char *, mode_t)
    seen("mkdir");
    return real(path, mode);
}


int
rmdir(const char *path)
{
    REAL(int, "rmdir", const char *)
    seen("rmdir");
    return real(path);
}


int
unlinkat(int dirfd, const char *path, int flags)
{
    REAL(int, "unlinkat", int, const char *, int)
    seen("unlinkat");
    return real(dirfd, path, flags);
}


int
waitid(idtype_t type, id_t id, siginfo_t *info, int options)
{
    REAL(int, "waitid", idtype_t, id_t, siginfo_t *, int)

    if (!(options & WNOHANG)) {
        seen("waitid");
    }

    return real(type, id, info, options);
}


/* the child calls it before anything else that matters here */
pid_t
setsid(void)
{
    char  c;

    REAL(pid_t, "setsid", void)

    if (holding && getpid() == 1) {
        if (write(cloned[1], "c", 1) != 1 || read(go_on[0], &c, 1) != 1) {
            _exit(99);
        }
    }

    return real();
}


/* a whole life, and one that fails before it began */
static void
test_loop(void)
{
    fct_run_t        run;
    fca_nic_t        nic;
    fca_vmm_spec_t   spec;

    watching = 1;
    fct_drive(&run, "ok", 'B');
    watching = 0;
    is_str(run.events, "SCBX", "a life");
    is_str(blocked, "", "never waits for a disk on the loop's thread");

    fct_spec(&spec, &nic);
    spec.function_image = fct_image("missing.img");

    watching = 1;
    fct_drive_spec(&run, &spec, "ok", 0);
    watching = 0;
    is_str(run.events, "FX", "a failure");
    is_str(blocked, "", "does not either");
}


/* the child is held where it has just been cloned */
static void *
look(void *arg)
{
    int   *end = arg;
    char   c;

    if (read(cloned[0], &c, 1) != 1) {
        return NULL;
    }

    /* what the agent closes now is closed: a copy would keep it open */
    close(end[1]);
    end[1] = read(end[0], &c, 1) == 0 ? 0 : errno;

    return write(go_on[1], "g", 1) == 1 ? end : NULL;
}


static void
test_descriptors(void)
{
    int         end[2];
    void       *result;
    fct_run_t   run;
    pthread_t   thread;

    ok(pipe2(end, O_CLOEXEC | O_NONBLOCK) == 0
       && pipe2(cloned, O_CLOEXEC) == 0 && pipe2(go_on, O_CLOEXEC) == 0,
       "pipes");

    pthread_create(&thread, NULL, look, end);
    holding = 1;
    fct_drive(&run, "ok", 'S');
    holding = 0;
    pthread_join(thread, &result);

    is_str(run.events, "SX", "a VMM that was held at its clone");
    ok(result == end, "was looked at there");
    is_int(end[1], 0, "and held nothing that the agent closed");

    close(end[0]);
    close(cloned[0]);
    close(cloned[1]);
    close(go_on[0]);
    close(go_on[1]);
}


static void
tests(void)
{
    loop_thread = pthread_self();
    test_loop();
    test_descriptors();
}


int
main(int argc, char **argv)
{
    return fct_vmm_main(argc, argv, tests);
}
