#include <errno.h>
#include <microhttpd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "agent/admin/admin.h"
#include "agent/base/listen.h"
#include "agent/base/log.h"
#include "contract/fcf_names.h"

#define FCA_ADMIN_CONNECTIONS  32
#define FCA_ADMIN_MEMORY       16384    /* a connection's, for the request */
#define FCA_ADMIN_TIMEOUT_S    10

#define FCA_TEXT  "text/plain; charset=utf-8"
#define FCA_PROM  "text/plain; version=0.0.4; charset=utf-8"
#define FCA_JSON  "application/json"

struct fca_admin_s {
    fcf_loop_t           *loop;
    fcf_io_t             *io;           /* the daemon's epoll descriptor */
    fcf_timer_t          *timer;
    struct MHD_Daemon    *daemon;
    char                 *token;        /* NULL: none demanded */
    fca_admin_handler_t   handler;
};

/* The time that a comparison takes tells nothing of how much was right. */
static int
fca_admin_same(const char *a, const char *b)
{
    size_t         i, n = strlen(a), m = strlen(b);
    unsigned char  diff = n != m;

    for (i = 0; i < n; i++) {
        diff |= (unsigned char) (a[i] ^ (m ? b[i % m] : 0));
    }

    return diff == 0;
}

static int
fca_admin_allowed(const fca_admin_t *admin, struct MHD_Connection *c)
{
    const char  *value;

    if (admin->token == NULL) {
        return 1;
    }

    value = MHD_lookup_connection_value(c, MHD_HEADER_KIND,
                                        MHD_HTTP_HEADER_AUTHORIZATION);

    return value && strncasecmp(value, "Bearer ", 7) == 0
           && fca_admin_same(value + 7, admin->token);
}

/* takes text over */
static enum MHD_Result
fca_admin_send(struct MHD_Connection *c, unsigned status, const char *type,
    char *text, size_t len)
{
    enum MHD_Result       rc;
    struct MHD_Response  *response;

    response = MHD_create_response_from_buffer(len, text,
                                               MHD_RESPMEM_MUST_FREE);
    if (response == NULL) {
        free(text);
        return MHD_NO;
    }

    rc = MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);

    if (rc == MHD_YES && status == MHD_HTTP_UNAUTHORIZED) {
        rc = MHD_add_response_header(response,
                                     MHD_HTTP_HEADER_WWW_AUTHENTICATE,
                                     "Bearer");
    }

    if (rc == MHD_YES) {
        rc = MHD_queue_response(c, status, response);
    }

    MHD_destroy_response(response);

    return rc;
}

static enum MHD_Result
fca_admin_say(struct MHD_Connection *c, unsigned status, const char *text)
{
    char  *copy;

    copy = strdup(text);

    return copy ? fca_admin_send(c, status, FCA_TEXT, copy, strlen(copy))
                : MHD_NO;
}

/* frees or gives away buf */
static enum MHD_Result
fca_admin_buf(struct MHD_Connection *c, int rc, const char *type,
    fcf_buf_t *buf)
{
    char    *text;
    size_t   len;

    if (rc != 0) {
        fcf_buf_free(buf);
        return rc == -FCF_E_INVALID
               ? fca_admin_say(c, MHD_HTTP_BAD_REQUEST, "the query is none "
                               "that is understood\n")
               : rc == -FCF_E_NOT_FOUND
               ? fca_admin_say(c, MHD_HTTP_NOT_FOUND, "nothing is known of "
                               "this function here\n")
               : fca_admin_say(c, MHD_HTTP_INTERNAL_SERVER_ERROR,
                               "the answer is too long, or no memory\n");
    }

    text = fcf_buf_take(buf, &len);
    if (text == NULL) {
        return fca_admin_send(c, MHD_HTTP_OK, type, calloc(1, 1), 0);
    }

    return fca_admin_send(c, MHD_HTTP_OK, type, text, len);
}

static enum MHD_Result
fca_admin_healthz(fca_admin_t *admin, struct MHD_Connection *c)
{
    int              rc;
    fcf_buf_t        buf;
    enum MHD_Result  sent;

    fcf_buf_init(&buf, FCA_ADMIN_MAX);
    rc = admin->handler.ill(admin->handler.arg, &buf);

    if (rc == 0 && buf.len == 0) {
        sent = fca_admin_say(c, MHD_HTTP_OK, "ok\n");
    } else {
        sent = fca_admin_say(c, MHD_HTTP_SERVICE_UNAVAILABLE,
                             rc == 0 && fca_admin_allowed(admin, c)
                             ? buf.data : "this node serves nobody\n");
    }

    fcf_buf_free(&buf);

    return sent;
}

static const char *
fca_admin_value(void *connection, const char *name)
{
    return MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND,
                                       name);
}

static enum MHD_Result
fca_admin_output(fca_admin_t *admin, struct MHD_Connection *c,
    const char *url, fcf_buf_t *buf)
{
    int                         lines;
    char                        id[FCF_ID_MAX + 1];
    size_t                      len;
    const fca_admin_handler_t  *h = &admin->handler;

    len = strcspn(url, "/");
    lines = strcmp(url + len, "/lines") == 0;

    if (len >= sizeof(id) || !fcf_id_valid(url, len)
        || (!lines && strcmp(url + len, "/output") != 0))
    {
        return fca_admin_say(c, MHD_HTTP_NOT_FOUND, "the path is "
                             "/functions/<function_id>/output or lines\n");
    }

    memcpy(id, url, len);
    id[len] = '\0';

    if (lines) {
        return fca_admin_buf(c, h->lines(h->arg, id, fca_admin_value, c, buf),
                             FCA_JSON, buf);
    }

    return fca_admin_buf(c, admin->handler.output(admin->handler.arg, id, buf),
                         FCA_TEXT, buf);
}

static enum MHD_Result
fca_admin_route(fca_admin_t *admin, struct MHD_Connection *c, const char *url)
{
    fcf_buf_t                   buf;
    const fca_admin_handler_t  *h = &admin->handler;

    if (strcmp(url, "/healthz") == 0) {
        return fca_admin_healthz(admin, c);
    }

    if (!fca_admin_allowed(admin, c)) {
        return fca_admin_say(c, MHD_HTTP_UNAUTHORIZED, "this wants "
                             "\"Authorization: Bearer <admin token>\"\n");
    }

    fcf_buf_init(&buf, FCA_ADMIN_MAX);

    if (strcmp(url, "/metrics") == 0) {
        return fca_admin_buf(c, h->metrics(h->arg, &buf), FCA_PROM, &buf);
    }

    if (strcmp(url, "/instances") == 0) {
        return fca_admin_buf(c, h->instances(h->arg, &buf), FCA_JSON, &buf);
    }

    if (strcmp(url, "/failures") == 0) {
        return fca_admin_buf(c, h->failures(h->arg, &buf), FCA_JSON, &buf);
    }

    if (strncmp(url, "/functions/", 11) == 0) {
        return fca_admin_output(admin, c, url + 11, &buf);
    }

    return fca_admin_say(c, MHD_HTTP_NOT_FOUND, "there are /healthz, "
                         "/metrics, /instances, /failures and "
                         "/functions/<function_id>/output or lines\n");
}

/* Called once with the head, then for the body: *seen tells which. */
static enum MHD_Result
fca_admin_request(void *arg, struct MHD_Connection *c, const char *url,
    const char *method, const char *version, const char *data, size_t *len,
    void **seen)
{
    (void) version;
    (void) data;

    if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0) {
        return *seen || *len ? MHD_NO
               : fca_admin_say(c, MHD_HTTP_METHOD_NOT_ALLOWED,
                               "only GET and HEAD\n");
    }

    if (*seen == NULL) {
        *seen = arg;                    /* an answer may follow the body only */
        return MHD_YES;
    }

    if (*len) {
        *len = 0;
        return MHD_YES;
    }

    return fca_admin_route(arg, c, url);
}

static void fca_admin_log(void *arg, const char *fmt, va_list args)
    __attribute__((format(printf, 2, 0)));

static void
fca_admin_log(void *arg, const char *fmt, va_list args)
{
    char    text[256];
    size_t  len;

    (void) arg;

    vsnprintf(text, sizeof(text), fmt, args);
    len = strcspn(text, "\n");
    fca_log(FCF_LOG_DEBUG, NULL, "admin: %.*s", (int) len, text);
}

static unsigned
fca_admin_connections(const fca_admin_t *admin)
{
    const union MHD_DaemonInfo  *info;

    info = MHD_get_daemon_info(admin->daemon,
                               MHD_DAEMON_INFO_CURRENT_CONNECTIONS);

    return info ? info->num_connections : 0;
}

/* libmicrohttpd's turn, and when it wants the next one at the latest.  At its
 * limit of connections it lets go of the listening socket, and takes it back
 * in the turn after the one in which some ended: which nothing else calls. */
static void
fca_admin_turn(void *arg)
{
    unsigned             before;
    fca_admin_t         *admin = arg;
    unsigned long long   ms;

    before = fca_admin_connections(admin);
    MHD_run(admin->daemon);

    if (fca_admin_connections(admin) < before) {
        admin->loop->timer_set(admin->timer, 0);

    } else if (MHD_get_timeout(admin->daemon, &ms) == MHD_YES) {
        admin->loop->timer_set(admin->timer, ms);
    } else {
        admin->loop->timer_stop(admin->timer);
    }
}

static void
fca_admin_ready(void *arg, unsigned events)
{
    (void) events;
    fca_admin_turn(arg);
}

/* fd is the daemon's, if there is one afterwards */
static int
fca_admin_start(fca_admin_t *admin, int fd, fcf_err_t *err)
{
    int                          epoll;
    const union MHD_DaemonInfo  *info;

    admin->daemon = MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_ERROR_LOG, 0,
        NULL, NULL, fca_admin_request, admin,
        MHD_OPTION_EXTERNAL_LOGGER, fca_admin_log, NULL,
        MHD_OPTION_LISTEN_SOCKET, fd,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned) FCA_ADMIN_CONNECTIONS,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t) FCA_ADMIN_MEMORY,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned) FCA_ADMIN_TIMEOUT_S,
        MHD_OPTION_END);

    if (admin->daemon == NULL) {
        close(fd);
        return fcf_err_set(err, FCF_E_SYSTEM, "libmicrohttpd does not start");
    }

    info = MHD_get_daemon_info(admin->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    epoll = info ? info->epoll_fd : -1;

    admin->timer = admin->loop->timer_new(admin->loop, fca_admin_turn, admin);
    admin->io = epoll == -1 ? NULL
                : admin->loop->io_add(admin->loop, epoll, fca_admin_ready,
                                      admin);

    if (admin->timer == NULL || admin->io == NULL
        || admin->loop->io_set(admin->io, FCF_READ) != 0)
    {
        return fcf_err_set(err, FCF_E_NOMEM, "no memory");
    }

    return 0;
}

fca_admin_t *
fca_admin_new(fcf_loop_t *loop, const struct sockaddr_in *addr,
    const char *token, const fca_admin_handler_t *handler, fcf_err_t *err)
{
    int           fd;
    fca_admin_t  *admin;

    admin = calloc(1, sizeof(*admin));
    if (admin) {
        admin->loop = loop;
        admin->handler = *handler;
        admin->token = token ? strdup(token) : NULL;
    }

    if (admin == NULL || (token && admin->token == NULL)) {
        free(admin);
        fcf_err_set(err, FCF_E_NOMEM, "no memory");
        return NULL;
    }

    fd = fca_listen(addr->sin_addr, ntohs(addr->sin_port), err);

    if (fd == -1 || fca_admin_start(admin, fd, err) != 0) {
        fca_admin_free(admin);
        return NULL;
    }

    return admin;
}

void
fca_admin_free(fca_admin_t *admin)
{
    if (admin == NULL) {
        return;
    }

    if (admin->io) {
        admin->loop->io_del(admin->io);
    }

    if (admin->timer) {
        admin->loop->timer_free(admin->timer);
    }

    if (admin->daemon) {
        MHD_stop_daemon(admin->daemon);
    }

    free(admin->token);
    free(admin);
}
