/* One connection to the control port: what is read of it, and the one frame
 * that is on its way out. */

#ifndef _FCV_CONN_H_INCLUDED_
#define _FCV_CONN_H_INCLUDED_

#include <jansson.h>
#include <stdint.h>
#include "vm/init/frame.h"

typedef struct {
    int             fd;                 /* -1: free */
    unsigned        logs:1;
    unsigned        broken:1;           /* nothing more is read */
    unsigned        waiting:1;          /* for fcv_control_done() */
    uint64_t        pos;                /* in the output, if logs */
    size_t          out_len, out_sent;
    uint8_t         out[FCV_FRAME_HEAD + FCV_FRAME_MAX];
    fcv_frame_in_t  in;
} fcv_conn_t;

void fcv_conn_close(fcv_conn_t *conn);
/* Its address is gone: nothing is to be sent over and over from there. */
void fcv_conn_reset(fcv_conn_t *conn);

/* the frame in conn->out has len bytes behind its head */
void fcv_conn_set_out(fcv_conn_t *conn, size_t len);
/* json: taken over */
void fcv_conn_answer_json(fcv_conn_t *conn, json_t *json);
/* failure NULL: yes */
void fcv_conn_answer(fcv_conn_t *conn, const fcf_err_t *failure);

/* -1: it has ended */
int fcv_conn_read(fcv_conn_t *conn) fcf_must_check;
int fcv_conn_write(fcv_conn_t *conn) fcf_must_check;
/* sent, but the peer has not acknowledged it: the machine's end would lose
 * it */
int fcv_conn_is_under_way(const fcv_conn_t *conn);

#endif /* _FCV_CONN_H_INCLUDED_ */
