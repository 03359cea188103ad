#include "ngx_fcfaas_module/ngx_http_fcfaas_peer.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_ctx.h"


ngx_event_t *
ngx_http_fcfaas_peer_event(ngx_http_fcfaas_peer_t *fp,
    ngx_event_handler_pt handler)
{
    ngx_http_request_t            *r;
    ngx_http_fcfaas_peer_event_t  *pe;

    r = fp->ctx->request;

    pe = ngx_pcalloc(r->pool, sizeof(ngx_http_fcfaas_peer_event_t));
    if (pe == NULL) {
        return NULL;
    }

    pe->peer = fp;
    pe->event.handler = handler;
    pe->event.data = (void *) &ngx_http_fcfaas_no_connection;
    pe->event.log = r->connection->log;

    return &pe->event;
}
