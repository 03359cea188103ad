/* What people are told: what others wrote is in it too, and becomes text that
 * a terminal does nothing but show. */

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "cli/fcc.h"
#include "contract/fcf_text.h"


static void
fcc_put_text(FILE *out, const char *before, const char *raw, int flags)
{
    char    *text;
    size_t   size;

    size = strlen(raw) * FCF_TEXT_GROWS + 1;
    text = malloc(size);

    if (text != NULL) {
        (void) fcf_text_clean(text, size, raw, strlen(raw), flags);
        (void) fprintf(out, "%s%s\n", before, text);
    }

    free(text);
}


static void fcc_put_line(FILE *out, const char *before, const char *fmt,
    va_list args) fcf_printf_like(3, 0);

static void
fcc_put_line(FILE *out, const char *before, const char *fmt, va_list args)
{
    char  *raw;

    if (vasprintf(&raw, fmt, args) >= 0) {
        fcc_put_text(out, before, raw, 0);
        free(raw);
    }
}


void
fcc_say(const char *fmt, ...)
{
    va_list  args;

    va_start(args, fmt);
    fcc_put_line(stderr, "fcfaas: ", fmt, args);
    va_end(args);
}


void
fcc_say_lines(const char *text)
{
    char  *lines, *p;

    lines = malloc(strlen(text) + 1);
    if (lines == NULL) {
        return;
    }

    for (p = lines; *text != '\0'; p++) {

        if (text[0] == '\\' && (text[1] == 'n' || text[1] == 't')) {
            *p = text[1] == 'n' ? '\n' : '\t';
            text += 2;

        } else {
            *p = *text++;
        }
    }

    *p = '\0';
    fcc_put_text(stderr, "", lines, FCF_TEXT_LINES);
    free(lines);
}


void
fcc_print(const char *fmt, ...)
{
    va_list  args;

    va_start(args, fmt);
    fcc_put_line(stdout, "", fmt, args);
    va_end(args);
}
