#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "agent/base/bounds.h"

void
fca_bounds_init(fca_bounds_t *bounds)
{
    unsigned  i;

    for (i = 0; i < FCA_BOUNDS_N; i++) {
        bounds->of[i] = (fca_bound_t) { .all = -1, .left = -1 };
    }
}

static int
fca_bounds_less(long long value, int than)
{
    return value >= 0 && value <= INT_MAX && (than < 0 || value < than);
}

void
fca_bounds_narrow(fca_bounds_t *bounds, fca_bound_e which, long long all,
    long long left, const char *where)
{
    int           says;
    fca_bound_t  *b = &bounds->of[which];

    says = b->left < 0 && fca_bounds_less(all, b->all);

    if (fca_bounds_less(all, b->all)) {
        b->all = (int) all;
    }

    if (fca_bounds_less(left, b->left)) {
        b->left = (int) left;
        says = 1;
    }

    if (says) {
        snprintf(b->where, sizeof(b->where), "%s", where);
    }
}

int
fca_bounds_read(char *buf, size_t size, const char *dir, const char *file)
{
    int      fd;
    char     path[PATH_MAX];
    ssize_t  n;

    buf[0] = '\0';

    if ((size_t) snprintf(path, sizeof(path), "%s/%s", dir, file)
        >= sizeof(path))
    {
        return -1;
    }

    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd == -1) {
        return -1;
    }

    n = read(fd, buf, size - 1);
    close(fd);
    buf[n > 0 ? n : 0] = '\0';

    return n >= 0 ? 0 : -1;
}

long long
fca_bounds_number(const char *dir, const char *file)
{
    char        *end, text[64];
    long long    n;

    if (fca_bounds_read(text, sizeof(text), dir, file) != 0) {
        return -1;
    }

    n = strtoll(text, &end, 10);

    return end == text ? -1 : n;
}

/* The reserve is for what the host uses, which is out of it already. */
static void
fca_bounds_memory(fca_bounds_t *bounds, const char *proc)
{
    char         text[512], where[FCA_BOUNDS_WHERE];
    const char  *line;
    long long    kb;

    (void) fca_bounds_read(text, sizeof(text), proc, "meminfo");

    line = strstr(text, "MemAvailable:");
    if (line == NULL) {
        return;
    }

    kb = atoll(line + sizeof("MemAvailable:") - 1);
    snprintf(where, sizeof(where), "%s/meminfo", proc);
    fca_bounds_narrow(bounds, FCA_BOUND_MEMORY, -1, kb < 0 ? 0 : kb / 1024,
                      where);
}

/* "0.50 0.40 0.30 2/345 678": two of 345 processes and threads run */
static long long
fca_bounds_processes(const char *proc)
{
    char         text[128];
    const char  *slash;

    (void) fca_bounds_read(text, sizeof(text), proc, "loadavg");
    slash = strchr(text, '/');

    return slash ? atoll(slash + 1) : 0;
}

static void
fca_bounds_pids(fca_bounds_t *bounds, const char *proc)
{
    char                      where[FCA_BOUNDS_WHERE];
    size_t                    i;
    long long                 max, used;
    static const char *const  files[] = { "sys/kernel/pid_max",
                                          "sys/kernel/threads-max" };

    used = fca_bounds_processes(proc);

    for (i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        max = fca_bounds_number(proc, files[i]);

        if (max >= 0) {
            snprintf(where, sizeof(where), "%s/%s", proc, files[i]);
            fca_bounds_narrow(bounds, FCA_BOUND_PIDS, max,
                              max > used ? max - used : 0, where);
        }
    }
}

void
fca_bounds_host(fca_bounds_t *bounds, const char *proc)
{
    cpu_set_t  set;
    long long  cpus;

    /* EINVAL where there are more of them than it has bits */
    cpus = sched_getaffinity(0, sizeof(set), &set) == 0
           ? CPU_COUNT(&set) : sysconf(_SC_NPROCESSORS_ONLN);

    fca_bounds_narrow(bounds, FCA_BOUND_CPU, cpus > 0 ? cpus * 1000 : 1000,
                      -1, "the CPUs that this process may run on");
    fca_bounds_memory(bounds, proc);
    fca_bounds_pids(bounds, proc);
}
