#include <inttypes.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "agent/base/loop.h"
#include "agent/functions.h"

struct fca_output_s {
    TAILQ_ENTRY(fca_output_s)  link;
    char                       function_id[FCF_ID_MAX + 1];
    char                       worker_id[FCF_WORKER_ID_MAX + 1];
    int64_t                    version;
    char                       text[];
};

void
fca_functions_init(fca_functions_t *functions)
{
    memset(functions, 0, sizeof(*functions));
    TAILQ_INIT(&functions->outputs);
}

void
fca_functions_free(fca_functions_t *functions)
{
    fca_output_t  *output;

    tdestroy(functions->tree, free);

    while ((output = TAILQ_FIRST(&functions->outputs)) != NULL) {
        TAILQ_REMOVE(&functions->outputs, output, link);
        free(output);
    }
}

static int
fca_function_cmp(const void *a, const void *b)
{
    return strcmp(((const fca_function_t *) a)->id,
                  ((const fca_function_t *) b)->id);
}

/* found or made; beyond the limit that of all others.  NULL: no memory */
static fca_function_t *
fca_function_of(fca_functions_t *functions, const char *id)
{
    void            *node;
    fca_function_t   key, *function;

    snprintf(key.id, sizeof(key.id), "%s", id);
    node = tfind(&key, &functions->tree, fca_function_cmp);

    if (node == NULL && functions->n >= FCA_FUNCTIONS_MAX
        && strcmp(id, FCA_FUNCTIONS_REST) != 0)
    {
        return fca_function_of(functions, FCA_FUNCTIONS_REST);
    }

    if (node) {
        return *(fca_function_t **) node;
    }

    function = calloc(1, sizeof(*function));
    if (function == NULL) {
        return NULL;
    }

    memcpy(function->id, key.id, sizeof(key.id));

    if (tsearch(function, &functions->tree, fca_function_cmp) == NULL) {
        free(function);
        return NULL;
    }

    functions->n++;

    return function;
}

void
fca_functions_closed(fca_functions_t *functions,
    const fca_instance_view_t *view)
{
    int              i;
    fca_function_t  *function;

    function = view->stat ? fca_function_of(functions, view->function_id)
                          : NULL;
    if (function == NULL) {
        return;
    }

    function->requests += view->stat->requests;
    function->drained += view->stat->drained;

    for (i = 0; i < FCA_COUNTS; i++) {
        function->counts[i] += view->stat->counts[i];
    }
}

void
fca_functions_ended(fca_functions_t *functions,
    const fca_instance_view_t *view)
{
    char           text[FCA_OUTPUT_KEEP];
    size_t         len;
    fca_output_t  *output;

    len = view->vmm ? fca_vmm_console(view->vmm, text, sizeof(text)) : 0;
    if (len == 0) {
        return;
    }

    output = malloc(sizeof(*output) + len + 1);
    if (output == NULL) {
        return;
    }

    snprintf(output->function_id, sizeof(output->function_id), "%s",
             view->function_id);
    snprintf(output->worker_id, sizeof(output->worker_id), "%s",
             view->worker_id);
    output->version = view->version;
    memcpy(output->text, text, len);
    output->text[len] = '\0';
    TAILQ_INSERT_TAIL(&functions->outputs, output, link);

    if (functions->noutputs < FCA_OUTPUTS_MAX) {
        functions->noutputs++;
        return;
    }

    output = TAILQ_FIRST(&functions->outputs);
    TAILQ_REMOVE(&functions->outputs, output, link);
    free(output);
}

static void
fca_function_reset(const void *node, VISIT visit, void *arg)
{
    fca_function_t  *function = *(fca_function_t *const *) node;

    (void) arg;

    if (visit == postorder || visit == leaf) {
        function->live_requests = function->live_drained = 0;
        memset(function->live_counts, 0, sizeof(function->live_counts));
        function->inflight = 0;
        function->vms = 0;
    }
}

static void
fca_function_live(void *arg, const fca_instance_view_t *view)
{
    int              i;
    fca_function_t  *function;

    function = fca_function_of(arg, view->function_id);
    if (function == NULL) {
        return;
    }

    function->vms++;

    if (view->stat == NULL) {
        return;
    }

    function->live_requests += view->stat->requests;
    function->live_drained += view->stat->drained;
    function->inflight += view->stat->inflight;

    for (i = 0; i < FCA_COUNTS; i++) {
        function->live_counts[i] += view->stat->counts[i];
    }
}

void
fca_functions_count(fca_functions_t *functions, const fca_instances_t *all)
{
    twalk_r(functions->tree, fca_function_reset, NULL);
    fca_instances_each(all, fca_function_live, functions);
}

typedef struct {
    void   (*each)(void *arg, const fca_function_t *function);
    void    *arg;
} fca_function_walk_t;

static void
fca_function_visit(const void *node, VISIT visit, void *arg)
{
    fca_function_walk_t  *walk = arg;

    if (visit == postorder || visit == leaf) {
        walk->each(walk->arg, *(fca_function_t *const *) node);
    }
}

void
fca_functions_each(const fca_functions_t *functions,
    void (*each)(void *arg, const fca_function_t *function), void *arg)
{
    fca_function_walk_t  walk = { each, arg };

    twalk_r(functions->tree, fca_function_visit, &walk);
}

typedef struct {
    const char  *function_id;
    fcf_buf_t   *out;
    int          rc, found;
} fca_output_walk_t;

static void
fca_output_add(fca_output_walk_t *walk, const char *worker_id,
    int64_t version, const char *state, const char *text)
{
    walk->found = 1;

    if (walk->rc == 0) {
        walk->rc = fcf_buf_addf(walk->out, "== %s, version %" PRId64 ", %s\n"
                                "%s%s", worker_id, version, state, text,
                                *text ? "\n" : "");
    }
}

static void
fca_output_live(void *arg, const fca_instance_view_t *view)
{
    char               *text;
    size_t              size;
    fca_output_walk_t  *walk = arg;

    if (view->vmm == NULL || strcmp(view->function_id, walk->function_id)) {
        return;
    }

    /* all that the VM keeps, which after its end is less; and less of many */
    size = walk->out->len < walk->out->max / 2 ? FCA_CONSOLE_MAX
                                               : FCA_OUTPUT_KEEP;
    text = malloc(size);

    if (text == NULL) {
        walk->rc = -FCF_E_NOMEM;
        return;
    }

    fca_vmm_console(view->vmm, text, size);
    fca_output_add(walk, view->worker_id, view->version, view->state, text);
    free(text);
}

int
fca_functions_output(const fca_functions_t *functions,
    const fca_instances_t *all, const char *function_id, fcf_buf_t *out)
{
    const fca_output_t  *output;
    fca_output_walk_t    walk = { function_id, out, 0, 0 };

    TAILQ_FOREACH(output, &functions->outputs, link) {
        if (strcmp(output->function_id, function_id) == 0) {
            fca_output_add(&walk, output->worker_id, output->version, "gone",
                           output->text);
        }
    }

    fca_instances_each(all, fca_output_live, &walk);

    return walk.rc ? walk.rc : walk.found ? 0 : -FCF_E_NOT_FOUND;
}
