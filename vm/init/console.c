#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "vm/guest.h"
#include "vm/init/console.h"


static void
put_line(char *line, size_t len)
{
    size_t   i;
    ssize_t  n;

    for (i = 0; i < len; i++) {
        if ((line[i] < ' ' || line[i] > '~') && line[i] != '\t') {
            line[i] = '?';
        }
    }

    line[len++] = '\n';

    for (i = 0; i < len; i += (size_t) n) {
        n = write(STDERR_FILENO, line + i, len - i);
        if (n <= 0) {
            return;
        }
    }
}


fcf_printf_like(2, 0)
static void
put_text(const char *begins, const char *fmt, va_list args)
{
    int     n;
    char    line[FCV_CONSOLE_LINE];
    size_t  used;

    used = (size_t) snprintf(line, sizeof(line), "%s", begins);
    n = vsnprintf(line + used, sizeof(line) - used, fmt, args);

    if (n > 0) {
        used += (size_t) n;
    }

    if (used > sizeof(line) - 1) {
        used = sizeof(line) - 1;
    }

    put_line(line, used);
}


void
fcv_say(const char *fmt, ...)
{
    va_list  args;

    va_start(args, fmt);
    put_text("fcfaas: ", fmt, args);
    va_end(args);
}


void
fcv_warn(const char *fmt, ...)
{
    va_list  args;

    va_start(args, fmt);
    put_text(FCV_WARNING, fmt, args);
    va_end(args);
}


void
fcv_say_lines(const char *text, size_t len)
{
    char         line[FCV_CONSOLE_LINE];
    size_t       n;
    const char  *end;

    while (len > 0) {
        end = memchr(text, '\n', len);
        n = end ? (size_t) (end - text) : len;

        line[0] = '|';
        line[1] = ' ';
        memcpy(line + 2, text, n < sizeof(line) - 3 ? n : sizeof(line) - 3);
        put_line(line, (n < sizeof(line) - 3 ? n : sizeof(line) - 3) + 2);

        if (end) {
            n++;
        }

        text += n;
        len -= n;
    }
}
