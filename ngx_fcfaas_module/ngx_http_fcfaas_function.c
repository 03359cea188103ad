#include "ngx_fcfaas_module/ngx_http_fcfaas_function.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_route.h"


#define NGX_HTTP_FCFAAS_STRIP_MAX  64


static char *ngx_http_fcfaas_function_behind(ngx_conf_t *cf,
    ngx_http_fcfaas_loc_conf_t *flcf);
#if (NGX_PCRE)
static void ngx_http_fcfaas_function_capture(ngx_conf_t *cf,
    ngx_http_fcfaas_loc_conf_t *conf, ngx_str_t text);
static void ngx_http_fcfaas_function_lead(ngx_str_t *lead,
    ngx_str_t *pattern);
static ngx_uint_t ngx_http_fcfaas_function_group(u_char *p, u_char *last);
#endif


char *
ngx_http_fcfaas_function_set(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_fcfaas_loc_conf_t *flcf = conf;

    char                         *rv;
    int64_t                       version;
    ngx_str_t                    *value, id;
    ngx_http_fcfaas_main_conf_t  *fmcf;

    fmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_fcfaas_module);
    fmcf->used = 1;

    if (cf->args->nelts == 1) {
        return ngx_http_fcfaas_function_behind(cf, flcf);
    }

    value = cf->args->elts;

    rv = ngx_http_set_complex_value_slot(cf, cmd, conf);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    id = value[1];

    if (flcf->id->lengths == NULL
        && (ngx_http_fcfaas_route_parse(&id, &version) != NGX_OK
            || !fcf_id_valid((char *) id.data, id.len)))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid value \"%V\" in \"%V\" directive: "
                           "not a function name", &value[1], &cmd->name);
        return NGX_CONF_ERROR;
    }

    if (cf->args->nelts == 3) {

        if (ngx_strncmp(value[2].data, "strip=", 6) == 0) {
            flcf->strip = ngx_atoi(value[2].data + 6, value[2].len - 6);
        }

        if (flcf->strip < 0 || flcf->strip > NGX_HTTP_FCFAAS_STRIP_MAX) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\" in \"%V\" "
                               "directive: it takes \"strip=\" and a number "
                               "of segments, 0 to %d", &value[2], &cmd->name,
                               NGX_HTTP_FCFAAS_STRIP_MAX);
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


/* the id is the segment of the path behind that of the location */
static char *
ngx_http_fcfaas_function_behind(ngx_conf_t *cf,
    ngx_http_fcfaas_loc_conf_t *flcf)
{
    ngx_uint_t                 prefix;
    ngx_http_core_loc_conf_t  *clcf;

    /* stands for "there is one" */
    static ngx_http_complex_value_t  none;

    if (flcf->id != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    prefix = !clcf->noname && !clcf->named && !clcf->exact_match;
#if (NGX_PCRE)
    prefix = prefix && clcf->regex == NULL;
#endif

    if (!prefix || clcf->name.len == 0
        || clcf->name.data[clcf->name.len - 1] != '/')
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"fcfaas\" without a name takes what is behind "
                           "the path of its location, which must be a prefix "
                           "that ends with \"/\": %s \"%V\" is none",
                           clcf->noname ? "an \"if\" in" : "location",
                           &clcf->name);
        return NGX_CONF_ERROR;
    }

    flcf->id = &none;
    flcf->lead = clcf->name;
    flcf->behind = 1;

    return NGX_CONF_OK;
}


/*
 * It is inherited by "if" and "limit_except", and by nested locations that
 * have a proxy_pass of their own: others do not go to a function, and must not
 * wait for one.
 */

void
ngx_http_fcfaas_function_merge(ngx_conf_t *cf,
    ngx_http_fcfaas_loc_conf_t *prev, ngx_http_fcfaas_loc_conf_t *conf)
{
    ngx_uint_t                    inherited;
    ngx_http_core_loc_conf_t     *clcf;
#if (NGX_PCRE)
    ngx_http_fcfaas_main_conf_t  *fmcf;
#endif

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    inherited = 0;
    conf->handler = clcf->noname ? prev->handler : clcf->handler;

    if (conf->id == NGX_CONF_UNSET_PTR) {
        conf->id = NULL;

        if (prev->id != NGX_CONF_UNSET_PTR
            && prev->id
            && (clcf->noname
                || (conf->handler && prev->handler == NULL)
                || (conf->handler && conf->handler == prev->handler)))
        {
            inherited = 1;
            conf->id = prev->id;
            conf->strip = prev->strip;
            conf->capture = prev->capture;
            conf->variable = prev->variable;
            conf->lead = prev->lead;
            conf->behind = prev->behind;
        }
    }

#if (NGX_PCRE)

    /* the regular expression, and so the captures, are those of the location
     * where the directive stands */

    conf->regex = (clcf->noname || inherited) ? prev->regex : clcf->regex;

    if (!inherited && conf->id && conf->regex) {
        ngx_http_fcfaas_function_capture(cf, conf, conf->id->value);
        ngx_http_fcfaas_function_lead(&conf->lead, &conf->regex->name);
    }

    if (conf->capture != NGX_CONF_UNSET) {
        fmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_fcfaas_module);
        fmcf->captured = 1;
    }

#endif
}


#if (NGX_PCRE)

/* the text is one capture of the location's regular expression and nothing
 * else: "$name", "${name}" or "$1" */
static void
ngx_http_fcfaas_function_capture(ngx_conf_t *cf,
    ngx_http_fcfaas_loc_conf_t *conf, ngx_str_t text)
{
    ngx_str_t                  *name;
    ngx_uint_t                  i;
    ngx_http_regex_t           *regex;
    ngx_http_variable_t        *v;
    ngx_http_core_main_conf_t  *cmcf;

    regex = conf->regex;

    if (text.len < 2 || text.data[0] != '$') {
        return;
    }

    text.data++;
    text.len--;

    if (text.len == 1 && text.data[0] >= '1' && text.data[0] <= '9') {
        i = text.data[0] - '0';

        if (i <= regex->ncaptures) {
            conf->capture = (ngx_int_t) (2 * i);
        }

        return;
    }

    if (text.len > 2 && text.data[0] == '{'
        && text.data[text.len - 1] == '}')
    {
        text.data++;
        text.len -= 2;
    }

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);
    v = cmcf->variables.elts;

    for (i = 0; i < regex->nvariables; i++) {
        name = &v[regex->variables[i].index].name;

        if (name->len == text.len
            && ngx_strncasecmp(name->data, text.data, text.len) == 0)
        {
            conf->capture = regex->variables[i].capture;
            conf->variable = regex->variables[i].index;
            return;
        }
    }
}


/*
 * What stands for itself before the group, where the expression is "^", that,
 * and "([^/]+)" or "(?<name>[^/]+)", and no more.  What it captures is then
 * the segment behind it: not to be searched for.
 */

static void
ngx_http_fcfaas_function_lead(ngx_str_t *lead, ngx_str_t *pattern)
{
    u_char  *p, *group, *last;

    static u_char  segment[] = "[^/]+)";

    if (pattern->len < sizeof(segment) || pattern->data[0] != '^') {
        return;
    }

    p = pattern->data + 1;
    last = pattern->data + pattern->len - (sizeof(segment) - 1);

    if (ngx_strncmp(last, segment, sizeof(segment) - 1) != 0) {
        return;
    }

    for (group = p; group < last && *group != '('; group++) {
        if (strchr("\\^$.[|)?*+{", *group)) {
            return;
        }
    }

    if (group == last || !ngx_http_fcfaas_function_group(group + 1, last)) {
        return;
    }

    lead->data = p;
    lead->len = group - p;
}


/* nothing, or a name, stands between its "(" and what it matches */
static ngx_uint_t
ngx_http_fcfaas_function_group(u_char *p, u_char *last)
{
    if (p == last) {
        return 1;
    }

    if (last - p < 4 || p[0] != '?' || p[1] != '<' || last[-1] != '>') {
        return 0;
    }

    for (p += 2; p < last - 1; p++) {
        if (!isalnum(*p) && *p != '_') {
            return 0;
        }
    }

    return 1;
}

#endif
