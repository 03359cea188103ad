/*
 * Jails: the VMM started by Firecracker's jailer (or vm/jailer, our stand-in
 * for it) with a root directory, a uid and a gid of its own.
 *
 * <base>/<name of the VMM's program>/<id>/root is made here and filled before
 * the jailer runs, which adds devices, a copy of the program, and goes in.
 * Files are hard links; to a copy of theirs, made once, where that cannot be
 * (another file system) or would not do (not readable for everybody), which is
 * said.  A program
 * that is linked dynamically finds its libraries in the jail too.
 */

#ifndef _FCA_VMM_JAIL_H_INCLUDED_
#define _FCA_VMM_JAIL_H_INCLUDED_

#include <sys/types.h>

#include "contract/fcf_err.h"

typedef struct {
    const char  *jailer;                /* its program */
    const char  *base;                  /* a directory */
    const char  *program;               /* the VMM's, a path */
} fca_jail_conf_t;

typedef struct fca_jail_s  fca_jail_t;

/* Synchronous, at start: everything that can be known to fail is tried, and
 * named by its setting.  NULL: it does not do. */
fca_jail_t *fca_jail_open(const fca_jail_conf_t *conf, fcf_err_t *err);
/* NULL is fine */
void fca_jail_close(fca_jail_t *jail);

const char *fca_jail_jailer(const fca_jail_t *jail);
const char *fca_jail_base(const fca_jail_t *jail);
const char *fca_jail_program(const fca_jail_t *jail);

/* <base>/<program>/<id>, to be removed whole; malloc'd, NULL: no memory */
char *fca_jail_path(const fca_jail_t *jail, const char *id);

/* vmm_jail_sweep.c: at start, when what an earlier agent left was met:
 * removes this node's jails that no VM's directory below run_dir leads to. */
void fca_jail_sweep(const fca_jail_t *jail, const char *run_dir,
    const char *node_id);

/* The rest waits for the disk: on a worker thread. */
/* Makes path and its root with the program's libraries; the root's
 * descriptor.  On failure the caller removes path. */
int fca_jail_make(fca_jail_t *jail, const char *path, fcf_err_t *err)
    fcf_must_check;
/* the file under that name in the jail, readable for everybody in there */
int fca_jail_file(fca_jail_t *jail, int rootfd, const char *name,
    const char *file, fcf_err_t *err) fcf_must_check;

/* vmm_libs.c: what a dynamically linked program needs, its loader first;
 * NULL-ended, to be freed with all its strings.  An empty list: static. */
char **fca_libs_find(const char *program, fcf_err_t *err);
void fca_libs_free(char **libs);

#endif /* _FCA_VMM_JAIL_H_INCLUDED_ */
