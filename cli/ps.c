/* fcfaas ps: instances; fcfaas nodes: compute nodes. */

#include <string.h>

#include "cli/admin.h"
#include "cli/table.h"

typedef struct {
    fcc_table_t   table;
    json_t       *json;                 /* NULL: a table is made */
} fcc_rows_t;


/* "<node_id>-<n>" */
static void
fcc_node_of(char *node, const char *worker_id)
{
    char  *dash;

    (void) snprintf(node, FCF_WORKER_ID_MAX + 1, "%s", worker_id);
    dash = strrchr(node, '-');

    if (dash != NULL) {
        *dash = '\0';
    }
}


static void
fcc_row_instance(fcc_rows_t *rows, const fcf_key_t *key,
    const fcf_instance_t *i)
{
    char  node[FCF_WORKER_ID_MAX + 1], ago[32];

    fcc_node_of(node, key->name);

    if (rows->json != NULL) {
        (void) json_array_append_new(rows->json, json_pack(
            "{s:s, s:s, s:I, s:s, s:s, s:s, s:i, s:s, s:I}",
            "instance", key->name, "function", key->function_id,
            "version", (json_int_t) i->version,
            "state", fcf_instance_state_name(i->state), "node", node,
            "worker_ip", i->worker_ip, "proxy_port", i->proxy_port,
            "internal_vm_ip", i->internal_vm_ip,
            "started_ms", (json_int_t) i->started_ms));
        return;
    }

    fcc_table_add(&rows->table, "%s", key->name);
    fcc_table_add(&rows->table, "%s", key->function_id);
    fcc_table_add(&rows->table, "%lld", (long long) i->version);
    fcc_table_add(&rows->table, "%s", fcf_instance_state_name(i->state));
    fcc_table_add(&rows->table, "%s", node);
    fcc_table_add(&rows->table, "%s:%d", i->worker_ip, i->proxy_port);
    fcc_table_add(&rows->table, "%s", fcc_ago(ago, sizeof(ago),
                                              i->started_ms));
}


/* a slot whose owner is no instance yet */
static void
fcc_row_slot(fcc_rows_t *rows, const fcf_key_t *key, const fcf_slot_t *slot)
{
    char  node[FCF_WORKER_ID_MAX + 1];

    fcc_node_of(node, slot->worker_id);

    if (rows->json != NULL) {
        (void) json_array_append_new(rows->json, json_pack(
            "{s:s, s:s, s:I, s:s, s:s}", "instance", slot->worker_id,
            "function", key->function_id,
            "version", (json_int_t) slot->version, "state", "starting",
            "node", node));
        return;
    }

    fcc_table_add(&rows->table, "%s", slot->worker_id);
    fcc_table_add(&rows->table, "%s", key->function_id);
    fcc_table_add(&rows->table, "%lld", (long long) slot->version);
    fcc_table_add(&rows->table, "starting");
    fcc_table_add(&rows->table, "%s", node);
    fcc_table_add(&rows->table, "-");
    fcc_table_add(&rows->table, "-");
}


/* is there an instance of that name?  They stand before the function's slots,
 * in key order */
static int
fcc_serves(const fcc_t *fcc, const fcc_reply_t *said, size_t slot,
    const char *function_id, const char *worker_id)
{
    char    key[FCF_KEY_MAX];
    size_t  i, below;

    (void) fcf_key_instance(key, fcc->conf.prefix, function_id, worker_id);
    below = strlen(key) - strlen(worker_id);

    for (i = slot; i-- > 0; ) {

        if (strcmp(said->kvs[i].key, key) == 0) {
            return 1;
        }

        if (strncmp(said->kvs[i].key, key, below) < 0) {
            break;
        }
    }

    return 0;
}


static void
fcc_ps_rows(const fcc_t *fcc, const fcc_reply_t *said, fcc_rows_t *rows)
{
    size_t           i;
    fcf_key_t        key;
    fcf_slot_t       slot;
    fcf_instance_t   instance;
    const fcf_kv_t  *kv;

    for (i = 0; i < said->nkvs; i++) {

        kv = &said->kvs[i];
        fcf_key_parse(&key, fcc->conf.prefix, kv->key, kv->key_len);

        if (key.kind == FCF_KEY_INSTANCE
            && fcf_instance_decode(&instance, kv->value, kv->value_len, NULL)
               == 0)
        {
            fcc_row_instance(rows, &key, &instance);

        } else if (key.kind == FCF_KEY_SLOT
                   && fcf_slot_decode(&slot, kv->value, kv->value_len, NULL)
                      == 0
                   && !fcc_serves(fcc, said, i, key.function_id,
                                  slot.worker_id))
        {
            fcc_row_slot(rows, &key, &slot);
        }
    }
}


static int
fcc_rows_print(const fcc_t *fcc, fcc_rows_t *rows, fcf_err_t *err)
{
    return fcc->json ? fcc_json_print(rows->json, err)
                     : fcc_table_print(&rows->table, err);
}


static int
fcc_ps(fcc_t *fcc, fcf_err_t *err)
{
    int                       rc;
    char                      key[FCF_KEY_MAX];
    fcc_rows_t                rows;
    fcc_reply_t               said;
    static const char *const  heads[] = {
        "INSTANCE", "FUNCTION", "VERSION", "STATE", "NODE", "ADDRESS", "AGE",
        NULL
    };

    if (fcc->nargs != 0 && fcc_name_check(fcc->args[0], err) != 0) {
        return -1;
    }

    (void) (fcc->nargs != 0
            ? fcf_key_function(key, fcc->conf.prefix, fcc->args[0])
            : fcf_key_functions(key, fcc->conf.prefix));

    rc = fcc_list(fcc, key, &said, err);

    if (rc == 0) {
        fcc_table_init(&rows.table, heads);
        rows.json = fcc->json ? json_array() : NULL;

        fcc_ps_rows(fcc, &said, &rows);
        rc = fcc_rows_print(fcc, &rows, err);
    }

    fcc_reply_free(&said);

    return rc;
}


static void
fcc_row_node(fcc_rows_t *rows, const char *node, const fcf_worker_t *w)
{
    if (rows->json != NULL) {
        (void) json_array_append_new(rows->json, json_pack(
            "{s:s, s:s, s:s, s:s, s:s, s:i, s:i, s:i, s:i, s:i, s:s, s:s}",
            "node", node, "state", fcf_worker_state_name(w->state),
            "reason", w->reason, "address", w->address, "admin", w->admin,
            "vms", w->vms,
            "cpu", w->cpu, "cpu_free", w->cpu_free,
            "memory_mb", w->memory_mb, "memory_mb_free", w->memory_mb_free,
            "vmm_version", w->vmm_version,
            "agent_version", w->agent_version));
        return;
    }

    fcc_table_add(&rows->table, "%s", node);
    fcc_table_add(&rows->table, "%s", fcf_worker_state_name(w->state));
    fcc_table_add(&rows->table, "%s", w->address);
    fcc_table_add(&rows->table, "%d", w->vms);
    fcc_table_add(&rows->table, "%d of %d", w->cpu_free, w->cpu);
    fcc_table_add(&rows->table, "%d of %d MB", w->memory_mb_free,
                  w->memory_mb);
    fcc_table_add(&rows->table, "%s", w->agent_version);
    fcc_table_add(&rows->table, "%s", w->reason);
}


static void
fcc_row_bad_node(fcc_rows_t *rows, const char *node, const char *why)
{
    int  i;

    if (rows->json != NULL) {
        (void) json_array_append_new(rows->json, json_pack(
            "{s:s, s:s}", "node", node, "not_valid", why));
        return;
    }

    fcc_table_add(&rows->table, "%s", node);
    fcc_table_add(&rows->table, "?");

    for (i = 0; i < 5; i++) {
        fcc_table_add(&rows->table, "-");
    }

    fcc_table_add(&rows->table, "its key is not valid: %s", why);
}


static int
fcc_nodes(fcc_t *fcc, fcf_err_t *err)
{
    size_t                    i;
    fcc_rows_t                rows;
    fcc_admins_t              nodes;
    const fcc_admin_t        *node;
    static const char *const  heads[] = {
        "NODE", "STATE", "ADDRESS", "VMS", "FREE CPUS", "FREE MEMORY",
        "AGENT", "REASON", NULL
    };

    if (fcc_admins(fcc, &nodes, err) != 0) {
        fcc_admins_free(&nodes);
        return -1;
    }

    fcc_table_init(&rows.table, heads);
    rows.json = fcc->json ? json_array() : NULL;

    for (i = 0; i < nodes.n; i++) {

        node = &nodes.list[i];

        if (node->valid) {
            fcc_row_node(&rows, node->id, &node->worker);

        } else {
            fcc_row_bad_node(&rows, node->id, node->why.msg);
        }
    }

    fcc_admins_free(&nodes);

    return fcc_rows_print(fcc, &rows, err);
}


const fcc_verb_t  fcc_verb_ps = {
    "ps", "[NAME]", "the instances, of one function or all", 0, 1, NULL, NULL,
    fcc_ps
};

const fcc_verb_t  fcc_verb_nodes = {
    "nodes", "", "the compute nodes, and what is free there", 0, 0, NULL,
    NULL, fcc_nodes
};
