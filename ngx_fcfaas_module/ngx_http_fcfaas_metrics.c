#include "ngx_fcfaas_module/ngx_http_fcfaas_metrics.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_table.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_tally.h"


/* functions told in a turn, of some 40 lines each, and the time between */
#define NGX_HTTP_FCFAAS_METRICS_TURN       64
#define NGX_HTTP_FCFAAS_METRICS_TURN_TIME   1
#define NGX_HTTP_FCFAAS_METRICS_BUF        (32 * 1024)


typedef void (*ngx_http_fcfaas_metrics_pt)(ngx_http_fcfaas_metrics_t *m,
    ngx_http_fcfaas_tally_t *tally);


static ngx_int_t ngx_http_fcfaas_metrics_turn(ngx_http_fcfaas_metrics_t *m);
static void ngx_http_fcfaas_metrics_event(ngx_event_t *ev);
static void ngx_http_fcfaas_metrics_cleanup(void *data);
static ngx_int_t ngx_http_fcfaas_metrics_send(ngx_http_fcfaas_metrics_t *m);
static void ngx_http_fcfaas_metrics_requests(ngx_http_fcfaas_metrics_t *m,
    ngx_http_fcfaas_tally_t *tally);
static void ngx_http_fcfaas_metrics_wait(ngx_http_fcfaas_metrics_t *m,
    ngx_http_fcfaas_tally_t *tally);
static void ngx_http_fcfaas_metrics_overhead(ngx_http_fcfaas_metrics_t *m,
    ngx_http_fcfaas_tally_t *tally);
static void ngx_http_fcfaas_metrics_instances(ngx_http_fcfaas_metrics_t *m,
    ngx_http_fcfaas_tally_t *tally);
static void ngx_http_fcfaas_metrics_hist(ngx_http_fcfaas_metrics_t *m,
    const char *name, u_char *function, ngx_http_fcfaas_tally_hist_t *hist);


/* of each function; the lines of a family stand together */
static const struct {
    const char                  *name, *type, *help;
    ngx_http_fcfaas_metrics_pt   tell;
} ngx_http_fcfaas_metrics_families[] = {
    { "fcfaas_function_requests_total", "counter",
      "Requests that ended, by class of status and kind of start.",
      ngx_http_fcfaas_metrics_requests },
    { "fcfaas_function_wait_seconds", "histogram",
      "Time that requests waited for an instance.",
      ngx_http_fcfaas_metrics_wait },
    { "fcfaas_function_overhead_seconds", "histogram",
      "Time of requests that was not spent in instances.",
      ngx_http_fcfaas_metrics_overhead },
    { "fcfaas_function_instances", "gauge",
      "Instances by state, as the answering worker knows them.",
      ngx_http_fcfaas_metrics_instances }
};

#define NGX_HTTP_FCFAAS_METRICS_N                                           \
    (sizeof(ngx_http_fcfaas_metrics_families)                               \
     / sizeof(ngx_http_fcfaas_metrics_families[0]))


ngx_int_t
ngx_http_fcfaas_metrics_handler(ngx_http_request_t *r)
{
    ngx_int_t                   rc;
    ngx_str_t                   arg;
    ngx_pool_cleanup_t         *cln;
    ngx_http_fcfaas_metrics_t  *m;

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return NGX_HTTP_NOT_ALLOWED;
    }

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_http_fcfaas_metrics_t));
    if (cln == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    m = cln->data;
    ngx_memzero(m, sizeof(ngx_http_fcfaas_metrics_t));

    m->request = r;
    m->conf = ngx_http_get_module_main_conf(r, ngx_http_fcfaas_module);
    m->last = &m->out;
    m->n = ngx_http_fcfaas_tally_count(m->conf->tally_zone);

    if (ngx_http_arg(r, (u_char *) "buckets", sizeof("buckets") - 1, &arg)
        == NGX_OK)
    {
        m->brief = (arg.len == 2 && ngx_strncmp(arg.data, "no", 2) == 0);
    }

    m->event.handler = ngx_http_fcfaas_metrics_event;
    m->event.data = m;
    m->event.log = r->connection->log;

    cln->handler = ngx_http_fcfaas_metrics_cleanup;

    ngx_http_fcfaas_metrics_all(m);

    if (ngx_http_fcfaas_metrics_turn(m) == NGX_OK) {
        return ngx_http_fcfaas_metrics_send(m);
    }

    r->main->count++;
    r->read_event_handler = ngx_http_test_reading;
    r->write_event_handler = ngx_http_request_empty_handler;

    ngx_add_timer(&m->event, NGX_HTTP_FCFAAS_METRICS_TURN_TIME);

    return NGX_DONE;
}


static void
ngx_http_fcfaas_metrics_event(ngx_event_t *ev)
{
    ngx_connection_t           *c;
    ngx_http_request_t         *r;
    ngx_http_fcfaas_metrics_t  *m;

    m = ev->data;
    r = m->request;
    c = r->connection;

    if (ngx_http_fcfaas_metrics_turn(m) == NGX_AGAIN) {
        ngx_add_timer(ev, NGX_HTTP_FCFAAS_METRICS_TURN_TIME);
        return;
    }

    ngx_http_finalize_request(r, ngx_http_fcfaas_metrics_send(m));
    ngx_http_run_posted_requests(c);
}


static void
ngx_http_fcfaas_metrics_cleanup(void *data)
{
    ngx_http_fcfaas_metrics_t  *m = data;

    if (m->event.timer_set) {
        ngx_del_timer(&m->event);
    }
}


static ngx_int_t
ngx_http_fcfaas_metrics_turn(ngx_http_fcfaas_metrics_t *m)
{
    ngx_uint_t               i;
    ngx_http_fcfaas_tally_t  tally;

    for (i = 0; i < NGX_HTTP_FCFAAS_METRICS_TURN; i++) {

        if (m->family == NGX_HTTP_FCFAAS_METRICS_N || m->failed) {
            return NGX_OK;
        }

        if (m->at == 0) {
            ngx_http_fcfaas_metrics_family(m,
                          ngx_http_fcfaas_metrics_families[m->family].name,
                          ngx_http_fcfaas_metrics_families[m->family].type,
                          ngx_http_fcfaas_metrics_families[m->family].help);
        }

        ngx_http_fcfaas_tally_read(m->conf->tally_zone, m->at, &tally);
        ngx_http_fcfaas_metrics_families[m->family].tell(m, &tally);

        if (++m->at == m->n) {
            m->at = 0;
            m->family++;
        }
    }

    return m->family == NGX_HTTP_FCFAAS_METRICS_N ? NGX_OK : NGX_AGAIN;
}


static ngx_int_t
ngx_http_fcfaas_metrics_send(ngx_http_fcfaas_metrics_t *m)
{
    ngx_int_t            rc;
    ngx_chain_t         *cl;
    ngx_http_request_t  *r;

    r = m->request;

    if (m->failed || m->out == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->headers_out.content_length_n = 0;

    for (cl = m->out; cl; cl = cl->next) {
        r->headers_out.content_length_n += cl->buf->last - cl->buf->pos;
    }

    r->headers_out.status = NGX_HTTP_OK;
    ngx_str_set(&r->headers_out.content_type,
                "text/plain; version=0.0.4; charset=utf-8");
    r->headers_out.content_type_len = sizeof("text/plain") - 1;
    r->headers_out.content_type_lowcase = NULL;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    m->buf->last_buf = (r == r->main) ? 1 : 0;
    m->buf->last_in_chain = 1;

    return ngx_http_output_filter(r, m->out);
}


void ngx_cdecl
ngx_http_fcfaas_metrics_add(ngx_http_fcfaas_metrics_t *m, const char *fmt,
    ...)
{
    va_list       args;
    ngx_chain_t  *cl;

    if (m->failed) {
        return;
    }

    if (m->buf == NULL
        || m->buf->end - m->buf->last < NGX_HTTP_FCFAAS_METRICS_LINE)
    {
        cl = ngx_alloc_chain_link(m->request->pool);

        m->buf = cl ? ngx_create_temp_buf(m->request->pool,
                                          NGX_HTTP_FCFAAS_METRICS_BUF)
                    : NULL;

        if (m->buf == NULL) {
            m->failed = 1;
            return;
        }

        cl->buf = m->buf;
        cl->next = NULL;
        *m->last = cl;
        m->last = &cl->next;
    }

    va_start(args, fmt);
    m->buf->last = ngx_vslprintf(m->buf->last, m->buf->end, fmt, args);
    va_end(args);
}


void
ngx_http_fcfaas_metrics_family(ngx_http_fcfaas_metrics_t *m, const char *name,
    const char *type, const char *help)
{
    ngx_http_fcfaas_metrics_add(m, "# HELP %s %s\n# TYPE %s %s\n",
                                name, help, name, type);
}


static void
ngx_http_fcfaas_metrics_requests(ngx_http_fcfaas_metrics_t *m,
    ngx_http_fcfaas_tally_t *tally)
{
    uint64_t    n;
    ngx_uint_t  class, cold;

    for (class = 0; class < NGX_HTTP_FCFAAS_TALLY_CLASSES; class++) {
        for (cold = 0; cold < 2; cold++) {

            n = tally->requests[class][cold];

            /* what is looked for is there before it happens */

            if (n == 0 && class != 1 && class != 4) {
                continue;
            }

            ngx_http_fcfaas_metrics_add(m,
                "fcfaas_function_requests_total{function=\"%s\","
                "code=\"%uixx\",start=\"%s\"} %uL\n", tally->name, class + 1,
                cold ? "cold" : "warm", n);
        }
    }
}


static void
ngx_http_fcfaas_metrics_wait(ngx_http_fcfaas_metrics_t *m,
    ngx_http_fcfaas_tally_t *tally)
{
    ngx_http_fcfaas_metrics_hist(m, "fcfaas_function_wait_seconds",
                                 tally->name, &tally->wait);
}


static void
ngx_http_fcfaas_metrics_overhead(ngx_http_fcfaas_metrics_t *m,
    ngx_http_fcfaas_tally_t *tally)
{
    ngx_http_fcfaas_metrics_hist(m, "fcfaas_function_overhead_seconds",
                                 tally->name, &tally->overhead);
}


static void
ngx_http_fcfaas_metrics_hist(ngx_http_fcfaas_metrics_t *m, const char *name,
    u_char *function, ngx_http_fcfaas_tally_hist_t *hist)
{
    uint32_t    us;
    uint64_t    n;
    ngx_uint_t  i;

    n = 0;

    for (i = 0; i < NGX_HTTP_FCFAAS_TALLY_BOUNDS; i++) {
        n += hist->n[i];
        us = ngx_http_fcfaas_tally_bounds[i];

        if (m->brief) {
            continue;
        }

        if (us % 1000000 == 0) {
            ngx_http_fcfaas_metrics_add(m,
                              "%s_bucket{function=\"%s\",le=\"%uD\"} %uL\n",
                              name, function, us / 1000000, n);
            continue;
        }

        ngx_http_fcfaas_metrics_add(m,
                          "%s_bucket{function=\"%s\",le=\"%uD.%04uD\"} %uL\n",
                          name, function, us / 1000000, us % 1000000 / 100,
                          n);
    }

    n += hist->n[i];

    if (!m->brief) {
        ngx_http_fcfaas_metrics_add(m,
                         "%s_bucket{function=\"%s\",le=\"+Inf\"} %uL\n",
                         name, function, n);
    }

    ngx_http_fcfaas_metrics_add(m,
                    "%s_sum{function=\"%s\"} %uL.%03uL\n"
                    "%s_count{function=\"%s\"} %uL\n",
                    name, function, hist->sum / 1000,
                    hist->sum % 1000, name, function, n);
}


static void
ngx_http_fcfaas_metrics_instances(ngx_http_fcfaas_metrics_t *m,
    ngx_http_fcfaas_tally_t *tally)
{
    ngx_uint_t                   ready, booting, leaving;
    ngx_queue_t                 *q;
    ngx_http_fcfaas_pool_t      *pool;
    ngx_http_fcfaas_function_t  *f;

    /* "other" has no instances of its own */

    if (m->at == 0 || m->conf->worker == NULL) {
        return;
    }

    ready = booting = leaving = 0;

    f = ngx_http_fcfaas_table_find(m->conf->worker, tally->name,
                                   ngx_strlen(tally->name));
    if (f) {
        for (q = ngx_queue_head(&f->pools);
             q != ngx_queue_sentinel(&f->pools);
             q = ngx_queue_next(q))
        {
            pool = ngx_queue_data(q, ngx_http_fcfaas_pool_t, queue);

            ready += pool->nusable;
            booting += pool->nbooting;
            leaving += pool->nlisted - pool->nusable;
        }
    }

    ngx_http_fcfaas_metrics_add(m,
             "fcfaas_function_instances{function=\"%s\",state=\"ready\"} %ui\n"
             "fcfaas_function_instances{function=\"%s\",state=\"booting\"} "
             "%ui\n"
             "fcfaas_function_instances{function=\"%s\",state=\"draining\"} "
             "%ui\n", tally->name, ready, tally->name, booting, tally->name,
             leaving);
}
