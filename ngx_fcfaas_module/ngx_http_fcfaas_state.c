#include "ngx_fcfaas_module/ngx_http_fcfaas_state.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_apply.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_registry.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_table.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_traffic.h"

#include <fcntl.h>


#define NGX_HTTP_FCFAAS_STATE_LOOK       1000
#define NGX_HTTP_FCFAAS_STATE_TURN_TIME     5


struct ngx_http_fcfaas_state_s {
    ngx_http_fcfaas_state_out_t  out;
    ngx_event_t                  timer;
    uint64_t                     written;       /* changes seen until then */
    uint64_t                     writing;
    ngx_msec_t                   next;          /* not before */
    ngx_file_uniq_t              ours;          /* the file read or written */
    unsigned                     busy:1;
    unsigned                     told:1;        /* that it cannot be */
};


static void ngx_http_fcfaas_state_load(ngx_http_fcfaas_worker_t *w);
static u_char *ngx_http_fcfaas_state_read(ngx_http_fcfaas_worker_t *w,
    size_t *len, const char **why);
static void ngx_http_fcfaas_state_apply(ngx_http_fcfaas_worker_t *w,
    u_char *data, size_t len);
static void ngx_http_fcfaas_state_on_spec(void *arg, const char *function_id,
    const fcf_spec_t *spec);
static void ngx_http_fcfaas_state_on_instance(void *arg,
    const char *function_id, const char *worker_id,
    const fcf_instance_t *instance);
static void ngx_http_fcfaas_state_on_version(void *arg,
    const char *function_id, int64_t version);
static void ngx_http_fcfaas_state_timer(ngx_event_t *ev);
static void ngx_http_fcfaas_state_done(ngx_http_fcfaas_state_t *state,
    ngx_int_t rc);
static uint64_t ngx_http_fcfaas_state_changes(ngx_http_fcfaas_worker_t *w);
static ngx_file_uniq_t ngx_http_fcfaas_state_which(
    ngx_http_fcfaas_worker_t *w);


char *
ngx_http_fcfaas_state_conf(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_fcfaas_main_conf_t *fmcf = conf;

    ngx_str_t  *value, interval;

    value = cf->args->elts;

    if (fmcf->state_file.data) {
        return "is duplicate";
    }

    if (value[1].len == 0) {
        return "needs a file's name";
    }

    fmcf->state_file = value[1];
    fmcf->state_interval = 30000;

    if (ngx_conf_full_name(cf->cycle, &fmcf->state_file, 0) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (cf->args->nelts == 2) {
        return NGX_CONF_OK;
    }

    if (ngx_strncmp(value[2].data, "interval=", 9) == 0) {
        interval.data = value[2].data + 9;
        interval.len = value[2].len - 9;

        fmcf->state_interval = ngx_parse_time(&interval, 0);

        if (fmcf->state_interval != (ngx_msec_t) NGX_ERROR
            && fmcf->state_interval >= 1000)
        {
            return NGX_CONF_OK;
        }
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid parameter \"%V\" in \"%V\" directive: it "
                       "takes \"interval=\" and a time of a second or more",
                       &value[2], &cmd->name);

    return NGX_CONF_ERROR;
}


ngx_int_t
ngx_http_fcfaas_state_start(ngx_http_fcfaas_worker_t *w)
{
    ngx_str_t                *file;
    ngx_http_fcfaas_state_t  *state;

    file = &w->conf->state_file;

    if (file->len == 0) {
        return NGX_OK;
    }

    ngx_http_fcfaas_state_load(w);

    if (ngx_worker != 0) {
        return NGX_OK;
    }

    state = ngx_pcalloc(w->pool, sizeof(ngx_http_fcfaas_state_t));
    if (state == NULL) {
        return NGX_ERROR;
    }

    state->out.worker = w;
    state->out.fd = NGX_INVALID_FILE;
    state->out.old = NGX_INVALID_FILE;
    state->out.buf = ngx_palloc(w->pool, NGX_HTTP_FCFAAS_STATE_BUF);
    state->out.temp = ngx_palloc(w->pool, file->len + sizeof(".new.")
                                          + NGX_INT64_LEN);

    if (state->out.buf == NULL || state->out.temp == NULL) {
        return NGX_ERROR;
    }

    ngx_sprintf(state->out.temp, "%V.new.%P%Z", file, ngx_pid);

    state->ours = ngx_http_fcfaas_state_which(w);
    state->next = ngx_current_msec;

    state->timer.handler = ngx_http_fcfaas_state_timer;
    state->timer.data = (void *) &ngx_http_fcfaas_no_connection;
    state->timer.log = w->log;
    state->timer.cancelable = 1;

    ngx_add_timer(&state->timer, NGX_HTTP_FCFAAS_STATE_LOOK);

    w->state = state;

    return NGX_OK;
}


void
ngx_http_fcfaas_state_stop(ngx_http_fcfaas_worker_t *w)
{
    ngx_int_t                 rc;
    ngx_http_fcfaas_state_t  *state;

    state = w->state;

    if (state == NULL) {
        return;
    }

    w->state = NULL;

    if (state->timer.timer_set) {
        ngx_del_timer(&state->timer);
    }

    ngx_http_fcfaas_state_drop(&state->out);

    if (state->out.old != NGX_INVALID_FILE) {
        (void) ngx_close_file(state->out.old);
        state->out.old = NGX_INVALID_FILE;
    }

    /* after a reload the file may be that of a worker of now */

    if (!w->listed || w->listing
        || ngx_http_fcfaas_state_changes(w) == state->written
        || ngx_http_fcfaas_state_which(w) != state->ours)
    {
        return;
    }

    ngx_http_fcfaas_state_begin(&state->out);

    do {
        rc = ngx_http_fcfaas_state_turn(&state->out);
    } while (rc == NGX_AGAIN);

    ngx_http_fcfaas_state_done(state, rc);
}


static void
ngx_http_fcfaas_state_load(ngx_http_fcfaas_worker_t *w)
{
    size_t       len;
    u_char      *data;
    fcf_err_t    err;
    fcs_info_t   info;
    const char  *why;

    why = NULL;
    data = ngx_http_fcfaas_state_read(w, &len, &why);

    if (data == NULL && why == NULL) {
        return;                         /* there is none yet */
    }

    if (data && fcs_check(&info, (char *) data, len, w->prefix, &err) == 0) {

        ngx_http_fcfaas_state_apply(w, data, len);

        if (ngx_worker == 0) {
            ngx_log_error(NGX_LOG_NOTICE, w->log, 0,
                          "fcfaas: \"%V\" knows %uD functions and %uD "
                          "instances, as of %T s ago", &w->conf->state_file,
                          info.nspecs, info.ninstances,
                          (time_t) (ngx_time() - info.written));
        }

    } else if (ngx_worker == 0) {
        ngx_log_error(NGX_LOG_WARN, w->log, 0,
                      "fcfaas: \"%V\" is not used: it %s",
                      &w->conf->state_file, data ? err.msg : why);
    }

    if (data) {
        ngx_free(data);
    }
}


/* the whole file; NULL: why says what is wrong, unless there is none */
static u_char *
ngx_http_fcfaas_state_read(ngx_http_fcfaas_worker_t *w, size_t *len,
    const char **why)
{
    int              fd;
    size_t           size, got;
    u_char          *data;
    ssize_t          n;
    ngx_file_info_t  fi;

    fd = open((char *) w->conf->state_file.data,
              O_RDONLY|O_NOFOLLOW|O_NONBLOCK|O_CLOEXEC);

    if (fd == -1) {
        *why = ngx_errno == NGX_ENOENT ? NULL : "cannot be opened";
        return NULL;
    }

    data = NULL;

    if (ngx_fd_info(fd, &fi) == NGX_FILE_ERROR || !ngx_is_file(&fi)
        || (uint64_t) ngx_file_size(&fi) > FCS_FILE_MAX)
    {
        *why = "is no file, or too long";
        goto done;
    }

    size = (size_t) ngx_file_size(&fi);
    data = ngx_alloc(size + 1, w->log);

    if (data == NULL) {
        *why = "does not fit into memory";
        goto done;
    }

    for (got = 0; got < size; got += n) {
        n = ngx_read_fd(fd, data + got, size - got);

        if (n <= 0) {
            break;
        }
    }

    *len = got;

done:

    (void) ngx_close_file(fd);

    return data;
}


static void
ngx_http_fcfaas_state_apply(ngx_http_fcfaas_worker_t *w, u_char *data,
    size_t len)
{
    static const fcs_handler_t  handler = {
        .spec = ngx_http_fcfaas_state_on_spec,
        .instance = ngx_http_fcfaas_state_on_instance,
        .version = ngx_http_fcfaas_state_on_version
    };

    /* the first list of etcd's is a later generation, and judges it */

    w->generation++;
    w->spec_generation++;
    w->listing = NGX_HTTP_FCFAAS_LIST_ALL;
    w->kept = 1;

    fcs_each((char *) data, len, &handler, w);

    w->listing = 0;
}


static void
ngx_http_fcfaas_state_on_spec(void *arg, const char *function_id,
    const fcf_spec_t *spec)
{
    ngx_http_fcfaas_worker_t  *w = arg;

    fcf_err_t                    err;
    ngx_http_fcfaas_function_t  *f;

    f = ngx_http_fcfaas_table_get(w, (u_char *) function_id,
                                  ngx_strlen(function_id));

    if (f) {
        f->refs++;
        (void) ngx_http_fcfaas_apply_spec_value(f, spec, &err);
        ngx_http_fcfaas_registry_done(f);
    }
}


static void
ngx_http_fcfaas_state_on_instance(void *arg, const char *function_id,
    const char *worker_id, const fcf_instance_t *instance)
{
    ngx_http_fcfaas_worker_t  *w = arg;

    fcf_err_t                    err;
    ngx_http_fcfaas_function_t  *f;

    f = ngx_http_fcfaas_table_get(w, (u_char *) function_id,
                                  ngx_strlen(function_id));

    if (f) {
        f->refs++;
        (void) ngx_http_fcfaas_apply_instance_value(f, worker_id, instance,
                                                    &err);
        ngx_http_fcfaas_registry_done(f);
    }
}


static void
ngx_http_fcfaas_state_on_version(void *arg, const char *function_id,
    int64_t version)
{
    ngx_http_fcfaas_worker_t  *w = arg;

    ngx_http_fcfaas_function_t  *f;

    f = ngx_http_fcfaas_table_get(w, (u_char *) function_id,
                                  ngx_strlen(function_id));

    if (f) {
        f->refs++;
        (void) ngx_http_fcfaas_traffic_learn(f, version);
        ngx_http_fcfaas_registry_done(f);
    }
}


static void
ngx_http_fcfaas_state_timer(ngx_event_t *ev)
{
    ngx_int_t                  rc;
    ngx_http_fcfaas_state_t   *state;
    ngx_http_fcfaas_worker_t  *w;

    state = ngx_queue_data(ev, ngx_http_fcfaas_state_t, timer);
    w = state->out.worker;

    if (!state->busy) {

        if (ngx_http_fcfaas_state_shrink(&state->out) == NGX_AGAIN) {
            ngx_add_timer(ev, NGX_HTTP_FCFAAS_STATE_TURN_TIME);
            return;
        }

        if (!w->listed || w->listing || !ngx_http_fcfaas_past(state->next)
            || ngx_http_fcfaas_state_changes(w) == state->written)
        {
            ngx_add_timer(ev, NGX_HTTP_FCFAAS_STATE_LOOK);
            return;
        }

        state->busy = 1;
        state->writing = ngx_http_fcfaas_state_changes(w);
        ngx_http_fcfaas_state_begin(&state->out);
    }

    rc = ngx_http_fcfaas_state_turn(&state->out);

    if (rc == NGX_AGAIN) {
        ngx_add_timer(ev, NGX_HTTP_FCFAAS_STATE_TURN_TIME);
        return;
    }

    ngx_http_fcfaas_state_done(state, rc);
    ngx_add_timer(ev, NGX_HTTP_FCFAAS_STATE_LOOK);
}


static void
ngx_http_fcfaas_state_done(ngx_http_fcfaas_state_t *state, ngx_int_t rc)
{
    ngx_http_fcfaas_worker_t  *w;

    w = state->out.worker;

    state->busy = 0;
    state->next = ngx_current_msec + w->conf->state_interval;

    if (rc == NGX_OK) {
        state->written = state->writing;
        state->ours = ngx_http_fcfaas_state_which(w);

        if (state->told) {
            state->told = 0;
            ngx_log_error(NGX_LOG_NOTICE, w->log, 0,
                          "fcfaas: \"%V\" is written again",
                          &w->conf->state_file);
        }

        return;
    }

    if (!state->told) {
        state->told = 1;
        ngx_log_error(NGX_LOG_ERR, w->log, state->out.err,
                      "fcfaas: \"%V\" cannot be written, what there was "
                      "stays: %s of \"%s\" failed; its directory must let "
                      "nginx's \"user\" make files", &w->conf->state_file,
                      state->out.failed, state->out.temp);
    }
}


static uint64_t
ngx_http_fcfaas_state_changes(ngx_http_fcfaas_worker_t *w)
{
    fcf_sync_stat_t  stat;

    fcf_sync_stat(w->sync, &stat);

    return stat.events + stat.lists;
}


/* 0: there is none */
static ngx_file_uniq_t
ngx_http_fcfaas_state_which(ngx_http_fcfaas_worker_t *w)
{
    ngx_file_info_t  fi;

    return ngx_file_info(w->conf->state_file.data, &fi) == NGX_FILE_ERROR
           ? 0 : ngx_file_uniq(&fi);
}
