/*
 * Jails outlive the host's run, and what leads to them, VMs' directories in
 * memory, does not: those of this node that no VM has are removed.
 */

#include <ctype.h>
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/log.h"
#include "agent/base/tree.h"
#include "agent/vmm/vmm_int.h"
#include "agent/vmm/vmm_jail_int.h"


/* the VM of this node whose jail would have that name; 0: none could */
static int
sweep_worker(const char *name, const char *node_id, char *worker, size_t size)
{
    char         id[FCA_VMM_ID_MAX + 1];
    const char  *dash;

    dash = strrchr(name, '-');

    if (dash == NULL || dash[1] == '\0'
        || strspn(dash + 1, "0123456789") != strlen(dash + 1)
        || (size_t) snprintf(worker, size, "%s%s", node_id, dash) >= size)
    {
        return 0;
    }

    fca_vmm_id(worker, id);

    return strcmp(id, name) == 0;
}


/* whether that VM's directory is there and leads to the jail */
static int
sweep_led_to(const char *run_dir, const char *worker, const char *jail)
{
    int    led;
    char  *to, path[PATH_MAX];

    if ((size_t) snprintf(path, sizeof(path), "%s/%s", run_dir, worker)
        >= sizeof(path))
    {
        return 0;
    }

    to = fca_vmm_jail_of(path);
    led = to != NULL && strcmp(to, jail) == 0;
    free(to);

    return led;
}


/* whether a process lives in it: that of another node whose name reads the
 * same there, say */
static int
sweep_lived_in(const char *jail)
{
    int             found;
    DIR            *dir;
    char            path[NAME_MAX + 16], root[PATH_MAX];
    size_t          n;
    ssize_t         len;
    struct dirent  *entry;

    found = 0;
    n = strlen(jail);
    dir = opendir("/proc");

    if (dir == NULL) {
        return 1;
    }

    while (!found && (entry = readdir(dir)) != NULL) {
        if (!isdigit((unsigned char) entry->d_name[0])) {
            continue;
        }

        snprintf(path, sizeof(path), "/proc/%s/root", entry->d_name);
        len = readlink(path, root, sizeof(root) - 1);
        root[len > 0 ? len : 0] = '\0';
        found = len > 0 ? strncmp(root, jail, n) == 0
                          && (root[n] == '/' || root[n] == '\0')
                        : fca_proc_of_jail(atoi(entry->d_name), jail);
    }

    closedir(dir);

    return found;
}


void
fca_jail_sweep(const fca_jail_t *jail, const char *run_dir,
    const char *node_id)
{
    int             n;
    DIR            *dir;
    char           *all, path[PATH_MAX], worker[FCF_WORKER_ID_MAX + 1];
    fcf_err_t       err;
    struct dirent  *entry;

    n = 0;
    all = fca_jail_path(jail, "");
    dir = all != NULL ? opendir(all) : NULL;

    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        if (!sweep_worker(entry->d_name, node_id, worker, sizeof(worker))
            || (size_t) snprintf(path, sizeof(path), "%s%s", all,
                                 entry->d_name) >= sizeof(path)
            || sweep_led_to(run_dir, worker, path) || sweep_lived_in(path))
        {
            continue;
        }

        if (fca_tree_remove(path, &err) != 0) {
            fca_log(FCF_LOG_WARN, NULL, "%s", err.msg);
            continue;
        }

        n++;
    }

    if (dir != NULL) {
        closedir(dir);
    }

    free(all);

    if (n > 0) {
        fca_log(FCF_LOG_WARN, NULL, "removed %d jails of an earlier run of "
                "the host", n);
    }
}
