#include "ngx_fcfaas_module/ngx_http_fcfaas_room.h"


/* that are kept ready; a build that is to show what is used after its end uses
 * none again */
#if (NGX_DEBUG_PALLOC)
#define NGX_HTTP_FCFAAS_ROOMS  0
#else
#define NGX_HTTP_FCFAAS_ROOMS  256
#endif


void *
ngx_http_fcfaas_room_take(ngx_http_fcfaas_rooms_t *rooms, size_t size,
    ngx_log_t *log)
{
    void  **room;

    if (rooms == NULL || rooms->first == NULL) {
        return ngx_alloc(size, log);
    }

    room = rooms->first;
    rooms->first = *room;
    rooms->n--;

    return room;
}


void
ngx_http_fcfaas_room_give(ngx_http_fcfaas_rooms_t *rooms, void *room)
{
    if (rooms == NULL || rooms->n + 1 > NGX_HTTP_FCFAAS_ROOMS) {
        ngx_free(room);
        return;
    }

    *(void **) room = rooms->first;
    rooms->first = room;
    rooms->n++;
}


void
ngx_http_fcfaas_rooms_done(ngx_http_fcfaas_rooms_t *rooms)
{
    void  *room;

    while ((room = rooms->first) != NULL) {
        rooms->first = *(void **) room;
        ngx_free(room);
    }

    rooms->n = 0;
}
