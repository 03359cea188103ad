/* What others on the host use is not there, whatever our own count says; nor
 * is what the groups do not give in which the agent lives. */

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "agent/base/capacity.h"
#include "agent/vmm/vmm_cgroup.h"
#include "t/unit/tap.h"

static char  top[] = "/tmp/fcfaas-bounds-XXXXXX";

/* path below top, with the directories above it */
static void
file(const char *path, const char *text)
{
    char   full[256], *p;
    FILE  *f;

    snprintf(full, sizeof(full), "%s/%s", top, path);

    for (p = full + sizeof(top); *p; p++) {
        if (*p == '/') {
            *p = '\0';
            mkdir(full, 0700);
            *p = '/';
        }
    }

    f = fopen(full, "w");

    if (f == NULL || fputs(text, f) == EOF || fclose(f) != 0) {
        perror(full);
        exit(1);
    }
}

static void
host(fca_bounds_t *b)
{
    fca_bounds_init(b);
    fca_bounds_host(b, top);
}

static void
test_host(void)
{
    int           cpus = (int) sysconf(_SC_NPROCESSORS_ONLN);
    fca_bounds_t  b;

    host(&b);
    ok(b.of[FCA_BOUND_CPU].all >= 1000 && b.of[FCA_BOUND_CPU].all
       <= cpus * 1000, "the CPUs of this process");
    is_int(b.of[FCA_BOUND_MEMORY].left, -1, "no file bounds nothing");
    is_int(b.of[FCA_BOUND_PIDS].left, -1, "neither here");

    file("meminfo", "MemTotal: 9000000 kB\nMemFree: 1 kB\n"
         "MemAvailable:     204800 kB\n");
    file("loadavg", "0.50 0.40 0.30 2/345 678\n");
    file("sys/kernel/pid_max", "1000\n");
    file("sys/kernel/threads-max", "900\n");
    host(&b);
    is_int(b.of[FCA_BOUND_MEMORY].left, 200, "memory that is available");
    is_int(b.of[FCA_BOUND_MEMORY].all, -1, "says nothing of what there is");
    is_int(b.of[FCA_BOUND_PIDS].all, 900, "the smaller limit");
    is_int(b.of[FCA_BOUND_PIDS].left, 555, "without what runs");
    ok(strstr(b.of[FCA_BOUND_PIDS].where, "threads-max"), "%s",
       b.of[FCA_BOUND_PIDS].where);

    file("sys/kernel/pid_max", "300\n");
    host(&b);
    is_int(b.of[FCA_BOUND_PIDS].left, 0, "more than there may be");
    ok(strstr(b.of[FCA_BOUND_PIDS].where, "pid_max"), "%s",
       b.of[FCA_BOUND_PIDS].where);

    file("meminfo", "MemTotal: 9000000 kB\n");
    file("sys/kernel/pid_max", "rubbish\n");
    file("sys/kernel/threads-max", "");
    host(&b);
    is_int(b.of[FCA_BOUND_MEMORY].left, -1, "an old kernel says nothing");
    is_int(b.of[FCA_BOUND_PIDS].left, -1, "nor does rubbish");
}

static void
cgroups(fca_bounds_t *b)
{
    char                proc[128];
    fcf_err_t           err;
    fca_cgroups_t      *groups;
    fca_cgroups_conf_t  conf = { .mode = FCA_CGROUPS_NO, .root = "",
                                 .node_id = "n", .tag = "t", .proc = proc };

    snprintf(proc, sizeof(proc), "%s/self", top);
    fca_bounds_init(b);
    groups = fca_cgroups_open(&conf, &err);
    fca_cgroups_bounds(groups, b);
    fca_cgroups_close(groups);
}

/* "@" stands for top */
static void
mounted(const char *lines)
{
    char    text[1024];
    size_t  n = 0;

    for ( ; *lines; lines++) {
        n += (size_t) snprintf(text + n, sizeof(text) - n, "%.*s",
                               *lines == '@' ? (int) sizeof(top) : 1,
                               *lines == '@' ? top : lines);
    }

    file("self/mountinfo", text);
}

static void
test_v2(void)
{
    fca_bounds_t  b;

    mounted("31 23 0:28 / @/v2 rw - cgroup2 cgroup2 rw\n");
    file("self/cgroup", "0::/system.slice/fcfaas.service\n");
    file("v2/cgroup.procs", "");
    file("v2/system.slice/fcfaas.service/pids.max", "max\n");
    file("v2/system.slice/fcfaas.service/pids.current", "7\n");
    file("v2/system.slice/fcfaas.service/cpu.max", "max 100000\n");
    file("v2/system.slice/fcfaas.service/memory.max", "max\n");
    file("v2/system.slice/fcfaas.service/memory.current", "7\n");
    cgroups(&b);
    is_int(b.of[FCA_BOUND_PIDS].all, -1, "version 2: no limit");
    is_int(b.of[FCA_BOUND_CPU].all, -1, "of CPUs either");
    is_int(b.of[FCA_BOUND_MEMORY].all, -1, "nor of memory");

    file("v2/system.slice/pids.max", "500\n");
    file("v2/system.slice/pids.current", "420\n");
    file("v2/system.slice/cpu.max", "150000 100000\n");
    file("v2/system.slice/memory.max", "1073741824\n");
    file("v2/system.slice/memory.current", "943718400\n");
    file("v2/system.slice/memory.stat", "anon 1\ninactive_file 104857600\n");
    file("v2/system.slice/fcfaas.service/cpu.max", "400000 100000\n");
    cgroups(&b);
    is_int(b.of[FCA_BOUND_PIDS].all, 500, "a group above ours counts");
    is_int(b.of[FCA_BOUND_PIDS].left, 80, "as do those who are in it");
    ok(strstr(b.of[FCA_BOUND_PIDS].where, "/v2/system.slice/pids.max"), "%s",
       b.of[FCA_BOUND_PIDS].where);
    is_int(b.of[FCA_BOUND_CPU].all, 1500, "the least counts");
    is_int(b.of[FCA_BOUND_MEMORY].all, 1024, "so for memory");
    is_int(b.of[FCA_BOUND_MEMORY].left, 224, "what can be taken back is left");
}

static void
test_v1(void)
{
    fca_bounds_t  b;

    mounted("32 31 0:29 / @/cpu rw - cgroup cgroup rw,cpu,cpuacct\n"
            "33 31 0:30 /part @/memory rw - cgroup cgroup rw,memory\n"
            "34 31 0:31 / @/pids rw - cgroup cgroup rw,pids\n");
    file("self/cgroup", "3:pids:/a\n2:memory:/part/a\n1:cpu,cpuacct:/\n");
    file("cpu/cpu.cfs_quota_us", "-1\n");
    file("cpu/cpu.cfs_period_us", "100000\n");
    file("memory/a/memory.limit_in_bytes", "9223372036854771712\n");
    file("memory/a/memory.usage_in_bytes", "1048576\n");
    file("pids/a/pids.max", "max\n");
    cgroups(&b);
    is_int(b.of[FCA_BOUND_CPU].all, -1, "version 1: no limit");
    is_int(b.of[FCA_BOUND_MEMORY].all, -1, "whatever number says so");
    is_int(b.of[FCA_BOUND_PIDS].all, -1, "for all");

    file("cpu/cpu.cfs_quota_us", "50000\n");
    file("memory/memory.limit_in_bytes", "209715200\n");
    file("memory/memory.usage_in_bytes", "104857600\n");
    file("memory/memory.stat", "cache 5\ntotal_inactive_file 52428800\n");
    file("pids/a/pids.max", "10\n");
    file("pids/a/pids.current", "12\n");
    cgroups(&b);
    is_int(b.of[FCA_BOUND_CPU].all, 500, "half a CPU");
    is_int(b.of[FCA_BOUND_MEMORY].left, 150, "of what is mounted here");
    is_int(b.of[FCA_BOUND_PIDS].left, 0, "more than there may be");
}

static void
bound(fca_capacity_t *c, fca_bound_e which, int all, int left)
{
    fca_bounds_t  b;

    fca_bounds_init(&b);
    fca_bounds_narrow(&b, which, all, left, "here");
    (void) fca_capacity_look(c, &b);
}

static void
test_capacity(void)
{
    int             cpu, memory_mb;
    fcf_err_t       err;
    fca_bounds_t    none;
    fca_capacity_t  c;

    is_int(fca_capacity_init(&c, 4, 1, 10, 10, &err), 0, "a host");
    c.vm_pids = 20;
    cpu = c.cpu;
    memory_mb = c.memory_mb;

    bound(&c, FCA_BOUND_MEMORY, -1, 200);
    is_int(fca_capacity_fit(&c, 1, 200), FCA_FITS, "as much as it has");
    is_int(fca_capacity_fit(&c, 1, 201), FCA_FITS_LATER, "not more");
    is_int(c.memory_mb, memory_mb, "which says nothing of later");

    bound(&c, FCA_BOUND_MEMORY, 100, 100);
    is_int(fca_capacity_fit(&c, 1, 101), FCA_FITS_NEVER, "a group's memory");
    is_int(c.memory_mb, 100, "is all there is");

    bound(&c, FCA_BOUND_CPU, 1500, -1);
    is_int(c.cpu, cpu < 6 ? cpu : 6, "a CPU and a half, each for four");
    bound(&c, FCA_BOUND_CPU, 100, -1);
    is_int(c.cpu, 1, "a small share is one vCPU");
    is_int(fca_capacity_fit(&c, 2, 1), FCA_FITS_NEVER, "not two");

    bound(&c, FCA_BOUND_PIDS, 100, 20);
    is_int(fca_capacity_fit(&c, 1, 1), FCA_FITS, "processes that are left");
    bound(&c, FCA_BOUND_PIDS, 100, 19);
    is_int(fca_capacity_fit(&c, 1, 1), FCA_FITS_LATER, "or are not");
    fca_capacity_own(&c);
    is_int(fca_capacity_fit(&c, 1, 1), FCA_FITS, "others may end");
    bound(&c, FCA_BOUND_PIDS, 19, 19);
    is_int(fca_capacity_fit(&c, 1, 1), FCA_FITS_NEVER, "or there never are");

    bound(&c, FCA_BOUND_MEMORY, 100, 100);
    fca_bounds_init(&none);
    is_int(fca_capacity_look(&c, &none), 1, "bounds may go: it is told");
    is_int(fca_capacity_look(&c, &none), 0, "once");
    is_int(c.cpu, cpu, "and all is there again");
}

int
main(void)
{
    char  command[64];

    if (mkdtemp(top) == NULL) {
        perror(top);
        return 1;
    }

    test_host();
    test_v2();
    test_v1();
    test_capacity();

    snprintf(command, sizeof(command), "rm -r %s", top);
    ok(system(command) == 0, "removed");

    return tap_done();
}
