#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/table.h"
#include "contract/fcf_text.h"

#define FCC_CELL_MAX  2048


void
fcc_table_init(fcc_table_t *table, const char *const *heads)
{
    memset(table, 0, sizeof(fcc_table_t));
    table->heads = heads;

    while (heads[table->ncolumns] != NULL) {
        table->ncolumns++;
    }
}


void
fcc_table_add(fcc_table_t *table, const char *fmt, ...)
{
    char      raw[FCC_CELL_MAX], text[FCC_CELL_MAX], **cells;
    size_t    size;
    va_list   args;

    va_start(args, fmt);
    (void) vsnprintf(raw, sizeof(raw), fmt, args);
    va_end(args);

    (void) fcf_text_clean(text, sizeof(text), raw, strlen(raw), 0);

    if (table->ncells == table->size) {

        size = table->size * 2 + 64;
        cells = realloc(table->cells, size * sizeof(char *));

        if (cells == NULL) {
            table->failed = 1;
            return;
        }

        table->cells = cells;
        table->size = size;
    }

    table->cells[table->ncells] = strdup(text);

    if (table->cells[table->ncells] == NULL) {
        table->failed = 1;
        return;
    }

    table->ncells++;
}


/* characters, each taken for one column */
static size_t
fcc_width(const char *s)
{
    size_t  n;

    for (n = 0; *s != '\0'; s++) {
        n += (*s & 0xc0) != 0x80;
    }

    return n;
}


static void
fcc_table_row(const fcc_table_t *table, const char *const *cells,
    const size_t *widths)
{
    size_t  i;

    for (i = 0; i < table->ncolumns; i++) {

        (void) fputs(cells[i], stdout);

        if (i + 1 < table->ncolumns) {
            (void) printf("%*s", (int) (widths[i] - fcc_width(cells[i]) + 2),
                          "");
        }
    }

    (void) putchar('\n');
}


int
fcc_table_print(fcc_table_t *table, fcf_err_t *err)
{
    size_t  i, n, width, widths[FCC_COLUMNS_MAX];

    for (i = 0; i < table->ncolumns; i++) {
        widths[i] = fcc_width(table->heads[i]);
    }

    for (i = 0; i < table->ncells; i++) {

        n = i % table->ncolumns;
        width = fcc_width(table->cells[i]);
        widths[n] = width > widths[n] ? width : widths[n];
    }

    if (!table->failed) {

        fcc_table_row(table, table->heads, widths);

        for (i = 0; i < table->ncells; i += table->ncolumns) {
            fcc_table_row(table, (const char *const *) &table->cells[i],
                          widths);
        }
    }

    for (i = 0; i < table->ncells; i++) {
        free(table->cells[i]);
    }

    free(table->cells);

    return table->failed ? fcf_err_set(err, FCF_E_NOMEM, "no memory")
                         : FCC_DONE;
}


int
fcc_json_print(json_t *value, fcf_err_t *err)
{
    int  rc;

    if (value == NULL) {
        return fcf_err_set(err, FCF_E_NOMEM, "no memory");
    }

    rc = json_dumpf(value, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII);
    (void) putchar('\n');
    json_decref(value);

    return rc == 0 ? FCC_DONE
           : fcf_err_set(err, FCF_E_SYSTEM, "standard output cannot be "
                         "written");
}


const char *
fcc_ago(char *buf, size_t size, int64_t ms)
{
    int64_t  s;

    s = time(NULL) - ms / 1000;

    if (ms == 0) {
        (void) snprintf(buf, size, "-");

    } else if (s < 0) {
        (void) snprintf(buf, size, "0s");   /* another host's clock */

    } else if (s < 120) {
        (void) snprintf(buf, size, "%" PRId64 "s", s);

    } else if (s < 7200) {
        (void) snprintf(buf, size, "%" PRId64 "m", s / 60);

    } else if (s < 172800) {
        (void) snprintf(buf, size, "%" PRId64 "h", s / 3600);

    } else {
        (void) snprintf(buf, size, "%" PRId64 "d", s / 86400);
    }

    return buf;
}
