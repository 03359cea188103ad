#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "vm/jailer/jailer.h"

#define JAIL_BASE  "/srv/jailer"


static int
check_id(const char *id, fcf_err_t *err)
{
    size_t  n;

    n = strspn(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                   "0123456789-");

    if (strlen(id) > FCV_JAIL_ID_MAX || *id == '\0') {
        return fcf_err_set(err, FCF_E_INVALID, "Invalid instance ID: Invalid "
                           "len (%zu);  the length must be between 1 and %d",
                           strlen(id), FCV_JAIL_ID_MAX);
    }

    if (id[n] != '\0') {
        return fcf_err_set(err, FCF_E_INVALID, "Invalid instance ID: Invalid "
                           "char (%c) at position %zu", id[n], n);
    }

    return 0;
}


/* digits only, but for one "+" before them; -1: not a number up to max */
static int
check_number(const char *text, unsigned long long max,
    unsigned long long *out)
{
    const char          *digits;
    unsigned long long   n;

    digits = text + (*text == '+');

    if (*digits == '\0'
        || strspn(digits, "0123456789") != strlen(digits))
    {
        return -1;
    }

    errno = 0;
    n = strtoull(digits, NULL, 10);

    if (errno != 0 || n > max) {
        return -1;
    }

    *out = n;

    return 0;
}


static int
check_owner(const char *what, const char *text, unsigned *out, fcf_err_t *err)
{
    unsigned long long  n;

    /* the last one means "leave it as it is" to chown() and setuid() */
    if (check_number(text, UINT_MAX - 1, &n) != 0) {
        return fcf_err_set(err, FCF_E_INVALID, "Invalid %s: %s", what, text);
    }

    *out = (unsigned) n;

    return 0;
}


/* the program, links resolved: its name is part of the jail's path */
static int
check_exec(fcv_jail_t *jail, fcf_err_t *err)
{
    const char   *given = jail->args->exec_file;
    struct stat   st;

    if (realpath(given, jail->exec_file) == NULL) {
        return fcf_err_sys(err, errno, "Failed to canonicalize path %s",
                           given);
    }

    if (stat(jail->exec_file, &st) != 0 || !S_ISREG(st.st_mode)) {
        return fcf_err_set(err, FCF_E_INVALID, "%s is not a file",
                           jail->exec_file);
    }

    jail->exec_name = strrchr(jail->exec_file, '/') + 1;

    return 0;
}


static int
check_root(fcv_jail_t *jail, fcf_err_t *err)
{
    int           n;
    char          base[PATH_MAX];
    const char   *given;
    struct stat   st;

    given = jail->args->base != NULL ? jail->args->base : JAIL_BASE;

    if (realpath(given, base) == NULL) {
        return fcf_err_sys(err, errno, "Failed to canonicalize path %s",
                           given);
    }

    if (stat(base, &st) != 0 || !S_ISDIR(st.st_mode)) {
        return fcf_err_set(err, FCF_E_INVALID, "%s is not a directory", base);
    }

    n = snprintf(jail->root, sizeof(jail->root), "%s/%s/%s/root",
                 strcmp(base, "/") == 0 ? "" : base, jail->exec_name,
                 jail->args->id);

    return n < 0 || (size_t) n >= sizeof(jail->root)
           ? fcf_err_sys(err, ENAMETOOLONG, "%s", base) : 0;
}


static int
check_limits(fcv_jail_t *jail, fcf_err_t *err)
{
    size_t               i, len;
    const char          *arg, *eq;
    unsigned long long   n;

    jail->no_file = FCV_JAIL_NO_FILE;

    for (i = 0; i < jail->args->limits.n; i++) {
        arg = jail->args->limits.values[i];
        eq = strchr(arg, '=');

        if (eq == NULL) {
            return fcf_err_set(err, FCF_E_INVALID, "Invalid format for "
                               "resources limits: %s", arg);
        }

        if (check_number(eq + 1, ULLONG_MAX, &n) != 0) {
            return fcf_err_set(err, FCF_E_INVALID, "Invalid limit value for "
                               "resource: %s", eq + 1);
        }

        len = (size_t) (eq - arg);

        if (len == 7 && strncmp(arg, "no-file", len) == 0) {
            jail->no_file = n;

        } else if (len == 5 && strncmp(arg, "fsize", len) == 0) {
            jail->fsize = n;
            jail->fsize_set = 1;

        } else {
            return fcf_err_set(err, FCF_E_INVALID, "Invalid resource "
                               "argument: %.*s", (int) len, arg);
        }
    }

    return 0;
}


int
fcv_jail_relative(const char *path)
{
    size_t       n;
    const char  *p;

    if (*path == '/' || *path == '\0'
        || strncmp(path, "./", 2) == 0 || strcmp(path, ".") == 0)
    {
        return 0;
    }

    for (p = path; *p != '\0'; p += n + (p[n] == '/')) {
        n = strcspn(p, "/");

        if (n == 2 && strncmp(p, "..", 2) == 0) {
            return 0;
        }
    }

    return 1;
}


static int
check_parent_cgroup(fcv_jail_t *jail, fcf_err_t *err)
{
    int          n;
    const char  *parent;

    parent = jail->args->parent_cgroup != NULL ? jail->args->parent_cgroup
                                               : jail->exec_name;

    n = snprintf(jail->parent_cgroup, sizeof(jail->parent_cgroup), "%s",
                 parent);

    if (!fcv_jail_relative(parent)
        || (size_t) n >= sizeof(jail->parent_cgroup))
    {
        return fcf_err_set(err, FCF_E_INVALID, "Parent cgroup path is "
                           "invalid. Path should not be absolute or contain "
                           "'..' or '.'");
    }

    return 0;
}


static int
check_cgroup_version(fcv_jail_t *jail, fcf_err_t *err)
{
    const char          *text = jail->args->cgroup_version;
    unsigned long long   n;

    n = 1;

    if (text != NULL && check_number(text, UCHAR_MAX, &n) != 0) {
        return fcf_err_set(err, FCF_E_INVALID, "%s is an invalid cgroup "
                           "version specifier", text);
    }

    jail->cgroup_version = (int) n;

    return 0;
}


int
fcv_jail_check(fcv_jail_t *jail, const fcv_jail_args_t *args, fcf_err_t *err)
{
    jail->args = args;

    if (check_id(args->id, err) != 0
        || check_exec(jail, err) != 0
        || check_root(jail, err) != 0
        || check_owner("uid", args->uid, &jail->uid, err) != 0
        || check_owner("gid", args->gid, &jail->gid, err) != 0
        || check_parent_cgroup(jail, err) != 0
        || check_cgroup_version(jail, err) != 0
        || fcv_jail_cgroup_check(jail, err) != 0
        || check_limits(jail, err) != 0)
    {
        return -1;
    }

    return 0;
}
