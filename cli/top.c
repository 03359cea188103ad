/* fcfaas top: what functions do now, as the proxies of all nodes count it. */

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/admin.h"
#include "cli/command.h"
#include "cli/prom.h"
#include "cli/table.h"

#define FCC_METRICS_MAX  (16 * 1024 * 1024)
#define FCC_METRICS_MS   5000
#define FCC_TOP_S        2
#define FCC_TOP_ROWS     512
/* begins a screen anew */
#define FCC_TOP_CLEAR    "\033[H\033[2J"

typedef enum { FCC_TOP_REQUESTS = 0, FCC_TOP_FAILED, FCC_TOP_BYTES,
               FCC_TOP_COUNTED } fcc_top_count_e;

/* a function, of all nodes together */
typedef struct {
    char    name[FCF_ID_MAX + 1];
    double  vms, inflight;
    double  counts[FCC_TOP_COUNTED];    /* since the agents' starts */
    double  rates[FCC_TOP_COUNTED];     /* a second */
} fcc_top_row_t;

typedef struct {
    fcc_top_row_t  rows[FCC_TOP_ROWS];
    size_t         n;
    unsigned       nodes, vms;
    double         at;                  /* s */
} fcc_top_t;

/* what adds a value to it */
typedef struct {
    fcc_top_t  *top;
    size_t      field;
} fcc_top_sum_t;


static fcc_top_row_t *
fcc_top_row(fcc_top_t *top, const char *name)
{
    size_t  i;

    for (i = 0; i < top->n; i++) {
        if (strcmp(top->rows[i].name, name) == 0) {
            return &top->rows[i];
        }
    }

    if (top->n == FCC_TOP_ROWS) {
        return NULL;
    }

    memset(&top->rows[top->n], 0, sizeof(fcc_top_row_t));
    (void) snprintf(top->rows[top->n].name, sizeof(top->rows[0].name), "%s",
                    name);

    return &top->rows[top->n++];
}


static void
fcc_top_add(void *arg, const char *name, double value)
{
    fcc_top_row_t  *row;
    fcc_top_sum_t  *sum = arg;

    row = fcc_top_row(sum->top, name);

    if (row != NULL) {
        *(double *) ((char *) row + sum->field) += value;
    }
}


static void
fcc_top_take(fcc_top_t *top, const char *text)
{
    size_t         i;
    fcc_top_sum_t  sum;

    static const struct {
        const char  *metric;
        size_t       field;
    } fields[] = {
        { "fcfaas_agent_function_vms", offsetof(fcc_top_row_t, vms) },
        { "fcfaas_proxy_inflight", offsetof(fcc_top_row_t, inflight) },
        { "fcfaas_proxy_requests_total",
          offsetof(fcc_top_row_t, counts[FCC_TOP_REQUESTS]) },
        { "fcfaas_proxy_bytes_total",
          offsetof(fcc_top_row_t, counts[FCC_TOP_BYTES]) },
    };

    for (i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        sum = (fcc_top_sum_t) { top, fields[i].field };
        fcc_prom_each(text, fields[i].metric, "function", fcc_top_add, &sum);
    }
}


/* answers of class 5xx, and the proxy's own */
static void
fcc_top_failed(fcc_top_t *top, const char *text)
{
    char           line[512];
    size_t         len;
    const char    *at, *end;
    fcc_top_sum_t  sum;

    sum = (fcc_top_sum_t) { top,
                            offsetof(fcc_top_row_t, counts[FCC_TOP_FAILED]) };

    for (at = text; at != NULL && *at != '\0'; at = end + (*end == '\n')) {

        end = at + strcspn(at, "\n");
        len = (size_t) (end - at);

        if (len >= sizeof(line)
            || strncmp(at, "fcfaas_proxy_responses_total{", 29) != 0)
        {
            continue;
        }

        memcpy(line, at, len);
        line[len] = '\0';

        if (strstr(line, "\"5xx\"") != NULL
            || strstr(line, "\"proxy\"") != NULL)
        {
            fcc_prom_each(line, "fcfaas_proxy_responses_total", "function",
                          fcc_top_add, &sum);
        }
    }
}


static int
fcc_top_read(fcc_t *fcc, fcc_top_t *top, fcf_err_t *err)
{
    int              rc;
    long             status;
    size_t           i;
    fcf_buf_t        body;
    fcf_err_t        why;
    fcc_admins_t     nodes;
    fcc_admin_ask_t  ask = { NULL, "/metrics", FCC_METRICS_MS, NULL };
    struct timespec  now;

    memset(top, 0, sizeof(fcc_top_t));
    rc = fcc_admins(fcc, &nodes, err);

    for (i = 0; rc == 0 && i < nodes.n; i++) {

        top->nodes++;
        top->vms += (unsigned) nodes.list[i].worker.vms;

        if (nodes.list[i].worker.admin[0] == '\0') {
            continue;
        }

        ask.admin = nodes.list[i].worker.admin;
        fcf_buf_init(&body, FCC_METRICS_MAX);
        rc = fcc_admin_get(fcc, &ask, &status, &body, &why);

        if (rc == 0 && status == 200 && body.data != NULL) {
            fcc_top_take(top, body.data);
            fcc_top_failed(top, body.data);
        }

        if (rc != 0 && why.code == FCF_E_AUTH) {
            *err = why;
        } else {
            rc = 0;                     /* what others count is shown */
        }

        fcf_buf_free(&body);
    }

    fcc_admins_free(&nodes);
    (void) clock_gettime(CLOCK_MONOTONIC, &now);
    top->at = (double) now.tv_sec + (double) now.tv_nsec / 1e9;

    return rc;
}


static int
fcc_top_cmp(const void *a, const void *b)
{
    const fcc_top_row_t  *x = a, *y = b;
    double                p, q;

    p = x->rates[FCC_TOP_REQUESTS] + x->vms / 1e6;
    q = y->rates[FCC_TOP_REQUESTS] + y->vms / 1e6;

    return p != q ? (p < q ? 1 : -1) : strcmp(x->name, y->name);
}


/* an agent that was started anew counts from nothing */
static void
fcc_top_rates(fcc_top_t *top, fcc_top_t *before)
{
    size_t          i, k;
    double          s, n;
    fcc_top_row_t  *was;

    s = top->at - before->at;

    for (i = 0; i < top->n; i++) {

        was = fcc_top_row(before, top->rows[i].name);

        for (k = 0; was != NULL && k < FCC_TOP_COUNTED; k++) {
            n = top->rows[i].counts[k] - was->counts[k];
            top->rows[i].rates[k] = n > 0 && s > 0 ? n / s : 0;
        }
    }

    qsort(top->rows, top->n, sizeof(fcc_top_row_t), fcc_top_cmp);
}


static int
fcc_top_json(const fcc_top_t *top, fcf_err_t *err)
{
    size_t   i;
    json_t  *list;

    list = json_array();

    for (i = 0; i < top->n; i++) {
        (void) json_array_append_new(list, json_pack(
            "{s:s, s:i, s:i, s:f, s:f, s:f, s:f}",
            "function", top->rows[i].name, "instances",
            (int) top->rows[i].vms, "inflight", (int) top->rows[i].inflight,
            "requests", top->rows[i].counts[FCC_TOP_REQUESTS],
            "requests_per_s", top->rows[i].rates[FCC_TOP_REQUESTS],
            "failed_per_s", top->rows[i].rates[FCC_TOP_FAILED],
            "bytes_per_s", top->rows[i].rates[FCC_TOP_BYTES]));
    }

    return fcc_json_print(list, err);
}


static int
fcc_top_table(const fcc_top_t *top, fcf_err_t *err)
{
    size_t                    i;
    fcc_table_t               table;
    const fcc_top_row_t      *row;
    static const char *const  heads[] = {
        "FUNCTION", "INSTANCES", "INSIDE", "REQUESTS/S", "FAILED/S", "KB/S",
        "REQUESTS", NULL
    };

    (void) printf("%u nodes, %u VMs\n\n", top->nodes, top->vms);
    fcc_table_init(&table, heads);

    for (i = 0; i < top->n; i++) {

        row = &top->rows[i];
        fcc_table_add(&table, "%s", row->name);
        fcc_table_add(&table, "%.0f", row->vms);
        fcc_table_add(&table, "%.0f", row->inflight);
        fcc_table_add(&table, "%.1f", row->rates[FCC_TOP_REQUESTS]);
        fcc_table_add(&table, "%.1f", row->rates[FCC_TOP_FAILED]);
        fcc_table_add(&table, "%.1f", row->rates[FCC_TOP_BYTES] / 1024);
        fcc_table_add(&table, "%.0f", row->counts[FCC_TOP_REQUESTS]);
    }

    return fcc_table_print(&table, err);
}


/* one sample after the other, until it is interrupted; elsewhere than on a
 * terminal one is enough */
static int
fcc_top_loop(fcc_t *fcc, fcc_top_t *two, int rounds, fcf_err_t *err)
{
    int              i, rc, s, screen;
    fcc_top_t       *now, *before;
    struct timespec  pause;

    s = FCC_TOP_S;
    screen = isatty(STDOUT_FILENO) && !fcc->json;

    if (fcc_opt_int(fcc, "interval", 1, 3600, &s, err) != 0
        || fcc_top_read(fcc, &two[0], err) != 0)
    {
        return -1;
    }

    pause = (struct timespec) { s, 0 };
    rounds = rounds != 0 ? rounds : screen ? -1 : 1;
    rc = FCC_DONE;

    for (i = 1; rc == FCC_DONE && rounds != 0; i++, rounds -= rounds > 0) {

        now = &two[i % 2];
        before = &two[(i + 1) % 2];
        (void) nanosleep(&pause, NULL);

        if (fcc_interrupted(err) != 0) {
            return FCC_DONE;
        }

        if (fcc_top_read(fcc, now, err) != 0) {
            return -1;
        }

        fcc_top_rates(now, before);
        (void) fputs(screen ? FCC_TOP_CLEAR : "", stdout);
        rc = fcc->json ? fcc_top_json(now, err) : fcc_top_table(now, err);
        (void) fflush(stdout);
    }

    return rc;
}


static int
fcc_top(fcc_t *fcc, fcf_err_t *err)
{
    int         rc, rounds;
    fcc_top_t  *two;

    rounds = 0;

    if (fcc_opt_int(fcc, "rounds", 1, 1000000, &rounds, err) != 0) {
        return -1;
    }

    two = calloc(2, sizeof(fcc_top_t));

    if (two == NULL) {
        return fcf_err_set(err, FCF_E_NOMEM, "no memory");
    }

    fcc_catch_signals();
    rc = fcc_top_loop(fcc, two, rounds, err);
    free(two);

    return rc;
}


static const fcc_option_t  fcc_top_options[] = {
    { "interval", 0, "SECONDS", "between two looks; else 2" },
    { "rounds", 'n', "N", "looks, then it ends" },
    { NULL, 0, NULL, NULL }
};

const fcc_verb_t  fcc_verb_top = {
    "top", "", "what functions do now, again and again", 0, 0,
    fcc_top_options,
    "Requests and failures (5xx) a second, as the proxies of all nodes count\n"
    "them, through their agents' admin listeners.  On a terminal it goes on\n"
    "until Ctrl-C, else it ends after one look.\n", fcc_top
};
