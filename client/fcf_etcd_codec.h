/* Requests (fcf_etcd_build.c) and replies (fcf_etcd_parse.c) of etcd's v3 JSON
 * API.  Private to contract/. */

#ifndef _FCF_ETCD_CODEC_H_INCLUDED_
#define _FCF_ETCD_CODEC_H_INCLUDED_

#include <jansson.h>
#include "contract/fcf_buf.h"
#include "client/fcf_etcd.h"

/* a reply's header, and what else it says */
typedef struct {
    int64_t     revision;
    uint64_t    cluster_id;
    uint64_t    raft_term;
} fcf_etcd_header_t;

/* keys and values decoded into one block */
typedef struct {
    fcf_kv_t   *kvs;
    size_t      n;
    char       *deleted;            /* per kv, of events only; else NULL */
    char       *blob;
} fcf_etcd_kvs_t;

typedef struct {
    const char   *key;
    size_t        key_len;
    const char   *end;              /* NULL: one key */
    size_t        end_len;
    unsigned      limit;            /* 0: none */
    int64_t       revision;         /* 0: the newest */
    int           keys_only;
} fcf_etcd_range_t;

/* the end of the range of all keys that begin with prefix; buf holds len + 1
 * bytes; returns its length */
size_t fcf_etcd_range_end(char *buf, const char *prefix, size_t len);

/* All builders: 0, or what fcf_buf_add() returns. */
int fcf_etcd_put_base64(fcf_buf_t *buf, const char *data, size_t len);
int fcf_etcd_build_range(fcf_buf_t *buf, const fcf_etcd_range_t *range);
int fcf_etcd_build_put(fcf_buf_t *buf, const char *key, const char *value,
    size_t len, int64_t lease);
/* the body of a get as of a delete */
int fcf_etcd_build_key(fcf_buf_t *buf, const char *key);
int fcf_etcd_build_cmp(fcf_buf_t *buf, const fcf_etcd_cmp_t *cmp);
int fcf_etcd_build_op(fcf_buf_t *buf, const fcf_etcd_op_t *op);
/* with a newline at the end: several may stand in one body */
int fcf_etcd_build_watch(fcf_buf_t *buf, const char *prefix, int64_t revision,
    unsigned id);

/* an integer that may be written as a string, 0 if absent; -1: malformed */
int fcf_etcd_int64(const json_t *obj, const char *name, int64_t *out);
int fcf_etcd_uint64(const json_t *obj, const char *name, uint64_t *out);
int fcf_etcd_parse_header(const json_t *reply, fcf_etcd_header_t *out,
    fcf_err_t *err);
/* list: an array of kv, or (events) of objects with "kv" and "type"; NULL
 * for none.  Free also after failure. */
int fcf_etcd_parse_kvs(const json_t *list, int events, fcf_etcd_kvs_t *out,
    fcf_err_t *err);
void fcf_etcd_kvs_free(fcf_etcd_kvs_t *kvs);

/* What an answer that is not 200 means.  Always returns -1. */
int fcf_etcd_parse_error(long status, const char *body, size_t len,
    fcf_err_t *err);
/* the same for a gRPC code and its message */
fcf_code_e fcf_etcd_grpc_code(int64_t code, const char *message);

#endif /* _FCF_ETCD_CODEC_H_INCLUDED_ */
