/* The list of nodes, read when somebody asks, and who waits for it. */

#include "ngx_fcfaas_module/ngx_http_fcfaas_nodes_int.h"


#define NGX_HTTP_FCFAAS_NODES_FRESH    1000
/* longer than the client tries; this timer also keeps a leaving worker until
 * those who wait are answered */
#define NGX_HTTP_FCFAAS_NODES_TIMEOUT  5000


/* a request that waits for the list */
typedef struct {
    ngx_queue_t                  queue;
    ngx_http_request_t          *request;
    ngx_event_t                  timer;
    unsigned                     content:1;     /* it is to be answered, else
                                                   it goes on in its phases */
    unsigned                     queued:1;
} ngx_http_fcfaas_nodes_wait_t;


static void ngx_http_fcfaas_nodes_listed(void *arg,
    const fcf_etcd_reply_t *reply, const fcf_err_t *err);
static json_t *ngx_http_fcfaas_nodes_list(ngx_http_fcfaas_worker_t *w,
    const fcf_etcd_reply_t *reply);
static json_t *ngx_http_fcfaas_nodes_one(ngx_http_fcfaas_worker_t *w,
    const fcf_kv_t *kv);
static void ngx_http_fcfaas_nodes_failed(ngx_http_fcfaas_nodes_t *nodes,
    const char *why, const char *detail);
static void ngx_http_fcfaas_nodes_wake(ngx_http_fcfaas_nodes_t *nodes);
static void ngx_http_fcfaas_nodes_resume(ngx_http_fcfaas_nodes_wait_t *wait);
static void ngx_http_fcfaas_nodes_timeout(ngx_event_t *ev);
static void ngx_http_fcfaas_nodes_cleanup(void *data);


ngx_http_fcfaas_nodes_t *
ngx_http_fcfaas_nodes_get(ngx_http_request_t *r)
{
    ngx_http_fcfaas_nodes_t      *nodes;
    ngx_http_fcfaas_worker_t     *w;
    ngx_http_fcfaas_main_conf_t  *fmcf;

    fmcf = ngx_http_get_module_main_conf(r, ngx_http_fcfaas_module);
    w = fmcf->worker;

    if (w == NULL) {
        return NULL;
    }

    if (w->nodes == NULL) {

        nodes = ngx_pcalloc(w->pool, sizeof(ngx_http_fcfaas_nodes_t));
        if (nodes == NULL) {
            return NULL;
        }

        nodes->worker = w;
        ngx_queue_init(&nodes->waiting);
        w->nodes = nodes;
    }

    return w->nodes;
}


ngx_uint_t
ngx_http_fcfaas_nodes_fresh(ngx_http_fcfaas_nodes_t *nodes)
{
    return nodes->answered
           && !ngx_http_fcfaas_past(nodes->looked
                                    + NGX_HTTP_FCFAAS_NODES_FRESH);
}


ngx_int_t
ngx_http_fcfaas_nodes_wait(ngx_http_request_t *r,
    ngx_http_fcfaas_nodes_t *nodes, ngx_uint_t content)
{
    char                           key[FCF_KEY_MAX];
    ngx_connection_t              *c;
    ngx_pool_cleanup_t            *cln;
    ngx_http_fcfaas_nodes_wait_t  *wait;

    c = r->connection;

    if (nodes->call == NULL) {

        nodes->call = fcf_etcd_list(nodes->worker->etcd,
                                    fcf_key_workers(key,
                                                    nodes->worker->prefix),
                                    ngx_http_fcfaas_nodes_listed, nodes);
        if (nodes->call == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_http_fcfaas_nodes_wait_t));
    if (cln == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    wait = cln->data;
    ngx_memzero(wait, sizeof(ngx_http_fcfaas_nodes_wait_t));

    wait->request = r;
    wait->content = content;
    wait->timer.handler = ngx_http_fcfaas_nodes_timeout;
    wait->timer.data = wait;
    wait->timer.log = c->log;

    cln->handler = ngx_http_fcfaas_nodes_cleanup;

    if (c->read->ready) {
        ngx_post_event(c->read, &ngx_posted_events);

    } else if (ngx_handle_read_event(c->read, 0) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->read_event_handler = ngx_http_test_reading;
    r->write_event_handler = ngx_http_request_empty_handler;

    wait->queued = 1;
    ngx_queue_insert_tail(&nodes->waiting, &wait->queue);
    ngx_add_timer(&wait->timer, NGX_HTTP_FCFAAS_NODES_TIMEOUT);

    return NGX_OK;
}


static void
ngx_http_fcfaas_nodes_listed(void *arg, const fcf_etcd_reply_t *reply,
    const fcf_err_t *err)
{
    ngx_http_fcfaas_nodes_t *nodes = arg;

    json_t  *list;

    nodes->call = NULL;

    if (nodes->worker->closing) {
        return;
    }

    nodes->answered = 1;
    nodes->looked = ngx_current_msec;

    if (err) {
        ngx_http_fcfaas_nodes_failed(nodes,
                      err->code == FCF_E_AUTH || err->code == FCF_E_REFUSED
                      ? "etcd does not let this gateway read the nodes"
                      : "etcd does not answer", err->msg);

    } else {
        list = ngx_http_fcfaas_nodes_list(nodes->worker, reply);

        if (list) {
            json_decref(nodes->list);
            nodes->list = list;
            nodes->listed = ngx_current_msec;
            nodes->why = NULL;

        } else {
            ngx_http_fcfaas_nodes_failed(nodes, "no memory", "");
        }
    }

    ngx_http_fcfaas_nodes_wake(nodes);
}


/* NULL: no memory */
static json_t *
ngx_http_fcfaas_nodes_list(ngx_http_fcfaas_worker_t *w,
    const fcf_etcd_reply_t *reply)
{
    size_t   i;
    json_t  *list, *node;

    list = json_array();

    for (i = 0; list && i < reply->nkvs; i++) {

        node = ngx_http_fcfaas_nodes_one(w, &reply->kvs[i]);

        if (node) {
            json_array_append_new(list, node);
        }
    }

    return list;
}


/* {"told": what a client is told, "id", "admin"}; NULL: it is no node */
static json_t *
ngx_http_fcfaas_nodes_one(ngx_http_fcfaas_worker_t *w, const fcf_kv_t *kv)
{
    json_t        *told;
    fcf_err_t      err;
    fcf_key_t      key;
    fcf_worker_t   node;

    fcf_key_parse(&key, w->prefix, kv->key, kv->key_len);

    if (key.kind != FCF_KEY_WORKER) {
        return NULL;
    }

    if (fcf_worker_decode(&node, kv->value, kv->value_len, &err) != 0) {
        ngx_log_error(NGX_LOG_INFO, w->log, 0, "fcfaas: node \"%s\": %s",
                      key.name, err.msg);
        return NULL;
    }

    told = json_pack("{s:s, s:s, s:s, s:s, s:s, s:i, s:i, s:i, s:i, s:i, s:b}",
                     "node_id", key.name,
                     "state", fcf_worker_state_name(node.state),
                     "reason", node.reason,
                     "agent_version", node.agent_version,
                     "vmm_version", node.vmm_version,
                     "cpu", node.cpu, "cpu_free", node.cpu_free,
                     "memory_mb", node.memory_mb,
                     "memory_mb_free", node.memory_mb_free,
                     "vms", node.vms, "admin", node.admin[0] != '\0');

    return told ? json_pack("{s:s, s:s, s:o}", "id", key.name,
                            "admin", node.admin, "told", told)
                : NULL;
}


/* told once, until it changes */
static void
ngx_http_fcfaas_nodes_failed(ngx_http_fcfaas_nodes_t *nodes, const char *why,
    const char *detail)
{
    if (nodes->why == NULL || ngx_strcmp(nodes->why, why) != 0) {
        ngx_log_error(NGX_LOG_NOTICE, nodes->worker->log, 0,
                      "fcfaas: the list of nodes: %s: %s", why, detail);
    }

    nodes->why = why;
}


static void
ngx_http_fcfaas_nodes_wake(ngx_http_fcfaas_nodes_t *nodes)
{
    ngx_queue_t                   *q;
    ngx_http_fcfaas_nodes_wait_t  *wait;

    while (!ngx_queue_empty(&nodes->waiting)) {

        q = ngx_queue_head(&nodes->waiting);
        wait = ngx_queue_data(q, ngx_http_fcfaas_nodes_wait_t, queue);

        ngx_http_fcfaas_nodes_cleanup(wait);
        ngx_http_fcfaas_nodes_resume(wait);
    }
}


/* wait belongs to the request, which may be gone afterwards */
static void
ngx_http_fcfaas_nodes_resume(ngx_http_fcfaas_nodes_wait_t *wait)
{
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = wait->request;
    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    if (wait->content) {
        ngx_http_finalize_request(r, ngx_http_fcfaas_nodes_send(r));

    } else {
        r->read_event_handler = ngx_http_block_reading;
        r->write_event_handler = ngx_http_core_run_phases;
        ngx_http_core_run_phases(r);
    }

    ngx_http_run_posted_requests(c);
}


static void
ngx_http_fcfaas_nodes_timeout(ngx_event_t *ev)
{
    ngx_http_fcfaas_nodes_t       *nodes;
    ngx_http_fcfaas_nodes_wait_t  *wait;

    wait = ev->data;
    nodes = ngx_http_fcfaas_nodes_get(wait->request);

    ngx_http_fcfaas_nodes_failed(nodes, "etcd does not answer", "in time");

    nodes->answered = 1;
    nodes->looked = ngx_current_msec;

    ngx_http_fcfaas_nodes_wake(nodes);
}


static void
ngx_http_fcfaas_nodes_cleanup(void *data)
{
    ngx_http_fcfaas_nodes_wait_t *wait = data;

    if (!wait->queued) {
        return;
    }

    wait->queued = 0;
    ngx_queue_remove(&wait->queue);

    if (wait->timer.timer_set) {
        ngx_del_timer(&wait->timer);
    }
}


void
ngx_http_fcfaas_nodes_done(ngx_http_fcfaas_worker_t *w)
{
    if (w->nodes) {
        json_decref(w->nodes->list);
        w->nodes->list = NULL;
    }
}
