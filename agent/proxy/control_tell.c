#include <stdio.h>
#include <string.h>
#include "agent/proxy/control_int.h"

int
fca_control_send(fca_control_t *control, const fca_wire_msg_t *msg, int fd)
{
    int        rc;
    fcf_err_t  err;

    rc = fca_wire_send(control->fd, msg, fd, &err);

    if (rc == 0) {
        (void) control->conf.loop->io_set(control->io, FCF_READ | FCF_WRITE);

    } else if (rc < 0) {
        fca_control_gone(control, err.msg);
    }

    return rc > 0 ? 0 : -1;
}

void
fca_control_done(fca_wire_msg_t *msg, uint32_t seq, unsigned port, int failed,
    const char *text)
{
    fca_wire_init(msg, FCA_WIRE_DONE, seq);
    msg->done.port = port;
    msg->done.failed = (uint32_t) failed;
    snprintf(msg->done.text, sizeof(msg->done.text), "%s", text);
}

/* -1: not now, or nobody is there any more */
static int
tell_list(fca_control_t *control)
{
    fca_carried_t   *c;
    fca_wire_msg_t   msg;

    for ( /* void */ ; control->cursor < FCA_WIRE_PORTS; control->cursor++) {
        c = control->carried[control->cursor];
        if (c == NULL) {
            continue;
        }

        fca_wire_init(&msg, FCA_WIRE_ROUTE, control->list_seq);
        msg.route = c->conf;

        if (fca_control_send(control, &msg, c->conf.closing ? -1 : c->fd)
            != 0)
        {
            return -1;
        }

        control->told++;
    }

    fca_wire_init(&msg, FCA_WIRE_LISTED, control->list_seq);
    msg.listed.count = control->told;

    if (fca_control_send(control, &msg, -1) != 0) {
        return -1;
    }

    control->listing = 0;

    return 0;
}

static int
tell_due(fca_control_t *control)
{
    fca_carried_t   *c;
    fca_wire_msg_t   msg;

    while ((c = TAILQ_FIRST(&control->due)) != NULL) {
        if (c->answer == FCA_WIRE_CLOSED) {
            fca_wire_init(&msg, FCA_WIRE_CLOSED, c->seq);
            msg.closed.port = c->conf.port;

        } else {
            fca_control_done(&msg, c->seq, c->conf.port, c->failed, c->text);
        }

        if (fca_control_send(control, &msg, -1) != 0) {
            return -1;
        }

        TAILQ_REMOVE(&control->due, c, link);
        c->answer = 0;

        if (c->route == NULL) {
            fca_carried_forget(c);
        }
    }

    return 0;
}

/* Everything that is to be said, as far as the socket takes it. */
void
fca_control_tell(fca_control_t *control)
{
    fca_wire_msg_t  msg;

    if (control->fd == -1) {
        return;
    }

    if (control->access_due) {
        fca_control_done(&msg, control->access_seq, 0, 0, "");
        if (fca_control_send(control, &msg, -1) != 0) {
            return;
        }

        control->access_due = 0;
    }

    if (control->pong_due) {
        fca_wire_init(&msg, FCA_WIRE_PONG, control->pong_seq);
        if (fca_control_send(control, &msg, -1) != 0) {
            return;
        }

        control->pong_due = 0;
    }

    if ((control->listing && tell_list(control) != 0)
        || tell_due(control) != 0)
    {
        return;
    }

    (void) control->conf.loop->io_set(control->io, FCF_READ);
}

void
fca_carried_answer(fca_carried_t *c, fca_wire_e type, uint32_t seq,
    const char *failed)
{
    /* BYE ends a route whose OPEN has no answer yet */
    if (c->answer) {
        TAILQ_REMOVE(&c->control->due, c, link);
    }

    c->answer = type;
    c->seq = seq;
    c->failed = failed != NULL;
    snprintf(c->text, sizeof(c->text), "%.*s", FCA_WIRE_TEXT_MAX - 1,
             failed ? failed : "");
    TAILQ_INSERT_TAIL(&c->control->due, c, link);
}
