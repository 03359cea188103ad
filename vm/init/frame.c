#include <assert.h>
#include <string.h>
#include "vm/init/frame.h"


uint32_t
fcv_get_be32(const uint8_t *p)
{
    return (uint32_t) p[0] << 24 | (uint32_t) p[1] << 16
           | (uint32_t) p[2] << 8 | p[3];
}


void
fcv_put_be32(uint8_t *p, uint32_t n)
{
    p[0] = (uint8_t) (n >> 24);
    p[1] = (uint8_t) (n >> 16);
    p[2] = (uint8_t) (n >> 8);
    p[3] = (uint8_t) n;
}


uint8_t *
fcv_frame_room(fcv_frame_in_t *in, size_t *room)
{
    *room = sizeof(in->buf) - in->len;
    return in->buf + in->len;
}


void
fcv_frame_filled(fcv_frame_in_t *in, size_t n)
{
    assert(n <= sizeof(in->buf) - in->len);
    in->len += n;
}


int
fcv_frame_next(const fcv_frame_in_t *in, const char **json, size_t *len,
    fcf_err_t *err)
{
    uint32_t  n;

    if (in->len < FCV_FRAME_HEAD) {
        return 0;
    }

    n = fcv_get_be32(in->buf);

    if (n == 0 || n > FCV_FRAME_MAX) {
        return fcf_err_set(err, FCF_E_PROTOCOL,
                           "frame length %u is not within 1-%d",
                           (unsigned) n, FCV_FRAME_MAX);
    }

    if (in->len - FCV_FRAME_HEAD < n) {
        return 0;
    }

    *json = (const char *) in->buf + FCV_FRAME_HEAD;
    *len = n;

    return 1;
}


void
fcv_frame_drop(fcv_frame_in_t *in)
{
    size_t  n;

    n = FCV_FRAME_HEAD + fcv_get_be32(in->buf);
    assert(n <= in->len);

    memmove(in->buf, in->buf + n, in->len - n);
    in->len -= n;
}
