/* Programs that are run, and files that are made and removed. */

#ifndef _FCC_COMMAND_H_INCLUDED_
#define _FCC_COMMAND_H_INCLUDED_

#include "contract/fcf_err.h"

/* Runs a program to its end, argv up to a NULL, without a shell.  -1: *err has
 * the last two lines that it said on standard error. */
int fcc_command(const char *const *argv, fcf_err_t *err) fcf_must_check;

/* The same, with a file as its standard input. */
int fcc_command_from(const char *const *argv, const char *path,
    fcf_err_t *err) fcf_must_check;

/* The same, with each line of its standard output. */
int fcc_command_lines(const char *const *argv,
    void (*line)(void *arg, char *text), void *arg, fcf_err_t *err)
    fcf_must_check;

/* a directory of our own below TMPDIR, for its owner alone; malloc'd */
char *fcc_temp_dir(fcf_err_t *err);
/* with all that is in it; NULL: nothing */
void fcc_remove_tree(const char *path);

/* "a/b", malloc'd; NULL: out of memory */
char *fcc_join(const char *dir, const char *name);

/* Ctrl-C and SIGTERM end what is waited for, and what was made is removed */
void fcc_catch_signals(void);
int fcc_interrupted(fcf_err_t *err);    /* -1 once one came */

#endif /* _FCC_COMMAND_H_INCLUDED_ */
