/* What the tests of the stand-in's calls share: the API on a backend that does
 * nothing, files in a directory of their own, and cases as data. */

#ifndef _FCT_VMM_API_H_INCLUDED_
#define _FCT_VMM_API_H_INCLUDED_

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "t/unit/tap.h"
#include "vm/vmm/api.h"

typedef struct {
    const char  *method, *path, *body;
    int          status;
    const char  *want;                  /* in the answer */
} fct_case_t;

static char         fct_dir[] = "/tmp/vmm_api.XXXXXX";
static fcv_api_t    fct_api;
static fcv_reply_t  fct_later_reply;
static int          fct_later_runs, fct_refuse_start;

#define DRIVE(id, rest)  "{\"drive_id\":\"" id "\",\"is_root_device\":" rest
#define FILE_A           ",\"path_on_host\":\"@a\"}"
#define MACHINE          "/machine-config"
#define X64              "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" \
                         "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define X256             X64 X64 X64 X64
#define X1024            X256 X256 X256 X256
#define SNAP             "{\"snapshot_path\":\"@s\",\"mem_file_path\":\"@m\""
#define JSON_ERROR       "An error occurred when deserializing the json body "\
                         "of a request: "

static inline int
fct_start(fcf_err_t *err)
{
    return fct_refuse_start ? fcf_err_set(err, FCF_E_REFUSED, "not today") : 0;
}


static inline int
fct_ctrl_alt_del(fcf_err_t *err)
{
    (void) err;

    return 0;
}


static inline int
fct_pause(int paused, fcf_err_t *err)
{
    (void) paused;
    (void) err;

    return 0;
}


static inline int
fct_save(int memory_fd, fcf_err_t *err)
{
    (void) memory_fd;
    (void) err;

    return 0;
}


static const fcv_backend_t  fct_backend = {
    .name = "fake", .start = fct_start, .ctrl_alt_del = fct_ctrl_alt_del,
    .pause = fct_pause, .save = fct_save
};


static inline void
fct_later(void *arg, fcv_reply_t *reply)
{
    (void) arg;

    fct_later_runs++;
    fct_later_reply = *reply;
}


/* "@" stands for the directory and a slash; the caller frees */
static inline char *
fct_expand(const char *text)
{
    char        *out;
    size_t       n;
    const char  *p;

    n = 1;

    for (p = text; *p; p++) {
        n += *p == '@' ? sizeof(fct_dir) : 1;
    }

    out = malloc(n);
    n = 0;

    for (p = text; *p; p++) {

        if (*p == '@') {
            memcpy(out + n, fct_dir, sizeof(fct_dir) - 1);
            n += sizeof(fct_dir) - 1;
            out[n++] = '/';

        } else {
            out[n++] = *p;
        }
    }

    out[n] = '\0';

    return out;
}


static inline void
fct_check(const fct_case_t *c)
{
    char         *body, *want, *got;
    fcv_reply_t   reply;

    body = fct_expand(c->body);
    want = c->want ? fct_expand(c->want) : NULL;

    fcv_api_request(&fct_api, c->method, c->path, body, strlen(body), &reply);

    got = reply.body ? json_dumps(reply.body, JSON_COMPACT) : NULL;

    ok(reply.status == c->status
       && (want ? got && strstr(got, want) : got == NULL)
       && (c->status != 400
           || (json_object_size(reply.body) == 1
               && json_object_get(reply.body, "fault_message"))),
       "%s %s %.60s: %d", c->method, c->path, c->body, c->status);

    if (reply.status != c->status || (want && (!got || !strstr(got, want)))) {
        printf("#   got %d %s\n#  want %d %s\n", reply.status,
               got ? got : "", c->status, want ? want : "");
    }

    json_decref(reply.body);
    free(body);
    free(want);
    free(got);
}


static inline void
fct_check_all(const fct_case_t *c, int minor)
{
    fct_api.minor = minor;

    for ( /* void */ ; c->method; c++) {
        fct_check(c);
    }
}


static inline void
put(const char *path, const char *body, fcv_reply_t *reply)
{
    fcv_api_request(&fct_api, "PUT", path, body, strlen(body), reply);
}


static inline void
fct_make_file(const char *name, const char *text)
{
    int   fd;
    char  path[64];

    snprintf(path, sizeof(path), "%s/%s", fct_dir, name);
    fd = open(path, O_WRONLY|O_CREAT|O_CLOEXEC, 0600);

    if (fd == -1 || write(fd, text, strlen(text)) == -1 || close(fd) == -1) {
        perror(path);
        exit(1);
    }
}


static inline void
fct_remove_file(const char *name)
{
    char  path[64];

    snprintf(path, sizeof(path), "%s/%s", fct_dir, name);
    (void) unlink(path);
}


/* the model, the backend and two files: "a", and one that is empty */
static inline void
fct_set_up(void)
{
    fcf_err_t  err;

    if (mkdtemp(fct_dir) == NULL) {
        perror(fct_dir);
        exit(1);
    }

    fct_make_file("a", "x");
    fct_make_file("empty", "");

    is_int(fcv_model_init(&fct_api.model, &err), 0, "model");
    fct_api.backend = &fct_backend;
    fct_api.memory_fd = -1;
    fct_api.id = "vm-1";
    fct_api.minor = FCV_MINOR;
    fct_api.later = fct_later;
}


static inline void
fct_tear_down(void)
{
    size_t  i;

    static const char *const  names[] = { "a", "empty", "console", "log",
                                          "metrics", "s", "m" };

    fcv_model_done(&fct_api.model);

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        fct_remove_file(names[i]);
    }

    is_int(rmdir(fct_dir), 0, "no file is left over");
}

#endif /* _FCT_VMM_API_H_INCLUDED_ */
