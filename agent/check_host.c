/* The host itself: directories, files, limits, the clock. */

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/timex.h>
#include <sys/vfs.h>
#include <unistd.h>
#include <linux/magic.h>
#include "agent/base/capacity.h"
#include "agent/check_int.h"
#include "agent/host.h"
#include "agent/limits.h"

/* a VM's: process, console and its log, its function's output, port, records
 * and calls under way */
#define FCA_CHECK_FDS_VM     9
#define FCA_CHECK_FDS_REST   256
#define FCA_CHECK_FREE_MB    64         /* below this a disk is full */
#define FCA_CHECK_FREE_FILES 256        /* a VM has some two dozen */

/* the directory itself, or the nearest above it that is there */
static void
fca_check_existing(char *path, size_t size, const char *dir)
{
    char         *slash;
    struct stat   st;

    snprintf(path, size, "%s", dir);

    while (stat(path, &st) != 0 && (slash = strrchr(path, '/')) != NULL) {
        slash[slash == path] = '\0';

        if (slash == path) {
            return;
        }
    }
}

static unsigned long long
fca_check_free_mb(const char *path)
{
    struct statvfs  fs;

    if (statvfs(path, &fs) != 0) {
        return ~0ULL;
    }

    return (unsigned long long) fs.f_bavail * fs.f_frsize / (1024 * 1024);
}

/* ~0: it does not count them */
static unsigned long long
fca_check_free_files(const char *path)
{
    struct statvfs  fs;

    if (statvfs(path, &fs) != 0 || fs.f_files == 0) {
        return ~0ULL;
    }

    return (unsigned long long) fs.f_favail;
}

static int
fca_check_in_memory(const char *path)
{
    struct statfs  fs;

    return statfs(path, &fs) == 0
           && (fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC);
}

static void
fca_check_dir(fca_check_t *check, const char *name, const char *dir)
{
    int                  fd;
    char                 path[4096], file[4096 + 16];
    struct stat          st;
    unsigned long long   mb, files;

    fca_check_existing(path, sizeof(path), dir);
    snprintf(file, sizeof(file), "%s/.fcfaas-XXXXXX", path);
    mb = fca_check_free_mb(path);

    if (stat(path, &st) == 0 && !S_ISDIR(st.st_mode)) {
        fca_check_say(check, name, "set it to a directory",
                      "%s = \"%s\": %s is no directory", name, dir, path);
        return;
    }

    fd = mkostemp(file, O_CLOEXEC);
    if (fd == -1) {
        fca_check_say(check, name, "make it writable for the agent, "
                      "on a file system that is not read-only",
                      "%s = \"%s\": writing in %s: %s", name, dir, path,
                      strerror(errno));
        return;
    }

    close(fd);
    unlink(file);

    if (mb < FCA_CHECK_FREE_MB) {
        fca_check_say(check, name, "make room there, or set it to where there "
                      "is some", "%s = \"%s\": %llu MB are free", name, dir,
                      mb);
        return;
    }

    files = fca_check_free_files(path);
    if (files < FCA_CHECK_FREE_FILES) {
        fca_check_say(check, name, "remove files there, or set it to where "
                      "more can be made", "%s = \"%s\": %llu files can be "
                      "made, and no more", name, dir, files);
        return;
    }

    fca_check_say(check, name, NULL, "%s, %llu MB free", dir, mb);
}

static void
fca_check_images(fca_check_t *check, const char *name, const char *dir)
{
    int                  e;
    struct stat          st;
    unsigned long long   mb;

    e = stat(dir, &st) != 0 ? errno : S_ISDIR(st.st_mode) ? 0 : ENOTDIR;

    if (e) {
        fca_check_say(check, name, "make it and put the images there, or set "
                      "it to where they are", "%s = \"%s\": %s", name, dir,
                      strerror(e));
        return;
    }

    mb = fca_check_free_mb(dir);
    if (mb == 0) {
        fca_check_say(check, name, "make room: no image can be added",
                      "%s = \"%s\": the disk is full", name, dir);
        return;
    }

    fca_check_say(check, name, NULL, "%s", dir);
}

/* What others may read is no secret. */
static void
fca_check_secret(fca_check_t *check, const char *name, const char *path)
{
    struct stat  st;

    if (*path && stat(path, &st) == 0 && (st.st_mode & 077)) {
        fca_check_say(check, "secrets", "chmod 600 it, and make it new: it "
                      "may have been read", "%s = \"%s\": its mode is %03o",
                      name, path, (unsigned) st.st_mode & 0777);
    }
}

static void
fca_check_memory(fca_check_t *check, const fca_conf_t *conf,
    const fca_bounds_t *bounds)
{
    fcf_err_t           err;
    fca_capacity_t      c;
    const fca_bound_t  *memory = &bounds->of[FCA_BOUND_MEMORY];

    memset(&c, 0, sizeof(c));
    c.bounds = *bounds;

    if (fca_capacity_limits(&c, conf->cpu_overcommit, conf->memory_reserve_mb,
                            conf->max_vms, conf->max_boots, &err) != 0)
    {
        fca_check_say(check, "memory", "set memory_reserve_mb to less than "
                      "the host has", "%s", err.msg);
        return;
    }

    if (memory->left >= 0 && memory->left < FCF_DEFAULT_MEMORY_MB) {
        fca_check_say(check, "memory", "end what uses it, or raise the limit "
                      "that is named", "%s leaves %d MB, a VM has %d unless "
                      "its spec says another", memory->where, memory->left,
                      FCF_DEFAULT_MEMORY_MB);
        return;
    }

    fca_check_say(check, "memory", NULL, "%d MB and %d vCPUs for VMs, %d MB "
                  "are free now", c.memory_mb, c.cpu, memory->left);
}

static void
fca_check_pids(fca_check_t *check, const fca_bounds_t *bounds)
{
    const fca_bound_t  *pids = &bounds->of[FCA_BOUND_PIDS];

    if (pids->left >= 0 && pids->left < FCA_VMM_PIDS) {
        fca_check_say(check, "pids", "raise it (TasksMax= of the unit, or a "
                      "sysctl)", "%s is %d, of which %d are left: a VM may "
                      "need %d", pids->where, pids->all, pids->left,
                      FCA_VMM_PIDS);
        return;
    }

    fca_check_say(check, "pids", NULL, "%d processes and threads of %d are "
                  "left", pids->left, pids->all);
}

static void
fca_check_limits(fca_check_t *check, const fca_conf_t *conf)
{
    int            fd;
    rlim_t         need;
    struct rlimit  limit;

    need = (rlim_t) conf->max_vms * FCA_CHECK_FDS_VM + FCA_CHECK_FDS_REST;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_max < need) {
        fca_check_say(check, "limits", "raise it (LimitNOFILE= of the unit), "
                      "or lower max_vms", "max_vms = \"%d\" needs %llu "
                      "descriptors, the hard limit is %llu", conf->max_vms,
                      (unsigned long long) need,
                      (unsigned long long) limit.rlim_max);
        return;
    }

    fd = inotify_init1(IN_CLOEXEC);
    if (fd == -1) {
        fca_check_say(check, "limits", "raise the sysctl "
                      "fs.inotify.max_user_instances", "no inotify instance "
                      "is left: %s", strerror(errno));
        return;
    }

    close(fd);
    fca_check_say(check, "limits", NULL, "%llu descriptors, and inotify",
                  (unsigned long long) limit.rlim_max);
}

static void
fca_check_notes(const fca_conf_t *conf)
{
    char            address[INET_ADDRSTRLEN], path[4096];
    int             addresses, ports;
    struct timex    clock = { .modes = 0 };

    addresses = (int) (1u << (32 - conf->bridge_prefix_len)) - 3;
    ports = conf->port_last - conf->port_first + 1;

    if (conf->max_vms > addresses || conf->max_vms > ports) {
        inet_ntop(AF_INET, &conf->bridge_address, address, sizeof(address));
        fca_check_note("room", "max_vms = \"%d\", but %s/%u has %d addresses "
                       "and there are %d ports: the smallest counts",
                       conf->max_vms, address, conf->bridge_prefix_len,
                       addresses, ports);
    }

    fca_check_existing(path, sizeof(path), conf->run_dir);

    if (!fca_check_in_memory(path)) {
        fca_check_note("run_dir", "%s is on a disk: in memory, as /run mostly "
                       "is, VMs start faster", conf->run_dir);
    }

    if (conf->nallow == 0 && *conf->token_file == '\0') {
        fca_check_note("access", "neither allow nor token_file is set: VMs "
                       "are served on loopback alone");

    } else if (fca_conf_loopback(conf->advertise)) {
        fca_check_note("access", "advertise is a loopback address: no "
                       "gateway on another host reaches this node");
    }

    if (adjtimex(&clock) == TIME_ERROR) {
        fca_check_note("clock", "the kernel says that it is not "
                       "synchronised; guests get their time from it");
    }
}

static void
fca_check_cgroups(fca_check_t *check, const fca_conf_t *conf)
{
    fcf_err_t       err;
    fca_bounds_t    bounds;
    fca_cgroups_t  *cgroups;

    cgroups = fca_limits_cgroups(conf, 1, &err);
    fca_host_bounds(&bounds, cgroups);
    fca_check_memory(check, conf, &bounds);
    fca_check_pids(check, &bounds);

    if (cgroups == NULL) {
        fca_check_say(check, "cgroups", "give the agent a cgroup of its own "
                      "(Delegate=yes in its unit), set cgroup_root, or do "
                      "without: cgroups = auto", "%s", err.msg);
        return;
    }

    fca_check_say(check, "cgroups", NULL, "%s", fca_cgroups_words(cgroups));
    fca_cgroups_close(cgroups);
}

static void
fca_check_snapshots(fca_check_t *check, const fca_conf_t *conf)
{
    char                 path[4096];
    unsigned long long   mb;

    if (!conf->snapshots) {
        return;
    }

    fca_check_existing(path, sizeof(path), conf->state_dir);
    mb = fca_check_free_mb(path);

    fca_check_say(check, "snapshots",
                  mb < (unsigned long long) conf->snapshots_mb
                  ? "make room on the disk of state_dir, or set snapshots_mb "
                    "to less" : NULL, "below %s: snapshots_mb = %d, of %llu "
                  "MB free", conf->state_dir, conf->snapshots_mb, mb);
}

void
fca_check_host(fca_check_t *check, const fca_conf_t *conf)
{
    fca_check_dir(check, "state_dir", conf->state_dir);
    fca_check_dir(check, "run_dir", conf->run_dir);

    fca_check_snapshots(check, conf);
    fca_check_images(check, "functions", conf->functions);
    fca_check_images(check, "runtimes", conf->runtimes);
    fca_check_runtimes(check, conf);
    fca_check_secret(check, "token_file", conf->token_file);
    fca_check_secret(check, "admin_token_file", conf->admin_token_file);
    fca_check_secret(check, "etcd_password_file", conf->etcd_password_file);
    fca_check_secret(check, "redis_password_file",
                     conf->redis_password_file);
    fca_check_secret(check, "etcd_key", conf->etcd_key);
    fca_check_limits(check, conf);
    fca_check_cgroups(check, conf);
    fca_check_notes(conf);
}
