/* fcfaas describe: all that etcd knows of one function. */

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "cli/call.h"
#include "cli/rollout.h"
#include "cli/store.h"
#include "cli/table.h"
#include "contract/fcf_text.h"

typedef struct {
    const char    *name;
    json_t        *obj;                 /* the spec as it stands there; NULL:
                                           no JSON */
    fcf_spec_t     spec;
    int            valid;
    fcf_err_t      why;                 /* it is not */
    fcc_reply_t    versions, said;
} fcc_described_t;


static int
fcc_describe_read(fcc_t *fcc, fcc_described_t *d, fcf_err_t *err)
{
    int          rc;
    char         key[FCF_KEY_MAX];
    fcc_reply_t  reply;

    rc = fcc_get_spec(fcc, d->name, &reply, err);

    if (rc == 0) {
        d->obj = json_loadb(reply.kvs[0].value, reply.kvs[0].value_len, 0,
                            NULL);
        d->valid = fcf_spec_decode(&d->spec, reply.kvs[0].value,
                                   reply.kvs[0].value_len, &d->why) == 0;

        if (!d->valid) {
            memset(&d->spec.code, 0, sizeof(fcf_image_t));
            memset(&d->spec.runtime_image, 0, sizeof(fcf_image_t));
        }

        rc = fcc_list(fcc, fcf_key_versions(key, fcc->conf.prefix, d->name),
                      &d->versions, err);
    }

    if (rc == 0) {
        rc = fcc_list(fcc, fcf_key_function(key, fcc->conf.prefix, d->name),
                      &d->said, err);
    }

    fcc_reply_free(&reply);

    return rc;
}


static json_t *
fcc_parsed(const fcf_kv_t *kv)
{
    json_t  *value;

    value = json_loadb(kv->value, kv->value_len, 0, NULL);

    return value != NULL ? value : json_null();
}


static json_t *fcc_describe_stores(fcc_t *fcc, const fcf_image_t *image);

static json_t *
fcc_describe_json(fcc_t *fcc, const fcc_described_t *d)
{
    char             id[32];
    json_t          *versions, *instances, *slots, *failures, *to;
    size_t           i;
    fcf_key_t        key;
    const fcf_kv_t  *kv;

    versions = json_object();
    instances = json_object();
    slots = json_object();
    failures = json_object();

    for (i = 0; i < d->versions.nkvs; i++) {

        kv = &d->versions.kvs[i];
        fcf_key_parse(&key, fcc->conf.prefix, kv->key, kv->key_len);

        if (key.kind == FCF_KEY_SPEC_VERSION) {
            (void) snprintf(id, sizeof(id), "%" PRId64, key.number);
            (void) json_object_set_new(versions, id, fcc_parsed(kv));
        }
    }

    for (i = 0; i < d->said.nkvs; i++) {

        kv = &d->said.kvs[i];
        fcf_key_parse(&key, fcc->conf.prefix, kv->key, kv->key_len);

        to = key.kind == FCF_KEY_INSTANCE ? instances
             : key.kind == FCF_KEY_FAILURE ? failures
             : key.kind == FCF_KEY_SLOT ? slots : NULL;

        (void) snprintf(id, sizeof(id), "%" PRId64, key.number);

        if (to != NULL) {
            (void) json_object_set_new(to, to == slots ? id : key.name,
                                       fcc_parsed(kv));
        }
    }

    return json_pack("{s:s, s:o, s:s?, s:o, s:o, s:o, s:o, s:o, s:o}",
                     "name", d->name,
                     "spec", d->obj != NULL ? json_incref(d->obj)
                                            : json_null(),
                     "not_valid", d->valid ? NULL : d->why.msg,
                     "versions", versions, "instances", instances,
                     "slots", slots, "failures", failures,
                     "stores", fcc_describe_stores(fcc, &d->spec.code),
                     "runtime_stores",
                     fcc_describe_stores(fcc, &d->spec.runtime_image));
}


static void
fcc_line(const char *name, const char *fmt, ...) fcf_printf_like(2, 3);

static void
fcc_line(const char *name, const char *fmt, ...)
{
    char     raw[FCF_FAILURE_MESSAGE_MAX + 256];
    char     text[FCF_FAILURE_MESSAGE_MAX + 256];
    va_list  args;

    va_start(args, fmt);
    (void) vsnprintf(raw, sizeof(raw), fmt, args);
    va_end(args);

    (void) fcf_text_clean(text, sizeof(text), raw, strlen(raw), 0);
    (void) printf("%-16s%s\n", name, text);
}


static void
fcc_describe_unknown(const fcc_described_t *d)
{
    void        *field;
    const char  *name, *meant;

    for (field = json_object_iter(d->obj); field != NULL;
         field = json_object_iter_next(d->obj, field))
    {
        name = json_object_iter_key(field);
        meant = fcc_spec_meant(name);

        if (meant == NULL) {
            fcc_line("unknown field", "%s", name);

        } else if (*meant != '\0') {
            fcc_line("unknown field", "%s (%s?)", name, meant);
        }
    }
}


static void
fcc_describe_spec(const fcc_described_t *d)
{
    unsigned           i;
    const fcf_spec_t  *s;

    s = &d->spec;

    fcc_line("version", "%" PRId64, s->version);

    if (s->previous != 0) {
        fcc_line("previous", "%" PRId64, s->previous);
    }

    for (i = 0; i < s->ntraffic; i++) {
        fcc_line(i == 0 ? "traffic" : "", "%d %% to version %" PRId64,
                 s->traffic[i].percent, s->traffic[i].version);
    }

    fcc_line("runtime", "%s", s->runtime);

    if (s->runtime_image.sha256[0] != '\0') {
        fcc_line("runtime image", "sha256 %s, %" PRId64 " bytes",
                 s->runtime_image.sha256, s->runtime_image.size);
    }

    fcc_line("cpu", "%d", s->cpu);
    fcc_line("memory", "%d MB", s->memory_mb);
    fcc_line("concurrency", s->concurrency ? "%d" : "no limit",
             s->concurrency);
    fcc_line("instances", "%d to %d", s->min_instances, s->max_instances);
    fcc_line("idle timeout", "%d s", s->idle_timeout_s);
    fcc_line("boot timeout", "%d s", s->boot_timeout_s);

    if (s->timeout_s != 0) {
        fcc_line("timeout", "%d s", s->timeout_s);
    }

    fcc_line("port", "%d", s->port);

    if (s->secrets_generation != 0) {
        fcc_line("environment", "generation %" PRId64 ", see fcfaas env, "
                 "fcfaas secret", s->secrets_generation);
    }

    if (s->code.sha256[0] != '\0') {
        fcc_line("code", "sha256 %s, %" PRId64 " bytes", s->code.sha256,
                 s->code.size);
    }
}


/* asks each store that is named what it has; in the order of their names, "has
 * it", "lacks it" or why that is not known */
static json_t *
fcc_describe_stores(fcc_t *fcc, const fcf_image_t *image)
{
    int          has;
    char         url[FCF_WHERE_MAX + 1];
    json_t      *stores;
    fcf_err_t    err;
    const char  *at;

    stores = json_object();
    at = image->where;

    while (fcc_where_next(&at, url)) {

        has = fcc_store_has(fcc, url, image->sha256, image->size, &err);

        (void) json_object_set_new(stores, url, json_string(
            has == 1 ? "has it" : has == 0 ? "lacks it" : err.msg));
    }

    return stores;
}


static void
fcc_describe_store_lines(fcc_t *fcc, const fcf_image_t *image,
    const char *what, const char *remedy)
{
    const char  *url, *says;
    json_t      *value, *stores;

    stores = fcc_describe_stores(fcc, image);

    json_object_foreach(stores, url, value) {
        says = json_string_value(value);
        fcc_line(what, "%s: %s%s", url, says != NULL ? says : "?",
                 says != NULL && strcmp(says, "lacks it") == 0 ? remedy : "");
    }

    json_decref(stores);
}


static int
fcc_version_cmp(const void *a, const void *b)
{
    const fcf_key_t  *x = *(const fcf_key_t *const *) a;
    const fcf_key_t  *y = *(const fcf_key_t *const *) b;

    return (x->number > y->number) - (x->number < y->number);
}


/* keys are in the order of their text: 1, 10, 2 */
static void
fcc_describe_versions(const fcc_t *fcc, const fcc_described_t *d)
{
    char             ago[32], name[32];
    size_t           i, n;
    fcf_key_t       *keys, **order;
    fcf_deployed_t   by;

    keys = calloc(d->versions.nkvs + 1, sizeof(fcf_key_t));
    order = calloc(d->versions.nkvs + 1, sizeof(fcf_key_t *));

    for (n = i = 0; keys && order && i < d->versions.nkvs; i++) {

        fcf_key_parse(&keys[i], fcc->conf.prefix, d->versions.kvs[i].key,
                      d->versions.kvs[i].key_len);

        if (keys[i].kind == FCF_KEY_SPEC_VERSION) {
            order[n++] = &keys[i];
        }
    }

    if (n > 1) {
        qsort(order, n, sizeof(fcf_key_t *), fcc_version_cmp);
    }

    while (n-- > 0) {

        i = (size_t) (order[n] - keys);

        if (fcf_deployed_decode(&by, d->versions.kvs[i].value,
                                d->versions.kvs[i].value_len, NULL) != 0)
        {
            memset(&by, 0, sizeof(by));
        }

        (void) snprintf(name, sizeof(name), "version %" PRId64,
                        order[n]->number);
        fcc_line(name, "%s%s%s%s%s%s",
                 order[n]->number == d->spec.version ? "current, " : "",
                 by.at_ms ? fcc_ago(ago, sizeof(ago), by.at_ms)
                          : "declared by hand",
                 by.by[0] ? " ago by " : "", by.by,
                 by.source[0] ? ", of " : "", by.source);
    }

    free(keys);
    free(order);
}


static void
fcc_describe_said(const fcc_t *fcc, const fcc_described_t *d)
{
    char             ago[32];
    size_t           i;
    fcf_key_t        key;
    fcf_failure_t    failure;
    fcf_instance_t   it;
    const fcf_kv_t  *kv;

    for (i = 0; i < d->said.nkvs; i++) {

        kv = &d->said.kvs[i];
        fcf_key_parse(&key, fcc->conf.prefix, kv->key, kv->key_len);

        if (key.kind == FCF_KEY_INSTANCE
            && fcf_instance_decode(&it, kv->value, kv->value_len, NULL) == 0)
        {
            fcc_line("instance", "%s, version %" PRId64 ", %s, %s:%d, up %s",
                     key.name, it.version, fcf_instance_state_name(it.state),
                     it.worker_ip, it.proxy_port,
                     fcc_ago(ago, sizeof(ago), it.started_ms));

        } else if (key.kind == FCF_KEY_FAILURE
                   && fcf_failure_decode(&failure, kv->value, kv->value_len,
                                         NULL) == 0)
        {
            fcc_line("failed start", "%s on %s, version %" PRId64 ": %s",
                     fcf_failure_name(failure.error), failure.node_id,
                     failure.version, failure.message);
        }
    }
}


static int
fcc_describe(fcc_t *fcc, fcf_err_t *err)
{
    int              rc;
    fcc_described_t  d;

    memset(&d, 0, sizeof(d));
    d.name = fcc->args[0];

    rc = fcc_describe_read(fcc, &d, err);

    if (rc == 0 && fcc->json) {
        rc = fcc_json_print(fcc_describe_json(fcc, &d), err);

    } else if (rc == 0) {
        fcc_line("name", "%s", d.name);

        if (!d.valid) {
            fcc_line("not valid", "%s; agents and gateways ignore it",
                     d.why.msg);
        } else {
            fcc_describe_spec(&d);
            fcc_describe_store_lines(fcc, &d.spec.code, "store",
                                     "; the same deploy puts it there");
            fcc_describe_store_lines(fcc, &d.spec.runtime_image,
                                     "runtime store", "; fcfaas runtime push "
                                     "puts it there, if it is the same");
        }

        fcc_describe_unknown(&d);
        fcc_describe_versions(fcc, &d);
        fcc_describe_said(fcc, &d);
    }

    json_decref(d.obj);
    fcc_reply_free(&d.versions);
    fcc_reply_free(&d.said);

    return rc;
}


const fcc_verb_t  fcc_verb_describe = {
    "describe", "NAME", "all that is known of one function", 1, 1, NULL, NULL,
    fcc_describe
};
