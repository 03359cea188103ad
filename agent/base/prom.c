#include <stdio.h>
#include <string.h>
#include "agent/base/prom.h"

#define FCA_PROM_ADD(prom, ...)                                             \
    do {                                                                    \
        if ((prom)->rc == 0) {                                              \
            (prom)->rc = fcf_buf_addf((prom)->buf, __VA_ARGS__);            \
        }                                                                   \
    } while (0)

void
fca_prom_begin(fca_prom_t *prom, fcf_buf_t *buf)
{
    prom->buf = buf;
    prom->name = NULL;
    prom->rc = 0;
}

int
fca_prom_end(fca_prom_t *prom)
{
    return prom->rc;
}

void
fca_prom_family(fca_prom_t *prom, const char *name, const char *type,
    const char *help)
{
    prom->name = name;
    FCA_PROM_ADD(prom, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void
fca_prom_text(fca_prom_t *prom, const char *value)
{
    size_t  n;

    while (prom->rc == 0 && *value) {
        n = strcspn(value, "\\\"\n");
        prom->rc = fcf_buf_add(prom->buf, value, n);
        value += n;

        if (*value) {
            FCA_PROM_ADD(prom, "\\%c", *value == '\n' ? 'n' : *value);
            value++;
        }
    }
}

/* le: a histogram's bound, or NULL */
static void
fca_prom_sample(fca_prom_t *prom, const char *suffix,
    const fca_label_t *labels, size_t n, const char *le, double value)
{
    size_t       i;
    const char  *sep = "{";

    FCA_PROM_ADD(prom, "%s%s", prom->name, suffix);

    for (i = 0; i < n; i++) {
        FCA_PROM_ADD(prom, "%s%s=\"", sep, labels[i].name);
        fca_prom_text(prom, labels[i].value);
        FCA_PROM_ADD(prom, "\"");
        sep = ",";
    }

    if (le) {
        FCA_PROM_ADD(prom, "%sle=\"%s\"", sep, le);
        sep = ",";
    }

    FCA_PROM_ADD(prom, "%s %.15g\n", *sep == ',' ? "}" : "", value);
}

void
fca_prom_value(fca_prom_t *prom, const fca_label_t *labels, size_t n,
    double value)
{
    fca_prom_sample(prom, "", labels, n, NULL, value);
}

void
fca_prom_one(fca_prom_t *prom, const char *name, const char *type,
    const char *help, double value)
{
    fca_prom_family(prom, name, type, help);
    fca_prom_value(prom, NULL, 0, value);
}

void
fca_prom_hist(fca_prom_t *prom, const fca_label_t *labels, size_t n,
    const fca_hist_t *hist)
{
    char      le[16];
    size_t    i;
    uint64_t  sum = 0;

    for (i = 0; i < FCA_HIST_BOUNDS; i++) {
        sum += hist->n[i];
        snprintf(le, sizeof(le), "%g", fca_hist_bounds[i] / 1e3);
        fca_prom_sample(prom, "_bucket", labels, n, le, (double) sum);
    }

    sum += hist->n[i];
    fca_prom_sample(prom, "_bucket", labels, n, "+Inf", (double) sum);
    fca_prom_sample(prom, "_sum", labels, n, NULL, (double) hist->sum_ms / 1e3);
    fca_prom_sample(prom, "_count", labels, n, NULL, (double) sum);
}
