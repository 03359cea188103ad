#include <stdio.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/sysinfo.h>
#include "vm/init/console.h"
#include "vm/init/full.h"

#define FULL_LOOK_MS  5000
#define FULL_PERCENT  95                /* a function that makes and ends
                                           processes is seen below its limit */


static int
processes(void)
{
    struct sysinfo  info;

    return sysinfo(&info) < 0 ? 0 : info.procs;
}


void
fcv_full_start(fcv_full_t *full, int64_t now_ms)
{
    full->next_ms = now_ms + FULL_LOOK_MS;
    full->others = processes();
}


int
fcv_full_wait(const fcv_full_t *full, int64_t now_ms)
{
    return full->next_ms > now_ms ? (int) (full->next_ms - now_ms) : 0;
}


/* its limit is the one that init has, too */

static void
look_at_processes(fcv_full_t *full)
{
    int            n;
    struct rlimit  limit;

    n = processes() - full->others;

    if (full->processes || getrlimit(RLIMIT_NPROC, &limit) < 0
        || limit.rlim_cur == RLIM_INFINITY
        || (rlim_t) (n < 0 ? 0 : n) * 100 < limit.rlim_cur * FULL_PERCENT)
    {
        return;
    }

    full->processes = 1;
    fcv_warn("the function has %d processes and threads, of %lu that it may "
             "have", n, (unsigned long) limit.rlim_cur);
}


/* what may be written is one file system */

static void
look_at_files(fcv_full_t *full)
{
    struct statvfs      fs;
    unsigned long long  all, left;

    if (full->files || statvfs("/tmp", &fs) < 0 || fs.f_blocks == 0) {
        return;
    }

    all = (unsigned long long) fs.f_blocks * fs.f_frsize;
    left = (unsigned long long) fs.f_bavail * fs.f_frsize;

    if (left * 100 > all * (100 - FULL_PERCENT)) {
        return;
    }

    full->files = 1;
    fcv_warn("the function's files take %llu MB, of %llu MB that they may: "
             "half of its memory", (all - left) >> 20, all >> 20);
}


void
fcv_full_look(fcv_full_t *full, int64_t now_ms)
{
    if (now_ms < full->next_ms) {
        return;
    }

    full->next_ms = now_ms + FULL_LOOK_MS;
    look_at_processes(full);
    look_at_files(full);
}


/* one that makes another of each that is killed would fill its own log */

void
fcv_full_killed(fcv_full_t *full, int pid, const char *name, int memory_mb,
    int64_t now_ms)
{
    char  before[48] = "";

    if (full->killed > 0) {
        snprintf(before, sizeof(before), ", as were %d before", full->killed);
    }

    full->killed++;

    if (now_ms < full->quiet_ms) {
        return;
    }

    full->quiet_ms = now_ms + FULL_LOOK_MS;
    fcv_warn("process %d (%s) was killed for lack of memory, of which there "
             "are %d MB%s", pid, name, memory_mb, before);
}


int
fcv_memory_mb(int given)
{
    struct sysinfo  info;

    if (given > 0 || sysinfo(&info) < 0) {
        return given;
    }

    return (int) (info.totalram / 1024 * info.mem_unit / 1024);
}
