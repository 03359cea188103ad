/*
 * etcd's v3 JSON API (https://etcd.io/docs/v3.4/dev-guide/api_grpc_gateway/)
 * on a caller-supplied loop.  One client per process: it keeps one current
 * endpoint of those given, probes it, and moves on when it fails.
 *
 * Every callback runs exactly once, never before the starting call returns,
 * also when the client is freed (FCF_E_CANCELED).  Callbacks may start and
 * cancel calls; they must not free the client.
 */

#ifndef _FCF_ETCD_H_INCLUDED_
#define _FCF_ETCD_H_INCLUDED_

#include "client/fcf_http.h"
#include "contract/fcf_names.h"

#define FCF_ETCD_ENDPOINTS_MAX  16

typedef struct fcf_etcd_s       fcf_etcd_t;
typedef struct fcf_etcd_call_s  fcf_etcd_call_t;

typedef struct {
    const char *const  *endpoints;      /* "http://10.0.0.1:2379"; numeric */
    size_t              nendpoints;
    const char         *user, *password;        /* NULL: no auth */
    const char         *ca, *cert, *key;        /* PEM files or NULL */
    int                 pem;                    /* PEM texts instead */
    unsigned            timeout_ms;             /* per call; 0: 2000 */
} fcf_etcd_conf_t;

typedef struct {
    const char   *key;                  /* decoded, NUL-terminated */
    size_t        key_len;
    const char   *value;
    size_t        value_len;
    int64_t       create_revision, mod_revision;
    int64_t       lease;                /* 0: none */
} fcf_kv_t;

typedef struct {
    int64_t           revision;         /* of the header */
    uint64_t          cluster_id;
    const fcf_kv_t   *kvs;              /* range: in key order */
    size_t            nkvs;
    int64_t           count;            /* range: all; delete: deleted */
    int               succeeded;        /* txn */
    int64_t           lease, ttl;       /* grant, keepalive; ttl 0: lost */
} fcf_etcd_reply_t;

/* err == NULL: reply is valid during the call.  Else reply is NULL. */
typedef void (*fcf_etcd_pt)(void *arg, const fcf_etcd_reply_t *reply,
    const fcf_err_t *err);

/* Checks an endpoint's form: http(s), numeric address, port. */
int fcf_etcd_endpoint_check(const char *url, fcf_err_t *err) fcf_must_check;

/* Copies *conf.  Refuses bad endpoints; does not wait for etcd. */
fcf_etcd_t *fcf_etcd_new(fcf_loop_t *loop, const fcf_etcd_conf_t *conf,
    fcf_err_t *err);
void fcf_etcd_free(fcf_etcd_t *etcd);

/*
 * All return NULL, and call nothing, only when out of memory or while the
 * client is being freed.  Calls are not ordered among each other: what must
 * come second is started in the first one's callback.  A lost answer is asked
 * for again at the next endpoint, but for transactions and grants: there
 * UNAVAILABLE and TIMEOUT mean "maybe done".
 */
fcf_etcd_call_t *fcf_etcd_get(fcf_etcd_t *etcd, const char *key,
    fcf_etcd_pt done, void *arg);
/* all keys below a prefix, paged at one revision inside; meant for small
 * sets: large ones belong to fcf_sync */
fcf_etcd_call_t *fcf_etcd_list(fcf_etcd_t *etcd, const char *prefix,
    fcf_etcd_pt done, void *arg);
fcf_etcd_call_t *fcf_etcd_put(fcf_etcd_t *etcd, const char *key,
    const char *value, size_t len, int64_t lease, fcf_etcd_pt done, void *arg);
fcf_etcd_call_t *fcf_etcd_delete(fcf_etcd_t *etcd, const char *key,
    fcf_etcd_pt done, void *arg);

typedef enum { FCF_CMP_ABSENT, FCF_CMP_PRESENT, FCF_CMP_LEASE_IS,
               FCF_CMP_VALUE_IS,
               FCF_CMP_NONE_BELOW       /* no key begins with key */
} fcf_cmp_e;

typedef struct {
    fcf_cmp_e     what;
    const char   *key;
    int64_t       number;               /* LEASE_IS */
    const char   *value;                /* VALUE_IS */
    size_t        value_len;
} fcf_etcd_cmp_t;

typedef enum { FCF_OP_PUT, FCF_OP_DELETE, FCF_OP_GET,
               FCF_OP_LIST              /* GET of all that begin with key, at
                                           most FCF_ETCD_LIST_MAX of them */
} fcf_op_e;

#define FCF_ETCD_LIST_MAX  500

typedef struct {
    fcf_op_e      op;
    const char   *key;
    const char   *value;                /* PUT */
    size_t        value_len;
    int64_t       lease;                /* PUT; 0: none */
} fcf_etcd_op_t;

/* If all comparisons hold the "then" operations run, else the "other" ones
 * (both may be empty); reply->succeeded tells which, reply->kvs carries the
 * results of FCF_OP_GET and LIST in order. */
fcf_etcd_call_t *fcf_etcd_txn(fcf_etcd_t *etcd,
    const fcf_etcd_cmp_t *cmp, size_t ncmp,
    const fcf_etcd_op_t *then, size_t nthen,
    const fcf_etcd_op_t *other, size_t nother,
    fcf_etcd_pt done, void *arg);

fcf_etcd_call_t *fcf_etcd_lease_grant(fcf_etcd_t *etcd, unsigned ttl_s,
    fcf_etcd_pt done, void *arg);
/* once; the caller repeats it.  reply->ttl == 0: the lease is lost. */
fcf_etcd_call_t *fcf_etcd_lease_keepalive(fcf_etcd_t *etcd, int64_t lease,
    fcf_etcd_pt done, void *arg);
/* reply->ttl as above, reply->kvs: the keys put under it, without values */
fcf_etcd_call_t *fcf_etcd_lease_keys(fcf_etcd_t *etcd, int64_t lease,
    fcf_etcd_pt done, void *arg);
/* a lease already gone is success */
fcf_etcd_call_t *fcf_etcd_lease_revoke(fcf_etcd_t *etcd, int64_t lease,
    fcf_etcd_pt done, void *arg);

/* the callback will not run; safe anywhere */
void fcf_etcd_cancel(fcf_etcd_call_t *call);

typedef struct {
    const char   *endpoint;             /* the current one */
    int           healthy;              /* last probe or call was answered */
    uint64_t      failovers;
} fcf_etcd_stat_t;

void fcf_etcd_stat(const fcf_etcd_t *etcd, fcf_etcd_stat_t *out);

#endif /* _FCF_ETCD_H_INCLUDED_ */
