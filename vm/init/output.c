#include <string.h>
#include "vm/init/output.h"


static uint64_t
oldest(const fcv_output_t *out)
{
    return out->total > FCV_OUTPUT_KEEP ? out->total - FCV_OUTPUT_KEEP : 0;
}


static fcv_stream_e
stream_at(const fcv_output_t *out, uint64_t pos)
{
    size_t  i;

    i = (size_t) (pos % FCV_OUTPUT_KEEP);

    return out->is_stderr[i / 8] & 1u << (i % 8) ? FCV_STDERR : FCV_STDOUT;
}


void
fcv_output_add(fcv_output_t *out, fcv_stream_e stream, const char *data,
    size_t len)
{
    size_t   i;
    uint8_t  bit;

    if (len > FCV_OUTPUT_KEEP) {
        out->total += len - FCV_OUTPUT_KEEP;
        data += len - FCV_OUTPUT_KEEP;
        len = FCV_OUTPUT_KEEP;
    }

    for ( /* void */ ; len > 0; len--) {
        i = (size_t) (out->total++ % FCV_OUTPUT_KEEP);
        bit = (uint8_t) (1u << (i % 8));

        out->data[i] = *data++;

        if (stream == FCV_STDERR) {
            out->is_stderr[i / 8] |= bit;

        } else {
            out->is_stderr[i / 8] &= (uint8_t) ~bit;
        }
    }
}


size_t
fcv_output_read(const fcv_output_t *out, uint64_t *pos, fcv_stream_e *stream,
    char *buf, size_t size, uint64_t *dropped)
{
    size_t    n;
    uint64_t  at;

    *dropped = 0;
    at = *pos;

    if (at >= out->total || size == 0) {
        return 0;
    }

    if (at < oldest(out)) {
        *dropped = oldest(out) - at;
        at = oldest(out);
    }

    *stream = stream_at(out, at);

    for (n = 0; n < size && at < out->total; n++, at++) {
        if (stream_at(out, at) != *stream) {
            break;
        }

        buf[n] = out->data[at % FCV_OUTPUT_KEEP];
    }

    *pos = at;

    return n;
}


size_t
fcv_output_tail(const fcv_output_t *out, char *buf, size_t size,
    unsigned max_lines)
{
    size_t    n;
    uint64_t  at, low, start;

    low = oldest(out);

    if (out->total - low > size) {
        low = out->total - size;
    }

    start = out->total;

    for (at = out->total; at > low && max_lines > 0; at--) {

        if (at < out->total && out->data[(at - 1) % FCV_OUTPUT_KEEP] == '\n') {
            start = at;
            max_lines--;
        }
    }

    /* a first line that began before what may be shown is left out, unless
     * it is all there is */

    if (max_lines > 0 && (low == 0 || start == out->total)) {
        start = low;
    }

    for (n = 0; start < out->total; start++) {
        buf[n++] = out->data[start % FCV_OUTPUT_KEEP];
    }

    return n;
}
