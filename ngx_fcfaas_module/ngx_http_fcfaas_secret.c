#include "ngx_fcfaas_module/ngx_http_fcfaas_secret.h"


#define NGX_HTTP_FCFAAS_SECRET_MAX  4096
#define NGX_HTTP_FCFAAS_PEM_MAX     (256 * 1024)


static ngx_int_t ngx_http_fcfaas_secret_read(ngx_conf_t *cf,
    ngx_command_t *cmd, ngx_str_t *path, size_t max, ngx_str_t *text);


ngx_int_t
ngx_http_fcfaas_secret_line(ngx_conf_t *cf, ngx_command_t *cmd,
    ngx_str_t *path, ngx_str_t *secret)
{
    u_char     *p, *last;
    ngx_str_t   text;

    if (ngx_http_fcfaas_secret_read(cf, cmd, path, NGX_HTTP_FCFAAS_SECRET_MAX,
                                  &text)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    p = text.data;

    for (last = p;
         last < p + text.len && *last > 0x20 && *last < 0x7f;
         last++)
    {
        /* void */
    }

    if (last == p || (last < p + text.len && *last != LF && *last != CR)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\": \"%V\" does not begin with a line of "
                           "printable characters without spaces",
                           &cmd->name, path);
        return NGX_ERROR;
    }

    *last = '\0';

    secret->data = p;
    secret->len = last - p;

    return NGX_OK;
}


ngx_int_t
ngx_http_fcfaas_secret_pem(ngx_conf_t *cf, ngx_command_t *cmd, ngx_str_t *path,
    ngx_str_t *pem)
{
    if (ngx_http_fcfaas_secret_read(cf, cmd, path, NGX_HTTP_FCFAAS_PEM_MAX, pem)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_strstr(pem->data, "-----BEGIN ") == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\": \"%V\" holds nothing in PEM",
                           &cmd->name, path);
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* a whole file, which is no longer than max, followed by NUL */
static ngx_int_t
ngx_http_fcfaas_secret_read(ngx_conf_t *cf, ngx_command_t *cmd, ngx_str_t *path,
    size_t max, ngx_str_t *text)
{
    size_t      len;
    ssize_t     n;
    ngx_fd_t    fd;
    ngx_str_t   name;

    name = *path;

    if (ngx_conf_full_name(cf->cycle, &name, 1) != NGX_OK) {
        return NGX_ERROR;
    }

    text->data = ngx_pnalloc(cf->pool, max + 1);
    if (text->data == NULL) {
        return NGX_ERROR;
    }

    fd = ngx_open_file(name.data, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           "\"%V\": cannot open \"%V\"", &cmd->name, &name);
        return NGX_ERROR;
    }

    len = 0;

    do {
        n = ngx_read_fd(fd, text->data + len, max + 1 - len);
        len += n > 0 ? n : 0;

    } while (n > 0 && len <= max);

    (void) ngx_close_file(fd);

    if (n < 0 || len > max) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, n < 0 ? ngx_errno : 0,
                           "\"%V\": cannot read \"%V\"%s", &cmd->name, &name,
                           n < 0 ? "" : ": it is too long");
        return NGX_ERROR;
    }

    text->data[len] = '\0';
    text->len = len;

    return NGX_OK;
}
