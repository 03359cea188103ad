#include "ngx_fcfaas_module/ngx_http_fcfaas_trace.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_variables.h"

#include "contract/fcf_trace.h"


/* bytes that are carried of a tracestate */
#define NGX_HTTP_FCFAAS_TRACE_STATE  512


static ngx_int_t ngx_http_fcfaas_trace_parent(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_fcfaas_trace_state(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_uint_t ngx_http_fcfaas_trace_given(ngx_http_request_t *r,
    fcf_trace_t *trace);
static ngx_int_t ngx_http_fcfaas_trace_join(ngx_http_request_t *r,
    ngx_str_t *state);
static ngx_table_elt_t *ngx_http_fcfaas_trace_header(ngx_http_request_t *r,
    ngx_str_t *name, ngx_uint_t *n, size_t *len);
static ngx_uint_t ngx_http_fcfaas_trace_is(ngx_table_elt_t *h,
    ngx_str_t *name);


static const ngx_http_variable_t  ngx_http_fcfaas_trace_vars[] = {

    /* kept: the same for all of a request */
    { ngx_string("fcfaas_traceparent"), NULL, ngx_http_fcfaas_trace_parent,
      0, 0, 0 },

    { ngx_string("fcfaas_tracestate"), NULL, ngx_http_fcfaas_trace_state,
      0, 0, 0 },

      ngx_http_null_variable
};


ngx_int_t
ngx_http_fcfaas_trace_add_variables(ngx_conf_t *cf)
{
    return ngx_http_fcfaas_variables_add(cf, ngx_http_fcfaas_trace_vars);
}


static ngx_int_t
ngx_http_fcfaas_trace_parent(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    u_char       *p;
    fcf_trace_t   trace;

    p = ngx_pnalloc(r->pool, FCF_TRACE_LEN + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    if (!ngx_http_fcfaas_trace_given(r, &trace)) {
        fcf_trace_new(&trace);
    }

    fcf_trace_format((char *) p, &trace);

    return ngx_http_fcfaas_variable_value(v, p, FCF_TRACE_LEN);
}


/* as it came, where the traceparent is valid: whole members, up to a bound */
static ngx_int_t
ngx_http_fcfaas_trace_state(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    size_t        len;
    u_char       *p;
    ngx_str_t     state;
    fcf_trace_t   trace;

    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;
    v->len = 0;
    v->data = (u_char *) "";

    if (!ngx_http_fcfaas_trace_given(r, &trace)) {
        return NGX_OK;
    }

    if (ngx_http_fcfaas_trace_join(r, &state) != NGX_OK) {
        return NGX_ERROR;
    }

    for (p = state.data; p < state.data + state.len; p++) {
        if ((*p < 0x20 && *p != '\t') || *p > 0x7e) {
            return NGX_OK;
        }
    }

    len = state.len;

    if (len > NGX_HTTP_FCFAAS_TRACE_STATE) {

        for (len = NGX_HTTP_FCFAAS_TRACE_STATE;
             len && state.data[len] != ',';
             len--)
        {
            /* void */
        }
    }

    v->len = len;
    v->data = state.data;

    return NGX_OK;
}


/* all lines of the header as one, in their order */
static ngx_int_t
ngx_http_fcfaas_trace_join(ngx_http_request_t *r, ngx_str_t *state)
{
    u_char           *p;
    ngx_uint_t        i, n;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *header;

    static ngx_str_t  name = ngx_string("tracestate");

    ngx_str_null(state);

    (void) ngx_http_fcfaas_trace_header(r, &name, &n, &state->len);

    if (n == 0) {
        return NGX_OK;
    }

    p = ngx_pnalloc(r->pool, state->len + n);
    if (p == NULL) {
        return NGX_ERROR;
    }

    state->data = p;

    for (part = &r->main->headers_in.headers.part; part; part = part->next) {

        header = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (!ngx_http_fcfaas_trace_is(&header[i], &name)) {
                continue;
            }

            if (p != state->data) {
                *p++ = ',';
            }

            p = ngx_cpymem(p, header[i].value.data, header[i].value.len);
        }
    }

    state->len = p - state->data;

    return NGX_OK;
}


static ngx_uint_t
ngx_http_fcfaas_trace_given(ngx_http_request_t *r, fcf_trace_t *trace)
{
    size_t            len;
    ngx_uint_t        n;
    ngx_table_elt_t  *h;

    static ngx_str_t  name = ngx_string("traceparent");

    h = ngx_http_fcfaas_trace_header(r, &name, &n, &len);

    return n == 1 && fcf_trace_parse(trace, (char *) h->value.data,
                                     h->value.len);
}


/* the last header of that name; n, len: how many there are, and of what
 * length together */
static ngx_table_elt_t *
ngx_http_fcfaas_trace_header(ngx_http_request_t *r, ngx_str_t *name,
    ngx_uint_t *n, size_t *len)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *header, *found;

    *n = 0;
    *len = 0;
    found = NULL;

    for (part = &r->main->headers_in.headers.part; part; part = part->next) {

        header = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (ngx_http_fcfaas_trace_is(&header[i], name)) {
                found = &header[i];
                *len += found->value.len;
                (*n)++;
            }
        }
    }

    return found;
}


static ngx_uint_t
ngx_http_fcfaas_trace_is(ngx_table_elt_t *h, ngx_str_t *name)
{
    return h->hash
           && h->key.len == name->len
           && ngx_strncasecmp(h->key.data, name->data, name->len) == 0;
}
