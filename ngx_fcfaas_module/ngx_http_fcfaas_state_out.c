#include "ngx_fcfaas_module/ngx_http_fcfaas_state.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_table.h"

#include <fcntl.h>


/* functions and instances that a turn goes through */
#define NGX_HTTP_FCFAAS_STATE_STEPS  1024

/* bytes of the file before that go in one */
#define NGX_HTTP_FCFAAS_STATE_LESS   (1024 * 1024)


static void ngx_http_fcfaas_state_next(ngx_http_fcfaas_state_out_t *out);
static void ngx_http_fcfaas_state_function(ngx_http_fcfaas_state_out_t *out,
    ngx_http_fcfaas_function_t *f);
static void ngx_http_fcfaas_state_enter(ngx_http_fcfaas_state_out_t *out,
    ngx_http_fcfaas_function_t *f);
static void ngx_http_fcfaas_state_spec(ngx_http_fcfaas_state_out_t *out,
    ngx_http_fcfaas_function_t *f);
static void ngx_http_fcfaas_state_instance(ngx_http_fcfaas_state_out_t *out,
    ngx_http_fcfaas_instance_t *instance);
static char *ngx_http_fcfaas_state_room(ngx_http_fcfaas_state_out_t *out);
static void ngx_http_fcfaas_state_flush(ngx_http_fcfaas_state_out_t *out);
static void ngx_http_fcfaas_state_write(ngx_http_fcfaas_state_out_t *out,
    const u_char *data, size_t len, off_t offset);
static ngx_int_t ngx_http_fcfaas_state_finish(
    ngx_http_fcfaas_state_out_t *out);
static void ngx_http_fcfaas_state_fail(ngx_http_fcfaas_state_out_t *out,
    const char *what);


void
ngx_http_fcfaas_state_begin(ngx_http_fcfaas_state_out_t *out)
{
    ngx_http_fcfaas_state_enter(out, NULL);
    ngx_memzero(&out->info, sizeof(fcs_info_t));

    out->info.hash = FCS_HASH;
    out->used = 0;
    out->offset = FCS_HEAD;
    out->failed = NULL;
    out->err = 0;

    /* what somebody put there in its place is neither followed nor filled */

    (void) ngx_delete_file(out->temp);

    out->fd = open((char *) out->temp,
                   O_WRONLY|O_CREAT|O_EXCL|O_NOFOLLOW|O_CLOEXEC, 0600);

    if (out->fd == NGX_INVALID_FILE) {
        ngx_http_fcfaas_state_fail(out, "open()");
        return;
    }

    ngx_http_fcfaas_state_enter(out,
                                ngx_http_fcfaas_table_next(out->worker, NULL));
}


ngx_int_t
ngx_http_fcfaas_state_turn(ngx_http_fcfaas_state_out_t *out)
{
    ngx_uint_t  n;

    for (n = 0; n < NGX_HTTP_FCFAAS_STATE_STEPS && out->failed == NULL; n++) {

        if (out->function) {
            ngx_http_fcfaas_state_next(out);

        } else if (ngx_http_fcfaas_state_finish(out) == NGX_OK) {
            return NGX_OK;
        }
    }

    if (out->failed == NULL) {
        return NGX_AGAIN;
    }

    ngx_http_fcfaas_state_drop(out);

    return NGX_ERROR;
}


void
ngx_http_fcfaas_state_drop(ngx_http_fcfaas_state_out_t *out)
{
    ngx_http_fcfaas_state_enter(out, NULL);

    if (out->fd != NGX_INVALID_FILE) {
        (void) ngx_close_file(out->fd);
        out->fd = NGX_INVALID_FILE;
        (void) ngx_delete_file(out->temp);
    }
}


/* the next instance of the function at hand, or the function after it */
static void
ngx_http_fcfaas_state_next(ngx_http_fcfaas_state_out_t *out)
{
    ngx_http_fcfaas_instance_t  *instance;

    instance = ngx_http_fcfaas_table_instance_after(out->function,
                                                    out->worker_id);
    if (instance == NULL) {
        ngx_http_fcfaas_state_enter(out,
                    ngx_http_fcfaas_table_next(out->worker, out->function));
        return;
    }

    ngx_memcpy(out->worker_id, instance->worker_id, sizeof(out->worker_id));
    ngx_http_fcfaas_state_instance(out, instance);
}


/* from the one before to this one (NULL: none), which is held on to: all that
 * is in it may take several turns */
static void
ngx_http_fcfaas_state_enter(ngx_http_fcfaas_state_out_t *out,
    ngx_http_fcfaas_function_t *f)
{
    ngx_http_fcfaas_function_t  *before;

    before = out->function;
    out->function = f;
    out->worker_id[0] = '\0';

    if (f) {
        f->refs++;
        ngx_http_fcfaas_state_function(out, f);
    }

    if (before) {
        before->refs--;
        ngx_http_fcfaas_table_release(before);
    }
}


static void
ngx_http_fcfaas_state_function(ngx_http_fcfaas_state_out_t *out,
    ngx_http_fcfaas_function_t *f)
{
    char        *p;
    ngx_uint_t   i;

    if (f->declared) {
        ngx_http_fcfaas_state_spec(out, f);
    }

    for (i = 0; i < f->nversions; i++) {
        p = ngx_http_fcfaas_state_room(out);
        out->used += fcs_put_version(p, (char *) f->id.data,
                                     f->versions[i].version);
    }
}


static void
ngx_http_fcfaas_state_spec(ngx_http_fcfaas_state_out_t *out,
    ngx_http_fcfaas_function_t *f)
{
    char        *p;
    fcf_spec_t   spec;
    ngx_uint_t   i;

    fcf_spec_default(&spec);

    spec.version = f->spec.version;
    spec.cpu = (int) f->spec.cpu;
    spec.memory_mb = (int) f->spec.memory;
    spec.concurrency = (int) f->spec.concurrency;
    spec.min_instances = (int) f->spec.min_instances;
    spec.max_instances = (int) f->spec.max_instances;
    spec.timeout_s = (int) f->spec.timeout_s;

    spec.ntraffic = (unsigned) f->ntraffic;

    for (i = 0; i < f->ntraffic; i++) {
        spec.traffic[i].version = f->traffic[i].version;
        spec.traffic[i].percent = (int) f->traffic[i].percent;
    }

    p = ngx_http_fcfaas_state_room(out);
    out->used += fcs_put_spec(p, (char *) f->id.data, &spec);
    out->info.nspecs++;
}


/* also one whose key has vanished: it serves as long as its port answers */
static void
ngx_http_fcfaas_state_instance(ngx_http_fcfaas_state_out_t *out,
    ngx_http_fcfaas_instance_t *instance)
{
    char            *p;
    size_t           len;
    fcf_instance_t   value;

    ngx_memzero(&value, sizeof(fcf_instance_t));

    len = ngx_sock_ntop(&instance->sockaddr.sockaddr, instance->socklen,
                        (u_char *) value.worker_ip, FCF_ADDR_MAX - 1, 0);
    value.worker_ip[len] = '\0';

    value.proxy_port = ngx_inet_get_port(&instance->sockaddr.sockaddr);
    value.version = instance->version;
    value.concurrency = (int) instance->concurrency;
    value.state = instance->draining ? FCF_INSTANCE_DRAINING
                                     : FCF_INSTANCE_READY;

    p = ngx_http_fcfaas_state_room(out);
    out->used += fcs_put_instance(p, (char *) instance->function->id.data,
                                  (char *) instance->worker_id, &value);
    out->info.ninstances++;
}


static char *
ngx_http_fcfaas_state_room(ngx_http_fcfaas_state_out_t *out)
{
    if (NGX_HTTP_FCFAAS_STATE_BUF - out->used < FCS_RECORD_MAX) {
        ngx_http_fcfaas_state_flush(out);
    }

    return (char *) out->buf + out->used;
}


static void
ngx_http_fcfaas_state_flush(ngx_http_fcfaas_state_out_t *out)
{
    out->info.hash = fcs_hash(out->info.hash, (char *) out->buf, out->used);
    out->info.length += out->used;

    ngx_http_fcfaas_state_write(out, out->buf, out->used, out->offset);

    /* on its way to the disk, a piece each turn; nobody waits for that */

    (void) sync_file_range(out->fd, out->offset, out->used,
                           SYNC_FILE_RANGE_WRITE);

    out->offset += out->used;
    out->used = 0;
}


/* into the page cache; a failure stays until the end of the turn */
static void
ngx_http_fcfaas_state_write(ngx_http_fcfaas_state_out_t *out,
    const u_char *data, size_t len, off_t offset)
{
    ssize_t  n;

    while (len && out->failed == NULL) {

        n = pwrite(out->fd, data, len, offset);

        if (n == -1 && ngx_errno == NGX_EINTR) {
            continue;
        }

        if (n <= 0) {
            ngx_http_fcfaas_state_fail(out, "write()");
            return;
        }

        data += n;
        len -= n;
        offset += n;
    }
}


static ngx_int_t
ngx_http_fcfaas_state_finish(ngx_http_fcfaas_state_out_t *out)
{
    u_char                       head[FCS_HEAD];
    ngx_http_fcfaas_main_conf_t *fmcf;

    fmcf = out->worker->conf;

    ngx_http_fcfaas_state_flush(out);

    out->info.written = ngx_time();
    (void) ngx_cpystrn((u_char *) out->info.prefix,
                       (u_char *) out->worker->prefix,
                       sizeof(out->info.prefix));

    fcs_put_head((char *) head, &out->info);
    ngx_http_fcfaas_state_write(out, head, FCS_HEAD, 0);

    if (out->failed) {
        return NGX_ERROR;
    }

    /* the file that loses its name goes with the last descriptor, all of it at
     * once: see ngx_http_fcfaas_state_shrink() */

    out->old = open((char *) fmcf->state_file.data,
                    O_WRONLY|O_NOFOLLOW|O_NONBLOCK|O_CLOEXEC);

    if (ngx_rename_file(out->temp, fmcf->state_file.data)
        == NGX_FILE_ERROR)
    {
        ngx_http_fcfaas_state_fail(out, "rename()");
        (void) ngx_http_fcfaas_state_shrink(out);
        return NGX_ERROR;
    }

    (void) ngx_close_file(out->fd);
    out->fd = NGX_INVALID_FILE;

    return NGX_OK;
}


ngx_int_t
ngx_http_fcfaas_state_shrink(ngx_http_fcfaas_state_out_t *out)
{
    off_t            size;
    ngx_file_info_t  fi;

    if (out->old == NGX_INVALID_FILE) {
        return NGX_OK;
    }

    /* another name may be somebody's copy */

    if (ngx_fd_info(out->old, &fi) != NGX_FILE_ERROR && ngx_is_file(&fi)
        && fi.st_nlink == 0)
    {
        size = ngx_file_size(&fi) - NGX_HTTP_FCFAAS_STATE_LESS;

        if (size > 0 && ftruncate(out->old, size) == 0) {
            return NGX_AGAIN;
        }
    }

    (void) ngx_close_file(out->old);
    out->old = NGX_INVALID_FILE;

    return NGX_OK;
}


static void
ngx_http_fcfaas_state_fail(ngx_http_fcfaas_state_out_t *out, const char *what)
{
    out->err = ngx_errno;
    out->failed = what;
}
