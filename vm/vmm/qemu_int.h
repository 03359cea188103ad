/* What the parts of the QEMU backend share: qemu.c, qemu_words.c and
 * qemu_snapshot.c. */

#ifndef _FCV_QEMU_INT_H_INCLUDED_
#define _FCV_QEMU_INT_H_INCLUDED_

#include <sys/types.h>
#include "vm/vmm/backend.h"
#include "vm/vmm/clocks.h"
#include "vm/vmm/qmp.h"

typedef enum { QEMU_IDLE, QEMU_MEASURING, QEMU_LAUNCHED, QEMU_RUNNING }
    qemu_state_e;

typedef enum { QEMU_NO_OP, QEMU_PAUSE, QEMU_SAVE } qemu_op_e;

typedef struct {
    fcv_vm_t       *vm;
    qemu_state_e    state;              /* assigned by set_state() only */
    uint64_t        deadline_ms;
    fcv_clocks_t    start;              /* of the measurement */
    pid_t           pid;                /* 0: none */
    fcv_qmp_t       qmp;
    fcv_source_t    serial, words;      /* fd -1: closed */
    fcf_buf_t       line, last_words;
    int             shutdown;           /* the guest ended the machine */
    int             reset;              /* its last i8042 command was that */

    qemu_op_e       op;                 /* under way */
    int             saved;              /* once: QEMU wants to run between */
    int             loading, resume;    /* instead of a boot */
    int             asked;              /* whether it is loaded */
    int             memory_fd;          /* of the load; the caller's */
    int             deferred;           /* ... and is told by QMP */
} fcv_qemu_t;

#define FCV_WORDS_MAX  1024             /* of QEMU's last words */

/* one a process */
extern fcv_qemu_t  fcv_qemu;

/* qemu.c */
int fcv_qemu_start(fcf_err_t *err) fcf_must_check;
void fcv_qemu_started(const fcf_err_t *err);

/* qemu_words.c: a source's handler, and the end of any */
void fcv_qemu_words(void *arg, uint32_t events);
void fcv_qemu_close_source(fcv_source_t *source);

/* qemu_snapshot.c: of the backend */
int fcv_qemu_pause(int paused, fcf_err_t *err);
int fcv_qemu_save(int memory_fd, fcf_err_t *err);
const char *fcv_qemu_identity(void);
int fcv_qemu_load(int memory_fd, int resume, fcf_err_t *err);
/* 1: the message was for one of these */
int fcv_qemu_snapshot_message(const json_t *message);
/* while a load is under way; milliseconds until the next */
int fcv_qemu_snapshot_tick(void);

#endif /* _FCV_QEMU_INT_H_INCLUDED_ */
