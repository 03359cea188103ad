#include <errno.h>
#include <fcntl.h>
#include <mntent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "vm/jailer/jailer.h"

#define MOUNTS  "/proc/mounts"
/* levels of --parent-cgroup from which a value is taken over */
#define DEPTH_MAX  32


/* where version 2, or a controller of version 1, is mounted; -1: nowhere */
static int
mount_find(int version, const char *controller, char *dir, size_t size)
{
    int             found;
    char            buf[4096];
    FILE           *f;
    struct mntent   m;

    f = setmntent(MOUNTS, "re");
    if (f == NULL) {
        return -1;
    }

    found = 0;

    while (!found && getmntent_r(f, &m, buf, sizeof(buf)) != NULL) {
        found = version == 2 ? strcmp(m.mnt_type, "cgroup2") == 0
                             : strcmp(m.mnt_type, "cgroup") == 0
                               && (controller == NULL
                                   || hasmntopt(&m, controller) != NULL);
    }

    if (found) {
        found = (size_t) snprintf(dir, size, "%s", m.mnt_dir) < size;
    }

    endmntent(f);

    return found ? 0 : -1;
}


static int
path_join(char *out, size_t size, const char *dir, const char *name,
    fcf_err_t *err)
{
    return (size_t) snprintf(out, size, "%s/%s", dir, name) < size
           ? 0 : fcf_err_sys(err, ENAMETOOLONG, "%s/%s", dir, name);
}


/* one write, as the files of a cgroup want it */
static int
line_write(const char *path, const char *value, fcf_err_t *err)
{
    int   fd, saved;
    char  line[1024];

    if ((size_t) snprintf(line, sizeof(line), "%s\n", value)
        >= sizeof(line))
    {
        return fcf_err_sys(err, E2BIG, "Failed to write to %s", path);
    }

    fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    saved = errno;

    if (fd >= 0) {
        saved = write(fd, line, strlen(line)) < 0 ? errno : 0;
        close(fd);
    }

    return saved != 0 ? fcf_err_sys(err, saved, "Failed to write to %s", path)
                      : 0;
}


static int
text_read(const char *path, char *buf, size_t size, fcf_err_t *err)
{
    int      fd, saved;
    ssize_t  n;

    fd = open(path, O_RDONLY | O_CLOEXEC);
    n = fd >= 0 ? read(fd, buf, size - 1) : -1;
    saved = errno;

    if (fd >= 0) {
        close(fd);
    }

    if (n < 0) {
        return fcf_err_sys(err, saved, "Failed to read file %s into a string",
                           path);
    }

    buf[n] = '\0';

    return 0;
}


/* version 2: does the hierarchy have this controller? */
static int
controller_there(const fcv_jail_t *jail, const char *name)
{
    int    there;
    char   path[PATH_MAX + 32], text[1024], *word, *rest;

    snprintf(path, sizeof(path), "%s/cgroup.controllers", jail->cgroup_mount);

    if (text_read(path, text, sizeof(text), NULL) != 0) {
        return 0;
    }

    there = 0;

    for (word = strtok_r(text, " \n", &rest); word != NULL && !there;
         word = strtok_r(NULL, " \n", &rest))
    {
        there = strcmp(word, name) == 0;
    }

    return there;
}


/* "memory.max=1" */
static int
property_split(fcv_jail_cgroup_t *cg, const char *arg, fcf_err_t *err)
{
    size_t       len;
    const char  *eq, *dot;

    eq = strchr(arg, '=');

    if (eq == NULL || eq[1] == '\0' || strchr(eq + 1, '=') != NULL) {
        return fcf_err_set(err, FCF_E_INVALID, "Invalid format for cgroups: "
                           "%s", arg);
    }

    len = (size_t) (eq - arg);
    dot = memchr(arg, '.', len);

    /* one name, that of a file, which begins with its controller's */
    if (dot == NULL || dot == arg || len >= sizeof(cg->file)
        || memchr(arg, '/', len) != NULL || strncmp(arg, "..", 2) == 0)
    {
        return fcf_err_set(err, FCF_E_INVALID, "Cgroup invalid file: %s",
                           arg);
    }

    memcpy(cg->file, arg, len);
    cg->file[len] = '\0';
    memcpy(cg->controller, arg, (size_t) (dot - arg));
    cg->controller[dot - arg] = '\0';
    cg->value = eq + 1;

    return 0;
}


static int
property_check(fcv_jail_t *jail, const char *arg, fcf_err_t *err)
{
    char                mount[PATH_MAX], parent[PATH_MAX];
    fcv_jail_cgroup_t  *cg = &jail->cgroups[jail->ncgroups];

    if (property_split(cg, arg, err) != 0) {
        return -1;
    }

    memcpy(mount, jail->cgroup_mount, sizeof(mount));

    if (jail->cgroup_version == 2 ? !controller_there(jail, cg->controller)
                                  : mount_find(1, cg->controller, mount,
                                               sizeof(mount)) != 0)
    {
        return fcf_err_set(err, FCF_E_NOT_FOUND, "Controller %s is "
                           "unavailable", cg->controller);
    }

    if (path_join(parent, sizeof(parent), mount, jail->parent_cgroup, err)
        != 0
        || path_join(cg->dir, sizeof(cg->dir), parent, jail->args->id, err)
           != 0)
    {
        return -1;
    }

    jail->ncgroups++;

    return 0;
}


static int
procs_enter(const char *dir, const char *file, fcf_err_t *err)
{
    char  path[PATH_MAX + NAME_MAX + 2], pid[32];

    snprintf(path, sizeof(path), "%s/%s", dir, file);
    snprintf(pid, sizeof(pid), "%d", (int) getpid());

    return line_write(path, pid, err);
}


/* Version 2 and no value to set: the process itself goes into the parent, if
 * there is one. */
static int
parent_enter(fcv_jail_t *jail, fcf_err_t *err)
{
    char  dir[PATH_MAX];

    if (mount_find(2, NULL, jail->cgroup_mount, sizeof(jail->cgroup_mount))
        != 0)
    {
        return fcf_err_set(err, FCF_E_NOT_FOUND, "Hierarchy not found: No "
                           "hierarchy found for this cgroup version.");
    }

    if (path_join(dir, sizeof(dir), jail->cgroup_mount, jail->parent_cgroup,
                  err) != 0)
    {
        return -1;
    }

    if (access(dir, F_OK) != 0) {
        return 0;
    }

    return procs_enter(dir, "cgroup.procs", err) == 0 ? 0
           : fcf_err_wrap(err, "Failed to move process to cgroup (%s)", dir);
}


int
fcv_jail_cgroup_check(fcv_jail_t *jail, fcf_err_t *err)
{
    size_t                   i;
    const fcv_jail_list_t   *given = &jail->args->cgroups;

    if (given->n == 0) {
        return jail->cgroup_version == 2 ? parent_enter(jail, err) : 0;
    }

    if (jail->cgroup_version != 1 && jail->cgroup_version != 2) {
        return fcf_err_set(err, FCF_E_INVALID, "%d is an invalid cgroup "
                           "version specifier", jail->cgroup_version);
    }

    if (mount_find(jail->cgroup_version, NULL, jail->cgroup_mount,
                   sizeof(jail->cgroup_mount)) != 0)
    {
        return fcf_err_set(err, FCF_E_NOT_FOUND, "Hierarchy not found: No "
                           "hierarchy found for this cgroup version.");
    }

    for (i = 0; i < given->n; i++) {
        if (property_check(jail, given->values[i], err) != 0) {
            return -1;
        }
    }

    return 0;
}


/* What a new cgroup's file leaves empty (cpuset's) comes from the one above,
 * which may have to take it from its own first: up to depth levels. */
static int
value_inherit(const char *dir, const char *file, unsigned depth,
    fcf_err_t *err)
{
    char  *end, up[PATH_MAX], path[PATH_MAX + NAME_MAX + 2], line[1024];

    snprintf(up, sizeof(up), "%s", dir);

    end = strrchr(up, '/');
    if (end == NULL || end == up) {
        return fcf_err_set(err, FCF_E_NOT_FOUND, "File %s doesn't have a "
                           "parent", dir);
    }

    *end = '\0';
    snprintf(path, sizeof(path), "%s/%s", up, file);

    if (text_read(path, line, sizeof(line), err) != 0) {
        return -1;
    }

    if ((line[0] == '\0' || line[0] == '\n') && depth > 0) {
        (void) value_inherit(up, file, depth - 1, NULL);

        if (text_read(path, line, sizeof(line), err) != 0) {
            return -1;
        }
    }

    line[strcspn(line, "\n")] = '\0';

    if (line[0] == '\0') {
        return fcf_err_set(err, FCF_E_INVALID, "Failed to inherit cgroups "
                           "configurations from file %s in path %s", file,
                           dir);
    }

    snprintf(path, sizeof(path), "%s/%s", dir, file);

    return line_write(path, line, err);
}


/* version 2: the controller in every cgroup from the mount down to dir's
 * parent, or its files are not there */
static int
controller_enable(const fcv_jail_t *jail, const fcv_jail_cgroup_t *cg,
    fcf_err_t *err)
{
    size_t  i, len;
    char    path[PATH_MAX + 32], word[NAME_MAX + 2];

    snprintf(word, sizeof(word), "+%s", cg->controller);
    len = strlen(jail->cgroup_mount);

    for (i = len; cg->dir[i] != '\0'; i++) {
        if (cg->dir[i] == '/') {
            snprintf(path, sizeof(path), "%.*s/cgroup.subtree_control",
                     (int) i, cg->dir);

            if (line_write(path, word, err) != 0) {
                return -1;
            }
        }
    }

    return 0;
}


static int
value_set(const fcv_jail_t *jail, const fcv_jail_cgroup_t *cg, fcf_err_t *err)
{
    unsigned     depth;
    char         path[PATH_MAX + NAME_MAX + 2];
    const char  *p;

    if (fcv_jail_mkdirs(cg->dir, err) != 0) {
        return -1;
    }

    if (jail->cgroup_version == 2) {
        if (controller_enable(jail, cg, err) != 0) {
            return -1;
        }

    } else {
        depth = 1;

        for (p = jail->parent_cgroup; *p != '\0' && depth < DEPTH_MAX; p++) {
            depth += *p == '/';
        }

        if (value_inherit(cg->dir, cg->file, depth, err) != 0) {
            return -1;
        }
    }

    snprintf(path, sizeof(path), "%s/%s", cg->dir, cg->file);

    return line_write(path, cg->value, err);
}


int
fcv_jail_cgroup_enter(const fcv_jail_t *jail, fcf_err_t *err)
{
    size_t  i;

    for (i = 0; i < jail->ncgroups; i++) {
        if (value_set(jail, &jail->cgroups[i], err) != 0) {
            return -1;
        }
    }

    for (i = 0; i < jail->ncgroups; i++) {
        if (procs_enter(jail->cgroups[i].dir, jail->cgroup_version == 2
                                              ? "cgroup.procs" : "tasks", err)
            != 0)
        {
            return -1;
        }
    }

    return 0;
}
