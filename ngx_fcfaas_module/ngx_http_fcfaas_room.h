/*
 * Memory of one size that requests take and give back all the time.  Not from
 * the request's pool, where it would often be what does not fit any more:
 * another piece of that costs as much as all that the module does until the
 * request is passed on.  The one given back last is taken first.
 */

#ifndef _NGX_HTTP_FCFAAS_ROOM_H_INCLUDED_
#define _NGX_HTTP_FCFAAS_ROOM_H_INCLUDED_

#include <ngx_config.h>
#include <ngx_core.h>

typedef struct {
    void        *first;         /* each one begins with the next */
    ngx_uint_t   n;
} ngx_http_fcfaas_rooms_t;

/* One of "size" bytes, which is the same for all of them, with anything in it;
 * "rooms" may be NULL.  NULL: out of memory. */
void *ngx_http_fcfaas_room_take(ngx_http_fcfaas_rooms_t *rooms, size_t size,
    ngx_log_t *log);
void ngx_http_fcfaas_room_give(ngx_http_fcfaas_rooms_t *rooms, void *room);
/* Those that are ready go. */
void ngx_http_fcfaas_rooms_done(ngx_http_fcfaas_rooms_t *rooms);

#endif /* _NGX_HTTP_FCFAAS_ROOM_H_INCLUDED_ */
