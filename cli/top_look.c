#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/prom.h"
#include "cli/top.h"

#define FCC_METRICS_MAX  (16 * 1024 * 1024)
#define FCC_METRICS_MS   5000

/* what adds a value to a node's parts */
typedef struct {
    fcc_top_rows_t  *parts;
    size_t           first, node;       /* where its own begin; which it is */
    size_t           field;
    int              failed;
} fcc_top_sum_t;


void
fcc_top_free(fcc_top_t *top)
{
    free(top->nodes);
    free(top->parts.list);
    free(top->rows.list);
    memset(top, 0, sizeof(fcc_top_t));
}


/* zeroed, at the end; NULL: out of memory */
static fcc_top_row_t *
fcc_top_row_add(fcc_top_rows_t *rows)
{
    size_t          size;
    fcc_top_row_t  *list;

    if (rows->n == rows->size) {

        size = rows->size * 2 + 64;
        list = realloc(rows->list, size * sizeof(fcc_top_row_t));

        if (list == NULL) {
            return NULL;
        }

        rows->list = list;
        rows->size = size;
    }

    memset(&rows->list[rows->n], 0, sizeof(fcc_top_row_t));

    return &rows->list[rows->n++];
}


static void
fcc_top_add(void *arg, const char *name, double value)
{
    size_t          i;
    fcc_top_row_t  *row;
    fcc_top_sum_t  *sum = arg;

    for (i = sum->first; i < sum->parts->n; i++) {
        if (strcmp(sum->parts->list[i].name, name) == 0) {
            break;
        }
    }

    row = i < sum->parts->n ? &sum->parts->list[i]
                            : fcc_top_row_add(sum->parts);

    if (row == NULL) {
        sum->failed = 1;
        return;
    }

    row->node = sum->node;
    (void) snprintf(row->name, sizeof(row->name), "%s", name);
    *(double *) ((char *) row + sum->field) += value;
}


/* what one node's agent says; -1: out of memory */
static int
fcc_top_take(fcc_top_t *top, size_t node, const char *text)
{
    size_t         i;
    fcc_top_sum_t  sum = { &top->parts, top->parts.n, node, 0, 0 };

    static const struct {
        fcc_prom_want_t  want;
        size_t           field;
    } fields[] = {
        { { "fcfaas_agent_function_vms", "function", NULL, NULL },
          offsetof(fcc_top_row_t, vms) },
        { { "fcfaas_proxy_inflight", "function", NULL, NULL },
          offsetof(fcc_top_row_t, inflight) },
        { { "fcfaas_proxy_requests_total", "function", NULL, NULL },
          offsetof(fcc_top_row_t, counts[FCC_TOP_REQUESTS]) },
        { { "fcfaas_proxy_bytes_total", "function", NULL, NULL },
          offsetof(fcc_top_row_t, counts[FCC_TOP_BYTES]) },
        { { "fcfaas_proxy_responses_total", "function", "class", "5xx" },
          offsetof(fcc_top_row_t, counts[FCC_TOP_FAILED]) },
        /* the proxy's own */
        { { "fcfaas_proxy_responses_total", "function", "class", "proxy" },
          offsetof(fcc_top_row_t, counts[FCC_TOP_FAILED]) },
    };

    for (i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        sum.field = fields[i].field;
        fcc_prom_each(text, &fields[i].want, fcc_top_add, &sum);
    }

    return sum.failed ? -1 : 0;
}


static const fcc_top_node_t *
fcc_top_node(const fcc_top_t *top, const char *id, size_t *i)
{
    for (*i = 0; *i < top->nnodes; (*i)++) {
        if (strcmp(top->nodes[*i].id, id) == 0) {
            return &top->nodes[*i];
        }
    }

    return NULL;
}


/* what it said before holds on: nothing that it counts has gone */
static int
fcc_top_keep(fcc_top_t *top, size_t node, const fcc_top_t *before)
{
    size_t                 i, was;
    fcc_top_row_t         *part;
    const fcc_top_node_t  *known;

    known = fcc_top_node(before, top->nodes[node].id, &was);

    if (known == NULL) {
        return 0;
    }

    top->nodes[node].at = known->at;

    for (i = 0; i < before->parts.n; i++) {

        if (before->parts.list[i].node != was) {
            continue;
        }

        part = fcc_top_row_add(&top->parts);

        if (part == NULL) {
            return -1;
        }

        *part = before->parts.list[i];
        part->node = node;
        memset(part->rates, 0, sizeof(part->rates));
    }

    return 0;
}


static double
fcc_top_now(void)
{
    struct timespec  now;

    (void) clock_gettime(CLOCK_MONOTONIC, &now);

    return (double) now.tv_sec + (double) now.tv_nsec / 1e9;
}


/* 1: it told its counts; FCF_E_AUTH is what all would say */
static int
fcc_top_ask(fcc_t *fcc, fcc_top_t *top, size_t node, const char *admin,
    fcf_err_t *err)
{
    int              rc;
    long             status;
    fcf_err_t        why;
    fcf_buf_t        body;
    fcc_admin_ask_t  ask = { admin, "/metrics", FCC_METRICS_MS, NULL };

    if (*admin == '\0') {
        return 0;
    }

    fcf_buf_init(&body, FCC_METRICS_MAX);
    rc = fcc_admin_get(fcc, &ask, &status, &body, &why);

    if (rc != 0 && why.code == FCF_E_AUTH) {
        *err = why;

    } else {
        rc = rc == 0 && status == 200 && body.data != NULL;
    }

    if (rc == 1) {
        top->nodes[node].at = fcc_top_now();

        if (fcc_top_take(top, node, body.data) != 0) {
            rc = fcf_err_set(err, FCF_E_NOMEM, "no memory");
        }
    }

    fcf_buf_free(&body);

    return rc;
}


static int
fcc_top_part_cmp(const void *a, const void *b)
{
    int                   cmp;
    const fcc_top_row_t  *x = a, *y = b;

    cmp = strcmp(x->name, y->name);

    return cmp != 0 ? cmp : (x->node > y->node) - (x->node < y->node);
}


/* Since its node last told them.  A function that it had not counted then
 * began at nothing, as does all of an agent that was started anew. */
static void
fcc_top_part_rates(fcc_top_row_t *part, const fcc_top_node_t *node,
    const fcc_top_t *before)
{
    size_t                 k;
    double                 n, s;
    fcc_top_row_t          wanted;
    const fcc_top_row_t   *was;
    const fcc_top_node_t  *known;

    memcpy(wanted.name, part->name, sizeof(wanted.name));
    known = fcc_top_node(before, node->id, &wanted.node);
    s = known != NULL && known->at != 0 ? node->at - known->at : 0;

    if (s <= 0) {
        return;
    }

    was = before->parts.n == 0 ? NULL
          : bsearch(&wanted, before->parts.list, before->parts.n,
                    sizeof(fcc_top_row_t), fcc_top_part_cmp);

    for (k = 0; k < FCC_TOP_COUNTED; k++) {
        n = part->counts[k] - (was != NULL ? was->counts[k] : 0);
        part->rates[k] = n > 0 ? n / s : 0;
    }
}


/* the parts of all nodes, by name, made one; -1: out of memory */
static int
fcc_top_rows(fcc_top_t *top, const fcc_top_t *before)
{
    size_t          i, k;
    fcc_top_row_t  *row, *part;

    if (top->parts.n > 1) {
        qsort(top->parts.list, top->parts.n, sizeof(fcc_top_row_t),
              fcc_top_part_cmp);
    }

    for (row = NULL, i = 0; i < top->parts.n; i++) {

        part = &top->parts.list[i];
        fcc_top_part_rates(part, &top->nodes[part->node], before);

        if (row == NULL || strcmp(row->name, part->name) != 0) {

            row = fcc_top_row_add(&top->rows);

            if (row == NULL) {
                return -1;
            }

            memcpy(row->name, part->name, sizeof(row->name));
        }

        row->vms += part->vms;
        row->inflight += part->inflight;

        for (k = 0; k < FCC_TOP_COUNTED; k++) {
            row->counts[k] += part->counts[k];
            row->rates[k] += part->rates[k];
        }
    }

    return 0;
}


int
fcc_top_look(fcc_t *fcc, fcc_top_t *top, const fcc_top_t *before,
    fcf_err_t *err)
{
    int            rc;
    size_t         i;
    fcc_admins_t   nodes;

    memset(top, 0, sizeof(fcc_top_t));
    rc = fcc_admins(fcc, &nodes, err);
    top->nodes = rc == 0 ? calloc(nodes.n + 1, sizeof(fcc_top_node_t)) : NULL;

    if (rc == 0 && top->nodes == NULL) {
        rc = fcf_err_set(err, FCF_E_NOMEM, "no memory");
    }

    for (i = 0; rc == 0 && i < nodes.n; i++) {

        if (!nodes.list[i].valid) {
            continue;
        }

        (void) snprintf(top->nodes[top->nnodes].id, FCF_ID_MAX + 1, "%s",
                        nodes.list[i].id);
        top->vms += (unsigned) nodes.list[i].worker.vms;
        top->nnodes++;

        rc = fcc_top_ask(fcc, top, top->nnodes - 1,
                         nodes.list[i].worker.admin, err);

        if (rc == 0) {
            rc = fcc_top_keep(top, top->nnodes - 1, before) == 0 ? 0
                 : fcf_err_set(err, FCF_E_NOMEM, "no memory");
        }

        rc = rc > 0 ? 0 : rc;
    }

    if (rc == 0 && fcc_top_rows(top, before) != 0) {
        rc = fcf_err_set(err, FCF_E_NOMEM, "no memory");
    }

    fcc_admins_free(&nodes);

    return rc;
}
