/*
 * The admin listener: HTTP for people and programs that look at this node, on
 * libmicrohttpd (https://www.gnu.org/software/libmicrohttpd/), in the control
 * loop; nothing of it blocks.  GET (and HEAD) only:
 *
 *   /healthz                     200 "ok", or 503 and why, in one line each
 *   /metrics                     Prometheus' text format
 *   /instances                   JSON, one object a VM
 *   /failures                    JSON, the starts that failed last
 *   /functions/<id>/output       the last that the function's VMs printed
 *   /functions/<id>/lines        all of it that is kept, JSON
 *
 * With a token all but /healthz want "Authorization: Bearer <token>", and
 * /healthz tells why only to those who send it.  Connections are bounded in
 * number, memory and time: who scrapes slowly is cut, the loop does not wait.
 */

#ifndef _FCA_ADMIN_H_INCLUDED_
#define _FCA_ADMIN_H_INCLUDED_

#include <netinet/in.h>
#include "client/fcf_loop.h"
#include "contract/fcf_buf.h"

/* the longest answer */
#define FCA_ADMIN_MAX  (16 * 1024 * 1024)

typedef struct fca_admin_s  fca_admin_t;

/* Each fills *out and returns 0, or what went wrong with the buffer.  Called
 * from the loop, for one request each. */
typedef struct {
    /* adds a line for each reason why this node serves nobody; none: it is
     * well */
    int   (*ill)(void *arg, fcf_buf_t *out);
    int   (*metrics)(void *arg, fcf_buf_t *out);
    int   (*instances)(void *arg, fcf_buf_t *out);
    int   (*failures)(void *arg, fcf_buf_t *out);
    /* FCF_E_NOT_FOUND negated: nothing is known of the function */
    int   (*output)(void *arg, const char *function_id, fcf_buf_t *out);
    /* value() tells what the query says of a name, or NULL;
     * FCF_E_INVALID negated: not what is understood */
    int   (*lines)(void *arg, const char *function_id,
                   const char *(*value)(void *of, const char *name), void *of,
                   fcf_buf_t *out);
    void   *arg;
} fca_admin_handler_t;

/* token: NULL for none; copied.  *handler is copied. */
fca_admin_t *fca_admin_new(fcf_loop_t *loop, const struct sockaddr_in *addr,
    const char *token, const fca_admin_handler_t *handler, fcf_err_t *err);
/* closes the listener and what is connected; may be NULL */
void fca_admin_free(fca_admin_t *admin);

#endif /* _FCA_ADMIN_H_INCLUDED_ */
