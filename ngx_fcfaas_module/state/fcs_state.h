/*
 * The file in which a gateway keeps what it knows of functions and instances,
 * so that new workers know it at once.  Format and judgement; no file, no
 * nginx.  Of this host and for this program only: little endian, and another
 * layout is another FCS_LAYOUT, which is refused.
 *
 *   head      FCS_HEAD bytes
 *   records   each padded to 8 bytes; in any order
 */

#ifndef _FCS_STATE_H_INCLUDED_
#define _FCS_STATE_H_INCLUDED_

#include "contract/fcf_codec.h"

#define FCS_LAYOUT      1
#define FCS_HEAD        144
#define FCS_RECORD_MAX  512             /* bytes, at most, of one */
#define FCS_FILE_MAX    ((uint64_t) 1 << 31)

typedef struct {
    uint64_t   length;                  /* of all records, bytes */
    uint64_t   hash;                    /* of them: fcs_hash() */
    int64_t    written;                 /* Unix time, s */
    uint32_t   nspecs, ninstances;
    char       prefix[FCF_PREFIX_MAX + 1];
} fcs_info_t;

/* Both return the record's length.  Of a spec only what a gateway needs is
 * kept; the ids are valid ones. */
size_t fcs_put_spec(char dst[FCS_RECORD_MAX], const char *function_id,
    const fcf_spec_t *spec);
size_t fcs_put_instance(char dst[FCS_RECORD_MAX], const char *function_id,
    const char *worker_id, const fcf_instance_t *instance);

/* to be continued with what it returned, from FCS_HASH on; len: a multiple
 * of 8 */
#define FCS_HASH  0xcbf29ce484222325u
uint64_t fcs_hash(uint64_t hash, const char *data, size_t len);

/* a version of a function that there is a key of */
size_t fcs_put_version(char dst[FCS_RECORD_MAX], const char *function_id,
    int64_t version);

void fcs_put_head(char dst[FCS_HEAD], const fcs_info_t *info);

/* All of a file's bytes: whether every one of them is what a gateway with this
 * prefix wrote.  The message does not name the file. */
int fcs_check(fcs_info_t *out, const char *data, size_t len,
    const char *prefix, fcf_err_t *err) fcf_must_check;

typedef struct {
    void  (*spec)(void *arg, const char *function_id, const fcf_spec_t *spec);
    void  (*instance)(void *arg, const char *function_id,
                      const char *worker_id, const fcf_instance_t *instance);
    void  (*version)(void *arg, const char *function_id, int64_t version);
} fcs_handler_t;

/* of a file that has passed fcs_check() */
void fcs_each(const char *data, size_t len, const fcs_handler_t *handler,
    void *arg);

#endif /* _FCS_STATE_H_INCLUDED_ */
