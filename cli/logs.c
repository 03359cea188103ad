/* fcfaas logs: what instances of a function printed, also of those that are
 * gone, as the agents' admin listeners tell it: from all nodes, in the order of
 * its times. */

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/logs.h"
#include "cli/table.h"

#define FCC_FOLLOW_MS  500              /* between two looks */

typedef struct {
    fcc_t        *fcc;
    fcc_lines_t   lines;
    json_t       *json;                 /* NULL: lines go out as they come */
    size_t        shown;
} fcc_logs_t;


/* "90", "10m", "2h", "3d", in ms; -1: it is none */
static int64_t
fcc_duration(const char *text)
{
    char     *unit;
    int64_t   n;
    size_t    i;

    static const struct {
        const char  *name;
        int64_t      ms;
    } units[] = {
        { "", 1000 }, { "ms", 1 }, { "s", 1000 }, { "m", 60000 },
        { "h", 3600000 }, { "d", 86400000 },
    };

    if (!isdigit((unsigned char) *text)) {
        return -1;
    }

    n = strtoll(text, &unit, 10);

    for (i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (strcmp(units[i].name, unit) == 0) {
            return n > INT64_MAX / units[i].ms ? -1 : n * units[i].ms;
        }
    }

    return -1;
}


static int
fcc_logs_want(const fcc_t *fcc, fcc_lines_want_t *want, fcf_err_t *err)
{
    const char  *since;

    memset(want, 0, sizeof(fcc_lines_want_t));
    want->name = fcc->args[0];
    want->instance = fcc_opt(fcc, "instance");
    want->request = fcc_opt(fcc, "request");
    since = fcc_opt(fcc, "since");
    want->age_ms = since != NULL ? fcc_duration(since) : 0;

    if (fcc_name_check(want->name, err) != 0
        || fcc_opt_int(fcc, "version", 1, INT32_MAX, &want->version, err)
           != 0)
    {
        return -1;
    }

    if (want->age_ms < 0) {
        return fcf_err_set(err, FCF_E_INVALID, "--since %s: must be a time "
                           "like 90s, 10m, 2h or 3d", since);
    }

    if (want->request != NULL
        && !fcf_request_id_valid(want->request, strlen(want->request)))
    {
        return fcf_err_set(err, FCF_E_INVALID, "--request %s: is no request's "
                           "id, which answers have as X-Request-Id",
                           want->request);
    }

    if (want->instance != NULL
        && !fcf_worker_id_valid(want->instance, strlen(want->instance)))
    {
        return fcf_err_set(err, FCF_E_INVALID, "--instance %s: is none; "
                           "fcfaas ps shows them", want->instance);
    }

    return 0;
}


static void
fcc_logs_text(const json_t *line)
{
    char         when[32];
    time_t       s;
    int64_t      ms;
    struct tm    tm;
    const char  *request;

    ms = json_integer_value(json_object_get(line, "ms"));
    s = (time_t) (ms / 1000);
    request = json_string_value(json_object_get(line, "request_id"));

    (void) strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S",
                    gmtime_r(&s, &tm));
    fcc_print("%s.%03dZ %s v%" PRId64 " %s%s%s | %s", when, (int) (ms % 1000),
              json_string_value(json_object_get(line, "instance")),
              (int64_t) json_integer_value(json_object_get(line, "version")),
              json_string_value(json_object_get(line, "stream")),
              request != NULL ? " " : "", request != NULL ? request : "",
              json_string_value(json_object_get(line, "text")));
}


static int
fcc_logs_show(fcc_logs_t *logs, fcf_err_t *err)
{
    size_t   i;
    json_t  *line;

    for (i = 0; i < logs->lines.n; i++) {

        line = logs->lines.list[i].line;

        if (logs->json != NULL) {
            (void) json_array_append(logs->json, line);

        } else if (logs->fcc->json) {
            (void) json_dumpf(line, stdout, JSON_COMPACT | JSON_ENSURE_ASCII);
            (void) putchar('\n');

        } else {
            fcc_logs_text(line);
        }
    }

    logs->shown += logs->lines.n;
    fcc_lines_clear(&logs->lines);

    return fflush(stdout) == 0 ? 0
           : fcf_err_set(err, FCF_E_SYSTEM, "standard output cannot be "
                         "written");
}


/* goes on until it is interrupted, or nobody reads any more; a node that does
 * not answer is told of once, and so is etcd */
static int
fcc_logs_follow(fcc_logs_t *logs, const fcc_lines_want_t *want,
    fcf_err_t *err)
{
    int              away;
    fcf_err_t        why;
    struct timespec  pause = { 0, FCC_FOLLOW_MS * 1000000L };

    for ( ;; ) {

        away = logs->lines.away;

        if (fcc_logs_show(logs, err) != 0) {
            return -1;
        }

        (void) nanosleep(&pause, NULL);

        if (fcc_lines_read(&logs->lines, logs->fcc, want, &why) != 0
            && logs->lines.nnodes == 0)
        {
            *err = why;
            return -1;
        }

        if (logs->lines.away && !away) {
            fcc_say("%s; this goes on once it answers", why.msg);

        } else if (away && !logs->lines.away) {
            fcc_say("etcd answers again");
        }
    }
}


static int
fcc_logs(fcc_t *fcc, fcf_err_t *err)
{
    int               rc, follow;
    fcc_logs_t        logs;
    fcc_lines_want_t  want;

    if (fcc_logs_want(fcc, &want, err) != 0) {
        return -1;
    }

    memset(&logs, 0, sizeof(logs));
    logs.fcc = fcc;
    follow = fcc_opt(fcc, "follow") != NULL;
    logs.json = fcc->json && !follow ? json_array() : NULL;

    rc = fcc_lines_read(&logs.lines, fcc, &want, err);

    if (follow && (rc == 0 || logs.lines.nnodes != 0)) {
        rc = fcc_logs_follow(&logs, &want, err);

    } else if (rc == 0 || logs.lines.n != 0) {

        if (fcc_logs_show(&logs, err) != 0) {
            rc = -1;
        }

        if (logs.json != NULL
            && fcc_json_print(json_incref(logs.json), err) != 0)
        {
            rc = -1;
        }
    }

    if (rc == 0 && logs.shown == 0) {
        fcc_say("%s: nothing was printed%s, or nobody "
                "keeps it any more", want.name,
                fcc->nopts != 0 ? " of that" : "");
    }

    json_decref(logs.json);
    fcc_lines_free(&logs.lines);

    return rc;
}


static const fcc_option_t  fcc_logs_options[] = {
    { "follow", 'f', NULL, "goes on as more is printed" },
    { "since", 's', "TIME", "no older than that: 90s, 10m, 2h, 3d" },
    { "request", 'r', "ID", "of one request: X-Request-Id of its answer" },
    { "instance", 'i', "ID", "of one alone, see fcfaas ps" },
    { "version", 'v', "N", "of one version alone" },
    { NULL, 0, NULL, NULL }
};

const fcc_verb_t  fcc_verb_logs = {
    "logs", "NAME", "what a function printed, also instances that are gone",
    1, 1, fcc_logs_options,
    "Lines from all nodes, through their agents' admin listeners: time,\n"
    "instance, version, stdout or stderr (console: the guest's own words; lost:\n"
    "what nobody has kept), the request where the runtime tells it, and the\n"
    "text.  Nodes keep so much of each function, for so long (the agent's\n"
    "settings log_kb, log_mb, log_hours); what is gone is counted.\n", fcc_logs
};
