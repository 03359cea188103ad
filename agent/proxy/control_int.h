/*
 * What the files of control share.
 *
 * control.c       the agent's connection
 * control_take.c  what the agent says
 * control_tell.c  what is said to it
 */

#ifndef _FCA_CONTROL_INT_H_INCLUDED_
#define _FCA_CONTROL_INT_H_INCLUDED_

#include <sys/queue.h>
#include "agent/proxy/control.h"

/* One route, and what has to be said of it. */
typedef struct fca_carried_s {
    TAILQ_ENTRY(fca_carried_s)   link;          /* while an answer is due */
    fca_control_t               *control;
    fca_wire_route_t             conf;
    fca_route_t                 *route;         /* NULL: none, or over */
    int                          fd;            /* the route's, till closing */
    fca_wire_e                   answer;        /* 0: none is due */
    uint32_t                     seq;
    int                          failed;
    char                         text[FCA_WIRE_TEXT_MAX];
} fca_carried_t;

struct fca_control_s {
    fca_control_conf_t           conf;
    fcf_io_t                    *listen_io;
    int                          page_fd;
    fca_route_stat_t            *page;
    fca_carried_t              **carried;       /* by port */
    unsigned                     ncarried;
    int                          stay;

    /* the agent's connection */
    int                          fd;            /* -1: none */
    fcf_io_t                    *io;
    pid_t                        pid;
    unsigned                     greeted:1;
    unsigned                     access_due:1;
    unsigned                     pong_due:1;
    unsigned                     listing:1;
    uint32_t                     access_seq, pong_seq, list_seq;
    unsigned                     cursor;        /* ports below it are told */
    unsigned                     told;
    TAILQ_HEAD(, fca_carried_s)  due;
};

/* control.c */
void fca_control_gone(fca_control_t *control, const char *why);
/* without an agent, and perhaps without a route */
void fca_control_alone(fca_control_t *control);

/* control_take.c: 0, or -1: the agent has to be cut off */
int fca_control_take(fca_control_t *control, const fca_wire_msg_t *msg,
    int fd);
void fca_carried_forget(fca_carried_t *c);

/* control_tell.c */
void fca_control_tell(fca_control_t *control);
int fca_control_send(fca_control_t *control, const fca_wire_msg_t *msg,
    int fd);
void fca_control_done(fca_wire_msg_t *msg, uint32_t seq, unsigned port,
    int failed, const char *text);
void fca_carried_answer(fca_carried_t *c, fca_wire_e type, uint32_t seq,
    const char *failed);

#endif /* _FCA_CONTROL_INT_H_INCLUDED_ */
