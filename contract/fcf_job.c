#include <string.h>

#include "contract/fcf_codec.h"
#include "contract/fcf_json.h"


static int
fcf_job_refused(fcf_job_t *out, const json_t *obj, fcf_err_t *err)
{
    size_t        i, n, len;
    json_t       *list;
    const char   *s;

    if (fcf_json_child(obj, "refused_by", JSON_ARRAY, &list, err) != 0) {
        return -1;
    }

    n = json_array_size(list);

    if (n > FCF_REFUSED_MAX) {
        return fcf_err_set(err, FCF_E_INVALID,
                           "refused_by: %zu names, more than %d", n,
                           FCF_REFUSED_MAX);
    }

    for (i = 0; i < n; i++) {
        s = json_string_value(json_array_get(list, i));
        len = json_string_length(json_array_get(list, i));

        if (s == NULL || !fcf_id_valid(s, len)) {
            return fcf_err_set(err, FCF_E_INVALID,
                               "refused_by[%zu]: bad value \"%.80s\"", i,
                               s ? s : "");
        }

        memcpy(out->refused_by[i], s, len + 1);
    }

    out->nrefused = (unsigned) n;

    return 0;
}


static int
fcf_job_fields(fcf_job_t *out, const json_t *obj, fcf_err_t *err)
{
    if (fcf_json_required(obj, "request_id", err) != 0
        || fcf_json_required(obj, "function_id", err) != 0
        || fcf_json_str(obj, "request_id", out->request_id,
                        sizeof(out->request_id), fcf_request_id_valid, err)
        || fcf_json_str(obj, "function_id", out->function_id,
                        sizeof(out->function_id), fcf_id_valid, err)
        || fcf_json_int(obj, "cpu", 1, FCF_CPU_MAX, &out->cpu, err) != 0
        || fcf_json_int(obj, "memory_mb", 1, FCF_MEMORY_MB_MAX,
                        &out->memory_mb, err)
        || fcf_json_int64(obj, "version", 0, INT64_MAX, &out->version, err)
        || fcf_json_int(obj, "attempt", 1, FCF_ATTEMPT_MAX, &out->attempt,
                        err)
        || fcf_json_int64(obj, "not_before", 0, INT64_MAX, &out->not_before,
                          err))
    {
        return -1;
    }

    out->ours = (json_object_get(obj, "version") != NULL);

    return fcf_job_refused(out, obj, err);
}


int
fcf_job_decode(fcf_job_t *out, const char *text, size_t len, fcf_err_t *err)
{
    int      rc;
    json_t  *obj;

    memset(out, 0, sizeof(fcf_job_t));

    out->cpu = FCF_DEFAULT_CPU;
    out->memory_mb = FCF_DEFAULT_MEMORY_MB;
    out->attempt = 1;

    obj = fcf_json_parse(text, len, err);

    if (obj == NULL) {
        return fcf_err_wrap(err, "job");
    }

    rc = fcf_job_fields(out, obj, err);

    json_decref(obj);

    return (rc == 0) ? 0 : fcf_err_wrap(err, "job");
}


char *
fcf_job_encode(const fcf_job_t *job)
{
    json_t    *obj, *list;
    unsigned   i;

    obj = json_object();

    fcf_json_put_str(&obj, "request_id", job->request_id);
    fcf_json_put_str(&obj, "function_id", job->function_id);
    fcf_json_put_int(&obj, "cpu", job->cpu);
    fcf_json_put_int(&obj, "memory_mb", job->memory_mb);

    if (job->ours) {
        fcf_json_put_int(&obj, "version", job->version);
    }

    if (job->ours || job->attempt != 1) {
        fcf_json_put_int(&obj, "attempt", job->attempt);
    }

    if (job->nrefused) {
        list = json_array();

        for (i = 0; i < job->nrefused; i++) {
            if (json_array_append_new(list, json_string(job->refused_by[i])))
            {
                json_decref(list);
                list = NULL;
                break;
            }
        }

        fcf_json_put(&obj, "refused_by", list);
    }

    /* the last: fcf_script_restore puts it there as well */
    if (job->not_before) {
        fcf_json_put_int(&obj, "not_before", job->not_before);
    }

    return fcf_json_text(obj);
}
