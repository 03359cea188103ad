/* What the host may ask over the control port, but for logs (control.c). */

#ifndef _FCV_OPS_H_INCLUDED_
#define _FCV_OPS_H_INCLUDED_

#include <jansson.h>
#include "vm/init/clone.h"
#include "vm/init/life.h"

typedef struct {
    fcv_life_t   *life;
    fcv_clone_t  *clone;
} fcv_ops_t;

/* a fcv_control_pt; arg is the fcv_ops_t */
int fcv_op(void *arg, const char *op, const json_t *request, fcf_err_t *err)
    fcf_must_check;

/* of a request with "ms", and one with "data" */
int fcv_op_time(const json_t *request, fcf_err_t *err) fcf_must_check;
int fcv_op_seed(const json_t *request, fcf_err_t *err) fcf_must_check;

/* Unix time in milliseconds */
int fcv_set_clock(int64_t ms, fcf_err_t *err) fcf_must_check;

/* base64 of at most 4096 bytes, into the random pool; what: its name */
int fcv_seed(const char *base64, const char *what, fcf_err_t *err)
    fcf_must_check;

#endif /* _FCV_OPS_H_INCLUDED_ */
