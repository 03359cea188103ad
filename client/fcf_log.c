#include <stdarg.h>
#include <stdio.h>

#include "client/fcf_loop.h"

#define FCF_LOG_MAX  1024


void
fcf_log(fcf_loop_t *loop, fcf_log_e level, const char *fmt, ...)
{
    char     line[FCF_LOG_MAX];
    va_list  args;

    if (loop->log == NULL) {
        return;
    }

    va_start(args, fmt);
    (void) vsnprintf(line, sizeof(line), fmt, args);
    va_end(args);

    loop->log(loop, level, line);
}
