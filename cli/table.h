/* Results for people: columns as wide as what stands in them. */

#ifndef _FCC_TABLE_H_INCLUDED_
#define _FCC_TABLE_H_INCLUDED_

#include "cli/fcc.h"

#define FCC_COLUMNS_MAX  12

typedef struct {
    const char *const  *heads;          /* up to a NULL */
    size_t              ncolumns;
    char              **cells;
    size_t              ncells, size;
    int                 failed;         /* out of memory */
} fcc_table_t;

void fcc_table_init(fcc_table_t *table, const char *const *heads);
/* the next cell, row by row; what others wrote is made fit to be shown */
void fcc_table_add(fcc_table_t *table, const char *fmt, ...)
    fcf_printf_like(2, 3);
/* prints and frees it; what the command ends with, or -1 */
int fcc_table_print(fcc_table_t *table, fcf_err_t *err);

/* prints and takes the value, which may be NULL (out of memory); all that is
 * not ASCII is escaped: a terminal may show it */
int fcc_json_print(json_t *value, fcf_err_t *err);

/* "3m", "2h", "12d" since that Unix time; "-" of 0 */
const char *fcc_ago(char *buf, size_t size, int64_t ms);

#endif /* _FCC_TABLE_H_INCLUDED_ */
