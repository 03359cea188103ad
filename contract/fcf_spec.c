#include <inttypes.h>
#include <string.h>

#include "contract/fcf_code.h"

#define FCF_SPEC_BOOT_MAX_S  3600

const char *const  fcf_spec_fields[] = {
    "version", "previous", "cpu", "memory_mb", "concurrency", "min_instances",
    "max_instances", "idle_timeout_s", "boot_timeout_s", "timeout_s", "port",
    "runtime", "runtime_image", "code", "snapshot", "secrets_generation",
    "traffic", "deployed", NULL
};


void
fcf_spec_default(fcf_spec_t *out)
{
    memset(out, 0, sizeof(fcf_spec_t));

    out->version = 1;
    out->cpu = FCF_DEFAULT_CPU;
    out->memory_mb = FCF_DEFAULT_MEMORY_MB;
    out->concurrency = FCF_DEFAULT_CONCURRENCY;
    out->max_instances = FCF_DEFAULT_MAX_INSTANCES;
    out->idle_timeout_s = FCF_DEFAULT_IDLE_TIMEOUT_S;
    out->boot_timeout_s = FCF_DEFAULT_BOOT_TIMEOUT_S;
    out->timeout_s = FCF_DEFAULT_TIMEOUT_S;
    out->port = FCF_DEFAULT_PORT;

    memcpy(out->runtime, FCF_DEFAULT_RUNTIME, sizeof(FCF_DEFAULT_RUNTIME));
}


static int
fcf_spec_share(fcf_spec_t *out, const json_t *obj, fcf_err_t *err)
{
    unsigned        i;
    fcf_traffic_t  *share;

    if (!json_is_object(obj)) {
        return fcf_err_set(err, FCF_E_INVALID, "not an object");
    }

    share = &out->traffic[out->ntraffic];

    if (fcf_json_required(obj, "version", err) != 0
        || fcf_json_required(obj, "percent", err) != 0
        || fcf_json_int64(obj, "version", 1, INT64_MAX, &share->version, err)
        || fcf_json_int(obj, "percent", 0, 100, &share->percent, err) != 0)
    {
        return -1;
    }

    for (i = 0; i < out->ntraffic; i++) {
        if (out->traffic[i].version == share->version) {
            return fcf_err_set(err, FCF_E_INVALID,
                               "version: %" PRId64 " is there twice",
                               share->version);
        }
    }

    out->ntraffic++;

    return 0;
}


static int
fcf_spec_traffic(fcf_spec_t *out, const json_t *obj, fcf_err_t *err)
{
    int      sum;
    size_t   i;
    json_t  *traffic;

    if (fcf_json_child(obj, "traffic", JSON_ARRAY, &traffic, err) != 0
        || traffic == NULL)
    {
        return traffic == NULL ? 0 : -1;
    }

    if (json_array_size(traffic) > FCF_TRAFFIC_MAX) {
        return fcf_err_set(err, FCF_E_INVALID,
                           "traffic: %zu versions are more than %d",
                           json_array_size(traffic), FCF_TRAFFIC_MAX);
    }

    sum = 0;

    for (i = 0; i < json_array_size(traffic); i++) {

        if (fcf_spec_share(out, json_array_get(traffic, i), err) != 0) {
            return fcf_err_wrap(err, "traffic[%zu]", i);
        }

        sum += out->traffic[i].percent;
    }

    if (out->ntraffic != 0 && sum != 100) {
        return fcf_err_set(err, FCF_E_INVALID,
                           "traffic: percents add up to %d, not to 100", sum);
    }

    return 0;
}


int
fcf_spec_serves(const fcf_spec_t *spec, int64_t version)
{
    unsigned  i;

    if (spec->ntraffic == 0) {
        return spec->version == version;
    }

    for (i = 0; i < spec->ntraffic; i++) {
        if (spec->traffic[i].version == version) {
            return spec->traffic[i].percent != 0;
        }
    }

    return 0;
}


static int
fcf_spec_snapshot(fcf_spec_t *out, const json_t *obj, fcf_err_t *err)
{
    const json_t  *snapshot;

    snapshot = json_object_get(obj, "snapshot");

    if (snapshot == NULL) {
        return 0;
    }

    if (!json_is_boolean(snapshot)) {
        return fcf_err_set(err, FCF_E_INVALID,
                           "snapshot: neither true nor false");
    }

    out->snapshot = json_is_true(snapshot) ? FCF_SNAPSHOT_YES
                                           : FCF_SNAPSHOT_NO;

    return 0;
}


static int
fcf_spec_take(fcf_spec_t *out, const json_t *obj, fcf_err_t *err)
{
    if (fcf_json_int64(obj, "version", 1, INT64_MAX, &out->version, err) != 0
        || fcf_json_int64(obj, "previous", 0, INT64_MAX, &out->previous, err)
        || fcf_json_int(obj, "cpu", 1, FCF_CPU_MAX, &out->cpu, err) != 0
        || fcf_json_int(obj, "memory_mb", 1, FCF_MEMORY_MB_MAX,
                        &out->memory_mb, err)
        || fcf_json_int(obj, "concurrency", 0, FCF_CONCURRENCY_MAX,
                        &out->concurrency, err)
        || fcf_json_int(obj, "min_instances", 0, FCF_INSTANCES_MAX,
                        &out->min_instances, err)
        || fcf_json_int(obj, "max_instances", 1, FCF_INSTANCES_MAX,
                        &out->max_instances, err)
        || fcf_json_int(obj, "idle_timeout_s", 0, FCF_TIMEOUT_S_MAX,
                        &out->idle_timeout_s, err)
        || fcf_json_int(obj, "boot_timeout_s", 1, FCF_SPEC_BOOT_MAX_S,
                        &out->boot_timeout_s, err)
        || fcf_json_int(obj, "timeout_s", 0, FCF_TIMEOUT_S_MAX,
                        &out->timeout_s, err)
        || fcf_json_int(obj, "port", 1, 65535, &out->port, err) != 0
        || fcf_json_str(obj, "runtime", out->runtime, sizeof(out->runtime),
                        fcf_id_valid, err)
        || fcf_json_int64(obj, "secrets_generation", 0, INT64_MAX,
                          &out->secrets_generation, err)
        || fcf_spec_image(&out->code, obj, "code", err) != 0
        || fcf_spec_image(&out->runtime_image, obj, "runtime_image", err) != 0
        || fcf_spec_snapshot(out, obj, err) != 0
        || fcf_spec_traffic(out, obj, err) != 0)
    {
        return -1;
    }

    if (out->min_instances > out->max_instances) {
        return fcf_err_set(err, FCF_E_INVALID,
                           "min_instances: %d is more than max_instances %d",
                           out->min_instances, out->max_instances);
    }

    return 0;
}


int
fcf_spec_decode(fcf_spec_t *out, const char *text, size_t len, fcf_err_t *err)
{
    int      rc;
    json_t  *obj;

    fcf_spec_default(out);

    obj = fcf_json_parse(text, len, err);

    if (obj == NULL) {
        return fcf_err_wrap(err, "spec");
    }

    rc = fcf_spec_take(out, obj, err);

    json_decref(obj);

    return (rc == 0) ? 0 : fcf_err_wrap(err, "spec");
}


static json_t *
fcf_spec_put_traffic(const fcf_spec_t *spec)
{
    json_t    *traffic, *share;
    unsigned   i;

    traffic = json_array();

    for (i = 0; i < spec->ntraffic; i++) {

        share = json_object();

        fcf_json_put_int(&share, "version", spec->traffic[i].version);
        fcf_json_put_int(&share, "percent", spec->traffic[i].percent);

        if (share == NULL || json_array_append_new(traffic, share) != 0) {
            json_decref(traffic);
            return NULL;
        }
    }

    return traffic;
}


char *
fcf_spec_encode(const fcf_spec_t *spec)
{
    json_t  *obj;

    obj = json_object();

    fcf_json_put_int(&obj, "version", spec->version);

    if (spec->previous != 0) {
        fcf_json_put_int(&obj, "previous", spec->previous);
    }

    fcf_json_put_int(&obj, "cpu", spec->cpu);
    fcf_json_put_int(&obj, "memory_mb", spec->memory_mb);
    fcf_json_put_int(&obj, "concurrency", spec->concurrency);
    fcf_json_put_int(&obj, "min_instances", spec->min_instances);
    fcf_json_put_int(&obj, "max_instances", spec->max_instances);
    fcf_json_put_int(&obj, "idle_timeout_s", spec->idle_timeout_s);
    fcf_json_put_int(&obj, "boot_timeout_s", spec->boot_timeout_s);
    fcf_json_put_int(&obj, "timeout_s", spec->timeout_s);
    fcf_json_put_int(&obj, "port", spec->port);
    fcf_json_put_str(&obj, "runtime", spec->runtime);

    if (spec->snapshot != FCF_SNAPSHOT_AUTO) {
        fcf_json_put(&obj, "snapshot",
                     json_boolean(spec->snapshot == FCF_SNAPSHOT_YES));
    }

    if (spec->secrets_generation != 0) {
        fcf_json_put_int(&obj, "secrets_generation",
                         spec->secrets_generation);
    }

    if (spec->ntraffic != 0) {
        fcf_json_put(&obj, "traffic", fcf_spec_put_traffic(spec));
    }

    fcf_spec_put_image(&obj, "code", &spec->code);
    fcf_spec_put_image(&obj, "runtime_image", &spec->runtime_image);

    return fcf_json_text(obj);
}


int
fcf_deployed_decode(fcf_deployed_t *out, const char *text, size_t len,
    fcf_err_t *err)
{
    int      rc;
    json_t  *obj, *deployed;

    memset(out, 0, sizeof(fcf_deployed_t));

    obj = fcf_json_parse(text, len, err);

    if (obj == NULL) {
        return fcf_err_wrap(err, "version");
    }

    rc = fcf_json_child(obj, "deployed", JSON_OBJECT, &deployed, err);

    if (rc == 0 && deployed != NULL
        && (fcf_json_int64(deployed, "at_ms", 0, INT64_MAX, &out->at_ms, err)
            != 0
            || fcf_json_str(deployed, "by", out->by, sizeof(out->by), NULL,
                            err) != 0
            || fcf_json_str(deployed, "source", out->source,
                            sizeof(out->source), NULL, err) != 0))
    {
        rc = fcf_err_wrap(err, "deployed");
    }

    json_decref(obj);

    return (rc == 0) ? 0 : fcf_err_wrap(err, "version");
}


char *
fcf_version_encode(const char *spec, size_t len,
    const fcf_deployed_t *deployed)
{
    json_t  *obj, *it;

    obj = fcf_json_parse(spec, len, NULL);

    if (obj == NULL) {
        return NULL;
    }

    it = json_object();

    fcf_json_put_int(&it, "at_ms", deployed->at_ms);
    fcf_json_put_str(&it, "by", deployed->by);
    fcf_json_put_str(&it, "source", deployed->source);

    /* what is spec's alone */

    (void) json_object_del(obj, "previous");
    (void) json_object_del(obj, "traffic");

    fcf_json_put(&obj, "deployed", it);

    return fcf_json_text(obj);
}
