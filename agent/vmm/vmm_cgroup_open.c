/* Where VMs' groups are made: which hierarchies there are, and whether this
 * process may do there what has to be done. */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/vmm/vmm_cgroup_int.h"

/* enough for whatever a kernel answers with a limit */
#define PROBE_MB    64
#define PROBE_PIDS  16


static int
join(char *buf, const char *dir, const char *name, fcf_err_t *err)
{
    return (size_t) snprintf(buf, PATH_MAX, "%s/%s", dir, name) < PATH_MAX
           ? 0 : fcf_err_sys(err, ENAMETOOLONG, "%s/%s", dir, name);
}


/* dir and what is missing above it, below the mount */
static int
groups_make(const char *mount, const char *dir, fcf_err_t *err)
{
    char    path[PATH_MAX];
    size_t  i;

    for (i = strlen(mount) + 1; i <= strlen(dir); i++) {
        if (dir[i] != '/' && dir[i] != '\0') {
            continue;
        }

        snprintf(path, sizeof(path), "%.*s", (int) i, dir);

        if (mkdir(path, 0755) != 0 && errno != EEXIST) {
            return fcf_err_sys(err, errno, "making %s", path);
        }
    }

    return 0;
}


/* Version 2: hands controllers to the children of every group on the way, as
 * far as they go.  Which kinds are on after that is what counts. */
static int
controllers_pass(fca_cgroups_t *cgroups, const char *mount, const char *base,
    int above, fcf_err_t *err)
{
    int          on;
    char         path[PATH_MAX], word[32];
    size_t       i;
    unsigned     kind;
    fcf_err_t    why;

    on = 0;

    /* the last one's failure is told, and that is memory's */
    for (kind = FCA_CGROUP_NKINDS; kind-- > 0; ) {
        snprintf(word, sizeof(word), "+%s", fca_cgroup_names[2][kind]);

        for (i = strlen(mount); above && base[i] != '\0'; i++) {
            if (base[i] != '/') {
                continue;
            }

            snprintf(path, sizeof(path), "%.*s", (int) i, base);

            /* it may be there already, or not be ours to change */
            if (fca_cgroup_write(path, "cgroup.subtree_control", word, NULL)
                != 0)
            {
                continue;
            }
        }

        cgroups->trees[kind].on =
            fca_cgroup_write(base, "cgroup.subtree_control", word, &why) == 0;
        snprintf(cgroups->trees[kind].base, PATH_MAX, "%s", base);

        on += cgroups->trees[kind].on;
    }

    if (on > 0) {
        return 0;
    }

    *err = why;

    return why.sys_errno == EBUSY
           ? fcf_err_wrap(err, "other processes live in the agent's cgroup: "
                          "give it one of its own (Delegate=yes), or set "
                          "cgroup_root")
           : -1;
}


/* only the root of the hierarchy has no such file */
static int
is_root(const char *dir)
{
    char  path[PATH_MAX + 32];

    snprintf(path, sizeof(path), "%s/cgroup.type", dir);

    return access(path, F_OK) != 0;
}


/* the agent's own group: it leaves it for a leaf, unless it is in it already
 * (a service manager may have put it there) */
static int
own_leave(char *own, fcf_err_t *err)
{
    char    leaf[PATH_MAX], *last;

    last = strrchr(own, '/');

    if (last != NULL && strcmp(last + 1, FCA_CGROUP_LEAF) == 0) {
        *last = '\0';
        return 0;
    }

    if (join(leaf, own, FCA_CGROUP_LEAF, err) != 0) {
        return -1;
    }

    if (mkdir(leaf, 0755) != 0 && errno != EEXIST) {
        return fcf_err_sys(err, errno, "making %s", leaf);
    }

    return fca_cgroup_write(leaf, "cgroup.procs", "0", err);
}


/* there are no limits to be had: nothing of the try stays */
static void
own_return(const char *own)
{
    char  leaf[PATH_MAX];

    if (fca_cgroup_write(own, "cgroup.procs", "0", NULL) == 0
        && join(leaf, own, FCA_CGROUP_LEAF, NULL) == 0)
    {
        (void) rmdir(leaf);
    }
}


static int
open_v2(fca_cgroups_t *cgroups, const fca_cgroups_conf_t *conf,
    const char *proc, fcf_err_t *err)
{
    char            base[PATH_MAX], group[PATH_MAX], name[FCA_CGROUP_NAME];
    fca_cgroup_mount_t  m;

    if (!fca_cgroup_mount(proc, 2, NULL, &m)
        || !fca_cgroup_own(proc, 2, NULL, group, sizeof(group)))
    {
        return fcf_err_set(err, FCF_E_NOT_FOUND, "no cgroup controllers on "
                           "this host");
    }

    cgroups->version = 2;
    snprintf(name, sizeof(name), "fcfaas-%s.%s", conf->node_id, cgroups->tag);

    if (*conf->root != '\0') {
        if (join(base, m.dir, conf->root + strspn(conf->root, "/"), err)
            != 0)
        {
            return -1;
        }

    } else if ((size_t) snprintf(base, sizeof(base), "%s%s", m.dir,
                                 fca_cgroup_below(&m, group)) >= sizeof(base))
    {
        return fcf_err_sys(err, ENAMETOOLONG, "%s", group);

    } else if (!is_root(base)) {
        if (own_leave(base, err) != 0) {
            return -1;
        }

        if (controllers_pass(cgroups, m.dir, base, 0, err) != 0) {
            own_return(base);
            return -1;
        }

        return 0;

    } else if (join(base, m.dir, name, err) != 0) {
        return -1;

    } else {
        cgroups->trees[0].named = 1;
    }

    return groups_make(m.dir, base, err) != 0 ? -1
           : controllers_pass(cgroups, m.dir, base, 1, err);
}


/* Version 1: a hierarchy per controller, each with its own idea of where this
 * process is.  Which is no process's business but the agent's to leave: here
 * a group may hold processes and children. */
static int
open_v1_kind(fca_cgroups_t *cgroups, const fca_cgroups_conf_t *conf,
    const char *proc, unsigned kind, fcf_err_t *err)
{
    char                group[PATH_MAX], name[FCA_CGROUP_NAME];
    const char         *below;
    fca_cgroup_mount_t      m;
    fca_cgroup_tree_t  *tree = &cgroups->trees[kind];

    if (!fca_cgroup_mount(proc, 1, fca_cgroup_names[1][kind], &m)
        || !fca_cgroup_own(proc, 1, fca_cgroup_names[1][kind], group,
                           sizeof(group)))
    {
        return 0;
    }

    below = fca_cgroup_below(&m, group);
    snprintf(name, sizeof(name), "fcfaas-%s.%s", conf->node_id, cgroups->tag);

    if (*conf->root != '\0') {
        below = conf->root;

    } else if (*below == '\0') {
        below = name;
        tree->named = 1;
    }

    if (join(tree->base, m.dir, below + strspn(below, "/"), err) != 0
        || groups_make(m.dir, tree->base, err) != 0)
    {
        return -1;
    }

    tree->on = 1;

    return 0;
}


static int
open_v1(fca_cgroups_t *cgroups, const fca_cgroups_conf_t *conf,
    const char *proc, fcf_err_t *err)
{
    unsigned  kind;

    cgroups->version = 1;

    for (kind = 0; kind < FCA_CGROUP_NKINDS; kind++) {
        if (open_v1_kind(cgroups, conf, proc, kind, err) != 0) {
            return -1;
        }
    }

    return 0;
}


static const char *
proc_self(const fca_cgroups_conf_t *conf)
{
    return conf->proc != NULL ? conf->proc : "/proc/self";
}


/* Version 1 where its memory controller is; a host has each controller in one
 * version only. */
static int
hierarchies_open(fca_cgroups_t *cgroups, const fca_cgroups_conf_t *conf,
    fcf_err_t *err)
{
    const char      *proc;
    fca_cgroup_mount_t   m;

    proc = proc_self(conf);

    return fca_cgroup_mount(proc, 1, "memory", &m)
           || fca_cgroup_mount(proc, 1, "pids", &m)
           || fca_cgroup_mount(proc, 1, "cpu", &m)
           ? open_v1(cgroups, conf, proc, err)
           : open_v2(cgroups, conf, proc, err);
}


/* does what is done for a VM, once */
static int
probe(fca_cgroups_t *cgroups, const char *node_id, fcf_err_t *err)
{
    char                  id[FCA_CGROUP_NAME];
    fca_cgroup_entry_t    entry;
    fca_cgroup_limits_t   limits = { PROBE_MB, 1, PROBE_PIDS };

    snprintf(id, sizeof(id), "%s-probe", node_id);

    if (fca_cgroup_make(cgroups, id, &limits, &entry, err) != 0) {
        return -1;
    }

    fca_cgroup_entry_close(&entry);

    return fca_cgroup_remove(cgroups, id, 0, err);
}


/* "vm-<node_id>-<n>.<tag>": a VM's of this node, of this state directory; a
 * probe's too */
static int
ours(const char *name, const char *node_id, const char *tag)
{
    size_t       n;
    const char  *dot;

    n = strlen(node_id);

    if (strncmp(name, FCA_CGROUP_PREFIX, sizeof(FCA_CGROUP_PREFIX) - 1) != 0
        || strncmp(name + sizeof(FCA_CGROUP_PREFIX) - 1, node_id, n) != 0)
    {
        return 0;
    }

    name += sizeof(FCA_CGROUP_PREFIX) - 1 + n;
    dot = strchr(name, '.');

    return name[0] == '-' && strchr(name + 1, '-') == NULL && dot != NULL
           && strcmp(dot + 1, tag) == 0;
}


/* those in which processes live are refused by the kernel, and stay */
static void
left_overs_remove(const char *base, const char *node_id, const char *tag)
{
    DIR            *dir;
    struct dirent  *entry;

    dir = opendir(base);
    if (dir == NULL) {
        return;
    }

    while ((entry = readdir(dir)) != NULL) {
        if (ours(entry->d_name, node_id, tag)) {
            (void) unlinkat(dirfd(dir), entry->d_name, AT_REMOVEDIR);
        }
    }

    closedir(dir);
}


static void
words_list(fca_cgroups_t *cgroups, int on, char *buf, size_t size)
{
    size_t    n;
    unsigned  kind;

    n = 0;
    buf[0] = '\0';

    for (kind = 0; kind < FCA_CGROUP_NKINDS; kind++) {
        if (!cgroups->trees[kind].on == !on && n < size) {
            n += (size_t) snprintf(buf + n, size - n, " %s",
                                   fca_cgroup_names[cgroups->version][kind]);
        }
    }
}


static int
complete(fca_cgroups_t *cgroups, const fca_cgroups_conf_t *conf,
    fcf_err_t *err)
{
    char      missing[64];
    unsigned  kind, on;

    on = 0;

    for (kind = 0; kind < FCA_CGROUP_NKINDS; kind++) {
        on += (unsigned) cgroups->trees[kind].on;

        if (!conf->look && !fca_cgroup_kind_done(cgroups, kind)) {
            left_overs_remove(cgroups->trees[kind].base, conf->node_id,
                              cgroups->tag);
        }
    }

    words_list(cgroups, 0, missing, sizeof(missing));

    if (on == 0 || (conf->mode == FCA_CGROUPS_YES
                    && on < FCA_CGROUP_NKINDS
                    && strcmp(missing, cgroups->version == 2 ? " io"
                                                             : " blkio")
                       != 0))
    {
        return fcf_err_set(err, FCF_E_NOT_FOUND, "no controller for%s",
                           missing);
    }

    return probe(cgroups, conf->node_id, err);
}


static fca_cgroups_t *
cgroups_open(fca_cgroups_t *cgroups, const fca_cgroups_conf_t *conf,
    fcf_err_t *err)
{
    char       list[64];
    fcf_err_t  why;

    if (conf->mode == FCA_CGROUPS_NO) {
        snprintf(cgroups->words, sizeof(cgroups->words),
                 "cgroups = no: VMs run without limits");
        return cgroups;
    }

    if (hierarchies_open(cgroups, conf, &why) != 0
        || complete(cgroups, conf, &why) != 0)
    {
        if (conf->mode == FCA_CGROUPS_YES) {
            free(cgroups);
            fcf_err_set(err, why.code, "cgroups = \"yes\": %s", why.msg);
            return NULL;
        }

        cgroups->version = 0;
        snprintf(cgroups->words, sizeof(cgroups->words),
                 "VMs run without limits: %s", why.msg);
        return cgroups;
    }

    words_list(cgroups, 1, list, sizeof(list));
    snprintf(cgroups->words, sizeof(cgroups->words), "limits by cgroup "
             "version %d:%s", cgroups->version, list);

    return cgroups;
}


fca_cgroups_t *
fca_cgroups_open(const fca_cgroups_conf_t *conf, fcf_err_t *err)
{
    unsigned        kind;
    fca_cgroups_t  *cgroups;

    cgroups = calloc(1, sizeof(*cgroups));
    if (cgroups == NULL) {
        fcf_err_set(err, FCF_E_NOMEM, "cgroups: out of memory");
        return NULL;
    }

    snprintf(cgroups->tag, sizeof(cgroups->tag), "%s", conf->tag);
    cgroups = cgroups_open(cgroups, conf, err);

    for (kind = 0; cgroups != NULL && kind < FCA_CGROUP_NCHAINS; kind++) {
        fca_cgroup_chain_find(&cgroups->chains[kind], proc_self(conf),
                              cgroups->version != 0 ? &cgroups->trees[kind]
                                                    : NULL, kind);
    }

    return cgroups;
}
