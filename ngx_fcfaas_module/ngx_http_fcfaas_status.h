#ifndef _NGX_HTTP_FCFAAS_STATUS_H_INCLUDED_
#define _NGX_HTTP_FCFAAS_STATUS_H_INCLUDED_

#include "ngx_fcfaas_module/ngx_http_fcfaas.h"

/* content handler: JSON over all workers */
ngx_int_t ngx_http_fcfaas_status_handler(ngx_http_request_t *r);

#endif /* _NGX_HTTP_FCFAAS_STATUS_H_INCLUDED_ */
