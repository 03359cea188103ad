/*
 * Which instance of a pool takes a request: the order, held against a plain
 * model by random steps; and how many steps that takes, counted by the
 * compiler (each basic block of ngx_http_fcfaas_pick.c that runs), with ten
 * cells and with ten thousand.
 */

#include "ngx_fcfaas_module/ngx_http_fcfaas_pick.h"
#include "t/unit/tap.h"

#define NMAX   10000
#define NSMALL 12

void __sanitizer_cov_trace_pc(void);

static ngx_uint_t              steps;
static ngx_msec_t              now = 1000;
static ngx_http_fcfaas_cell_t  cells[NMAX];
static ngx_http_fcfaas_pick_t  pick;


void
__sanitizer_cov_trace_pc(void)
{
    steps++;
}


static void
begin(ngx_uint_t n, ngx_uint_t limit)
{
    ngx_uint_t  i;

    memset(cells, 0, sizeof(cells));
    ngx_http_fcfaas_pick_init(&pick);

    for (i = 0; i < n; i++) {
        cells[i].limit = limit;
        ngx_http_fcfaas_pick_add(&pick, &cells[i]);
    }
}


static ngx_http_fcfaas_cell_t *
take(void)
{
    ngx_http_fcfaas_cell_t  *cell;

    cell = ngx_http_fcfaas_pick_next(&pick, NULL, NULL, 0);

    if (cell) {
        ngx_http_fcfaas_pick_take(&pick, cell);
    }

    return cell;
}


static void
test_order(void)
{
    ngx_uint_t               i;
    ngx_http_fcfaas_cell_t  *a, *b, *c;

    begin(3, 2);
    is_int(pick.free, 6, "free slots");

    a = take();
    b = take();
    ok(a != b, "an idle one comes before one that is busy");
    ngx_http_fcfaas_pick_give(&pick, a);
    ok(take() == a, "the one that was idle last comes first");
    ngx_http_fcfaas_pick_give(&pick, b);
    ngx_http_fcfaas_pick_give(&pick, a);
    ok(take() == a, "again");
    ok(take() == b, "then the one before");
    c = take();
    ok(c != a && c != b, "then one that was never used");
    is_int(pick.free, 3, "each has one slot left");

    for (i = 0; i < 3; i++) {
        ok(take() != NULL, "room %d", (int) i);
    }

    ok(take() == NULL, "all full");
    is_int(pick.free, 0, "no slot");

    /* said to be busy: below all others */
    ngx_http_fcfaas_pick_give(&pick, a);
    ngx_http_fcfaas_pick_give(&pick, a);
    ngx_http_fcfaas_pick_give(&pick, b);
    a->trial = 1;
    ngx_http_fcfaas_pick_place(&pick, a);
    ngx_http_fcfaas_pick_aside(&pick, a, NGX_HTTP_FCFAAS_ASIDE_SHORT,
                               now + 50);
    ok(take() == b, "one that is aside is not taken");
    ok(take() == NULL, "also when there is no other");
    is_int(ngx_http_fcfaas_pick_wait(&pick, now), 50, "its time is known");
    ok(ngx_http_fcfaas_pick_due(&pick, now + 49) == NULL, "not before");
    ok(ngx_http_fcfaas_pick_due(&pick, now + 50) == a, "then it is due");
    ngx_http_fcfaas_pick_give(&pick, b);
    ok(take() == b, "the trial comes behind one with room");
    ok(take() == a, "but it comes");
    ok(take() == NULL, "for one at a time");
    a->trial = 0;
    a->trying = 0;
    ngx_http_fcfaas_pick_place(&pick, a);
    ok(take() == a, "then it is as others");

    /* a last resort */
    ngx_http_fcfaas_pick_done(&pick);
    begin(2, 1);
    cells[0].last = 1;
    ngx_http_fcfaas_pick_place(&pick, &cells[0]);
    ok(take() == &cells[1], "a last resort comes last");
    ok(take() == &cells[0], "but it comes");
    cells[1].out = 1;
    ngx_http_fcfaas_pick_place(&pick, &cells[1]);
    ngx_http_fcfaas_pick_give(&pick, &cells[1]);
    ok(take() == NULL, "one that is out does not");
    ngx_http_fcfaas_pick_del(&pick, &cells[1]);
    ngx_http_fcfaas_pick_del(&pick, &cells[0]);
    ngx_http_fcfaas_pick_give(&pick, &cells[0]);
    ok(take() == NULL, "nor one that is gone and given back");
    ngx_http_fcfaas_pick_done(&pick);
}


static ngx_uint_t
skip_two(void *data, ngx_http_fcfaas_cell_t *cell)
{
    ngx_uint_t *asked = data;

    (*asked)++;

    return cell == &cells[0] || cell == &cells[1];
}


static void
test_skips(void)
{
    ngx_uint_t               i, asked, most, bad;
    ngx_http_fcfaas_cell_t  *cell;

    begin(8, 100);
    most = bad = 0;

    for (i = 0; i < 400; i++) {
        asked = 0;
        cell = ngx_http_fcfaas_pick_next(&pick, skip_two, &asked, 2);
        most = ngx_max(most, asked);
        bad += cell == NULL || cell < &cells[2];

        if (cell) {
            ngx_http_fcfaas_pick_take(&pick, cell);
        }
    }

    is_int(bad, 0, "what a request has tried is not taken for it");
    ok(most <= 11, "asked %d times at most", (int) most);


    ngx_http_fcfaas_pick_done(&pick);
}


static void
test_spread(void)
{
    ngx_uint_t  i, least, most;

    begin(100, 1000);

    for (i = 0; i < 100 * 50; i++) {
        take();
    }

    least = most = cells[0].busy;

    for (i = 0; i < 100; i++) {
        least = ngx_min(least, cells[i].busy);
        most = ngx_max(most, cells[i].busy);
    }

    /* by chance alone it would be some 32 to 70 */
    ok(least >= 42 && most <= 58, "5000 requests over 100: %d to %d each",
       (int) least, (int) most);
    ngx_http_fcfaas_pick_done(&pick);
}


static ngx_uint_t
usable(ngx_http_fcfaas_cell_t *c)
{
    return !c->gone && !c->out && !c->aside && c->busy < c->limit
           && !(c->trial && c->trying);
}


/* 0: worst, what is better than what */
static int
worth(ngx_http_fcfaas_cell_t *c)
{
    if (!usable(c)) {
        return 0;
    }

    if (c->trial) {
        return 3;
    }

    return (c->last ? 1 : 4) + (c->busy == 0);
}


static const char *
model(void)
{
    int                      best;
    uint64_t                 n;
    ngx_uint_t               i;
    ngx_http_fcfaas_cell_t  *cell;

    n = 0;
    best = 0;

    for (i = 0; i < NSMALL; i++) {
        if (usable(&cells[i])) {
            n += cells[i].trial ? 1 : cells[i].limit - cells[i].busy;
        }

        best = ngx_max(best, worth(&cells[i]));
    }

    if (n != pick.free) {
        return "free slots";
    }

    cell = ngx_http_fcfaas_pick_next(&pick, NULL, NULL, 0);

    if ((cell ? worth(cell) : 0) != best) {
        return "the best one";
    }

    return NULL;
}


static void
test_model(void)
{
    ngx_uint_t               i, held;
    const char              *why;
    ngx_http_fcfaas_cell_t  *c;

    begin(NSMALL, 1);

    for (i = 0; i < NSMALL; i++) {
        cells[i].limit = 1 + i % 4;
        ngx_http_fcfaas_pick_place(&pick, &cells[i]);
    }

    why = NULL;
    held = 0;

    for (i = 0; i < 300000 && why == NULL; i++) {
        c = &cells[random() % NSMALL];
        now += random() % 3;

        switch (random() % 10) {

        case 0: case 1: case 2:
            held += take() != NULL;
            break;

        case 3: case 4:
            if (c->busy) {
                ngx_http_fcfaas_pick_give(&pick, c);
                held--;
            }
            break;

        case 5:
            if (!c->gone) {
                ngx_http_fcfaas_pick_aside(&pick, c, random() % 4,
                                           now + random() % 50);
            }
            break;

        case 6:
            while (ngx_http_fcfaas_pick_due(&pick, now)) { /* void */ }
            break;

        case 7:
            c->out = random() % 4 == 0;
            c->trial = random() % 4 == 0;
            c->last = random() % 4 == 0;
            c->limit = 1 + random() % 4;

            if (!c->gone) {
                ngx_http_fcfaas_pick_place(&pick, c);
            }
            break;

        case 8:
            if (!c->gone) {
                ngx_http_fcfaas_pick_del(&pick, c);

            } else if (c->busy == 0) {
                memset(c, 0, sizeof(*c));
                c->limit = 2;
                ngx_http_fcfaas_pick_add(&pick, c);
            }
            break;

        default:
            if (!c->gone) {
                ngx_http_fcfaas_pick_back(&pick, c);
            }
        }

        why = model();
    }

    ok(why == NULL, "300000 random steps: %s after %d",
       why ? why : "as the model", (int) i);
    ngx_http_fcfaas_pick_done(&pick);
}


#define count(op)                                                           \
    steps = 0;                                                              \
    op;                                                                     \
    most = ngx_max(most, steps)


/* the most that one step took, whatever is under way */
static ngx_uint_t
cost(ngx_uint_t n)
{
    ngx_uint_t               i, k, most;
    ngx_http_fcfaas_cell_t  *cell;

    begin(n, 3);
    most = 0;

    for (i = 0; i < 3 * n; i++) {
        count(cell = take());
    }

    count(cell = take());
    ok(cell == NULL, "%d full", (int) n);

    for (k = 0; k < 3; k++) {
        for (i = 0; i < n; i++) {
            count(ngx_http_fcfaas_pick_give(&pick, &cells[i]));
        }
    }

    for (i = 0; i < n; i++) {
        count(ngx_http_fcfaas_pick_aside(&pick, &cells[i],
                                         i % NGX_HTTP_FCFAAS_NASIDE,
                                         now + 100));
        count((void) ngx_http_fcfaas_pick_wait(&pick, now));
    }

    count(cell = take());
    ok(cell == NULL, "%d aside", (int) n);

    for (i = 0; i < n; i++) {
        count(cell = ngx_http_fcfaas_pick_due(&pick, now + 100));
        cell->trial = i & 1;
        count(ngx_http_fcfaas_pick_place(&pick, cell));
    }

    for (i = 0; i < n; i++) {
        count(ngx_http_fcfaas_pick_del(&pick, &cells[(i * 7919) % n]));
        memset(&cells[(i * 7919) % n], 0, sizeof(cells[0]));
        cells[(i * 7919) % n].limit = 1;
        count(ngx_http_fcfaas_pick_add(&pick, &cells[(i * 7919) % n]));
    }

    ngx_http_fcfaas_pick_done(&pick);

    return most;
}


int
main(void)
{
    ngx_uint_t  few, many;

    srandom(1);

    test_order();
    test_skips();
    test_spread();
    test_model();

    few = cost(10);
    many = cost(NMAX);

    ok(few > 10, "steps are counted: %d with 10", (int) few);
    ok(many <= few + few / 4, "and with %d: %d", NMAX, (int) many);

    return tap_done();
}
