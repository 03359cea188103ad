#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "client/fcf_loop.h"
#include "contract/fcf_text.h"

#define FCF_LOG_MAX       1024
#define FCF_SAID_PAUSE_MS  10000


void
fcf_log(fcf_loop_t *loop, fcf_log_e level, const char *fmt, ...)
{
    char     raw[FCF_LOG_MAX], line[FCF_LOG_MAX];
    va_list  args;

    if (loop->log == NULL) {
        return;
    }

    va_start(args, fmt);
    (void) vsnprintf(raw, sizeof(raw), fmt, args);
    va_end(args);

    (void) fcf_text_clean(line, sizeof(line), raw, strlen(raw), 0);

    loop->log(loop, level, line);
}


int
fcf_said(fcf_said_t *said, fcf_loop_t *loop, const char *text)
{
    uint64_t  now;

    now = loop->now(loop);

    if (said->text[0] != '\0'
        && (now - said->at < FCF_SAID_PAUSE_MS
            || strncmp(said->text, text, sizeof(said->text) - 1) == 0))
    {
        return 1;
    }

    (void) snprintf(said->text, sizeof(said->text), "%s", text);
    said->at = now;

    return 0;
}


void
fcf_said_nothing(fcf_said_t *said)
{
    said->text[0] = '\0';
}
