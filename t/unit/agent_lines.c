/* What functions print: by lines and requests, within bounds. */

#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <unistd.h>
#include "agent/base/log.h"
#include "agent/lines.h"
#include "t/unit/tap.h"
#include "vm/guest.h"

#define DAY  86400000

static fca_lines_t  *lines;
static int64_t       now = 1000000000;

static void
said(const char *function, const char *vm, fca_stream_e stream,
    const char *text, uint64_t dropped)
{
    char                 *copy;
    size_t                len = strlen(text);
    fca_instance_said_t   it = { .function_id = function, .worker_id = vm,
                                 .version = 3, .stream = stream, .len = len,
                                 .dropped = dropped };

    /* exactly as many bytes as there are, for the sanitizer */
    copy = malloc(len ? len : 1);
    memcpy(copy, text, len);
    it.data = copy;
    fca_lines_said(lines, &it, now);
    free(copy);
}

/* decoded; the caller frees */
static json_t *
got(const char *function, fca_lines_query_t query)
{
    json_t     *json;
    fcf_buf_t   out;

    fcf_buf_init(&out, 1 << 24);
    is_int(fca_lines_get(lines, function, &query, now, &out), 0, "asked");
    json = json_loadb(out.data, out.len, 0, NULL);
    ok(json != NULL, "and answered in JSON");
    fcf_buf_free(&out);

    return json;
}

static const char *
text_of(const json_t *json, size_t i, const char *name)
{
    const char  *text;

    text = json_string_value(json_object_get(json_array_get(
        json_object_get(json, "lines"), i), name));

    return text ? text : "";
}

static size_t
count(const json_t *json)
{
    return json_array_size(json_object_get(json, "lines"));
}

static int
number(const json_t *json, const char *name)
{
    return (int) json_integer_value(json_object_get(json, name));
}

static void
pieces(void)
{
    json_t  *json;

    said("f", "n-1", FCA_STREAM_OUT, "one\n\ntw", 0);
    said("f", "n-1", FCA_STREAM_ERR, "er\"r\\\x1b[1m\xff\r\n", 0);
    said("f", "n-1", FCA_STREAM_OUT, "o\nthree", 9);
    said("g", "n-2", FCA_STREAM_CONSOLE, "other\n", 0);

    json = got("f", (fca_lines_query_t) { .after = NULL });
    is_int(count(json), 5, "whole lines");
    is_str(text_of(json, 0, "text"), "one", "the first");
    is_str(text_of(json, 0, "stream"), "stdout", "of its stream");
    is_str(text_of(json, 0, "instance"), "n-1", "and instance");
    is_str(text_of(json, 1, "text"), "", "an empty one");
    is_str(text_of(json, 2, "text"), "er\"r\\\\xff", "fit to be shown");
    is_str(text_of(json, 2, "stream"), "stderr", "of the other stream");
    is_str(text_of(json, 3, "text"), "9 bytes more were printed", "a loss");
    is_str(text_of(json, 3, "stream"), "lost", "is told");
    is_str(text_of(json, 4, "text"), "two", "one in two pieces");
    json_decref(json);

    fca_lines_ended(lines, "n-1", now);
    json = got("f", (fca_lines_query_t) { .after = NULL });
    is_str(text_of(json, 5, "text"), "three", "one without an end");
    json_decref(json);

    json = got("nobody", (fca_lines_query_t) { .after = NULL });
    is_int(count(json), 0, "of nobody: none");
    json_decref(json);
}

static void
filters(void)
{
    char         next[64];
    json_t      *json;
    fcf_buf_t    out;
    size_t       i;

    static const fca_lines_query_t  bad[] = {
        { .after = "7" }, { .after = "x.1" }, { .after = "7.1x" },
        { .after = "" }, { .age_ms = "-1" }, { .age_ms = "" },
        { .version = "one" },
    };

    said("h", "n-3", FCA_STREAM_OUT, "\x1ereq-1\x1f" "mine\nplain\n", 0);
    said("h", "n-4", FCA_STREAM_OUT, "\x1e\x1f" "a\n\x1eno id\x1f\n", 0);

    json = got("h", (fca_lines_query_t) { .request = "req-1" });
    is_int(count(json), 1, "by request");
    is_str(text_of(json, 0, "text"), "mine", "without its mark");
    is_str(text_of(json, 0, "request_id"), "req-1", "which is told");
    json_decref(json);

    json = got("h", (fca_lines_query_t) { .instance = "n-4" });
    is_int(count(json), 2, "by instance");
    is_str(text_of(json, 0, "text"), "\\x1e\\x1fa", "what is no mark stays");
    json_decref(json);

    json = got("h", (fca_lines_query_t) { .version = "4" });
    is_int(count(json), 0, "by version");
    snprintf(next, sizeof(next), "%s",
             json_string_value(json_object_get(json, "next")));
    json_decref(json);

    said("h", "n-4", FCA_STREAM_OUT, "new\n", 0);
    json = got("h", (fca_lines_query_t) { .after = next });
    is_int(count(json), 1, "what is new");
    is_str(text_of(json, 0, "text"), "new", "alone");
    json_decref(json);

    json = got("h", (fca_lines_query_t) { .after = "6.99999" });
    is_int(count(json), 5, "after another life: all");
    json_decref(json);

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        fcf_buf_init(&out, 4096);
        is_int(fca_lines_get(lines, "h", &bad[i], now, &out), -FCF_E_INVALID,
               "a query that is none");
        fcf_buf_free(&out);
    }

    now += 10000;
    said("h", "n-4", FCA_STREAM_OUT, "later\n", 0);
    json = got("h", (fca_lines_query_t) { .age_ms = "5000" });
    is_int(count(json), 1, "by age");
    json_decref(json);
}

static void
bounds(void)
{
    int      i;
    char     text[5001], next[64];
    json_t  *json;

    now += DAY + 1;
    said("h", "n-4", FCA_STREAM_OUT, "today\n", 0);
    json = got("h", (fca_lines_query_t) { .after = NULL });
    is_int(count(json), 1, "what is too old is gone");
    is_int(number(json, "dropped"), 0, "and not counted as lost");
    snprintf(next, sizeof(next), "%s",
             json_string_value(json_object_get(json, "next")));
    json_decref(json);

    for (i = 0; i < 1000; i++) {
        snprintf(text, sizeof(text), "line %d, as long as others are\n", i);
        said("h", "n-4", FCA_STREAM_OUT, text, 0);
    }

    json = got("h", (fca_lines_query_t) { .after = next });
    ok(count(json) > 50 && count(json) < 200, "%zu of 1000 are kept",
       count(json));
    is_int(count(json) + (size_t) number(json, "dropped"), 1000,
           "and the others counted");
    is_str(text_of(json, count(json) - 1, "text"),
           "line 999, as long as others are", "the last ones");
    json_decref(json);

    memset(text, 'x', 5000);
    text[5000] = '\0';
    said("k", "n-5", FCA_STREAM_OUT, text, 0);
    said("k", "n-5", FCA_STREAM_OUT, "\n", 0);
    json = got("k", (fca_lines_query_t) { .after = NULL });
    is_int(count(json), 2, "a long line is two");
    is_int(strlen(text_of(json, 0, "text")), FCA_LINE_MAX, "the first full");
    json_decref(json);

    for (i = 0; i < 100; i++) {
        snprintf(next, sizeof(next), "f%d", i);
        said(next, next, FCA_STREAM_OUT, text, 0);
        fca_lines_ended(lines, next, now);
    }

    json = got("k", (fca_lines_query_t) { .after = NULL });
    is_int(count(json), 0, "what is too much for all: the oldest are gone");
    json_decref(json);
    json = got("f99", (fca_lines_query_t) { .after = NULL });
    is_int(count(json), 2, "the newest are not");
    json_decref(json);
}

static void
pages(void)
{
    int      i, n, rounds;
    char     next[64] = "7.0";
    json_t  *json;

    fca_lines_conf_t  conf = { 1 << 22, 1 << 23, DAY };

    fca_lines_free(lines);
    lines = fca_lines_new(&conf, 7, NULL);

    for (i = 0; i < 2 * FCA_LINES_MAX + 1; i++) {
        said("f", "n-1", FCA_STREAM_OUT, i % 2 ? "odd\n" : "even\n", 0);
    }

    for (n = rounds = 0; rounds < 10; rounds++) {
        json = got("f", (fca_lines_query_t) { .after = next });
        n += (int) count(json);
        i = json_is_true(json_object_get(json, "more"));
        snprintf(next, sizeof(next), "%s",
                 json_string_value(json_object_get(json, "next")));
        json_decref(json);

        if (!i) {
            break;
        }
    }

    is_int(n, 2 * FCA_LINES_MAX + 1, "all of many, page by page");
    is_int(rounds, 2, "on three pages");
}

static int
times(const char *text, const char *word)
{
    int  n = 0;

    while ((text = strstr(text, word)) != NULL) {
        text += strlen(word);
        n++;
    }

    return n;
}

/* what init warns of, and nobody else: in the agent's log, within bounds */
static void
warnings(void)
{
    int      i, fds[2];
    char     log[16384];
    ssize_t  n;

    if (pipe2(fds, O_NONBLOCK) != 0) {
        abort();
    }

    fca_log_init(fds[1], FCF_LOG_INFO, "n");
    said("f", "n-8", FCA_STREAM_CONSOLE, "fcfaas: stopped\n| fcfaas: warning: "
         "not init's\nfcfaas: warn", 0);
    said("f", "n-8", FCA_STREAM_OUT, FCV_WARNING "not init's\n", 0);
    said("f", "n-8", FCA_STREAM_CONSOLE, "ing: \"full\"\x1b[1m\r\n", 0);

    for (i = 0; i < 20; i++) {
        said("g", "n-9", FCA_STREAM_CONSOLE, FCV_WARNING "again\n", 0);
    }

    n = read(fds[0], log, sizeof(log) - 1);
    log[n > 0 ? n : 0] = '\0';
    ok(strstr(log, "\"level\":\"warn\",\"msg\":\"guest: \\\"full\\\"\","
              "\"node_id\":\"n\",\"function_id\":\"f\",\"vm\":\"n-8\"}\n")
       != NULL, "a warning, whole and clean");
    is_int(times(log, "\n"), 9, "eight of each VM at most");
    is_int(times(log, "\"vm\":\"n-9\""), 8, "eight of this one");
    is_int(times(log, "again; what else it warns of"), 1, "the last says so");

    fca_log_init(STDERR_FILENO, FCF_LOG_INFO, "n");
    close(fds[0]);
    close(fds[1]);
}

int
main(void)
{
    fca_lines_conf_t  conf = { 16384, 100000, DAY };

    lines = fca_lines_new(&conf, 7, NULL);
    pieces();
    filters();
    bounds();
    pages();
    warnings();
    fca_lines_free(lines);

    return tap_done();
}
