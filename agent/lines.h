/*
 * What functions print, line by line, with when, where and by which request:
 * kept after the VM is gone, in memory, within bounds of size for each
 * function, of size for all, and of age; the oldest go first, and are counted.
 */

#ifndef _FCA_LINES_H_INCLUDED_
#define _FCA_LINES_H_INCLUDED_

#include "agent/instance/instance.h"
#include "contract/fcf_buf.h"

#define FCA_LINE_MAX   4096             /* a longer one is cut into several */
/* lines of one answer; the next one goes on */
#define FCA_LINES_MAX  2000

typedef struct fca_lines_s  fca_lines_t;

typedef struct {
    size_t    each, all;                /* bytes, of a function and together */
    int64_t   age_ms;
} fca_lines_conf_t;

/* as they stand in a request: text, or NULL; numbers are decimal */
typedef struct {
    const char  *after;                 /* an answer's "next" */
    const char  *age_ms;                /* no older ones */
    const char  *instance, *version, *request;
} fca_lines_query_t;

/* epoch: another one for each life of the agent */
fca_lines_t *fca_lines_new(const fca_lines_conf_t *conf, int64_t epoch,
    fcf_err_t *err);
void fca_lines_free(fca_lines_t *lines);        /* also of NULL */

/* Bytes of one stream as they came, at that Unix time.  Without memory they
 * are lost, and counted. */
void fca_lines_said(fca_lines_t *lines, const fca_instance_said_t *said,
    int64_t now_ms);
/* the VM is gone: what it had begun is a line */
void fca_lines_ended(fca_lines_t *lines, const char *worker_id,
    int64_t now_ms);

/* {"lines":[...],"next":"...","more":...,"dropped":n}: at most FCA_LINES_MAX
 * of those asked for, the oldest first.  dropped: how many are gone that stood
 * behind "after", or, without it, ever.  -FCF_E_INVALID: bad query; else as
 * fcf_buf_add(). */
int fca_lines_get(fca_lines_t *lines, const char *function_id,
    const fca_lines_query_t *query, int64_t now_ms, fcf_buf_t *out);

#endif /* _FCA_LINES_H_INCLUDED_ */
