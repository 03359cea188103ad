/* QEMU as a child process, and the sockets and pipes to it. */

#ifndef _FCV_QEMU_SPAWN_H_INCLUDED_
#define _FCV_QEMU_SPAWN_H_INCLUDED_

#include <sys/types.h>
#include "vm/vmm/qemu_args.h"

#define FCV_ENDS         6
#define FCV_EXEC_FAILED  127            /* its exit status then */

/* ends[0..2]: ours of QMP, serial and standard error, non-blocking;
 * ends[3..5]: QEMU's.  On failure some may be open: close them all. */
int fcv_ends_make(int *ends, fcf_err_t *err) fcf_must_check;
void fcv_ends_close(int *ends, int from, int to);

/* The child keeps ends[3], ends[4], the TAPs, more, unless that is -1, and
 * ends[5] as its standard error; it dies with us.  Returns its pid, or -1. */
pid_t fcv_qemu_spawn(const fcv_args_t *args, const fcv_model_t *model,
    const int *ends, int more, fcf_err_t *err);

/* Whether no memory may be both written to and run, as where systemd's
 * MemoryDenyWriteExecute= is in force: then QEMU has to map what it translates
 * twice, which makes a boot a tenth longer. */
int fcv_must_split_wx(void);

#endif /* _FCV_QEMU_SPAWN_H_INCLUDED_ */
