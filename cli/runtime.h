/* What lies in a runtime's image. */

#ifndef _FCC_RUNTIME_H_INCLUDED_
#define _FCC_RUNTIME_H_INCLUDED_

#include <stddef.h>
#include "contract/fcf_err.h"

typedef struct {
    char   *path;
    char   *target;                     /* of a link; NULL: is none */
} fcc_node_t;

typedef struct {
    fcc_node_t   *nodes;                /* by path */
    size_t        n, size;
    int           failed;
} fcc_runtime_t;

int fcc_runtime_read(fcc_runtime_t *out, const char *image, fcf_err_t *err)
    fcf_must_check;
void fcc_runtime_free(fcc_runtime_t *runtime);
/* 1 if an absolute path leads to something there, links followed */
int fcc_runtime_has(const fcc_runtime_t *runtime, const char *path);

#endif /* _FCC_RUNTIME_H_INCLUDED_ */
