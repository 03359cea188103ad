/*
 * The stand-in for Firecracker's jailer: the same arguments, checks, layout
 * and exit codes (1 for every refusal), so that one spawn path in the agent
 * serves both.  What differs: an old binary in the jail is cut to the length
 * of the new one, and uid and gid -1, which mean "nobody's" to the kernel,
 * are refused before anything is made.
 */

#ifndef _FCV_JAILER_H_INCLUDED_
#define _FCV_JAILER_H_INCLUDED_

#include <limits.h>
#include <stddef.h>
#include <sys/types.h>

#include "contract/fcf_err.h"

#define FCV_JAIL_LIST_MAX  64           /* of --cgroup, --resource-limit */
#define FCV_JAIL_ID_MAX    64
#define FCV_JAIL_NO_FILE   2048

typedef struct {
    const char   *values[FCV_JAIL_LIST_MAX];
    size_t        n;
} fcv_jail_list_t;

/* as given; strings are argv's, NULL if not given */
typedef struct {
    const char       *id, *exec_file, *uid, *gid;
    const char       *base, *netns, *cgroup_version, *parent_cgroup;
    int               daemonize, new_pid_ns, help, version;
    fcv_jail_list_t   cgroups, limits;
    char            **extra;            /* after "--", NULL-ended */
    size_t            nextra;
} fcv_jail_args_t;

typedef struct {
    char   dir[PATH_MAX];               /* to be made and entered */
    char   controller[NAME_MAX + 1];
    char   file[NAME_MAX + 1];
    const char  *value;
} fcv_jail_cgroup_t;

/* checked */
typedef struct {
    const fcv_jail_args_t  *args;
    char                    exec_file[PATH_MAX];
    const char             *exec_name;          /* points into exec_file */
    char                    root[PATH_MAX];
    uid_t                   uid;
    gid_t                   gid;
    unsigned long long      no_file, fsize;
    int                     fsize_set;

    int                     cgroup_version;
    char                    parent_cgroup[PATH_MAX];
    char                    cgroup_mount[PATH_MAX];     /* v2's */
    fcv_jail_cgroup_t       cgroups[FCV_JAIL_LIST_MAX];
    size_t                  ncgroups;

    unsigned long long      start_us, start_cpu_us, cpu_us;
} fcv_jail_t;

/* args.c */
int fcv_jail_args(fcv_jail_args_t *args, int argc, char **argv,
    fcf_err_t *err) fcf_must_check;
void fcv_jail_help(void);

/* check.c: nothing is made, but that a process without --cgroup enters
 * --parent-cgroup on version 2 here, as the real one does */
int fcv_jail_check(fcv_jail_t *jail, const fcv_jail_args_t *args,
    fcf_err_t *err) fcf_must_check;
/* a relative path below, without "." and ".." as parts, not empty */
int fcv_jail_relative(const char *path);

/* cgroup.c */
int fcv_jail_cgroup_check(fcv_jail_t *jail, fcf_err_t *err) fcf_must_check;
int fcv_jail_cgroup_enter(const fcv_jail_t *jail, fcf_err_t *err)
    fcf_must_check;

/* root.c */
/* makes a directory and those above it that are missing */
int fcv_jail_mkdirs(const char *path, fcf_err_t *err) fcf_must_check;
int fcv_jail_copy(const fcv_jail_t *jail, fcf_err_t *err) fcf_must_check;
/* the process's root is the jail's from then on */
int fcv_jail_enter(const fcv_jail_t *jail, fcf_err_t *err) fcf_must_check;

/* run.c: returns on failure only, or in processes that are to end with 0 */
int fcv_jail_run(fcv_jail_t *jail, fcf_err_t *err) fcf_must_check;
unsigned long long fcv_jail_us(int clock_id);

#endif /* _FCV_JAILER_H_INCLUDED_ */
