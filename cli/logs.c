/* fcfaas logs: what instances of a function printed, also of those that are
 * gone, as the agents' admin listeners tell it. */

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/call.h"
#include "cli/http.h"
#include "cli/table.h"
#include "contract/fcf_text.h"

#define FCC_LOGS_MAX      (17 * 1024 * 1024)
#define FCC_LOGS_CONNECT  3000
#define FCC_LOGS_MS       20000

typedef struct {
    fcc_t        *fcc;
    const char   *instance;             /* only of this one; NULL: all */
    int64_t       version;              /* 0: all */
    json_t       *json;                 /* NULL: text goes out at once */
    size_t        parts;
} fcc_logs_t;


static void
fcc_logs_text(const char *text, size_t len)
{
    char  *clean;

    clean = malloc(len * FCF_TEXT_GROWS + 1);

    if (clean != NULL) {
        len = fcf_text_clean(clean, len * FCF_TEXT_GROWS + 1, text, len,
                             FCF_TEXT_LINES);
        (void) fwrite(clean, 1, len, stdout);
        free(clean);
    }
}


/* "== n1-4, version 2, gone" and what follows, up to the next of these */
static void
fcc_logs_part(fcc_logs_t *logs, const char *node, const char *part,
    size_t len)
{
    char      instance[FCF_WORKER_ID_MAX + 1], state[32];
    size_t    head;
    int64_t   version;

    head = strcspn(part, "\n");
    head = head < len ? head + 1 : len;

    if (sscanf(part, "== %96[^,], version %" SCNd64 ", %31[a-z]", instance,
               &version, state) != 3
        || (logs->instance != NULL && strcmp(logs->instance, instance) != 0)
        || (logs->version != 0 && logs->version != version))
    {
        return;
    }

    logs->parts++;

    if (logs->json == NULL) {
        (void) printf("== %s, version %" PRId64 ", %s\n", instance, version,
                      state);
        fcc_logs_text(part + head, len - head);
        return;
    }

    (void) json_array_append_new(logs->json, json_pack(
        "{s:s, s:s, s:I, s:s, s:o}", "instance", instance, "node", node,
        "version", (json_int_t) version, "state", state,
        "text", json_stringn(part + head, len - head)));
}


static void
fcc_logs_parts(fcc_logs_t *logs, const char *node, const char *text)
{
    const char  *part, *next;

    for (part = text; part != NULL && *part != '\0'; part = next) {

        next = strstr(part, "\n== ");
        next = next != NULL ? next + 1 : NULL;

        fcc_logs_part(logs, node, part, next != NULL ? (size_t) (next - part)
                                                     : strlen(part));
    }
}


static int
fcc_logs_node(fcc_logs_t *logs, const char *name, const char *node,
    const char *admin, fcf_err_t *err)
{
    int              rc;
    char             url[256], token[1100];
    long             status;
    fcf_buf_t        body;
    const char      *headers[2] = { NULL, NULL };
    fcf_http_call_t  call;

    (void) snprintf(url, sizeof(url), "http://%s/functions/%s/output", admin,
                    name);

    if (logs->fcc->conf.admin_token != NULL) {
        (void) snprintf(token, sizeof(token), "Authorization: Bearer %s",
                        logs->fcc->conf.admin_token);
        headers[0] = token;
    }

    call = (fcf_http_call_t) {
        .method = "GET",
        .url = url,
        .headers = headers,
        .connect_timeout_ms = FCC_LOGS_CONNECT,
        .timeout_ms = FCC_LOGS_MS,
    };

    fcf_buf_init(&body, FCC_LOGS_MAX);
    rc = fcc_http(logs->fcc, &call, &status, &body, err);

    if (rc == 0 && (status == 401 || status == 403)) {
        rc = fcf_err_set(err, FCF_E_AUTH, "%s: wants another token: "
                         "admin_token_file", url);

    } else if (rc == 0 && status != 200 && status != 404) {
        rc = fcf_err_set(err, FCF_E_REFUSED, "%s: status %ld", url, status);

    } else if (rc == 0 && status == 200) {
        fcc_logs_parts(logs, node, body.data);
    }

    fcf_buf_free(&body);

    return rc;
}


/* each that can be asked; what others have is told from what there is not */
static int
fcc_logs_nodes(fcc_logs_t *logs, const char *name, const fcc_reply_t *nodes,
    fcf_err_t *err)
{
    int            rc;
    size_t         i;
    fcf_err_t      why;
    fcf_key_t      key;
    fcf_worker_t   worker;

    rc = 0;

    for (i = 0; i < nodes->nkvs; i++) {

        fcf_key_parse(&key, logs->fcc->conf.prefix, nodes->kvs[i].key,
                      nodes->kvs[i].key_len);

        if (key.kind != FCF_KEY_WORKER
            || fcf_worker_decode(&worker, nodes->kvs[i].value,
                                 nodes->kvs[i].value_len, NULL) != 0)
        {
            continue;
        }

        if (worker.admin[0] == '\0') {
            (void) fprintf(stderr, "fcfaas: node %s has no admin listener "
                           "(its setting admin)\n", key.name);
            continue;
        }

        if (fcc_logs_node(logs, name, key.name, worker.admin, &why) != 0) {
            (void) fprintf(stderr, "fcfaas: node %s: %s\n", key.name, why.msg);
            *err = why;
            rc = -1;
        }
    }

    return rc == 0 ? 0 : fcf_err_wrap(err, "not all nodes have answered");
}


static int
fcc_logs(fcc_t *fcc, fcf_err_t *err)
{
    int          rc, version;
    char         key[FCF_KEY_MAX];
    fcc_logs_t   logs;
    fcc_reply_t  nodes;

    memset(&logs, 0, sizeof(logs));
    logs.fcc = fcc;
    logs.instance = fcc_opt(fcc, "instance");
    version = 0;

    if (fcc_name_check(fcc->args[0], err) != 0
        || fcc_opt_int(fcc, "version", 1, INT32_MAX, &version, err) != 0)
    {
        return -1;
    }

    logs.version = version;
    logs.json = fcc->json ? json_array() : NULL;

    rc = fcc_list(fcc, fcf_key_workers(key, fcc->conf.prefix), &nodes, err);

    if (rc == 0) {
        rc = fcc_logs_nodes(&logs, fcc->args[0], &nodes, err);
    }

    fcc_reply_free(&nodes);

    if (logs.json != NULL && (rc == 0 || logs.parts != 0)) {
        return fcc_json_print(logs.json, err) != 0 ? -1 : rc;
    }

    json_decref(logs.json);

    if (rc == 0 && logs.parts == 0) {
        (void) fprintf(stderr, "fcfaas: %s: nothing was printed, or nobody "
                       "keeps it any more\n", fcc->args[0]);
    }

    return rc;
}


static const fcc_option_t  fcc_logs_options[] = {
    { "instance", 'i', "ID", "of one alone, see fcfaas ps" },
    { "version", 'v', "N", "of one version alone" },
    { NULL, 0, NULL, NULL }
};

const fcc_verb_t  fcc_verb_logs = {
    "logs", "NAME", "what a function printed, also instances that are gone",
    1, 1, fcc_logs_options,
    "The last lines of each instance, from all nodes, through their agents'\n"
    "admin listeners.\n", fcc_logs
};
