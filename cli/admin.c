#include <stdlib.h>
#include <string.h>

#include "cli/admin.h"
#include "cli/http.h"

#define FCC_ADMIN_CONNECT  3000
#define FCC_ADMIN_MS       20000


int
fcc_admins(fcc_t *fcc, fcc_admins_t *out, fcf_err_t *err)
{
    char             name[FCF_KEY_MAX];
    size_t           i;
    fcf_key_t        key;
    fcc_admin_t     *node;
    fcc_reply_t      reply;
    const fcf_kv_t  *kv;

    memset(out, 0, sizeof(fcc_admins_t));

    if (fcc_list(fcc, fcf_key_workers(name, fcc->conf.prefix), &reply, err)
        != 0)
    {
        fcc_reply_free(&reply);
        return -1;
    }

    out->list = calloc(reply.nkvs + 1, sizeof(out->list[0]));

    for (i = 0; out->list != NULL && i < reply.nkvs; i++) {

        kv = &reply.kvs[i];
        fcf_key_parse(&key, fcc->conf.prefix, kv->key, kv->key_len);

        if (key.kind != FCF_KEY_WORKER) {
            continue;
        }

        node = &out->list[out->n++];
        (void) snprintf(node->id, sizeof(node->id), "%.*s", FCF_ID_MAX,
                        key.name);
        node->lease = kv->lease;
        node->valid = fcf_worker_decode(&node->worker, kv->value,
                                        kv->value_len, &node->why) == 0;
    }

    fcc_reply_free(&reply);

    return out->list != NULL ? 0
           : fcf_err_set(err, FCF_E_NOMEM, "no memory");
}


void
fcc_admins_free(fcc_admins_t *admins)
{
    free(admins->list);
    memset(admins, 0, sizeof(fcc_admins_t));
}


/* Behind TLS it has a name that all nodes have, for no certificate names an
 * address that may change. */
static void
fcc_admin_url(const fcc_t *fcc, const fcc_admin_ask_t *ask, char *url,
    size_t size, char *to, size_t to_size)
{
    const char  *port;

    port = strchr(ask->admin, ':');

    if (fcc->conf.node_ca == NULL || port == NULL) {
        *to = '\0';
        (void) snprintf(url, size, "http://%s%s", ask->admin, ask->path);
        return;
    }

    (void) snprintf(to, to_size, FCF_NODE_NAME "%s:%s", port, ask->admin);
    (void) snprintf(url, size, "https://" FCF_NODE_NAME "%s%s", port,
                    ask->path);
}


int
fcc_admin_get(fcc_t *fcc, const fcc_admin_ask_t *ask, long *status,
    fcf_buf_t *body, fcf_err_t *err)
{
    int              rc;
    char             url[640], token[1100], to[128];
    const char      *headers[2] = { NULL, NULL };
    fcf_http_call_t  call;

    fcc_admin_url(fcc, ask, url, sizeof(url), to, sizeof(to));

    if (fcc->conf.admin_token != NULL) {
        (void) snprintf(token, sizeof(token), "Authorization: Bearer %s",
                        fcc->conf.admin_token);
        headers[0] = token;
    }

    call = (fcf_http_call_t) {
        .method = "GET",
        .url = url,
        .headers = headers,
        .connect_to = *to != '\0' ? to : NULL,
        .ca = fcc->conf.node_ca,
        .cert = fcc->conf.node_cert,
        .key = fcc->conf.node_key,
        .connect_timeout_ms = FCC_ADMIN_CONNECT,
        .timeout_ms = ask->timeout_ms != 0 ? ask->timeout_ms : FCC_ADMIN_MS,
        .date_s = ask->date_s,
    };

    rc = fcc_http(fcc, &call, status, body, err);

    if (rc == 0 && (*status == 401 || *status == 403)) {
        rc = fcf_err_set(err, FCF_E_AUTH, "%s: wants another token: "
                         "admin_token_file", url);
    }

    return rc;
}
