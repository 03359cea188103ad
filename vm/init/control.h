/*
 * The control port: frames in, answers and the function's output out, by
 * non-blocking sockets in the one poll(2) loop of PID 1.  A connection takes
 * its next frame only once its last answer is sent, so each one's memory is
 * bounded: a frame in, a frame out.
 */

#ifndef _FCV_CONTROL_H_INCLUDED_
#define _FCV_CONTROL_H_INCLUDED_

#include <jansson.h>
#include <netinet/in.h>
#include <poll.h>
#include "vm/init/conn.h"
#include "vm/init/output.h"

#define FCV_CONTROL_CONNS   8
#define FCV_CONTROL_FDS     (FCV_CONTROL_CONNS + 1)

#define FCV_CONTROL_LATER   1

/* op: "stop", "time", ...; request: the whole object, borrowed.  -1 and err
 * become {"ok":false}; FCV_CONTROL_LATER: fcv_control_done() will answer, and
 * until then nothing more is read of this connection. */
typedef int (*fcv_control_pt)(void *arg, const char *op, const json_t *request,
    fcf_err_t *err);

typedef struct {
    int                  fd;
    struct in_addr       peer;          /* the only one who may connect */
    const fcv_output_t  *output;
    fcv_control_pt       handler;
    void                *arg;
    int                  followed;      /* somebody has asked for the logs */
    fcv_conn_t           conns[FCV_CONTROL_CONNS];
} fcv_control_t;

/* *output must outlive the control. */
int fcv_control_open(fcv_control_t *control, struct in_addr address,
    struct in_addr peer, const fcv_output_t *output, fcv_control_pt handler,
    void *arg, fcf_err_t *err) fcf_must_check;

/* The answer, which is stolen, or the failure, to whoever waits for one; it may
 * have left. */
void fcv_control_done(fcv_control_t *control, json_t *answer,
    const fcf_err_t *failure);
/* The port is another address's from now on, which need not be the machine's
 * yet; who is connected to the old one is cut off. */
int fcv_control_move(fcv_control_t *control, struct in_addr address,
    fcf_err_t *err) fcf_must_check;

/* fills FCV_CONTROL_FDS entries; free ones get -1, which poll(2) ignores */
void fcv_control_want(const fcv_control_t *control, struct pollfd *fds);
/* after poll(2), with the same entries; calls the handler */
void fcv_control_ready(fcv_control_t *control, const struct pollfd *fds);

/* Whether a peer has not got all that is meant for it: answers, and the logs
 * it asked for.  Acknowledgements are not seen by poll(2): ask again. */
int fcv_control_behind(const fcv_control_t *control);

#endif /* _FCV_CONTROL_H_INCLUDED_ */
