/* fcfaas top: what functions do now, as the proxies of all nodes count it. */

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/table.h"
#include "cli/top.h"

#define FCC_TOP_S        2
/* begins a screen anew */
#define FCC_TOP_CLEAR    "\033[H\033[2J"


static int
fcc_top_cmp(const void *a, const void *b)
{
    const fcc_top_row_t  *x = a, *y = b;
    double                p, q;

    p = x->rates[FCC_TOP_REQUESTS] + x->vms / 1e6;
    q = y->rates[FCC_TOP_REQUESTS] + y->vms / 1e6;

    return p != q ? (p < q ? 1 : -1) : strcmp(x->name, y->name);
}


static int
fcc_top_json(const fcc_top_t *top, fcf_err_t *err)
{
    size_t   i;
    json_t  *list;

    list = json_array();

    for (i = 0; i < top->rows.n; i++) {
        (void) json_array_append_new(list, json_pack(
            "{s:s, s:i, s:i, s:f, s:f, s:f, s:f}",
            "function", top->rows.list[i].name, "instances",
            (int) top->rows.list[i].vms, "inflight", (int) top->rows.list[i].inflight,
            "requests", top->rows.list[i].counts[FCC_TOP_REQUESTS],
            "requests_per_s", top->rows.list[i].rates[FCC_TOP_REQUESTS],
            "failed_per_s", top->rows.list[i].rates[FCC_TOP_FAILED],
            "bytes_per_s", top->rows.list[i].rates[FCC_TOP_BYTES]));
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

    (void) printf("%zu nodes, %u VMs\n\n", top->nnodes, top->vms);
    fcc_table_init(&table, heads);

    for (i = 0; i < top->rows.n; i++) {

        row = &top->rows.list[i];
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


static int
fcc_top_show(const fcc_t *fcc, fcc_top_t *top, int screen, fcf_err_t *err)
{
    int  rc;

    if (top->rows.n > 1) {
        qsort(top->rows.list, top->rows.n, sizeof(fcc_top_row_t),
              fcc_top_cmp);
    }

    (void) fputs(screen ? FCC_TOP_CLEAR : "", stdout);
    rc = fcc->json ? fcc_top_json(top, err) : fcc_top_table(top, err);
    (void) fflush(stdout);

    return rc;
}


/* one sample after the other, until it is interrupted; elsewhere than on a
 * terminal one is enough */
static int
fcc_top_loop(fcc_t *fcc, fcc_top_t *before, int rounds, int s, fcf_err_t *err)
{
    int              rc, screen;
    fcc_top_t        now;
    struct timespec  pause = { s, 0 };
    const fcc_top_t  nothing = { .nnodes = 0 };

    screen = isatty(STDOUT_FILENO) && !fcc->json;
    rounds = rounds != 0 ? rounds : screen ? -1 : 1;
    rc = fcc_top_look(fcc, before, &nothing, err);

    for ( /* void */ ; rc == FCC_DONE && rounds != 0; rounds -= rounds > 0) {

        (void) nanosleep(&pause, NULL);

        if (fcc_interrupted(err) != 0) {
            return FCC_DONE;
        }

        rc = fcc_top_look(fcc, &now, before, err);

        if (rc == FCC_DONE) {
            rc = fcc_top_show(fcc, &now, screen, err);
        }

        fcc_top_free(before);
        *before = now;
    }

    return rc;
}


static int
fcc_top(fcc_t *fcc, fcf_err_t *err)
{
    int        rc, rounds, s;
    fcc_top_t  before;

    rounds = 0;
    s = FCC_TOP_S;

    if (fcc_opt_int(fcc, "rounds", 1, 1000000, &rounds, err) != 0
        || fcc_opt_int(fcc, "interval", 1, 3600, &s, err) != 0)
    {
        return -1;
    }

    fcc_catch_signals();
    memset(&before, 0, sizeof(before));
    rc = fcc_top_loop(fcc, &before, rounds, s, err);
    fcc_top_free(&before);

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
