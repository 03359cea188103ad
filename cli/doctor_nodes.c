/* The compute nodes and their agents, as fcfaas doctor sees them. */

#include "cli/admin.h"
#include "cli/doctor.h"

#define FCC_NODE_MS   3000
#define FCC_NODE_MAX  (1024 * 1024)


/* that its key is there does not mean that it is */
static void
fcc_node_answers(fcc_doctor_t *doctor, const fcc_admin_t *node)
{
    int              rc;
    long             status;
    int64_t          date_s;
    fcf_err_t        err;
    fcf_buf_t        body;
    fcc_admin_ask_t  ask = { node->worker.admin, "/instances", FCC_NODE_MS,
                             &date_s };

    if (node->worker.admin[0] == '\0') {
        fcc_find(doctor, FCC_NOTE, "node", node->id,
                 "setting admin of its agent", "has no admin listener: what "
                 "functions print there cannot be shown, nor its clock");
        return;
    }

    date_s = 0;
    fcf_buf_init(&body, FCC_NODE_MAX);
    rc = fcc_admin_get(doctor->fcc, &ask, &status, &body, &err);
    fcf_buf_free(&body);

    if (rc != 0 && err.code == FCF_E_AUTH) {
        fcc_find(doctor, FCC_WRONG, "node", node->id,
                 "setting admin_token_file", "refuses us at %s", ask.admin);

    } else if (rc != 0) {
        fcc_find(doctor, FCC_WRONG, "node", node->id,
                 "is fcfaas-agent running there? (its key goes with its lease, "
                 "within 10 s)", "does not answer: %s", err.msg);

    } else if (status != 200) {
        fcc_find(doctor, FCC_WRONG, "node", node->id, NULL,
                 "%s%s: status %ld", ask.admin, ask.path, status);
    }

    fcc_find_clock(doctor, "node", node->id, date_s);
}


static void
fcc_node_key(fcc_doctor_t *doctor, const fcc_admin_t *node)
{
    char  remedy[FCF_KEY_MAX + 32], key[FCF_KEY_MAX];

    if (node->lease == 0) {
        (void) snprintf(remedy, sizeof(remedy), "etcdctl del %s",
                        fcf_key_worker(key, doctor->fcc->conf.prefix,
                                       node->id));
        fcc_find(doctor, FCC_WRONG, "node", node->id, remedy,
                 "its key is under no lease: it would stay for ever");
    }
}


/* "0.9.1" < "0.10.0" */
static int
fcc_version_cmp(const char *a, const char *b)
{
    int  i, x[3] = { 0, 0, 0 }, y[3] = { 0, 0, 0 };

    (void) sscanf(a, "%d.%d.%d", &x[0], &x[1], &x[2]);
    (void) sscanf(b, "%d.%d.%d", &y[0], &y[1], &y[2]);

    for (i = 0; i < 2 && x[i] == y[i]; i++) { /* void */ }

    return x[i] - y[i];
}


static void
fcc_node_version(fcc_doctor_t *doctor, const fcc_admin_t *node)
{
    int          cmp;
    const char  *version;

    version = node->worker.agent_version;
    cmp = fcc_version_cmp(version, FCF_VERSION);

    if (cmp != 0) {
        fcc_find(doctor, FCC_NOTE, "node", node->id,
                 cmp < 0 ? "upgrade it" : "upgrade this command",
                 "its agent is version %s, this command %s",
                 version[0] != '\0' ? version : "?", FCF_VERSION);
    }
}


/* 1: it has room for another function */
static int
fcc_node_state(fcc_doctor_t *doctor, const fcc_admin_t *node)
{
    const fcf_worker_t  *w;

    w = &node->worker;

    if (w->state == FCF_WORKER_ILL) {
        fcc_find(doctor, FCC_WRONG, "node", node->id,
                 "fcfaas-agent --check there looks at all of it",
                 "is ill, and starts nothing: %s", w->reason);
        return 0;
    }

    if (w->state == FCF_WORKER_DRAINING) {
        fcc_find(doctor, FCC_NOTE, "node", node->id,
                 "fcfaas-agent resume there, once it is to work again",
                 "drains: it starts nothing");
        return 0;
    }

    if (w->cpu_free < FCF_DEFAULT_CPU
        || w->memory_mb_free < FCF_DEFAULT_MEMORY_MB)
    {
        fcc_find(doctor, FCC_NOTE, "node", node->id,
                 "another node, fewer instances (fcfaas scale), or less "
                 "memory for each",
                 "is full: %d VMs, %d of %d cpus and %d of %d MB are free",
                 w->vms, w->cpu_free, w->cpu, w->memory_mb_free,
                 w->memory_mb);
        return 0;
    }

    fcc_find(doctor, FCC_WELL, "node", node->id, NULL, "%d VMs, %d of %d cpus "
             "and %d of %d MB are free", w->vms, w->cpu_free, w->cpu,
             w->memory_mb_free, w->memory_mb);

    return 1;
}


static int
fcc_node_look(fcc_doctor_t *doctor, const fcc_admin_t *node)
{
    int  room;

    if (!node->valid) {
        fcc_find(doctor, FCC_WRONG, "node", node->id, "its agent puts it right "
                 "if it runs", "its key is not valid: %s", node->why.msg);
        fcc_node_key(doctor, node);
        return 0;
    }

    room = fcc_node_state(doctor, node);

    fcc_node_key(doctor, node);
    fcc_node_version(doctor, node);
    fcc_node_answers(doctor, node);

    return room;
}


void
fcc_doctor_nodes(fcc_doctor_t *doctor)
{
    int           room;
    size_t        i;
    fcf_err_t     err;
    fcc_admins_t  nodes;

    if (fcc_admins(doctor->fcc, &nodes, &err) != 0) {
        fcc_find(doctor, FCC_WRONG, "nodes", "-", NULL, "cannot be read: %s",
                 err.msg);
        fcc_admins_free(&nodes);
        return;
    }

    room = 0;

    for (i = 0; i < nodes.n; i++) {
        room |= fcc_node_look(doctor, &nodes.list[i]);
    }

    if (nodes.n == 0) {
        fcc_find(doctor, FCC_WRONG, "nodes", "-", "start fcfaas-agent on one, "
                 "with this etcd and this prefix",
                 "there is none: no function can be started");

    } else if (!room) {
        fcc_find(doctor, FCC_WRONG, "nodes", "-", NULL,
                 "none has room: functions that have no instance wait");
    }

    fcc_admins_free(&nodes);
}
