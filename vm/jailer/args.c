#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "vm/jailer/jailer.h"

typedef enum { ARG_VALUE, ARG_FLAG, ARG_LIST } arg_kind_e;

typedef struct {
    const char  *name;
    arg_kind_e   kind;
    int          required;
    size_t       offset;                /* in fcv_jail_args_t */
    const char  *help;
} arg_t;

#define ARG(name, kind, required, field, help)                              \
    { name, kind, required, offsetof(fcv_jail_args_t, field), help }

static const arg_t  arg_table[] = {
    ARG("exec-file", ARG_VALUE, 1, exec_file, "program to run in the jail"),
    ARG("gid", ARG_VALUE, 1, gid, "group it runs as"),
    ARG("id", ARG_VALUE, 1, id, "the jail's name"),
    ARG("uid", ARG_VALUE, 1, uid, "user it runs as"),
    ARG("cgroup", ARG_LIST, 0, cgroups,
        "FILE=VALUE of its cgroup; may be repeated"),
    ARG("cgroup-version", ARG_VALUE, 0, cgroup_version, "1 or 2 [1]"),
    ARG("chroot-base-dir", ARG_VALUE, 0, base,
        "where jails are made [/srv/jailer]"),
    ARG("daemonize", ARG_FLAG, 0, daemonize,
        "a session of its own, standard streams on /dev/null"),
    ARG("netns", ARG_VALUE, 0, netns, "path of a network namespace to join"),
    ARG("new-pid-ns", ARG_FLAG, 0, new_pid_ns,
        "run it as process 1 of a PID namespace"),
    ARG("parent-cgroup", ARG_VALUE, 0, parent_cgroup,
        "its cgroup lies below this one [the program's name]"),
    ARG("resource-limit", ARG_LIST, 0, limits,
        "no-file=N or fsize=N; may be repeated"),
    ARG("version", ARG_FLAG, 0, version, "print the version"),
};

#define NARGS  (sizeof(arg_table) / sizeof(arg_table[0]))


void
fcv_jail_help(void)
{
    size_t  i;

    printf("fcfaas-jailer, the stand-in for Firecracker's jailer\n\n");

    for (i = 0; i < NARGS; i++) {
        printf("  --%-16s %s%s\n", arg_table[i].name, arg_table[i].help,
               arg_table[i].required ? " (required)" : "");
    }

    printf("\nArguments after \"--\" go to the jailed program.\n");
}


static const arg_t *
arg_find(const char *arg)
{
    size_t  i;

    if (strncmp(arg, "--", 2) != 0) {
        return NULL;
    }

    for (i = 0; i < NARGS; i++) {
        if (strcmp(arg_table[i].name, arg + 2) == 0) {
            return &arg_table[i];
        }
    }

    return NULL;
}


static int
arg_list_add(fcv_jail_list_t *list, const arg_t *arg, const char *value,
    fcf_err_t *err)
{
    if (list->n == FCV_JAIL_LIST_MAX) {
        return fcf_err_set(err, FCF_E_LIMIT, "more than %d of '--%s'",
                           FCV_JAIL_LIST_MAX, arg->name);
    }

    list->values[list->n++] = value;

    return 0;
}


/* value: what follows, NULL if nothing does; returns how many were taken */
static int
arg_take(fcv_jail_args_t *args, const char *given, const char *value,
    fcf_err_t *err)
{
    void         *field;
    const arg_t  *arg;

    arg = arg_find(given);

    if (arg == NULL) {
        return fcf_err_set(err, FCF_E_INVALID, "Found argument '%s' which "
                           "wasn't expected, or isn't valid in this context",
                           given);
    }

    field = (char *) args + arg->offset;

    if ((arg->kind == ARG_VALUE && *(const char **) field != NULL)
        || (arg->kind == ARG_FLAG && *(int *) field))
    {
        return fcf_err_set(err, FCF_E_INVALID, "The argument '%s' was "
                           "provided more than once", arg->name);
    }

    if (arg->kind == ARG_FLAG) {
        *(int *) field = 1;
        return 1;
    }

    if (value == NULL || strncmp(value, "--", 2) == 0) {
        return fcf_err_set(err, FCF_E_INVALID, "The argument '%s' requires a "
                           "value, but none was supplied", arg->name);
    }

    if (arg->kind == ARG_LIST) {
        return arg_list_add(field, arg, value, err) == 0 ? 2 : -1;
    }

    *(const char **) field = value;

    return 2;
}


/* help and version go before everything else, whatever that is */
static int
arg_asked(char **argv, int argc, const char *name)
{
    int  i;

    for (i = 1; i < argc; i++) {
        if (strcmp(argv[i], name) == 0) {
            return 1;
        }
    }

    return 0;
}


int
fcv_jail_args(fcv_jail_args_t *args, int argc, char **argv, fcf_err_t *err)
{
    int     i, n;
    size_t  k;

    memset(args, 0, sizeof(*args));

    for (n = 1; n < argc && strcmp(argv[n], "--") != 0; n++) {
        /* up to the separator */
    }

    args->extra = n < argc ? &argv[n + 1] : &argv[argc];
    args->nextra = n < argc ? (size_t) (argc - n - 1) : 0;
    argc = n;

    args->help = arg_asked(argv, argc, "--help") || arg_asked(argv, argc,
                                                              "-h");
    if (args->help) {
        return 0;
    }

    args->version = arg_asked(argv, argc, "--version");
    if (args->version) {
        return 0;
    }

    for (i = 1; i < argc; i += n) {
        n = arg_take(args, argv[i], i + 1 < argc ? argv[i + 1] : NULL, err);
        if (n < 0) {
            return -1;
        }
    }

    for (k = 0; k < NARGS; k++) {
        if (arg_table[k].required
            && *(const char **) ((char *) args + arg_table[k].offset) == NULL)
        {
            return fcf_err_set(err, FCF_E_INVALID, "Argument '%s' required, "
                               "but not found", arg_table[k].name);
        }
    }

    return 0;
}
