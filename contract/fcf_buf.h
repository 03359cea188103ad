/* A growing byte buffer with a maximum given at init (model: curl's dynbuf).
 * Over the maximum or out of memory it frees itself and says so. */

#ifndef _FCF_BUF_H_INCLUDED_
#define _FCF_BUF_H_INCLUDED_

#include <stddef.h>
#include "contract/fcf_err.h"

typedef struct {
    char    *data;          /* NUL-terminated once anything was added */
    size_t   len, size, max;
} fcf_buf_t;

void fcf_buf_init(fcf_buf_t *buf, size_t max);
void fcf_buf_free(fcf_buf_t *buf);
void fcf_buf_reset(fcf_buf_t *buf);             /* keeps the memory */
/* 0; FCF_E_LIMIT or FCF_E_NOMEM negated on failure, the buffer then empty */
int fcf_buf_add(fcf_buf_t *buf, const void *data, size_t len) fcf_must_check;
int fcf_buf_addf(fcf_buf_t *buf, const char *fmt, ...)
    fcf_printf_like(2, 3) fcf_must_check;
/* drops n bytes from the front */
void fcf_buf_consume(fcf_buf_t *buf, size_t n);
/* gives the memory to the caller, who frees it; the buffer is empty again */
char *fcf_buf_take(fcf_buf_t *buf, size_t *len);

#endif /* _FCF_BUF_H_INCLUDED_ */
