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


/* names of functions and states hold nothing that is escaped */
static int
fcc_prom_label(const char *line, const char *label, char *out)
{
    char         mark[FCC_LABEL_MAX];
    size_t       len;
    const char  *at, *end;

    (void) snprintf(mark, sizeof(mark), "%s=\"", label);
    end = strchr(line, '}');

    for (at = strstr(line, mark); at != NULL; at = strstr(at + 1, mark)) {
        if (at > line && (at[-1] == '{' || at[-1] == ',')) {
            break;                      /* not the end of another's name */
        }
    }

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


static int
fcc_prom_wanted(const char *line, const fcc_prom_want_t *want)
{
    char  of[FCC_LABEL_MAX];

    return want->with == NULL
           || (fcc_prom_label(line, want->with, of)
               && strcmp(of, want->is) == 0);
}


void
fcc_prom_each(const char *text, const fcc_prom_want_t *want,
    void (*each)(void *arg, const char *value_of_label, double value),
    void *arg)
{
    char         of[FCC_LABEL_MAX];
    const char  *line, *end;

    for (line = text; line != NULL; ) {

        line = fcc_prom_line(line, want->name);

        if (line == NULL) {
            return;
        }

        end = strchr(line, '}');

        if (*line == '{' && end != NULL && fcc_prom_wanted(line, want)
            && fcc_prom_label(line, want->label, of))
        {
            each(arg, of, strtod(end + 1, NULL));
        }

        line = strchr(line, '\n');
    }
}
