/* The function: one process tree of an unprivileged user, its output in two
 * pipes. */

#ifndef _FCV_FUNCTION_H_INCLUDED_
#define _FCV_FUNCTION_H_INCLUDED_

#include <sys/types.h>
#include "vm/init/config.h"
#include "vm/init/program.h"

#define FCV_FUNCTION_NAME  "fn"

typedef struct {
    pid_t   pid;            /* leader of its session; 0: not running */
    int     pipe[2];        /* by fcv_stream_e, non-blocking, -1 at the end */
    int     status;         /* as of waitpid(2), once pid is 0 */
    pid_t   leader;         /* its pid, also once it has ended */
    int     oom;            /* the kernel killed it for lack of memory */
} fcv_function_t;

/* Returns once it runs (execve(2) succeeded), else says why not. */
int fcv_function_start(fcv_function_t *fn, const fcv_config_t *conf,
    const fcv_program_t *program, fcf_err_t *err) fcf_must_check;
/* Reaps whatever ended, orphans too; 1 if the function was among them. */
int fcv_function_reap(fcv_function_t *fn);
/* to all of its process group; nothing if it has ended */
void fcv_function_signal(const fcv_function_t *fn, int signo);
/* "exit status 3", "signal 9 (Killed)" */
void fcv_function_status(const fcv_function_t *fn, char *buf, size_t size);

#endif /* _FCV_FUNCTION_H_INCLUDED_ */
