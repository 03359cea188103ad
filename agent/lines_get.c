/* What is kept, as JSON. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "agent/lines_int.h"

static const char *const  fca_streams[FCA_STREAMS] = {
    "stdout", "stderr", "console", "lost"
};

/* what was asked for, as numbers */
typedef struct {
    uint64_t                  after;
    int                       resumes;
    int64_t                   from_ms;
    int64_t                   version;  /* 0: all */
    const fca_lines_query_t  *query;
} lines_want_t;

/* NULL: *out stays */
static int
lines_number(const char *text, int64_t *out)
{
    char  *end;

    if (text == NULL) {
        return 0;
    }

    *out = strtoll(text, &end, 10);

    return end == text || *end != '\0' || *out < 0 ? -FCF_E_INVALID : 0;
}

/* of another life it is nothing: all is new then */
static int
lines_after(const fca_lines_t *lines, const char *text, lines_want_t *want)
{
    int       n;
    int64_t   epoch;
    uint64_t  seq;

    if (text == NULL) {
        return 0;
    }

    if (sscanf(text, "%" SCNd64 ".%" SCNu64 "%n", &epoch, &seq, &n) != 2
        || text[n] != '\0')
    {
        return -FCF_E_INVALID;
    }

    if (epoch == lines->epoch) {
        want->after = seq;
        want->resumes = 1;
    }

    return 0;
}

static int
lines_want(const fca_lines_t *lines, const fca_lines_query_t *query,
    int64_t now_ms, lines_want_t *want)
{
    int64_t  age_ms = INT64_MAX;

    memset(want, 0, sizeof(*want));
    want->query = query;

    if (lines_number(query->age_ms, &age_ms) != 0
        || lines_number(query->version, &want->version) != 0
        || lines_after(lines, query->after, want) != 0)
    {
        return -FCF_E_INVALID;
    }

    want->from_ms = age_ms > now_ms ? 0 : now_ms - age_ms;

    return 0;
}

static int
lines_wanted(const fca_line_t *line, const lines_want_t *want)
{
    const fca_lines_query_t  *q = want->query;

    return line->seq > want->after && line->ms >= want->from_ms
           && (want->version == 0 || line->version == want->version)
           && (q->instance == NULL
               || strcmp(q->instance, line->worker_id) == 0)
           && (q->request == NULL
               || strcmp(q->request, line->request_id) == 0);
}

/* what is text has no control characters any more, and is UTF-8 */
static int
lines_quote(fcf_buf_t *out, const char *name, const char *text)
{
    int     rc;
    size_t  n;

    rc = fcf_buf_addf(out, ",\"%s\":\"", name);

    while (rc == 0 && *text != '\0') {

        n = strcspn(text, "\"\\");
        rc = fcf_buf_add(out, text, n);
        text += n;

        if (rc == 0 && *text != '\0') {
            rc = fcf_buf_addf(out, "\\%c", *text++);
        }
    }

    return rc == 0 ? fcf_buf_add(out, "\"", 1) : rc;
}

static int
lines_show(fcf_buf_t *out, const fca_line_t *line, int first)
{
    int  rc;

    rc = fcf_buf_addf(out, "%s{\"ms\":%" PRId64 ",\"version\":%" PRId64,
                      first ? "" : ",\n", line->ms, line->version);
    if (rc == 0) {
        rc = lines_quote(out, "instance", line->worker_id);
    }

    if (rc == 0) {
        rc = lines_quote(out, "stream", fca_streams[line->stream]);
    }

    if (rc == 0 && line->request_id[0] != '\0') {
        rc = lines_quote(out, "request_id", line->request_id);
    }

    if (rc == 0) {
        rc = lines_quote(out, "text", line->text);
    }

    return rc == 0 ? fcf_buf_add(out, "}", 1) : rc;
}

/* how many are gone that would have come next */
static uint64_t
lines_gap(const fca_lines_of_t *of, const lines_want_t *want)
{
    uint64_t     gap;
    fca_line_t  *first;

    if (!want->resumes) {
        return of->dropped;
    }

    /* without memory there may be none */
    first = TAILQ_FIRST(&of->list);
    gap = first ? first->seq - 1 : of->last;
    gap = gap > want->after ? gap - want->after : 0;

    return gap < of->dropped ? gap : of->dropped;
}

int
fca_lines_get(fca_lines_t *lines, const char *function_id,
    const fca_lines_query_t *query, int64_t now_ms, fcf_buf_t *out)
{
    int               rc, n;
    uint64_t          next, gap;
    fca_line_t       *line;
    lines_want_t      want;
    fca_lines_of_t   *of;

    rc = lines_want(lines, query, now_ms, &want);
    if (rc != 0) {
        return rc;
    }

    fca_lines_age(lines, now_ms);
    of = fca_lines_find(lines, function_id);
    next = of ? of->last : lines->total;
    gap = of ? lines_gap(of, &want) : 0;
    line = of ? TAILQ_FIRST(&of->list) : NULL;
    rc = fcf_buf_addf(out, "{\"lines\":[");

    for (n = 0; rc == 0 && line; line = TAILQ_NEXT(line, own)) {

        if (!lines_wanted(line, &want)) {
            continue;
        }

        /* and never more than an answer holds: a line is a small part of it */
        if (n == FCA_LINES_MAX || out->len > out->max / 2) {
            next = line->seq - 1;
            break;
        }

        rc = lines_show(out, line, n == 0);
        n++;
    }

    return rc ? rc : fcf_buf_addf(out, "],\n\"next\":\"%" PRId64 ".%" PRIu64
                                  "\",\"more\":%s,\"dropped\":%" PRIu64
                                  "}\n", lines->epoch, next,
                                  line ? "true" : "false", gap);
}
