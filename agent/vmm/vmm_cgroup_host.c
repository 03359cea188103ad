/* What this host has of control groups, and where this process is in them. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/vmm/vmm_cgroup_int.h"

const char *const  fca_cgroup_names[3][FCA_CGROUP_NKINDS] = {
#define FCA_X(id, v1, v2)  [FCA_CGROUP_##id] = v1,
    [1] = { FCA_CGROUP_KINDS(FCA_X) },
#undef FCA_X
#define FCA_X(id, v1, v2)  [FCA_CGROUP_##id] = v2,
    [2] = { FCA_CGROUP_KINDS(FCA_X) },
#undef FCA_X
};


/* is word one of those in a list? */
static int
listed(const char *list, const char *separators, const char *word)
{
    size_t  n;

    while (*list != '\0') {
        n = strcspn(list, separators);

        if (n == strlen(word) && strncmp(list, word, n) == 0) {
            return 1;
        }

        list += n + (list[n] != '\0');
    }

    return 0;
}


/* one line of mountinfo: "36 35 0:30 /root /dir opts - type source super" */
static int
mount_parse(const char *line, int version, const char *controller,
    fca_cgroup_mount_t *m)
{
    char         type[32], super[512];
    const char  *rest;

    rest = strstr(line, " - ");

    if (rest == NULL
        || sscanf(line, "%*d %*d %*s %4095s %4095s", m->root, m->dir) != 2
        || sscanf(rest, " - %31s %*s %511s", type, super) != 2)
    {
        return 0;
    }

    return version == 2 ? strcmp(type, "cgroup2") == 0
                        : strcmp(type, "cgroup") == 0
                          && listed(super, ",", controller);
}


int
fca_cgroup_mount(const char *proc, int version, const char *controller,
    fca_cgroup_mount_t *m)
{
    int     found;
    char    path[PATH_MAX], *line;
    FILE   *f;
    size_t  size;

    snprintf(path, sizeof(path), "%s/mountinfo", proc);

    f = fopen(path, "re");
    if (f == NULL) {
        return 0;
    }

    found = 0;
    line = NULL;
    size = 0;

    while (!found && getline(&line, &size, f) > 0) {
        found = mount_parse(line, version, controller, m);
    }

    free(line);
    fclose(f);

    return found;
}


/* This process's own group, as it stands in "4:memory:/path" or "0::/path". */
int
fca_cgroup_own(const char *proc, int version, const char *controller, char *buf,
    size_t size)
{
    int     found;
    char    path[PATH_MAX], *line, *names, *group;
    FILE   *f;
    size_t  n;

    snprintf(path, sizeof(path), "%s/cgroup", proc);

    f = fopen(path, "re");
    if (f == NULL) {
        return 0;
    }

    found = 0;
    line = NULL;
    n = 0;

    while (!found && getline(&line, &n, f) > 0) {
        names = strchr(line, ':');
        group = names != NULL ? strchr(names + 1, ':') : NULL;

        if (group == NULL) {
            continue;
        }

        *names++ = '\0';
        *group++ = '\0';
        group[strcspn(group, "\n")] = '\0';

        found = (version == 2 ? strcmp(line, "0") == 0 && *names == '\0'
                              : listed(names, ",", controller))
                && (size_t) snprintf(buf, size, "%s", group) < size;
    }

    free(line);
    fclose(f);

    return found;
}


/* group is seen below what is mounted, which may be a part (a container's) */
const char *
fca_cgroup_below(const fca_cgroup_mount_t *m, const char *group)
{
    size_t  n;

    n = strlen(m->root);

    if (n > 1 && strncmp(group, m->root, n) == 0
        && (group[n] == '/' || group[n] == '\0'))
    {
        group += n;
    }

    return strcmp(group, "/") == 0 ? "" : group;
}
