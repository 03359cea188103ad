#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/admin.h"
#include "cli/logs.h"

#define FCC_LINES_BODY  (17 * 1024 * 1024)


void
fcc_lines_clear(fcc_lines_t *lines)
{
    size_t  i;

    for (i = 0; i < lines->n; i++) {
        json_decref(lines->list[i].line);
    }

    lines->n = 0;
}


void
fcc_lines_free(fcc_lines_t *lines)
{
    fcc_lines_clear(lines);
    free(lines->list);
    free(lines->nodes);
    memset(lines, 0, sizeof(fcc_lines_t));
}


/* strings are where they are looked for */
static int
fcc_line_valid(const json_t *line)
{
    return json_is_integer(json_object_get(line, "ms"))
           && json_is_integer(json_object_get(line, "version"))
           && json_is_string(json_object_get(line, "instance"))
           && json_is_string(json_object_get(line, "stream"))
           && json_is_string(json_object_get(line, "text"));
}


static int
fcc_lines_add(fcc_lines_t *lines, json_t *line, const char *node)
{
    void    *list;
    size_t   size;

    if (!fcc_line_valid(line)) {
        return 0;
    }

    if (lines->n == lines->size) {

        size = lines->size * 2 + 256;
        list = realloc(lines->list, size * sizeof(lines->list[0]));

        if (list == NULL) {
            return -1;
        }

        lines->list = list;
        lines->size = size;
    }

    (void) json_object_set_new(line, "node", json_string(node));
    lines->list[lines->n].ms = json_integer_value(json_object_get(line,
                                                                  "ms"));
    lines->list[lines->n].order = lines->n;
    lines->list[lines->n++].line = json_incref(line);

    return 0;
}


static int
fcc_lines_cmp(const void *a, const void *b)
{
    const fcc_lines_one_t  *x = a, *y = b;

    return x->ms != y->ms ? (x->ms > y->ms) - (x->ms < y->ms)
           : (x->order > y->order) - (x->order < y->order);
}


static fcc_lines_node_t *
fcc_lines_node(fcc_lines_t *lines, const char *id)
{
    size_t             i;
    fcc_lines_node_t  *nodes;

    for (i = 0; i < lines->nnodes; i++) {
        if (strcmp(lines->nodes[i].id, id) == 0) {
            return &lines->nodes[i];
        }
    }

    nodes = realloc(lines->nodes,
                    (lines->nnodes + 1) * sizeof(fcc_lines_node_t));

    if (nodes == NULL) {
        return NULL;
    }

    lines->nodes = nodes;
    nodes = &nodes[lines->nnodes++];
    memset(nodes, 0, sizeof(fcc_lines_node_t));
    (void) snprintf(nodes->id, sizeof(nodes->id), "%s", id);

    return nodes;
}


static void
fcc_lines_path(char *path, size_t size, const fcc_lines_want_t *want,
    const char *next)
{
    char  age[48], version[32];

    *age = *version = '\0';

    if (want->age_ms != 0) {
        (void) snprintf(age, sizeof(age), "&age_ms=%" PRId64, want->age_ms);
    }

    if (want->version != 0) {
        (void) snprintf(version, sizeof(version), "&version=%d",
                        want->version);
    }

    (void) snprintf(path, size, "/functions/%s/lines?%s%s%s%s%s%s%s%s",
                    want->name, *next != '\0' ? "after=" : "", next, age,
                    version, want->instance != NULL ? "&instance=" : "",
                    want->instance != NULL ? want->instance : "",
                    want->request != NULL ? "&request=" : "",
                    want->request != NULL ? want->request : "");
}


/* one answer; 1: there is more */
static int
fcc_lines_take(fcc_lines_t *lines, fcc_lines_node_t *node, const char *body,
    fcf_err_t *err)
{
    int           more;
    json_t       *answer, *list;
    size_t        i;
    json_int_t    dropped;
    const char   *next;

    answer = json_loads(body, 0, NULL);
    next = json_string_value(json_object_get(answer, "next"));
    list = json_object_get(answer, "lines");
    dropped = json_integer_value(json_object_get(answer, "dropped"));
    more = json_is_true(json_object_get(answer, "more"));

    if (next == NULL || strlen(next) >= sizeof(node->next)
        || strspn(next, "0123456789.") != strlen(next)
        || !json_is_array(list)
        || (more && strcmp(next, node->next) == 0))
    {
        json_decref(answer);
        return fcf_err_set(err, FCF_E_PROTOCOL, "its answer is not "
                           "understood");
    }

    if (dropped > 0) {
        fcc_say("node %s: %" JSON_INTEGER_FORMAT
                " older lines are gone (log_kb, log_mb)", node->id,
                dropped);
    }

    for (i = 0; i < json_array_size(list); i++) {
        if (fcc_lines_add(lines, json_array_get(list, i), node->id) != 0) {
            json_decref(answer);
            return fcf_err_set(err, FCF_E_NOMEM, "no memory");
        }
    }

    (void) strcpy(node->next, next);
    json_decref(answer);

    return more;
}


/* all that one has, page by page */
static int
fcc_lines_ask(fcc_lines_t *lines, fcc_t *fcc, const fcc_lines_want_t *want,
    fcc_lines_node_t *node, const char *admin, fcf_err_t *err)
{
    int        rc;
    char       path[512];
    long       status;
    fcf_buf_t  body;

    fcc_admin_ask_t  ask = { admin, path, 0, NULL };

    do {
        fcc_lines_path(path, sizeof(path), want, node->next);
        fcf_buf_init(&body, FCC_LINES_BODY);
        rc = fcc_admin_get(fcc, &ask, &status, &body, err);

        if (rc == 0 && status == 404) {
            rc = fcf_err_set(err, FCF_E_REFUSED, "its agent knows no lines: "
                             "it is older than this fcfaas");

        } else if (rc == 0 && status != 200) {
            rc = fcf_err_set(err, FCF_E_REFUSED, "status %ld", status);

        } else if (rc == 0) {
            rc = fcc_lines_take(lines, node, body.data, err);
        }

        fcf_buf_free(&body);

    } while (rc == 1);

    return rc;
}


int
fcc_lines_read(fcc_lines_t *lines, fcc_t *fcc, const fcc_lines_want_t *want,
    fcf_err_t *err)
{
    int                 rc;
    size_t              i;
    fcf_err_t           why;
    fcc_admins_t        nodes;
    fcc_lines_node_t   *node;

    lines->away = fcc_admins(fcc, &nodes, err) != 0;

    if (lines->away) {
        fcc_admins_free(&nodes);
        return -1;
    }

    rc = 0;

    for (i = 0; i < nodes.n; i++) {

        if (!nodes.list[i].valid) {
            continue;
        }

        node = fcc_lines_node(lines, nodes.list[i].id);

        if (node == NULL) {
            rc = fcf_err_set(err, FCF_E_NOMEM, "no memory");
            break;
        }

        if (nodes.list[i].worker.admin[0] == '\0') {

            if (!node->silent) {
                fcc_say("node %s has no admin listener "
                        "(its setting admin)", node->id);
            }

            node->silent = 1;
            continue;
        }

        if (fcc_lines_ask(lines, fcc, want, node, nodes.list[i].worker.admin,
                          &why) == 0)
        {
            if (node->silent) {
                fcc_say("node %s answers again", node->id);
            }

            node->silent = 0;
            continue;
        }

        if (!node->silent) {
            fcc_say("node %s: %s", node->id, why.msg);
        }

        node->silent = 1;
        *err = why;
        rc = fcf_err_wrap(err, "not all nodes have answered");
    }

    fcc_admins_free(&nodes);

    if (lines->n > 1) {
        qsort(lines->list, lines->n, sizeof(lines->list[0]), fcc_lines_cmp);
    }

    return rc;
}
