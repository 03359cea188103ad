#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "agent/base/log.h"
#include "agent/proxy/control_int.h"

#define FCA_CONTROL_TURN    64          /* messages before others run */

void
fca_control_alone(fca_control_t *control)
{
    if (control->conf.alone) {
        control->conf.alone(control->conf.arg,
                            control->stay && control->ncarried);
    }
}

void
fca_control_gone(fca_control_t *control, const char *why)
{
    fca_carried_t  *c;

    if (control->fd == -1) {
        return;
    }

    control->conf.loop->io_del(control->io);
    close(control->fd);
    control->fd = -1;
    control->io = NULL;

    while ((c = TAILQ_FIRST(&control->due)) != NULL) {
        TAILQ_REMOVE(&control->due, c, link);
        c->answer = 0;

        if (c->route == NULL) {
            fca_carried_forget(c);
        }
    }

    fca_log(FCF_LOG_WARN, NULL, "proxy: agent %d: %s; %u routes are served on",
            (int) control->pid, why, control->ncarried);

    fca_control_alone(control);
}

/* One of another version is told ours, which it looks at first. */
static void
agent_wrong(fca_control_t *control, const fcf_err_t *err)
{
    fca_wire_msg_t  msg;

    if (err->code == FCF_E_REFUSED && !control->greeted) {
        fca_wire_init(&msg, FCA_WIRE_WELCOME, 0);
        msg.welcome.threads = control->conf.threads;
        (void) fca_wire_send(control->fd, &msg, control->page_fd, NULL);
    }

    fca_control_gone(control, err->msg);
}

static void
agent_ready(void *arg, unsigned events)
{
    int              i, rc, fd;
    fcf_err_t        err;
    fca_control_t   *control = arg;
    fca_wire_msg_t   msg;

    (void) events;

    for (i = 0; i < FCA_CONTROL_TURN && control->fd != -1; i++) {
        rc = fca_wire_recv(control->fd, &msg, &fd, FCA_WIRE_AGENT, &err);

        if (rc == 0) {
            break;
        }

        if (rc < 0) {
            agent_wrong(control, &err);
            return;
        }

        if (fca_control_take(control, &msg, fd) != 0) {
            fcf_err_set(&err, FCF_E_PROTOCOL, "%s when it must not",
                        fca_wire_name(msg.head.type));
            fca_control_gone(control, err.msg);
            return;
        }
    }

    fca_control_tell(control);
}

/* "another agent is here", unless that one has gone just now */
static int
occupied(fca_control_t *control)
{
    char  byte;

    if (control->fd == -1) {
        return 0;
    }

    if (recv(control->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0) {
        fca_control_gone(control, "it is gone");
        return 0;
    }

    return 1;
}

static void
refuse_agent(fca_control_t *control, int fd, pid_t pid)
{
    char            text[FCA_WIRE_TEXT_MAX];
    fca_wire_msg_t  msg;

    snprintf(text, sizeof(text), "it serves another agent, process %d",
             (int) control->pid);
    fca_control_done(&msg, 0, 0, 1, text);
    (void) fca_wire_send(fd, &msg, -1, NULL);
    fca_log(FCF_LOG_WARN, NULL, "proxy: agent %d refused: agent %d is here",
            (int) pid, (int) control->pid);
    close(fd);
}

static void
agent_here(fca_control_t *control, int fd, pid_t pid)
{
    fcf_loop_t  *loop = control->conf.loop;

    control->fd = fd;
    control->pid = pid;
    control->greeted = 0;
    control->access_due = control->pong_due = control->listing = 0;
    control->cursor = control->told = 0;

    control->io = loop->io_add(loop, fd, agent_ready, control);

    if (control->io == NULL || loop->io_set(control->io, FCF_READ) == -1) {
        fca_control_gone(control, "it cannot be watched");
        return;
    }

    fca_log(FCF_LOG_INFO, NULL, "proxy: agent %d is here; %u routes",
            (int) pid, control->ncarried);
}

static void
listen_ready(void *arg, unsigned events)
{
    int             fd;
    pid_t           pid;
    uid_t           uid;
    fca_control_t  *control = arg;

    (void) events;

    fd = accept4(control->conf.listen_fd, NULL, NULL,
                 SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd == -1) {
        return;
    }

    if (fca_wire_peer(fd, &pid, &uid, NULL) != 0
        || (uid != 0 && uid != control->conf.agent))
    {
        fca_log(FCF_LOG_WARN, NULL, "proxy: a process of user %u is no agent",
                (unsigned) uid);
        close(fd);
        return;
    }

    if (occupied(control)) {
        refuse_agent(control, fd, pid);
        return;
    }

    agent_here(control, fd, pid);
}

fca_control_t *
fca_control_new(const fca_control_conf_t *conf, fcf_err_t *err)
{
    fcf_loop_t     *loop = conf->loop;
    fca_control_t  *control;

    control = calloc(1, sizeof(*control));
    if (control == NULL) {
        fcf_err_set(err, FCF_E_NOMEM, "out of memory");
        return NULL;
    }

    control->conf = *conf;
    control->fd = -1;
    control->page_fd = -1;
    TAILQ_INIT(&control->due);
    control->carried = calloc(FCA_WIRE_PORTS, sizeof(fca_carried_t *));
    control->page = fca_wire_page_new(&control->page_fd, err);

    if (control->page == NULL || control->carried == NULL) {
        fca_control_free(control);
        return NULL;
    }

    control->listen_io = loop->io_add(loop, conf->listen_fd, listen_ready,
                                      control);

    if (control->listen_io == NULL
        || loop->io_set(control->listen_io, FCF_READ) == -1)
    {
        fcf_err_set(err, FCF_E_NOMEM, "cannot watch the control socket");
        fca_control_free(control);
        return NULL;
    }

    return control;
}

void
fca_control_free(fca_control_t *control)
{
    unsigned  port;

    if (control == NULL) {
        return;
    }

    control->conf.alone = NULL;

    if (control->fd != -1) {
        control->conf.loop->io_del(control->io);
        close(control->fd);
    }

    if (control->listen_io) {
        control->conf.loop->io_del(control->listen_io);
    }

    for (port = 0; control->carried && port < FCA_WIRE_PORTS; port++) {
        free(control->carried[port]);
    }

    if (control->page_fd != -1) {
        close(control->page_fd);
    }

    close(control->conf.listen_fd);
    fca_wire_page_unmap(control->page);
    free(control->carried);
    free(control);
}
