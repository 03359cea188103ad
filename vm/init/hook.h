/*
 * A hook of the function: POST to a path of its own, from inside the guest.
 * What has no such path answers whatever it answers; 500 and above but
 * 501, or no answer, is a failure.  Memory and time are bounded, and nothing blocks.
 */

#ifndef _FCV_HOOK_H_INCLUDED_
#define _FCV_HOOK_H_INCLUDED_

#include <poll.h>
#include <stdint.h>
#include "contract/fcf_err.h"

#define FCV_HOOK_HEAD  4096             /* of its answer, as much is read */

typedef struct {
    int          fd;                    /* -1: none is under way */
    const char  *path;
    unsigned     sent:1;
    unsigned     no_post:1;             /* the last answer was 501 */
    int64_t      deadline_ms;
    size_t       len;
    char         head[FCV_HOOK_HEAD + 1];
} fcv_hook_t;

void fcv_hook_init(fcv_hook_t *hook);
/* path: static */
int fcv_hook_start(fcv_hook_t *hook, const char *path, int port,
    int64_t now_ms, fcf_err_t *err) fcf_must_check;
/* fd -1, which poll(2) ignores, if none is under way */
void fcv_hook_want(const fcv_hook_t *hook, struct pollfd *fd);
/* 1: it has ended well; *reseeds: the function says that it makes its random
 * state anew.  0: not yet.  -1: it has failed. */
int fcv_hook_ready(fcv_hook_t *hook, const struct pollfd *fd, int64_t now_ms,
    int *reseeds, fcf_err_t *err) fcf_must_check;

/* The answer so far, NUL-terminated: 1, 0 or -1 as above.  eof: no more of it
 * comes. */
int fcv_hook_judge(const char *path, const char *head, int eof, int *reseeds,
    fcf_err_t *err) fcf_must_check;

#endif /* _FCV_HOOK_H_INCLUDED_ */
