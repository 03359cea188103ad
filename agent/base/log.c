#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "agent/base/log.h"
#include "contract/fcf_names.h"
#include "contract/fcf_text.h"

/* not over PIPE_BUF: a pipe that polls writable takes a line whole */
#define FCA_LOG_LINE  4096
#define FCA_LOG_MSG   1024

/* set before the first thread starts, read-only from then on */
static struct {
    int        fd;
    fcf_log_e  min;
    char       node_id[FCF_ID_MAX + 1];
} fca_log_conf = { STDERR_FILENO, FCF_LOG_INFO, "" };

/* One line at a time: what poll(2) says of a pipe holds for one writer.  Held
 * for a write that does not block. */
static pthread_mutex_t  fca_log_mutex = PTHREAD_MUTEX_INITIALIZER;

/* lines that nobody took, since the last that was written */
static unsigned  fca_log_lost;

static const char  *fca_log_names[] = {
    [FCF_LOG_DEBUG] = "debug",
    [FCF_LOG_INFO]  = "info",
    [FCF_LOG_WARN]  = "warn",
    [FCF_LOG_ERROR] = "error",
};

#define FCA_LOG_LEVELS  (sizeof(fca_log_names) / sizeof(fca_log_names[0]))


void
fca_log_init(int fd, fcf_log_e min, const char *node_id)
{
    fca_log_conf.fd = fd;
    fca_log_conf.min = min;

    snprintf(fca_log_conf.node_id, sizeof(fca_log_conf.node_id), "%s",
             node_id != NULL ? node_id : "");
}


int
fca_log_level_parse(const char *name, fcf_log_e *out)
{
    size_t  i;

    for (i = 0; i < FCA_LOG_LEVELS; i++) {
        if (strcmp(name, fca_log_names[i]) == 0) {
            *out = (fcf_log_e) i;
            return 0;
        }
    }

    return -1;
}


const char *
fca_log_level_name(fcf_log_e level)
{
    return fca_log_names[level];
}


/* Appends s escaped for a JSON string and stops before end: a line that does
 * not fit is cut between characters, and stays JSON.  Guests write what they
 * like. */
static char *
put_escaped(char *p, const char *end, const char *s)
{
    char                  esc[16];
    size_t                in, left, n;
    unsigned              c;
    const char           *piece;
    const unsigned char  *u;

    left = strlen(s);

    for (u = (const unsigned char *) s; left > 0; u += in, left -= in) {
        in = fcf_utf8_char(u, left, &c);
        piece = (const char *) u;
        n = in;

        if (in == 0) {
            in = 1;
            piece = "\\ufffd";
            n = 6;

        } else if (c == '"' || c == '\\') {
            n = (size_t) snprintf(esc, sizeof(esc), "\\%c", (char) c);
            piece = esc;

        } else if (!fcf_char_shown(c)) {
            n = c < 0x10000
                ? (size_t) snprintf(esc, sizeof(esc), "\\u%04x", c)
                : (size_t) snprintf(esc, sizeof(esc), "\\u%04x\\u%04x",
                                    0xd800 + ((c - 0x10000) >> 10),
                                    0xdc00 + ((c - 0x10000) & 0x3ff));
            piece = esc;
        }

        if (n > (size_t) (end - p)) {
            break;
        }

        memcpy(p, piece, n);
        p += n;
    }

    return p;
}


/* ,"name":"value"; left out as a whole where nothing of it would fit */
static char *
put_field(char *p, const char *end, const char *name, const char *value)
{
    size_t  n;

    n = strlen(name) + sizeof(",\"\":\"\"") - 1;

    if (value == NULL || *value == '\0' || (size_t) (end - p) < n) {
        return p;
    }

    p += snprintf(p, (size_t) (end - p), ",\"%s\":\"", name);
    p = put_escaped(p, end - 1, value);
    *p++ = '"';

    return p;
}


static char *
put_start(char *p, const char *end, fcf_log_e level)
{
    struct tm        tm;
    struct timespec  ts;

    clock_gettime(CLOCK_REALTIME, &ts);
    gmtime_r(&ts.tv_sec, &tm);

    p += snprintf(p, (size_t) (end - p),
                  "{\"ts\":\"%04d-%02d-%02dT%02d:%02d:%02d.%03ldZ\","
                  "\"level\":\"%s\"",
                  tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour,
                  tm.tm_min, tm.tm_sec, ts.tv_nsec / 1000000,
                  fca_log_names[level]);

    return p;
}


/* 0, or -1 if the log's reader stands still: a loop must not wait for it.
 * Sockets (journald's is one) are asked not to block; the flag of a pipe or a
 * terminal would be its other users' too. */
static int
put_line(const char *line, size_t len)
{
    int            fd;
    ssize_t        n;
    struct pollfd  pfd;

    fd = fca_log_conf.fd;

    do {
        n = send(fd, line, len, MSG_DONTWAIT | MSG_NOSIGNAL);
    } while (n < 0 && errno == EINTR);

    if (n >= 0 || errno != ENOTSOCK) {
        return n < 0 ? -1 : 0;
    }

    pfd.fd = fd;
    pfd.events = POLLOUT;

    if (poll(&pfd, 1, 0) != 1) {
        return -1;
    }

    do {
        n = write(fd, line, len);
    } while (n < 0 && errno == EINTR);

    return n < 0 ? -1 : 0;
}


static size_t
format_line(char *line, fcf_log_e level, const fca_log_ctx_t *ctx,
    const char *msg)
{
    char        *p;
    const char  *end;

    end = line + FCA_LOG_LINE - sizeof("}\n");      /* kept for the end */

    p = put_start(line, end, level);
    p = put_field(p, end, "msg", msg);
    p = put_field(p, end, "node_id", fca_log_conf.node_id);

    if (ctx != NULL) {
        p = put_field(p, end, "function_id", ctx->function_id);
        p = put_field(p, end, "request_id", ctx->request_id);
        p = put_field(p, end, "vm", ctx->vm);
    }

    *p++ = '}';
    *p++ = '\n';

    return (size_t) (p - line);
}


/* says how many were lost, as soon as a line can be written again */
static int
put_lost(void)
{
    char  line[FCA_LOG_LINE], msg[64];

    if (fca_log_lost == 0) {
        return 0;
    }

    snprintf(msg, sizeof(msg), "%u lines of this log were lost",
             fca_log_lost);

    if (put_line(line, format_line(line, FCF_LOG_WARN, NULL, msg)) != 0) {
        return -1;
    }

    fca_log_lost = 0;

    return 0;
}


void
fca_log(fcf_log_e level, const fca_log_ctx_t *ctx, const char *fmt, ...)
{
    char     line[FCA_LOG_LINE], msg[FCA_LOG_MSG];
    size_t   len;
    va_list  args;

    if (level < fca_log_conf.min || (size_t) level >= FCA_LOG_LEVELS) {
        return;
    }

    va_start(args, fmt);
    vsnprintf(msg, sizeof(msg), fmt, args);
    va_end(args);

    len = format_line(line, level, ctx, msg);

    pthread_mutex_lock(&fca_log_mutex);

    if (put_lost() != 0 || put_line(line, len) != 0) {
        fca_log_lost++;
    }

    pthread_mutex_unlock(&fca_log_mutex);
}
