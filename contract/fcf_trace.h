/* The header "traceparent" of W3C's Trace Context
 * (https://www.w3.org/TR/trace-context/). */

#ifndef _FCF_TRACE_H_INCLUDED_
#define _FCF_TRACE_H_INCLUDED_

#include <stddef.h>

#define FCF_TRACE_LEN  55

typedef struct {
    char       id[32];                  /* hex digits, not all 0 */
    unsigned   flags;                   /* bit 0: sampled, 1: random */
} fcf_trace_t;

/* 1: *out is the trace that it names; 0: invalid, as if there was none */
int fcf_trace_parse(fcf_trace_t *out, const char *s, size_t len);
/* a new trace, sampled: whoever wants less says so in a header of his own */
void fcf_trace_new(fcf_trace_t *out);
/* buf of FCF_TRACE_LEN + 1: version 00, with a new parent id */
void fcf_trace_format(char *buf, const fcf_trace_t *trace);

#endif /* _FCF_TRACE_H_INCLUDED_ */
