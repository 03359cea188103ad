#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vm/guest.h"
#include "vm/vmm/instant_conf.h"

#define FCV_MS_MAX  3600000

typedef int (*set_pt)(fcv_instant_conf_t *conf, const char *value);

static int set_boot_ms(fcv_instant_conf_t *conf, const char *value);
static int set_answer_ms(fcv_instant_conf_t *conf, const char *value);
static int set_body(fcv_instant_conf_t *conf, const char *value);
static int set_body_bytes(fcv_instant_conf_t *conf, const char *value);
static int set_say(fcv_instant_conf_t *conf, const char *value);
static int set_status(fcv_instant_conf_t *conf, const char *value);
static int set_fail(fcv_instant_conf_t *conf, const char *value);
static int set_hang(fcv_instant_conf_t *conf, const char *value);
static int set_exit(fcv_instant_conf_t *conf, const char *value);
static int set_exit_after(fcv_instant_conf_t *conf, const char *value);
static int set_ignore_stop(fcv_instant_conf_t *conf, const char *value);
static int set_logs(fcv_instant_conf_t *conf, const char *value);
static int set_take_mb(fcv_instant_conf_t *conf, const char *value);
static int set_clone(fcv_instant_conf_t *conf, const char *value);
static int set_forgets(fcv_instant_conf_t *conf, const char *value);
static int set_young(fcv_instant_conf_t *conf, const char *value);

static const struct {
    const char  *name;
    set_pt       set;
    const char  *want;
} settings[] = {
    { "boot_ms", set_boot_ms, "0 to 3600000" },
    { "answer_ms", set_answer_ms, "0 to 3600000" },
    { "body", set_body, "text" },
    { "body_bytes", set_body_bytes, "1 to 67108864" },
    { "say", set_say, "text of at most 255 bytes" },
    { "status", set_status, "200 to 599" },
    { "fail", set_fail, "start, pause, save, load, panic, silent, hang "
      "or cut" },
    { "hang", set_hang, "start, pause, save or load" },
    { "exit", set_exit, "start, pause, save, load, boot or answer" },
    { "exit_after", set_exit_after, "1 to 1000000000" },
    { "ignore_stop", set_ignore_stop, "0 or 1" },
    { "logs", set_logs, "1 to 1536 bytes in hex" },
    { "take_mb", set_take_mb, "0 to 1048576" },
    { "clone", set_clone, "well, none, deaf, refuses, ends or lost" },
    { "forgets", set_forgets, "0 or 1" },
    { "young", set_young, "0 or 1" }
};


static int
parse_number(const char *value, unsigned long min, unsigned long max,
    unsigned *out)
{
    char           *end;
    unsigned long   n;

    if (value[0] < '0' || value[0] > '9') {
        return -1;
    }

    errno = 0;
    n = strtoul(value, &end, 10);

    if (errno || *end || n < min || n > max) {
        return -1;
    }

    *out = (unsigned) n;

    return 0;
}


static int
parse_flag(const char *value, int *out)
{
    unsigned  n;

    if (parse_number(value, 0, 1, &n) != 0) {
        return -1;
    }

    *out = (int) n;

    return 0;
}


static int
set_boot_ms(fcv_instant_conf_t *conf, const char *value)
{
    return parse_number(value, 0, FCV_MS_MAX, &conf->boot_ms);
}


static int
set_answer_ms(fcv_instant_conf_t *conf, const char *value)
{
    return parse_number(value, 0, FCV_MS_MAX, &conf->answer_ms);
}


static int
set_body(fcv_instant_conf_t *conf, const char *value)
{
    conf->has_body = 1;
    conf->body_len = strlen(value);
    memcpy(conf->body, value, conf->body_len + 1);

    return 0;
}


static int
set_body_bytes(fcv_instant_conf_t *conf, const char *value)
{
    conf->has_body = 1;

    return parse_number(value, 1, FCV_INSTANT_BODY_MAX, &conf->body_bytes);
}


static int
set_say(fcv_instant_conf_t *conf, const char *value)
{
    return (size_t) snprintf(conf->say, sizeof(conf->say), "%s", value)
           < sizeof(conf->say) ? 0 : -1;
}


static int
set_status(fcv_instant_conf_t *conf, const char *value)
{
    unsigned  n;

    if (parse_number(value, 200, 599, &n) != 0) {
        return -1;
    }

    conf->status = (int) n;

    return 0;
}


#define MAY_FAIL  1
#define MAY_HANG  2
#define MAY_EXIT  4
#define MAY_ALL   (MAY_FAIL | MAY_HANG | MAY_EXIT)

static const struct {
    const char  *name;
    unsigned     may;
} steps[FCV_STEP_N] = {
    [FCV_STEP_START] = { "start", MAY_ALL },
    [FCV_STEP_PAUSE] = { "pause", MAY_ALL },
    [FCV_STEP_SAVE] = { "save", MAY_ALL },
    [FCV_STEP_LOAD] = { "load", MAY_ALL },
    [FCV_STEP_BOOT] = { "boot", MAY_EXIT },
    [FCV_STEP_ANSWER] = { "answer", MAY_EXIT }
};


const char *
fcv_instant_step_name(fcv_step_e step)
{
    return steps[step].name;
}


static int
set_step(fcv_step_e *step, unsigned may, const char *value)
{
    int  i;

    for (i = 0; i < FCV_STEP_N; i++) {
        if ((steps[i].may & may) && strcmp(steps[i].name, value) == 0) {
            *step = (fcv_step_e) i;
            return 0;
        }
    }

    return -1;
}


/* the place of value among n names, or -1 */
static int
find_name(const char *const *names, int n, const char *value)
{
    int  i;

    for (i = 0; i < n; i++) {
        if (names[i] && strcmp(names[i], value) == 0) {
            return i;
        }
    }

    return -1;
}


static int
set_fail(fcv_instant_conf_t *conf, const char *value)
{
    int  i;

    static const char *const  names[FCV_GUEST_N] = {
        [FCV_GUEST_PANIC] = "panic",
        [FCV_GUEST_SILENT] = "silent",
        [FCV_GUEST_HANG] = "hang",
        [FCV_GUEST_CUT] = "cut"
    };

    if (set_step(&conf->fail, MAY_FAIL, value) == 0) {
        return 0;
    }

    i = find_name(names, FCV_GUEST_N, value);
    conf->guest = i == -1 ? conf->guest : (fcv_guest_e) i;

    return i == -1 ? -1 : 0;
}


static int
set_hang(fcv_instant_conf_t *conf, const char *value)
{
    return set_step(&conf->hang, MAY_HANG, value);
}


static int
set_exit(fcv_instant_conf_t *conf, const char *value)
{
    return set_step(&conf->exit, MAY_EXIT, value);
}


static int
set_exit_after(fcv_instant_conf_t *conf, const char *value)
{
    return parse_number(value, 1, 1000000000, &conf->exit_after);
}


static int
set_ignore_stop(fcv_instant_conf_t *conf, const char *value)
{
    return parse_flag(value, &conf->ignore_stop);
}


static int
set_logs(fcv_instant_conf_t *conf, const char *value)
{
    int     n;
    size_t  i, len;

    len = strlen(value);

    if (len == 0 || len % 2 || len / 2 > sizeof(conf->logs)) {
        return -1;
    }

    for (i = 0; i < len / 2; i++) {
        unsigned  byte;

        n = 0;

        if (sscanf(value + i * 2, "%2x%n", &byte, &n) != 1 || n != 2) {
            return -1;
        }

        conf->logs[i] = (char) byte;
    }

    conf->logs_len = len / 2;

    return 0;
}


static int
set_take_mb(fcv_instant_conf_t *conf, const char *value)
{
    return parse_number(value, 0, 1048576, &conf->take_mb);
}


static int
set_clone(fcv_instant_conf_t *conf, const char *value)
{
    int  i;

    static const char *const  names[FCV_CLONE_N] = {
        [FCV_CLONE_WELL] = "well",
        [FCV_CLONE_NONE] = "none",
        [FCV_CLONE_DEAF] = "deaf",
        [FCV_CLONE_REFUSES] = "refuses",
        [FCV_CLONE_ENDS] = "ends",
        [FCV_CLONE_LOST] = "lost"
    };

    i = find_name(names, FCV_CLONE_N, value);
    conf->clone = i == -1 ? conf->clone : (fcv_instant_clone_e) i;

    return i == -1 ? -1 : 0;
}


static int
set_forgets(fcv_instant_conf_t *conf, const char *value)
{
    return parse_flag(value, &conf->forgets);
}


static int
set_young(fcv_instant_conf_t *conf, const char *value)
{
    return parse_flag(value, &conf->young);
}


/* line: NUL-terminated, without its newline; changed */
static int
parse_line(fcv_instant_conf_t *conf, char *line, fcf_err_t *err)
{
    char    *value;
    size_t   i;

    value = strchr(line, '=');

    if (value == NULL) {
        return fcf_err_set(err, FCF_E_INVALID,
                           "function image: \"%.80s\" is not name=value", line);
    }

    *value++ = '\0';

    for (i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {

        if (strcmp(settings[i].name, line) != 0) {
            continue;
        }

        if (settings[i].set(conf, value) == 0) {
            return 0;
        }

        return fcf_err_set(err, FCF_E_INVALID,
                           "function image: %s=%.80s: must be %s", line,
                           value, settings[i].want);
    }

    return fcf_err_set(err, FCF_E_INVALID,
                       "function image: unknown setting %.80s", line);
}


int
fcv_instant_conf_parse(fcv_instant_conf_t *conf, const char *data, size_t len,
    fcf_err_t *err)
{
    char          line[FCV_INSTANT_MAX];
    size_t        magic, n;
    const char   *p, *end, *nl;

    memset(conf, 0, sizeof(fcv_instant_conf_t));
    conf->status = 200;

    magic = sizeof(FCV_INSTANT_MAGIC) - 1;

    if (len < magic || memcmp(data, FCV_INSTANT_MAGIC, magic) != 0) {
        return 0;
    }

    if (len > FCV_INSTANT_MAX) {
        len = FCV_INSTANT_MAX;
    }

    end = memchr(data, '\0', len);
    end = end ? end : data + len;

    for (p = data + magic; p < end; p += n + 1) {
        nl = memchr(p, '\n', (size_t) (end - p));
        n = (size_t) ((nl ? nl : end) - p);

        if (n == 0) {
            return 0;
        }

        memcpy(line, p, n);
        line[n] = '\0';

        if (parse_line(conf, line, err) != 0) {
            return -1;
        }
    }

    return 0;
}
