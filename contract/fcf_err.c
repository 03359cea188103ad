#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "contract/fcf_err.h"
#include "contract/fcf_text.h"


/* Peers' words are in it too, and a message is one line of a log, that says
 * something also where they were none. */

static void
fcf_err_line(fcf_err_t *err)
{
    char  raw[FCF_ERR_MSG_MAX];

    memcpy(raw, err->msg, sizeof(raw));
    (void) fcf_text_clean(err->msg, sizeof(err->msg), raw, strlen(raw), 0);

    if (err->msg[0] == '\0' && err->code != FCF_OK) {
        strcpy(err->msg, "no reason was given");
    }
}


int
fcf_err_set(fcf_err_t *err, fcf_code_e code, const char *fmt, ...)
{
    va_list  args;

    if (err == NULL) {
        return -1;
    }

    err->code = code;
    err->sys_errno = 0;

    va_start(args, fmt);
    (void) vsnprintf(err->msg, sizeof(err->msg), fmt, args);
    va_end(args);

    fcf_err_line(err);

    return -1;
}


int
fcf_err_sys(fcf_err_t *err, int sys_errno, const char *fmt, ...)
{
    size_t   len;
    va_list  args;

    if (err == NULL) {
        return -1;
    }

    err->code = FCF_E_SYSTEM;
    err->sys_errno = sys_errno;

    va_start(args, fmt);
    (void) vsnprintf(err->msg, sizeof(err->msg), fmt, args);
    va_end(args);

    /* glibc's strerror() is thread safe since 2.32 */

    len = strlen(err->msg);
    (void) snprintf(err->msg + len, sizeof(err->msg) - len, ": %s",
                    strerror(sys_errno));

    fcf_err_line(err);

    return -1;
}


int
fcf_err_wrap(fcf_err_t *err, const char *fmt, ...)
{
    char     old[FCF_ERR_MSG_MAX];
    size_t   len;
    va_list  args;

    if (err == NULL) {
        return -1;
    }

    memcpy(old, err->msg, sizeof(old));

    va_start(args, fmt);
    (void) vsnprintf(err->msg, sizeof(err->msg), fmt, args);
    va_end(args);

    len = strlen(err->msg);
    (void) snprintf(err->msg + len, sizeof(err->msg) - len, ": %s", old);

    fcf_err_line(err);

    return -1;
}


const char *
fcf_code_name(fcf_code_e code)
{
    switch (code) {

    case FCF_OK:
        return "ok";

    case FCF_E_NOMEM:
        return "nomem";

    case FCF_E_INVALID:
        return "invalid";

    case FCF_E_SYSTEM:
        return "system";

    case FCF_E_UNAVAILABLE:
        return "unavailable";

    case FCF_E_TIMEOUT:
        return "timeout";

    case FCF_E_PROTOCOL:
        return "protocol";

    case FCF_E_NOT_FOUND:
        return "not_found";

    case FCF_E_EXISTS:
        return "exists";

    case FCF_E_AUTH:
        return "auth";

    case FCF_E_LIMIT:
        return "limit";

    case FCF_E_REFUSED:
        return "refused";

    case FCF_E_CANCELED:
        return "canceled";
    }

    return "unknown";
}
