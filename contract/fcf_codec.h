/*
 * The JSON values of the contract.  One decode and one encode per kind, in
 * fcf_job.c, fcf_instance.c, fcf_slot.c, fcf_spec.c, fcf_code.c, fcf_env.c,
 * fcf_failure.c, fcf_worker.c.
 *
 * decode: fills *out completely (defaults where a field is absent), copies
 *   every string, ignores unknown fields, and refuses wrong types, lengths and
 *   ranges with FCF_E_INVALID and a message that names field and value.
 * encode: returns a malloc'd, NUL-terminated JSON text on one line, or NULL
 *   (out of memory); the caller frees it.  decode(encode(x)) equals x.
 */

#ifndef _FCF_CODEC_H_INCLUDED_
#define _FCF_CODEC_H_INCLUDED_

#include "contract/fcf_names.h"

typedef struct {
    char      request_id[FCF_REQUEST_ID_MAX + 1];
    char      function_id[FCF_ID_MAX + 1];
    int       cpu;
    int       memory_mb;
    int64_t   version;          /* 0: the producer did not say */
    int       ours;             /* "version" was present: made by a gateway,
                                   so its id must be pending */
    int       attempt;          /* from 1 */
    int64_t   not_before;       /* set aside till then, by Redis' TIME in ms:
                                   who has room takes it all the same; 0: not */
    unsigned  nrefused;
    char      refused_by[FCF_REFUSED_MAX][FCF_ID_MAX + 1];
} fcf_job_t;

int fcf_job_decode(fcf_job_t *out, const char *text, size_t len,
    fcf_err_t *err) fcf_must_check;
char *fcf_job_encode(const fcf_job_t *job);

typedef enum { FCF_INSTANCE_READY = 0, FCF_INSTANCE_DRAINING }
    fcf_instance_state_e;

typedef struct {
    char      worker_ip[FCF_ADDR_MAX];      /* numeric */
    int       proxy_port;                   /* 1..65535 */
    char      internal_vm_ip[FCF_ADDR_MAX];
    int64_t   version;                      /* 0 if absent */
    int       concurrency;                  /* -1 if absent, 0: no limit */
    fcf_instance_state_e  state;
    int64_t   started_ms;                   /* Unix time, 0 if absent */
} fcf_instance_t;

/* as it stands there */
const char *fcf_instance_state_name(fcf_instance_state_e state);
int fcf_instance_decode(fcf_instance_t *out, const char *text, size_t len,
    fcf_err_t *err) fcf_must_check;
char *fcf_instance_encode(const fcf_instance_t *instance);

typedef struct {
    char      worker_id[FCF_WORKER_ID_MAX + 1];
    char      request_id[FCF_REQUEST_ID_MAX + 1];   /* may be "" */
    int64_t   version;
} fcf_slot_t;

int fcf_slot_decode(fcf_slot_t *out, const char *text, size_t len,
    fcf_err_t *err) fcf_must_check;
char *fcf_slot_encode(const fcf_slot_t *slot);

#define FCF_TRAFFIC_MAX  16

#define FCF_WHERE_MAX    255        /* bytes of all URLs */

typedef enum {
    FCF_SNAPSHOT_AUTO = 0,          /* absent: as the node thinks right */
    FCF_SNAPSHOT_NO,
    FCF_SNAPSHOT_YES
} fcf_snapshot_e;

typedef struct {
    int64_t   version;
    int       percent;
} fcf_traffic_t;

typedef struct {
    char      sha256[65];           /* "" if absent, else 64 hex digits */
    int64_t   size;                 /* bytes, 0 if absent */
    /* stores that have it, as URLs with a blank between; "" if absent */
    char      where[FCF_WHERE_MAX + 1];
} fcf_image_t;

typedef struct {
    int64_t   version;              /* 1 if absent */
    int64_t   previous;             /* 0: none */
    int       cpu;
    int       memory_mb;
    int       concurrency;          /* 0: no limit */
    int       min_instances;
    int       max_instances;
    int       idle_timeout_s;
    int       boot_timeout_s;
    int       timeout_s;            /* 0: none */
    int       port;
    char      runtime[FCF_ID_MAX + 1];
    fcf_image_t  code;
    fcf_image_t  runtime_image;     /* of no digest: each node's own of that
                                       name */
    fcf_snapshot_e  snapshot;
    int64_t   secrets_generation;   /* of its environment; 0: it has none */
    unsigned  ntraffic;             /* 0: all to the version */
    fcf_traffic_t  traffic[FCF_TRAFFIC_MAX];    /* percents add up to 100 */
} fcf_spec_t;

/* of a store: http://ADDRESS[:PORT][/PATH] or https, the address numeric, no
 * "/" at its end */
int fcf_store_valid(const char *url, size_t len);

/* A spec of nothing but defaults, for undeclared functions. */
void fcf_spec_default(fcf_spec_t *out);
/* 1 if it names an image of that digest: its code, or its runtime */
int fcf_spec_names(const fcf_spec_t *spec, const char *sha256);
/* 1 if requests go to that version: it has a share, or there are none and it
 * is the spec's */
int fcf_spec_serves(const fcf_spec_t *spec, int64_t version);
int fcf_spec_decode(fcf_spec_t *out, const char *text, size_t len,
    fcf_err_t *err) fcf_must_check;
char *fcf_spec_encode(const fcf_spec_t *spec);
/* the fields that a spec or a version may have, up to a NULL */
extern const char *const  fcf_spec_fields[];

/* What a runtime's key says: the image that versions are made with from then
 * on, never without a digest. */
int fcf_runtime_decode(fcf_image_t *out, const char *text, size_t len,
    fcf_err_t *err) fcf_must_check;
char *fcf_runtime_encode(const fcf_image_t *image);

#define FCF_ENV_NAME_MAX  128

/* A generation of a function's environment, at most FCF_VALUE_MAX bytes of
 * JSON: variables by their names, each once. */
typedef struct {
    char     *name, *value;
    int       secret;               /* never shown */
} fcf_var_t;

typedef struct {
    fcf_var_t  *vars;               /* in the order of their names */
    size_t      nvars;
} fcf_env_t;                        /* zeroed memory is an empty one */

/* on failure there is nothing to free, and no value in the message */
int fcf_env_decode(fcf_env_t *out, const char *text, size_t len,
    fcf_err_t *err) fcf_must_check;
/* to be freed by fcf_env_wipe() */
char *fcf_env_encode(const fcf_env_t *env);
/* frees text with a value in it; NULL: nothing */
void fcf_env_wipe(char *text);
void fcf_env_free(fcf_env_t *env);
/* NULL: it is not there */
const fcf_var_t *fcf_env_get(const fcf_env_t *env, const char *name);
/* -1: out of memory, and nothing is changed */
int fcf_env_set(fcf_env_t *env, const char *name, const char *value,
    int secret) fcf_must_check;
/* 1: it was there */
int fcf_env_unset(fcf_env_t *env, const char *name);
/* [A-Za-z_][A-Za-z0-9_]*, and none that each instance has anyway */
int fcf_env_name_check(const char *name, fcf_err_t *err) fcf_must_check;
/* that it is not too large */
int fcf_env_check(const fcf_env_t *env, fcf_err_t *err) fcf_must_check;

#define FCF_BY_MAX      128
#define FCF_SOURCE_MAX  512

/* What the key of a version, or a runtime, says besides: who made it, when, of
 * what.  Text of others: "" if absent. */
typedef struct {
    int64_t   at_ms;                /* Unix time, 0 if absent */
    char      by[FCF_BY_MAX];
    char      source[FCF_SOURCE_MAX];
} fcf_deployed_t;

int fcf_deployed_decode(fcf_deployed_t *out, const char *text, size_t len,
    fcf_err_t *err) fcf_must_check;
/* A version's value: the spec's text with all its fields, known or not, and
 * this; or a runtime's.  NULL also if the text is no JSON object. */
char *fcf_version_encode(const char *spec, size_t len,
    const fcf_deployed_t *deployed);

#define FCF_FAILURES(X)                                                     \
    X(NO_IMAGE,     "no_image")         /* final */                         \
    X(NO_CAPACITY,  "no_capacity")                                          \
    X(BOOT_FAILED,  "boot_failed")                                          \
    X(BOOT_TIMEOUT, "boot_timeout")                                         \
    X(NOT_READY,    "not_ready")                                            \
    X(EXPIRED,      "expired")          /* these three never reach */       \
    X(AT_MAX,       "at_max")           /* a client                */       \
    X(DUPLICATE,    "duplicate")

typedef enum {
#define FCF_X(id, name)  FCF_FAILURE_##id,
    FCF_FAILURES(FCF_X)
#undef FCF_X
    FCF_FAILURE_N
} fcf_failure_e;

#define FCF_FAILURE_MESSAGE_MAX  2048       /* with the console's last lines */
/* in a message, before the last lines that the guest printed */
#define FCF_FAILURE_CONSOLE      "; console: "

/* of a boot under way: said under its request_id with that behind it, so that
 * it cannot come after the failure that ends it */
#define FCF_FAILURE_BOOTING  ".boot"

typedef struct {
    fcf_failure_e  error;
    int            booting;             /* 1: so far, nothing has ended yet */
    char           message[FCF_FAILURE_MESSAGE_MAX];
    char           node_id[FCF_ID_MAX + 1];
    int64_t        version;
} fcf_failure_t;

const char *fcf_failure_name(fcf_failure_e error);
int fcf_failure_decode(fcf_failure_t *out, const char *text, size_t len,
    fcf_err_t *err) fcf_must_check;
/* a message is a line of text: what a guest put into it is escaped, on both
 * sides (fcf_text_clean()), and what is too long is cut */
char *fcf_failure_encode(const fcf_failure_t *failure);

typedef enum { FCF_WORKER_READY = 0, FCF_WORKER_DRAINING, FCF_WORKER_ILL }
    fcf_worker_state_e;

#define FCF_REASON_MAX  512

typedef struct {
    char      address[FCF_ADDR_MAX];
    char      admin[FCF_ADDR_MAX + 8];      /* "ip:port", may be "" */
    char      vmm_version[32];              /* "" before the first VM */
    int       cpu, memory_mb;               /* capacity */
    int       cpu_free, memory_mb_free;
    int       vms;
    char      agent_version[32];
    fcf_worker_state_e  state;
    char      reason[FCF_REASON_MAX];       /* of its illness, else "" */
} fcf_worker_t;

const char *fcf_worker_state_name(fcf_worker_state_e state);
int fcf_worker_decode(fcf_worker_t *out, const char *text, size_t len,
    fcf_err_t *err) fcf_must_check;
char *fcf_worker_encode(const fcf_worker_t *worker);

#endif /* _FCF_CODEC_H_INCLUDED_ */
