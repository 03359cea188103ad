/* What is run: a function's bootstrap, what its runtime has for one without, or
 * what a container image says. */

#ifndef _FCV_PROGRAM_H_INCLUDED_
#define _FCV_PROGRAM_H_INCLUDED_

#include <jansson.h>
#include <sys/types.h>
#include "contract/fcf_err.h"

#define FCV_FUNCTION_DIR   "/function"
#define FCV_FUNCTION_FILE  FCV_FUNCTION_DIR "/bootstrap"
/* what the runtime starts where the function has no bootstrap */
#define FCV_RUNTIME_FILE   "/usr/lib/fcfaas/launch"
#define FCV_FUNCTION_UID   1000

typedef struct {
    json_t       *json;                 /* owns what is an image's; NULL */
    int           own;                  /* it is an image's */
    const char   *file, *cwd;
    char        **argv;                 /* NULL-ended */
    char        **env;                  /* "NAME=value", NULL-ended; NULL */
    uid_t         uid;
    gid_t         gid;
} fcv_program_t;

/* of this root file system; own: it is a container image's */
int fcv_program_find(fcv_program_t *program, int own, fcf_err_t *err)
    fcf_must_check;
/* what FCF_IMAGE_FILE (see vm/guest.h) says */
int fcv_program_decode(fcv_program_t *program, const char *text, size_t len,
    fcf_err_t *err) fcf_must_check;
void fcv_program_free(fcv_program_t *program);

#endif /* _FCV_PROGRAM_H_INCLUDED_ */
