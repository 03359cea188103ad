/* Between proxy_relay.c (the request's way, and both together) and
 * proxy_response.c. */

#ifndef _FCA_PROXY_RELAY_H_INCLUDED_
#define _FCA_PROXY_RELAY_H_INCLUDED_

#include "agent/proxy/proxy_int.h"

/* what one step of either way led to */
typedef enum {
    FCA_FLOW_WAIT = 0,
    FCA_FLOW_MORE,                      /* go round again */
    FCA_FLOW_OVER,                      /* the response is complete and sent */
    FCA_FLOW_ANSWERED,                  /* by us; the state has changed */
    FCA_FLOW_GONE                       /* the client connection is closed */
} fca_flow_e;

fca_flow_e fca_relay_drop(fca_conn_t *conn) fcf_must_check;
fca_flow_e fca_relay_answer(fca_conn_t *conn, unsigned status,
    const char *error, const char *unsent, const char *message)
    fcf_must_check;
/* 502, and a line in the log: the function did what message says */
fca_flow_e fca_relay_bad(fca_conn_t *conn, const char *error,
    const char *message) fcf_must_check;
/* Nothing can go on before the client takes some of the answer, or sends some
 * of the body. */
int fca_relay_waits_for_client(const fca_conn_t *conn);
/* takes a guest connection; fresh: none from the pool */
fca_flow_e fca_relay_start(fca_conn_t *conn, int fresh) fcf_must_check;
/* gives the request's buffer back once it is not needed for a retry */
void fca_relay_request_sent(fca_conn_t *conn);

/* one step of the response's way; every return but MORE ends its turn */
fca_flow_e fca_relay_response(fca_conn_t *conn) fcf_must_check;

#endif /* _FCA_PROXY_RELAY_H_INCLUDED_ */
