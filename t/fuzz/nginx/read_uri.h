/*
 * What nginx itself makes of a request line: its own parser, as a gateway
 * runs it.
 */

#ifndef _FCT_READ_URI_H_INCLUDED_
#define _FCT_READ_URI_H_INCLUDED_

#include "ngx_fcfaas_module/path/fcp_path.h"

typedef struct {
    fcp_str_t        raw;           /* the client's own URI, in "line" */
    fcp_str_t        text;          /* decoded and normalised, in "line" too, or
                                       in "decoded" */
    fcp_str_t        args;          /* $args */
    unsigned         path;          /* raw has a path */
    unsigned char   *line;
    unsigned char   *decoded;
} fct_uri_t;

/* -1: nginx answers it with 400; else to be freed */
int fct_read_uri(fct_uri_t *uri, const void *target, size_t len,
    unsigned merge);
void fct_uri_free(fct_uri_t *uri);

#endif /* _FCT_READ_URI_H_INCLUDED_ */
