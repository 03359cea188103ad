/*
 * fcfaas_state_file: what a worker knows of functions and instances, kept for
 * the workers after it.  Every worker loads it before its first request; the
 * first one writes it, in turns, at most every "interval" if something has
 * changed, and at its end.  A file that is not whole is as good as none, so
 * nothing waits for a disk: it is written beside, and renamed.
 */

#ifndef _NGX_HTTP_FCFAAS_STATE_H_INCLUDED_
#define _NGX_HTTP_FCFAAS_STATE_H_INCLUDED_

#include "ngx_fcfaas_module/ngx_http_fcfaas.h"
#include "ngx_fcfaas_module/state/fcs_state.h"

#define NGX_HTTP_FCFAAS_STATE_BUF  (64 * 1024)

/* one file that is being written */
typedef struct {
    ngx_http_fcfaas_worker_t    *worker;
    ngx_fd_t                     fd;            /* NGX_INVALID_FILE: none */
    ngx_fd_t                     old;           /* the file it took the place
                                                   of, or as above */
    ngx_http_fcfaas_function_t  *function;      /* with a reference; NULL: it
                                                   was the last */
    u_char                       worker_id[FCF_WORKER_ID_MAX + 1];
                                                /* its last instance */
    ngx_err_t                    err;           /* of the first failure */
    const char                  *failed;        /* what failed, or NULL */
    size_t                       used;
    off_t                        offset;
    fcs_info_t                   info;
    u_char                      *buf;           /* NGX_HTTP_FCFAAS_STATE_BUF */
    u_char                      *temp;          /* its name */
} ngx_http_fcfaas_state_out_t;

char *ngx_http_fcfaas_state_conf(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* before the watch is started; what cannot be used is told, once, and is no
 * reason not to start */
ngx_int_t ngx_http_fcfaas_state_start(ngx_http_fcfaas_worker_t *w);
/* while the table and the watch are still there */
void ngx_http_fcfaas_state_stop(ngx_http_fcfaas_worker_t *w);

/* ngx_http_fcfaas_state_out.c.  NGX_OK: it is there, under its name;
 * NGX_AGAIN: more to do; NGX_ERROR: nothing is left of it, see "failed" */
void ngx_http_fcfaas_state_begin(ngx_http_fcfaas_state_out_t *out);
ngx_int_t ngx_http_fcfaas_state_turn(ngx_http_fcfaas_state_out_t *out);
void ngx_http_fcfaas_state_drop(ngx_http_fcfaas_state_out_t *out);
/* Frees a part of the file that was before, which nobody reads by now:
 * NGX_AGAIN while there is more of it. */
ngx_int_t ngx_http_fcfaas_state_shrink(ngx_http_fcfaas_state_out_t *out);

#endif /* _NGX_HTTP_FCFAAS_STATE_H_INCLUDED_ */
