/* Programs that are run, and files that are made and removed. */

#ifndef _FCC_COMMAND_H_INCLUDED_
#define _FCC_COMMAND_H_INCLUDED_

#include <stdint.h>
#include "contract/fcf_err.h"

/* Runs a program to its end, argv up to a NULL, without a shell.  -1: *err has
 * the last two lines that it said on standard error; FCF_E_NOT_FOUND: there is
 * no such program. */
int fcc_command(const char *const *argv, fcf_err_t *err) fcf_must_check;

/* The same, with a file as its standard input (NULL: none), while it is told
 * how far the file at "out" is, which it makes, of about so many bytes. */
int fcc_command_makes(const char *const *argv, const char *in,
    const char *out, const char *what, int64_t size, fcf_err_t *err)
    fcf_must_check;

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

/* Waits until fd can be read, is at its end or broken, which reading it tells;
 * -1 once a signal came, also one that came before. */
int fcc_readable(int fd, fcf_err_t *err);

#endif /* _FCC_COMMAND_H_INCLUDED_ */
