/*
 * A QEMU that was started before its machine is known: to be executed and
 * linked takes it three times as long as all that it does then.  A VMM that
 * nobody has told anything for a while was started ahead itself, for a
 * snapshot; its QEMU waits for the machine's configuration (-readconfig, from a
 * FIFO beside the API's socket) and then for what is loaded (-incoming defer).
 * Where it does not fit, or is not there yet, another is started as ever.
 */

#ifndef _FCV_QEMU_AHEAD_H_INCLUDED_
#define _FCV_QEMU_AHEAD_H_INCLUDED_

#include "vm/vmm/backend.h"

/* of an idle VMM: milliseconds until the next; -1: no matter */
int fcv_ahead_tick(fcv_vm_t *vm);
/* Tells it the machine.  Its pid, and our ends in ends[0..2] (see _spawn.h),
 * are the caller's then; 0: there is none for it, and none any more. */
pid_t fcv_ahead_take(const fcv_model_t *model, int *ends);
/* ends it, if there is one */
void fcv_ahead_drop(void);
/* 1: it was that one */
int fcv_ahead_reaped(pid_t pid);

#endif /* _FCV_QEMU_AHEAD_H_INCLUDED_ */
