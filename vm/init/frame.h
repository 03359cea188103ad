/* The control port's frames: a 32-bit big-endian length and that many bytes
 * of JSON.  No sockets and no allocation here. */

#ifndef _FCV_FRAME_H_INCLUDED_
#define _FCV_FRAME_H_INCLUDED_

#include <stddef.h>
#include <stdint.h>
#include "contract/fcf_err.h"
#include "vm/guest.h"

#define FCV_FRAME_HEAD  4

typedef struct {
    size_t    len;                          /* bytes in buf */
    uint8_t   buf[FCV_FRAME_HEAD + FCV_FRAME_MAX];
} fcv_frame_in_t;

uint32_t fcv_get_be32(const uint8_t *p);
void fcv_put_be32(uint8_t *p, uint32_t n);

/* Where the next bytes are to be read into; *room is 0 only while a whole
 * frame waits to be taken. */
uint8_t *fcv_frame_room(fcv_frame_in_t *in, size_t *room);
void fcv_frame_filled(fcv_frame_in_t *in, size_t n);

/* 1: *json and *len are the next frame's, valid until fcv_frame_drop();
 * 0: more bytes are needed; -1: a length of 0 or above FCV_FRAME_MAX, after
 * which the stream cannot be followed any more. */
int fcv_frame_next(const fcv_frame_in_t *in, const char **json, size_t *len,
    fcf_err_t *err) fcf_must_check;
/* the frame that fcv_frame_next() showed */
void fcv_frame_drop(fcv_frame_in_t *in);

#endif /* _FCV_FRAME_H_INCLUDED_ */
