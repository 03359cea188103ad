/* The proxy as a child of ours, where nobody else starts it.  It has a session
 * of its own, and an environment of its own; its log is ours. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "agent/base/log.h"
#include "agent/route/route_int.h"

#define FCA_CHILD_ARGS  8

struct fca_child_s {
    uv_process_t   process;
    fca_routes_t  *routes;              /* NULL: nobody asks any more */
    fca_child_t  **known;               /* by whom else it is; NULL: nobody */
};

static void
child_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void
child_ended(uv_process_t *process, int64_t status, int signo)
{
    char           words[64];
    fca_child_t   *child = process->data;
    fca_routes_t  *routes = child->routes;

    uv_close((uv_handle_t *) process, child_closed);

    if (child->known) {
        *child->known = NULL;
    }

    if (routes == NULL) {
        return;
    }

    routes->child = NULL;

    if (signo) {
        snprintf(words, sizeof(words), "was killed by signal %d", signo);

    } else {
        snprintf(words, sizeof(words), "exited with code %d", (int) status);
    }

    fca_peer_child_ended(routes, words);
}

/* what a sanitizer is told by, and nothing of the agent's */
static void
environment(char **env, size_t n)
{
    size_t              i, j;
    char              **e;
    static const char  *const  names[] = { "ASAN_OPTIONS=", "UBSAN_OPTIONS=",
                                           "LSAN_OPTIONS=" };

    for (i = 0, e = environ; *e && i + 1 < n; e++) {
        for (j = 0; j < sizeof(names) / sizeof(names[0]); j++) {
            if (strncmp(*e, names[j], strlen(names[j])) == 0) {
                env[i++] = *e;
                break;
            }
        }
    }

    env[i] = NULL;
}

/* NULL-ended, malloc'd each but the last; -1: no memory */
static int
arguments(const fca_routes_conf_t *conf, char **args)
{
    int  n;

    n = asprintf(&args[0], "%s", conf->program) < 0
        || asprintf(&args[1], "--socket=%s", conf->socket) < 0
        || asprintf(&args[2], "--user=%s", conf->user) < 0
        || asprintf(&args[3], "--threads=%u", conf->threads) < 0
        || asprintf(&args[4], "--node-id=%s", conf->node_id) < 0
        || asprintf(&args[5], "--log-level=%s", conf->log_level) < 0
        || asprintf(&args[6], "--child") < 0;

    return n ? -1 : 0;
}

int
fca_child_start(fca_routes_t *routes, fcf_err_t *err)
{
    int                     i, rc;
    char                   *args[FCA_CHILD_ARGS], *env[4];
    fca_child_t            *child;
    uv_stdio_container_t    stdio[3];
    uv_process_options_t    opt;

    memset(args, 0, sizeof(args));
    child = calloc(1, sizeof(*child));

    if (child == NULL || arguments(&routes->conf, args) != 0) {
        free(child);
        rc = UV_ENOMEM;
        goto done;
    }

    memset(stdio, 0, sizeof(stdio));
    stdio[0].flags = stdio[1].flags = UV_IGNORE;
    stdio[2].flags = UV_INHERIT_FD;
    stdio[2].data.fd = STDERR_FILENO;

    environment(env, sizeof(env) / sizeof(env[0]));
    memset(&opt, 0, sizeof(opt));
    opt.file = args[0];
    opt.args = args;
    opt.env = env;
    opt.flags = UV_PROCESS_DETACHED;
    opt.stdio_count = 3;
    opt.stdio = stdio;
    opt.exit_cb = child_ended;

    child->process.data = child;
    child->routes = routes;
    rc = uv_spawn(routes->conf.uv, &child->process, &opt);

    if (rc == 0) {
        uv_unref((uv_handle_t *) &child->process);
        routes->child = child;

    } else {
        uv_close((uv_handle_t *) &child->process, child_closed);
    }

done:

    for (i = 0; i < FCA_CHILD_ARGS; i++) {
        free(args[i]);
    }

    return rc == 0 ? 0 : fcf_err_set(err, FCF_E_SYSTEM, "cannot start %s: %s",
                                     routes->conf.program, uv_strerror(rc));
}

void
fca_child_kill(fca_routes_t *routes)
{
    if (routes->child) {
        (void) uv_process_kill(&routes->child->process, SIGKILL);
    }
}

/* whatever becomes of it is not told */
void
fca_child_leave(fca_routes_t *routes)
{
    fca_child_t  *child = routes->child;

    if (child == NULL) {
        return;
    }

    routes->child = NULL;
    child->routes = NULL;
    uv_close((uv_handle_t *) &child->process, child_closed);
}

pid_t
fca_child_pid(const fca_routes_t *routes)
{
    return routes->child->process.pid;
}

void
fca_child_hand_over(fca_routes_t *routes, fca_child_t **known)
{
    fca_child_t  *child = routes->child;

    if (child) {
        routes->child = NULL;
        child->routes = NULL;
        child->known = known;
    }

    *known = child;
}

void
fca_child_forget(fca_child_t *child)
{
    uv_close((uv_handle_t *) &child->process, child_closed);
}
