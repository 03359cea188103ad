#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <linux/sched.h>

#include "agent/base/bounds.h"
#include "agent/vmm/vmm_cgroup_int.h"

#define CPU_SHARES     1024             /* a vCPU's, version 1 */
#define CPU_WEIGHT     100              /* the same in version 2 */
#define WEIGHT_MAX     10000
#define BUSY_MS        5

/* what of a VM's limits goes into which file; io has no figure of its own:
 * that each VM has a group is what shares it */
typedef struct {
    int          version;
    unsigned     kind;
    const char  *file;
    int          optional;              /* not on every kernel */
    void       (*value)(char *buf, size_t size, const fca_cgroup_limits_t *l);
} cgroup_file_t;


static void
value_memory(char *buf, size_t size, const fca_cgroup_limits_t *l)
{
    snprintf(buf, size, "%lld", l->memory_mb * 1024 * 1024);
}


static void
value_one(char *buf, size_t size, const fca_cgroup_limits_t *l)
{
    (void) l;
    snprintf(buf, size, "1");
}


static void
value_shares(char *buf, size_t size, const fca_cgroup_limits_t *l)
{
    snprintf(buf, size, "%d", l->cpu * CPU_SHARES);
}


static void
value_weight(char *buf, size_t size, const fca_cgroup_limits_t *l)
{
    int  weight;

    weight = l->cpu * CPU_WEIGHT;
    snprintf(buf, size, "%d", weight < WEIGHT_MAX ? weight : WEIGHT_MAX);
}


static void
value_pids(char *buf, size_t size, const fca_cgroup_limits_t *l)
{
    snprintf(buf, size, "%d", l->pids);
}


/* memory.oom.group: a VM dies as a whole */
static const cgroup_file_t  cgroup_files[] = {
    { 1, FCA_CGROUP_MEMORY, "memory.limit_in_bytes", 0, value_memory },
    { 1, FCA_CGROUP_CPU,    "cpu.shares",            0, value_shares },
    { 1, FCA_CGROUP_PIDS,   "pids.max",              0, value_pids },
    { 2, FCA_CGROUP_MEMORY, "memory.max",            0, value_memory },
    { 2, FCA_CGROUP_MEMORY, "memory.oom.group",      1, value_one },
    { 2, FCA_CGROUP_CPU,    "cpu.weight",            0, value_weight },
    { 2, FCA_CGROUP_PIDS,   "pids.max",              0, value_pids },
};

#define NFILES  (sizeof(cgroup_files) / sizeof(cgroup_files[0]))


int
fca_cgroup_write(const char *dir, const char *file, const char *value,
    fcf_err_t *err)
{
    int   fd, saved;
    char  path[PATH_MAX + FCA_CGROUP_NAME];

    snprintf(path, sizeof(path), "%s/%s", dir, file);

    fd = open(path, O_WRONLY | O_CLOEXEC);
    saved = errno;

    if (fd >= 0) {
        saved = write(fd, value, strlen(value)) < 0 ? errno : 0;
        close(fd);
    }

    return saved != 0 ? fcf_err_sys(err, saved, "writing %s to %s", value,
                                    path) : 0;
}


/* nothing to be done for it: not there, or done with the first of its tree */
int
fca_cgroup_kind_done(const fca_cgroups_t *cgroups, unsigned kind)
{
    unsigned  i;

    if (!cgroups->trees[kind].on) {
        return 1;
    }

    for (i = 0; i < kind; i++) {
        if (cgroups->trees[i].on && strcmp(cgroups->trees[i].base,
                                           cgroups->trees[kind].base) == 0)
        {
            return 1;
        }
    }

    return 0;
}


static void
group_path(char *buf, size_t size, const fca_cgroups_t *cgroups,
    unsigned kind, const char *worker_id)
{
    snprintf(buf, size, "%s/" FCA_CGROUP_PREFIX "%s.%s",
             cgroups->trees[kind].base, worker_id, cgroups->tag);
}


static int
group_limit(const fca_cgroups_t *cgroups, const char *worker_id,
    const fca_cgroup_limits_t *limits, fcf_err_t *err)
{
    char                  dir[PATH_MAX + FCA_CGROUP_NAME], value[32];
    size_t                i;
    fcf_err_t             why;
    const cgroup_file_t  *f;

    for (i = 0; i < NFILES; i++) {
        f = &cgroup_files[i];

        if (f->version != cgroups->version || !cgroups->trees[f->kind].on) {
            continue;
        }

        group_path(dir, sizeof(dir), cgroups, f->kind, worker_id);
        f->value(value, sizeof(value), limits);

        if (fca_cgroup_write(dir, f->file, value, &why) != 0
            && !(f->optional && why.sys_errno == ENOENT))
        {
            *err = why;
            return -1;
        }
    }

    return 0;
}


static int
group_open(fca_cgroup_entry_t *entry, const char *dir, fcf_err_t *err)
{
    int   fd;
    char  path[PATH_MAX + FCA_CGROUP_NAME + 16];

    if (entry->version == 2) {
        snprintf(path, sizeof(path), "%s", dir);
        fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    } else {
        snprintf(path, sizeof(path), "%s/tasks", dir);
        fd = open(path, O_WRONLY | O_CLOEXEC);
    }

    if (fd < 0) {
        return fcf_err_sys(err, errno, "opening %s", path);
    }

    entry->fds[entry->nfds++] = fd;

    return 0;
}


static int
group_make(const fca_cgroups_t *cgroups, const char *worker_id,
    const fca_cgroup_limits_t *limits, fca_cgroup_entry_t *entry,
    fcf_err_t *err)
{
    char      dir[PATH_MAX + FCA_CGROUP_NAME];
    unsigned  kind;

    for (kind = 0; kind < FCA_CGROUP_NKINDS; kind++) {
        if (fca_cgroup_kind_done(cgroups, kind)) {
            continue;
        }

        group_path(dir, sizeof(dir), cgroups, kind, worker_id);

        if (mkdir(dir, 0755) != 0 && errno != EEXIST) {
            return fcf_err_sys(err, errno, "making %s", dir);
        }

        if (group_open(entry, dir, err) != 0) {
            return -1;
        }
    }

    return group_limit(cgroups, worker_id, limits, err);
}


int
fca_cgroup_make(const fca_cgroups_t *cgroups, const char *worker_id,
    const fca_cgroup_limits_t *limits, fca_cgroup_entry_t *entry,
    fcf_err_t *err)
{
    memset(entry, 0, sizeof(*entry));
    entry->version = fca_cgroups_version(cgroups);

    if (entry->version == 0) {
        return 0;
    }

    if (group_make(cgroups, worker_id, limits, entry, err) != 0) {
        fcf_err_wrap(err, "cgroup");
        fca_cgroup_entry_close(entry);

        /* what is left of it the next start finds */
        if (fca_cgroup_remove(cgroups, worker_id, 0, NULL) != 0) {
            return -1;
        }

        return -1;
    }

    return 0;
}


void
fca_cgroup_clone(const fca_cgroup_entry_t *entry, uint64_t *flags,
    uint64_t *cgroup)
{
    if (entry->version == 2) {
        *flags |= CLONE_INTO_CGROUP;
        *cgroup = (uint64_t) entry->fds[0];
    }
}


/* "0" is the thread that writes.  For itself the kernel moves it without a
 * lock over all threads there are, for which it would wait for milliseconds. */
int
fca_cgroup_enter(const fca_cgroup_entry_t *entry, fcf_err_t *err)
{
    int  i;

    for (i = 0; entry->version == 1 && i < entry->nfds; i++) {
        if (write(entry->fds[i], "0", 1) < 0) {
            return fcf_err_sys(err, errno, "going into a cgroup");
        }
    }

    return 0;
}


void
fca_cgroup_entry_close(fca_cgroup_entry_t *entry)
{
    while (entry->nfds > 0) {
        close(entry->fds[--entry->nfds]);
    }

    entry->version = 0;
}


/* "oom_kill 3" among other lines */
long long
fca_cgroup_oom_kills(const fca_cgroups_t *cgroups, const char *worker_id)
{
    char  *p, dir[PATH_MAX + FCA_CGROUP_NAME], text[512];

    if (fca_cgroups_version(cgroups) == 0
        || !cgroups->trees[FCA_CGROUP_MEMORY].on)
    {
        return 0;
    }

    group_path(dir, sizeof(dir), cgroups, FCA_CGROUP_MEMORY, worker_id);
    (void) fca_bounds_read(text, sizeof(text), dir, cgroups->version == 2
                           ? "memory.events" : "memory.oom_control");
    p = strstr(text, "oom_kill ");

    return p != NULL ? atoll(p + sizeof("oom_kill ") - 1) : 0;
}


static void
pause_ms(unsigned ms)
{
    struct timespec  ts = { 0, (long) ms * 1000000 };

    (void) nanosleep(&ts, NULL);
}


int
fca_cgroup_remove(const fca_cgroups_t *cgroups, const char *worker_id,
    unsigned wait_ms, fcf_err_t *err)
{
    int       rc;
    char      dir[PATH_MAX + FCA_CGROUP_NAME];
    unsigned  kind;

    rc = 0;

    if (fca_cgroups_version(cgroups) == 0) {
        return 0;
    }

    for (kind = 0; kind < FCA_CGROUP_NKINDS; kind++) {
        if (fca_cgroup_kind_done(cgroups, kind)) {
            continue;
        }

        group_path(dir, sizeof(dir), cgroups, kind, worker_id);

        while (rmdir(dir) != 0 && errno != ENOENT) {
            if (errno != EBUSY || wait_ms < BUSY_MS) {
                rc = fcf_err_sys(err, errno, "removing %s", dir);
                break;
            }

            pause_ms(BUSY_MS);
            wait_ms -= BUSY_MS;
        }
    }

    return rc;
}


int
fca_cgroups_version(const fca_cgroups_t *cgroups)
{
    return cgroups != NULL ? cgroups->version : 0;
}


const char *
fca_cgroups_words(const fca_cgroups_t *cgroups)
{
    return cgroups != NULL ? cgroups->words : "";
}


void
fca_cgroups_close(fca_cgroups_t *cgroups)
{
    unsigned  kind;

    for (kind = 0; cgroups != NULL && kind < FCA_CGROUP_NKINDS; kind++) {
        if (cgroups->trees[kind].named) {
            (void) rmdir(cgroups->trees[kind].base);
        }
    }

    free(cgroups);
}
