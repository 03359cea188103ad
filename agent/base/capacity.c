#include <assert.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "agent/base/capacity.h"

int
fca_capacity_init(fca_capacity_t *c, int overcommit, int reserve_mb,
    int max_vms, int max_boots, fcf_err_t *err)
{
    memset(c, 0, sizeof(*c));
    c->host_mb = -1;

    return fca_capacity_limits(c, overcommit, reserve_mb, max_vms, max_boots,
                               err);
}

int
fca_capacity_limits(fca_capacity_t *c, int overcommit, int reserve_mb,
    int max_vms, int max_boots, fcf_err_t *err)
{
    long       cpus;
    long long  mb;

    cpus = sysconf(_SC_NPROCESSORS_ONLN);
    mb = (long long) sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE)
         / (1024 * 1024);

    if (cpus < 1 || mb <= reserve_mb) {
        return fcf_err_set(err, FCF_E_INVALID, "memory_reserve_mb = \"%d\": "
                           "this host has %lld MB and %ld CPUs, nothing is "
                           "left for VMs", reserve_mb, mb, cpus);
    }

    mb -= reserve_mb;

    c->cpu = (int) cpus * overcommit;
    c->memory_mb = mb > INT_MAX ? INT_MAX : (int) mb;
    c->max_vms = max_vms;
    c->max_boots = max_boots;

    return 0;
}

void
fca_capacity_look(fca_capacity_t *c, const char *meminfo)
{
    int          fd;
    char         text[512];
    ssize_t      n;
    const char  *line;
    long long    mb;

    c->host_mb = -1;

    fd = open(meminfo, O_RDONLY | O_CLOEXEC);
    if (fd == -1) {
        return;
    }

    n = read(fd, text, sizeof(text) - 1);
    close(fd);
    text[n > 0 ? n : 0] = '\0';

    line = strstr(text, "MemAvailable:");
    if (line == NULL) {
        return;
    }

    mb = atoll(line + sizeof("MemAvailable:") - 1) / 1024;
    c->host_mb = mb < 0 ? 0 : mb > INT_MAX ? INT_MAX : (int) mb;
}

fca_fit_e
fca_capacity_fit(const fca_capacity_t *c, int cpu, int memory_mb)
{
    if (cpu > c->cpu || memory_mb > c->memory_mb) {
        return FCA_FITS_NEVER;
    }

    if (cpu > c->cpu - c->cpu_used || memory_mb > c->memory_mb
                                                  - c->memory_mb_used
        || c->vms >= c->max_vms || c->boots >= c->max_boots
        || (c->host_mb >= 0 && memory_mb > c->host_mb))
    {
        return FCA_FITS_LATER;
    }

    return FCA_FITS;
}

void
fca_capacity_take(fca_capacity_t *c, int cpu, int memory_mb)
{
    assert(fca_capacity_fit(c, cpu, memory_mb) == FCA_FITS);
    fca_capacity_adopt(c, cpu, memory_mb);
}

void
fca_capacity_adopt(fca_capacity_t *c, int cpu, int memory_mb)
{
    c->cpu_used += cpu;
    c->memory_mb_used += memory_mb;
    c->vms++;
    c->boots++;
}

void
fca_capacity_booted(fca_capacity_t *c)
{
    assert(c->boots > 0);
    c->boots--;
}

void
fca_capacity_give(fca_capacity_t *c, int cpu, int memory_mb)
{
    assert(c->vms > 0 && c->cpu_used >= cpu
           && c->memory_mb_used >= memory_mb);

    c->cpu_used -= cpu;
    c->memory_mb_used -= memory_mb;
    c->vms--;
}
