/*
 * Log: one JSON object a line on standard error (or the given fd):
 *   {"ts":"2026-11-23T07:00:00.123Z","level":"info","msg":"...","node_id":..,
 *    "function_id":..,"request_id":..,"vm":..}
 * Fields that are not known are left out.  Thread safe (one write(2) a line),
 * and never blocks: what a full pipe or socket does not take is lost, and the
 * next line that is written says how many were.
 */

#ifndef _FCA_LOG_H_INCLUDED_
#define _FCA_LOG_H_INCLUDED_

#include "client/fcf_loop.h"

/* What a line is about.  All may be NULL; nothing is copied beyond the call. */
typedef struct {
    const char  *function_id;
    const char  *request_id;
    const char  *vm;                    /* worker_id */
} fca_log_ctx_t;

void fca_log_init(int fd, fcf_log_e min, const char *node_id);
int fca_log_level_parse(const char *name, fcf_log_e *out);  /* -1: unknown */
const char *fca_log_level_name(fcf_log_e level);

void fca_log(fcf_log_e level, const fca_log_ctx_t *ctx, const char *fmt, ...)
    fcf_printf_like(3, 4);

#endif /* _FCA_LOG_H_INCLUDED_ */
