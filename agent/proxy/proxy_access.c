/* Who may send requests: replaced as a whole while the loops run. */

#include <stdlib.h>
#include <string.h>
#include "agent/proxy/proxy_int.h"


void
fca_access_release(fca_access_t *access)
{
    if (access && atomic_fetch_sub(&access->refs, 1) == 1) {
        explicit_bzero(access->token, sizeof(access->token));
        free(access);
    }
}


fca_access_t *
fca_access_new(const fca_proxy_conf_t *conf, unsigned refs, fcf_err_t *err)
{
    fca_access_t  *access;

    if (conf->token_len > FCA_ACCESS_TOKEN_MAX
        || conf->nallow > FCA_ACCESS_ALLOW_MAX)
    {
        fcf_err_set(err, FCF_E_LIMIT, "proxy: a token of %zu bytes, %zu "
                    "networks", conf->token_len, conf->nallow);
        return NULL;
    }

    access = calloc(1, sizeof(*access));
    if (access == NULL) {
        fcf_err_set(err, FCF_E_NOMEM, "out of memory");
        return NULL;
    }

    atomic_store(&access->refs, refs);
    access->token_len = conf->token_len;
    access->nallow = conf->nallow;

    if (conf->token_len) {
        memcpy(access->token, conf->token, conf->token_len);
    }

    if (conf->nallow) {
        memcpy(access->allow, conf->allow, conf->nallow * sizeof(fca_cidr_t));
    }

    return access;
}


int
fca_proxy_access(fca_proxy_t *proxy, const fca_proxy_conf_t *conf,
    fcf_err_t *err)
{
    unsigned       i;
    fca_msg_t     *msgs, *msg;
    fca_access_t  *access;

    msgs = NULL;

    for (i = 0; i < proxy->nloops; i++) {
        msg = calloc(1, sizeof(*msg));
        if (msg == NULL) {
            fcf_err_set(err, FCF_E_NOMEM, "out of memory");
            goto failed;
        }

        msg->next = msgs;
        msgs = msg;
    }

    access = fca_access_new(conf, proxy->nloops, err);
    if (access == NULL) {
        goto failed;
    }

    for (i = 0; i < proxy->nloops; i++) {
        msg = msgs;
        msgs = msg->next;
        msg->type = FCA_MSG_ACCESS;
        msg->access = access;
        fca_dloop_send(&proxy->loops[i], msg);
    }

    return 0;

failed:

    while (msgs) {
        msg = msgs;
        msgs = msg->next;
        free(msg);
    }

    return -1;
}
