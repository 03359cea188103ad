#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/prom.h"

#define FCC_LABEL_MAX  128


/* the next line of that metric, behind its name; NULL: no more */
static const char *
fcc_prom_line(const char *text, const char *name)
{
    size_t  len;

    len = strlen(name);

    while (text != NULL) {

        if (strncmp(text, name, len) == 0
            && (text[len] == ' ' || text[len] == '{'))
        {
            return text + len;
        }

        text = strchr(text, '\n');
        text = text != NULL ? text + 1 : NULL;
    }

    return NULL;
}


int
fcc_prom_value(const char *text, const char *name, double *value)
{
    char        *end;
    const char  *line;

    line = text != NULL ? fcc_prom_line(text, name) : NULL;

    if (line == NULL || *line != ' ') {
        return 0;
    }

    *value = strtod(line, &end);

    return end != line;
}


/* names of functions and states hold nothing that is escaped */
static int
fcc_prom_label(const char *line, const char *label, char *out)
{
    char         mark[FCC_LABEL_MAX];
    size_t       len;
    const char  *at, *end;

    (void) snprintf(mark, sizeof(mark), "%s=\"", label);
    end = strchr(line, '}');
    at = strstr(line, mark);

    if (end == NULL || at == NULL || at > end) {
        return 0;
    }

    at += strlen(mark);
    len = strcspn(at, "\"\n");

    if (len >= FCC_LABEL_MAX) {
        return 0;
    }

    memcpy(out, at, len);
    out[len] = '\0';

    return 1;
}


void
fcc_prom_each(const char *text, const char *name, const char *label,
    void (*each)(void *arg, const char *value_of_label, double value),
    void *arg)
{
    char         of[FCC_LABEL_MAX];
    const char  *line, *end;

    for (line = text; line != NULL; ) {

        line = fcc_prom_line(line, name);

        if (line == NULL) {
            return;
        }

        end = strchr(line, '}');

        if (*line == '{' && end != NULL && fcc_prom_label(line, label, of)) {
            each(arg, of, strtod(end + 1, NULL));
        }

        line = strchr(line, '\n');
    }
}
