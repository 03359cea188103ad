/* Directories that belong to one agent. */

#ifndef _FCA_DIR_H_INCLUDED_
#define _FCA_DIR_H_INCLUDED_

#include "agent/base/state.h"

/* <dir>/<name>; what: the setting that dir is, for the error */
int fca_dir_path(char *buf, size_t size, const char *what, const char *dir,
    const char *name, fcf_err_t *err) fcf_must_check;
/* parents too, as "mkdir -p", all for root alone */
int fca_dir_make(const char *what, const char *dir, fcf_err_t *err)
    fcf_must_check;
/* A descriptor that holds the lock as long as it is open.  Waits up to a
 * second for one that is killed; FCF_E_EXISTS: another agent has it. */
int fca_dir_lock(const char *what, const char *dir, fcf_err_t *err)
    fcf_must_check;

/*
 * run_dir: what an agent has there need not outlive the host's run, so it may
 * lie in memory.  Where VMs are is noted in state_dir, for one that finds the
 * setting changed.
 */
typedef struct {
    int    lock;                        /* -1: it is state_dir, that has one */
    int    noted;
    char  *before;                      /* where an earlier agent had its VMs,
                                           if elsewhere; NULL */
    int    before_lock;                 /* -1: that is state_dir */
} fca_run_dir_t;

/* FCF_E_EXISTS: another agent has it */
int fca_run_dir_open(fca_run_dir_t *run, const char *dir,
    const fca_state_t *state, fcf_err_t *err) fcf_must_check;
/* nothing is left where they were before: forgets that, and notes where they
 * are now */
int fca_run_dir_note(fca_run_dir_t *run, const char *dir,
    const fca_state_t *state, fcf_err_t *err) fcf_must_check;
void fca_run_dir_close(fca_run_dir_t *run);

#endif /* _FCA_DIR_H_INCLUDED_ */
