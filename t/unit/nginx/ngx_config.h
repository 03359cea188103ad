/* What nginx's own headers are to a file of the module that a unit test is
 * linked with: the few names that it uses.  ngx_queue.h is nginx's. */

#ifndef _FCT_NGX_CONFIG_H_INCLUDED_
#define _FCT_NGX_CONFIG_H_INCLUDED_

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define NGX_OK     0
#define NGX_ERROR  -1

typedef intptr_t       ngx_int_t;
typedef uintptr_t      ngx_uint_t;
typedef unsigned char  u_char;
typedef ngx_uint_t     ngx_msec_t;
typedef ngx_int_t      ngx_msec_int_t;

#define ngx_max(a, b)      ((a) < (b) ? (b) : (a))
#define ngx_min(a, b)      ((a) > (b) ? (b) : (a))
#define ngx_memzero(p, n)  (void) memset(p, 0, n)
#define ngx_random         random

#endif /* _FCT_NGX_CONFIG_H_INCLUDED_ */
