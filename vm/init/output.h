/*
 * What the function wrote lately: the last FCV_OUTPUT_KEEP bytes of both
 * streams in the order in which they came, with a bit per byte for the
 * stream.  Readers hold a position (bytes since the start) of their own;
 * nobody waits for them.
 */

#ifndef _FCV_OUTPUT_H_INCLUDED_
#define _FCV_OUTPUT_H_INCLUDED_

#include <stddef.h>
#include <stdint.h>
#include "vm/guest.h"

typedef enum {
    FCV_STDOUT = 0,
    FCV_STDERR
} fcv_stream_e;

typedef struct {
    uint64_t  total;                        /* bytes ever added */
    uint8_t   is_stderr[FCV_OUTPUT_KEEP / 8];
    char      data[FCV_OUTPUT_KEEP];
} fcv_output_t;

/* zeroed memory is an empty output */
void fcv_output_add(fcv_output_t *out, fcv_stream_e stream, const char *data,
    size_t len);

/* Copies the next run of bytes of one stream behind *pos, at most size, and
 * moves *pos behind it; *dropped: bytes skipped before that run because they
 * are no longer kept.  Returns the run's length, 0 if there is nothing new
 * (then *dropped is 0). */
size_t fcv_output_read(const fcv_output_t *out, uint64_t *pos,
    fcv_stream_e *stream, char *buf, size_t size, uint64_t *dropped);

/* The last lines, of both streams, without the bytes of a line that does not
 * fit: at most size bytes and max_lines lines.  Returns their length. */
size_t fcv_output_tail(const fcv_output_t *out, char *buf, size_t size,
    unsigned max_lines);

#endif /* _FCV_OUTPUT_H_INCLUDED_ */
