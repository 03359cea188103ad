/* fcfaas invoke: one request to a function, through a gateway. */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/http.h"

#define FCC_INVOKE_DATA_MAX  (64 * 1024 * 1024)
#define FCC_INVOKE_CONNECT   5000

static int
fcc_invoke_data(void *arg, const char *data, size_t len)
{
    int  *write_errno = arg;

    if (fwrite(data, 1, len, stdout) != len || fflush(stdout) != 0) {
        *write_errno = errno;
        return 1;
    }

    return 0;
}


static int
fcc_invoke_read(fcf_buf_t *data, const char *path, fcf_err_t *err)
{
    int      fd, rc;
    char     piece[65536];
    ssize_t  n;

    fd = strcmp(path, "-") == 0 ? STDIN_FILENO
                                : open(path, O_RDONLY | O_CLOEXEC);
    if (fd == -1) {
        return fcf_err_sys(err, errno, "--data @%s", path);
    }

    rc = 0;

    while (rc == 0 && (n = read(fd, piece, sizeof(piece))) != 0) {
        if (n < 0) {
            rc = fcf_err_sys(err, errno, "--data @%s", path);

        } else if (fcf_buf_add(data, piece, (size_t) n) != 0) {
            rc = fcf_err_set(err, FCF_E_LIMIT, "--data @%s: more than %d "
                             "bytes", path, FCC_INVOKE_DATA_MAX);
        }
    }

    if (fd != STDIN_FILENO) {
        (void) close(fd);
    }

    return rc;
}


/* "text", "@file", "-" and "@-" for standard input */
static int
fcc_invoke_body(const fcc_t *fcc, fcf_buf_t *data, fcf_err_t *err)
{
    const char  *value;

    value = fcc_opt(fcc, "data");

    if (value == NULL) {
        return 0;
    }

    if (strcmp(value, "-") == 0 || *value == '@') {
        return fcc_invoke_read(data, value + (*value == '@'), err);
    }

    return fcf_buf_add(data, value, strlen(value)) == 0 ? 0
           : fcf_err_set(err, FCF_E_NOMEM, "no memory");
}


/* "name", "name@3", and what follows a "/" or "?" as it is */
static int
fcc_invoke_url(const fcc_t *fcc, char *url, size_t size, fcf_err_t *err)
{
    char         name[FCF_ID_MAX + 2], *end;
    size_t       len, id;
    const char  *arg, *base;

    arg = fcc->args[0];
    len = strcspn(arg, "/?");
    id = strcspn(arg, "@/?");

    (void) snprintf(name, sizeof(name), "%.*s", (int) id, arg);

    if (fcc_name_check(name, err) != 0) {
        return -1;
    }

    if (arg[id] == '@'
        && (strtoll(arg + id + 1, &end, 10) <= 0 || end != arg + len))
    {
        return fcf_err_set(err, FCF_E_INVALID, "\"%.*s\": behind the \"@\" "
                           "stands a version's number", (int) len, arg);
    }

    base = fcc->conf.gateway;

    for (len = strlen(base); len > 0 && base[len - 1] == '/'; len--) { }

    if ((size_t) snprintf(url, size, "%.*s/%s", (int) len, base, arg)
        >= size)
    {
        return fcf_err_set(err, FCF_E_LIMIT, "the address is longer than %zu "
                           "bytes", size - 1);
    }

    for ( /* void */ ; *url != '\0'; url++) {
        if ((unsigned char) *url <= ' ' || *url == 0x7f) {
            return fcf_err_set(err, FCF_E_INVALID, "\"%s\": a blank or "
                               "control character in an address is to be "
                               "written as %%20, %%0A", arg);
        }
    }

    return 0;
}


static void
fcc_invoke_headers(const fcc_t *fcc, const char **headers)
{
    size_t  i, n;

    for (n = i = 0; i < fcc->nopts; i++) {
        if (strcmp(fcc->opts[i].option->name, "header") == 0) {
            headers[n++] = fcc->opts[i].value;
        }
    }

    headers[n] = NULL;
}


static int
fcc_invoke(fcc_t *fcc, fcf_err_t *err)
{
    int              rc, timeout_s, write_errno;
    long             status;
    char             url[8192];
    fcf_buf_t        data;
    const char      *headers[FCC_OPTS_MAX + 1], *method;
    fcf_http_call_t  call;

    timeout_s = 0;
    write_errno = 0;

    if (fcc_opt_int(fcc, "timeout", 1, FCF_TIMEOUT_S_MAX, &timeout_s, err)
        || fcc_invoke_url(fcc, url, sizeof(url), err) != 0)
    {
        return -1;
    }

    fcf_buf_init(&data, FCC_INVOKE_DATA_MAX);

    if (fcc_invoke_body(fcc, &data, err) != 0) {
        fcf_buf_free(&data);
        return -1;
    }

    fcc_invoke_headers(fcc, headers);
    method = fcc_opt(fcc, "method");

    call = (fcf_http_call_t) {
        .method = method != NULL ? method
                  : fcc_opt(fcc, "data") != NULL ? "POST" : "GET",
        .url = url,
        .headers = headers,
        .body = fcc_opt(fcc, "data") == NULL ? NULL
                : data.data != NULL ? data.data : "",
        .body_len = data.len,
        .connect_timeout_ms = FCC_INVOKE_CONNECT,
        .timeout_ms = (unsigned) timeout_s * 1000,
        .once = 1,
        .on_data = fcc_invoke_data,
        .arg = &write_errno,
    };

    rc = fcc_http(fcc, &call, &status, NULL, err);
    fcf_buf_free(&data);

    if (write_errno != 0) {
        return fcf_err_sys(err, write_errno, "standard output");
    }

    if (rc == 0 && status >= 400) {
        return fcf_err_set(err, FCF_E_REFUSED, "%s: status %ld", url, status);
    }

    return rc;
}


static const fcc_option_t  fcc_invoke_options[] = {
    { "data", 'd', "DATA", "body: text, @FILE, or - for standard input" },
    { "method", 'X', "METHOD", "else GET, or POST with --data" },
    { "header", 'H', "LINE", "\"Name: value\"; may be given again" },
    { "timeout", 't', "SECONDS", "for all of it; else the gateway decides" },
    { NULL, 0, NULL, NULL }
};

const fcc_verb_t  fcc_verb_invoke = {
    "invoke", "NAME[@VERSION][/PATH][?QUERY]",
    "calls a function through the gateway", 1, 1, fcc_invoke_options,
    "The answer's body goes to standard output as it comes.  A status of 400 "
    "or\nmore is told on standard error, and the command ends with 1.\n",
    fcc_invoke
};
