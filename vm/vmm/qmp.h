/* QEMU's machine protocol on one connected socket: a line of JSON each way.
 * Only what the stand-in needs: commands without waiting for their answers,
 * all messages to one handler. */

#ifndef _FCV_QMP_H_INCLUDED_
#define _FCV_QMP_H_INCLUDED_

#include <jansson.h>
#include "contract/fcf_buf.h"
#include "vm/vmm/loop.h"

typedef struct {
    fcv_source_t   source;
    fcv_loop_t    *loop;
    fcf_buf_t      in;
    void         (*message)(const json_t *message);
} fcv_qmp_t;

/* takes the descriptor over */
int fcv_qmp_open(fcv_qmp_t *qmp, fcv_loop_t *loop, int fd,
    void (*message)(const json_t *message), fcf_err_t *err) fcf_must_check;
void fcv_qmp_close(fcv_qmp_t *qmp);

/* text: a whole command */
int fcv_qmp_send(fcv_qmp_t *qmp, const char *text, fcf_err_t *err);

/* the same, and a descriptor with it, which stays the caller's */
int fcv_qmp_send_fd(fcv_qmp_t *qmp, const char *text, int fd, fcf_err_t *err);

#endif /* _FCV_QMP_H_INCLUDED_ */
