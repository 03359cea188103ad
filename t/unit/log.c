#include <fcntl.h>
#include <jansson.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/log.h"
#include "t/unit/tap.h"

static int  pipe_fd[2];


/* the one line that was logged; NULL: none, or no JSON, or no whole line */
static json_t *
logged(void)
{
    char     buf[8192];
    ssize_t  n;

    n = read(pipe_fd[0], buf, sizeof(buf));

    if (n <= 0 || buf[n - 1] != '\n' || memchr(buf, '\n', (size_t) n - 1)) {
        return NULL;
    }

    return json_loadb(buf, (size_t) n, JSON_REJECT_DUPLICATES, NULL);
}


static const char *
field(json_t *line, const char *name)
{
    return json_string_value(json_object_get(line, name));
}


static void
test_fields(void)
{
    json_t         *line;
    fca_log_ctx_t   ctx = { "hello", "req-1", "node-1-7" };

    fca_log(FCF_LOG_WARN, &ctx, "%s %d", "number", 7);
    line = logged();
    is_str(field(line, "msg"), "number 7", "msg");
    is_str(field(line, "level"), "warn", "level");
    is_str(field(line, "node_id"), "node-1", "node_id");
    is_str(field(line, "function_id"), "hello", "function_id");
    is_str(field(line, "request_id"), "req-1", "request_id");
    is_str(field(line, "vm"), "node-1-7", "vm");
    is_int(strlen(field(line, "ts")), 24, "ts to the millisecond");
    json_decref(line);

    ctx.request_id = NULL;
    ctx.vm = "";
    fca_log(FCF_LOG_INFO, &ctx, "x");
    line = logged();
    is_int(json_object_size(line), 5, "unknown fields are left out");
    json_decref(line);

    fca_log(FCF_LOG_DEBUG, &ctx, "x");
    ok(logged() == NULL, "below the level: nothing");
}


static void
test_escapes(void)
{
    char     big[6000];
    size_t   i;
    json_t  *line;

    fca_log(FCF_LOG_INFO, NULL, "\"\\\n\t\x01\x7f");
    line = logged();
    is_str(field(line, "msg"), "\"\\\n\t\x01\x7f", "control characters");
    json_decref(line);

    fca_log(FCF_LOG_INFO, NULL, "\xc3\xa9 \xff \xc0\x80 \xed\xa0\x80 \xe2\x82");
    line = logged();
    is_str(field(line, "msg"), "\xc3\xa9 \xef\xbf\xbd \xef\xbf\xbd\xef\xbf\xbd "
           "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd \xef\xbf\xbd\xef\xbf\xbd",
           "what is no UTF-8 is replaced");
    json_decref(line);

    for (i = 0; i < sizeof(big) - 1; i++) {
        big[i] = i % 2 ? '\x01' : '"';
    }

    big[i] = '\0';
    fca_log(FCF_LOG_ERROR, NULL, "%s", big);
    line = logged();
    ok(line != NULL, "a long message is cut, and the line stays JSON");
    json_decref(line);
}


/* a log whose reader stands still: SIGALRM would end a test that blocks */
static void
test_full(void)
{
    int            i, fd[2];
    char           buf[65536], *last;
    size_t         n;
    ssize_t        r;
    json_error_t   why;
    json_t        *line;

    if (pipe2(fd, 0) != 0) {
        ok(0, "a pipe");
        return;
    }

    fca_log_init(fd[1], FCF_LOG_INFO, "node-1");
    alarm(20);

    for (i = 0; i < 5000; i++) {
        fca_log(FCF_LOG_INFO, NULL, "line %d", i);
    }

    alarm(0);
    ok(1, "a full log does not block");

    fcntl(fd[0], F_SETFL, O_NONBLOCK);
    while (read(fd[0], buf, sizeof(buf)) > 0) { /* drain */ }

    fca_log(FCF_LOG_INFO, NULL, "after");

    for (n = 0; (r = read(fd[0], buf + n, sizeof(buf) - 1 - n)) > 0; ) {
        n += (size_t) r;
    }

    buf[n] = '\0';
    last = strchr(buf, '\n');
    ok(last != NULL && strstr(last, "after") != NULL, "then lines come again");

    if (last != NULL) {
        *last = '\0';
        line = json_loads(buf, 0, &why);
        is_str(field(line, "level"), "warn", "the first is a warning");
        ok(strstr(field(line, "msg"), "lines of this log were lost") != NULL,
           "of how many were lost: %s", field(line, "msg"));
        json_decref(line);
    }

    close(fd[0]);
    close(fd[1]);
}


int
main(void)
{
    fcf_log_e  level;

    if (pipe2(pipe_fd, O_NONBLOCK) != 0) {
        return 1;
    }

    fca_log_init(pipe_fd[1], FCF_LOG_INFO, "node-1");

    test_fields();
    test_escapes();
    test_full();

    is_int(fca_log_level_parse("error", &level), 0, "a level's name");
    is_int(level, FCF_LOG_ERROR, "is that level");
    is_int(fca_log_level_parse("loud", &level), -1, "another is refused");

    return tap_done();
}
