/*
 * Names and limits that gateway and agent share: etcd keys, Redis keys, HTTP
 * headers, identifiers.  Each is spelled once, here.  "prefix" is the
 * installation's setting of that name (default "") and stands before every
 * etcd key and every Redis key.
 */

#ifndef _FCF_NAMES_H_INCLUDED_
#define _FCF_NAMES_H_INCLUDED_

#include <stddef.h>
#include <stdint.h>
#include "contract/fcf_err.h"

#define FCF_VERSION            "0.1.0"  /* of fcfaas: all its programs */

#define FCF_ID_MAX              64      /* function_id, node_id */
#define FCF_WORKER_ID_MAX       96      /* "<node_id>-<n>" */
#define FCF_REQUEST_ID_MAX      64
#define FCF_PREFIX_MAX          64
#define FCF_KEY_MAX             384     /* any key of ours, with prefix */
#define FCF_VALUE_MAX           65536   /* any etcd value or job of ours */
#define FCF_ADDR_MAX            46      /* numeric IPv4 or IPv6, with NUL */
#define FCF_REFUSED_MAX         64      /* names in a job's refused_by */

/* largest values taken in specs, jobs and workers */
#define FCF_CPU_MAX             32      /* whole vCPUs of one VM */
#define FCF_MEMORY_MB_MAX       4194304
#define FCF_CONCURRENCY_MAX     1000000
#define FCF_INSTANCES_MAX       100000
#define FCF_TIMEOUT_S_MAX       31536000
#define FCF_ATTEMPT_MAX         1000

#define FCF_LEASE_TTL_S         10
#define FCF_FAILURE_ROTATE_S    10
#define FCF_PENDING_AFTER_PUT_MS  2000
#define FCF_PENDING_MAX_MS      120000  /* no deadline lies further ahead */
#define FCF_DEAD_MAX            1000    /* entries kept in ...:dead */

#define FCF_DEFAULT_CPU             1
#define FCF_DEFAULT_MEMORY_MB       128
#define FCF_DEFAULT_CONCURRENCY     32
#define FCF_DEFAULT_MAX_INSTANCES   10
#define FCF_DEFAULT_IDLE_TIMEOUT_S  300
#define FCF_DEFAULT_BOOT_TIMEOUT_S  60
#define FCF_DEFAULT_TIMEOUT_S       0       /* 0: no total limit */
#define FCF_DEFAULT_PORT            80
#define FCF_DEFAULT_RUNTIME         "base"

#define FCF_HDR_FUNCTION   "X-Fcfaas-Function"
#define FCF_HDR_TOKEN      "X-Fcfaas-Token"
#define FCF_HDR_UNSENT     "X-Fcfaas-Unsent"
#define FCF_HDR_ERROR      "X-Fcfaas-Error"

/* what certificates of nodes name, whatever else they do */
#define FCF_NODE_NAME      "node.fcfaas"

/* values of X-Fcfaas-Unsent */
#define FCF_UNSENT_WRONG_FUNCTION  "wrong-function"
#define FCF_UNSENT_DRAINING        "draining"
#define FCF_UNSENT_BUSY            "busy"
#define FCF_UNSENT_GONE            "gone"

/* [a-z0-9]([a-z0-9._-]{0,62}[a-z0-9])? without "..": 1 or 0.
 * Function ids and node ids alike. */
int fcf_id_valid(const char *s, size_t len);
/* a prefix: printable ASCII without space, braces or control, bounded */
int fcf_prefix_valid(const char *s, size_t len);
/* a request id: [A-Za-z0-9._-]{1,64} */
int fcf_request_id_valid(const char *s, size_t len);
/* a worker id, foreign ones too: [A-Za-z0-9._-]{1,96} */
int fcf_worker_id_valid(const char *s, size_t len);

/* "req-" and 24 hex digits of getrandom(2); buf of FCF_REQUEST_ID_MAX + 1 */
void fcf_request_id_new(char *buf);

/*
 * Key builders: write a NUL-terminated key into buf (FCF_KEY_MAX bytes) and
 * return buf, so that they can stand as arguments.  The ids must have been
 * validated; an over-long result is an internal error (assert).
 */
char *fcf_key_specs(char *buf, const char *prefix);          /* /specs/     */
char *fcf_key_functions(char *buf, const char *prefix);      /* /functions/ */
char *fcf_key_workers(char *buf, const char *prefix);        /* /workers/   */
char *fcf_key_runtimes(char *buf, const char *prefix);       /* /runtimes/  */
char *fcf_key_runtime(char *buf, const char *prefix, const char *name);
char *fcf_key_spec(char *buf, const char *prefix, const char *function_id);
/* all versions of it; one */
char *fcf_key_versions(char *buf, const char *prefix,
    const char *function_id);
char *fcf_key_version(char *buf, const char *prefix, const char *function_id,
    int64_t version);
/* all generations of its environment; one */
char *fcf_key_secrets(char *buf, const char *prefix, const char *function_id);
char *fcf_key_secret(char *buf, const char *prefix, const char *function_id,
    int64_t generation);
/* all that agents say of it */
char *fcf_key_function(char *buf, const char *prefix,
    const char *function_id);
char *fcf_key_instance(char *buf, const char *prefix, const char *function_id,
    const char *worker_id);
char *fcf_key_slot(char *buf, const char *prefix, const char *function_id,
    unsigned k);
char *fcf_key_failure(char *buf, const char *prefix, const char *function_id,
    const char *request_id);
char *fcf_key_worker(char *buf, const char *prefix, const char *node_id);

char *fcf_redis_queue(char *buf, const char *prefix);
char *fcf_redis_taken(char *buf, const char *prefix, const char *node_id);
char *fcf_redis_dead(char *buf, const char *prefix);
char *fcf_redis_nodes(char *buf, const char *prefix);
char *fcf_redis_pending(char *buf, const char *prefix,
    const char *function_id);
char *fcf_redis_demand(char *buf, const char *prefix,
    const char *function_id);

typedef enum {
    FCF_KEY_OTHER = 0,      /* not ours, or of a kind not known yet: ignore */
    FCF_KEY_SPEC,
    FCF_KEY_SPEC_VERSION,
    FCF_KEY_SECRET,         /* number = generation */
    FCF_KEY_INSTANCE,       /* name = worker_id */
    FCF_KEY_SLOT,           /* number = k */
    FCF_KEY_FAILURE,        /* name = request_id */
    FCF_KEY_WORKER,         /* name = node_id, function_id empty */
    FCF_KEY_RUNTIME         /* name = its name, function_id empty */
} fcf_key_e;

typedef struct {
    fcf_key_e   kind;
    char        function_id[FCF_ID_MAX + 1];
    char        name[FCF_WORKER_ID_MAX + 1];
    int64_t     number;     /* slot k, spec version, generation */
} fcf_key_t;

/* Takes an etcd key apart.  Never fails: what does not parse is OTHER. */
void fcf_key_parse(fcf_key_t *out, const char *prefix, const char *key,
    size_t len);

#endif /* _FCF_NAMES_H_INCLUDED_ */
