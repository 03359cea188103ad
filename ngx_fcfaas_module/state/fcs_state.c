#include <string.h>

#include "ngx_fcfaas_module/state/fcs_state.h"
#include "contract/fcf_json.h"

#define FCS_MAGIC    "FCFSTATE"
#define FCS_ORDER    0x01020304u
#define FCS_HASHED   (FCS_HEAD - 8)     /* bytes of the head */

#define FCS_SPEC      1
#define FCS_INSTANCE  2
#define FCS_VERSION   3


/* what stands in the file: no padding inside, checked below */

typedef struct {
    char       magic[8];
    uint32_t   layout, order;
    uint64_t   length, hash;
    int64_t    written;
    uint32_t   nspecs, ninstances;
    char       prefix[88];
    uint64_t   head_hash;
} fcs_head_t;

typedef struct {
    uint8_t    kind, id_len, name_len, addr_len;
    int32_t    concurrency;
    int64_t    version;

    union {
        struct {
            int32_t   cpu, memory_mb, min, max;
            int32_t   timeout_s, ntraffic;
        } spec;

        struct {
            int32_t   port, draining;
            int64_t   started_ms, zero;
        } instance;
    } u;
} fcs_record_t;

/* of a spec, behind the padded text */
typedef struct {
    int64_t    version, percent;
} fcs_share_t;

_Static_assert(sizeof(fcs_head_t) == FCS_HEAD, "the head's layout");
_Static_assert(sizeof(fcs_record_t) == 40, "a record's layout");
_Static_assert(FCS_RECORD_MAX >= sizeof(fcs_record_t) + FCF_ID_MAX
               + FCF_WORKER_ID_MAX + FCF_ADDR_MAX + 8
               + FCF_TRAFFIC_MAX * sizeof(fcs_share_t), "a record's room");

/* the text follows: id, name, address */
typedef struct {
    fcs_record_t   r;
    char           id[FCF_ID_MAX + 1];
    char           name[FCF_WORKER_ID_MAX + 1];
    char           addr[FCF_ADDR_MAX];
    fcs_share_t    traffic[FCF_TRAFFIC_MAX];
} fcs_item_t;


uint64_t
fcs_hash(uint64_t hash, const char *data, size_t len)
{
    size_t    i;
    uint64_t  word;

    for (i = 0; i + 8 <= len; i += 8) {
        memcpy(&word, data + i, 8);
        hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
        hash ^= hash >> 29;
    }

    return hash;
}


static size_t
fcs_put(char *dst, fcs_record_t *r, const char *id, const char *name,
    const char *addr)
{
    size_t  len;

    r->id_len = (uint8_t) strlen(id);
    r->name_len = (uint8_t) strlen(name);
    r->addr_len = (uint8_t) strlen(addr);

    memcpy(dst, r, sizeof(fcs_record_t));
    len = sizeof(fcs_record_t);
    memcpy(dst + len, id, r->id_len);
    len += r->id_len;
    memcpy(dst + len, name, r->name_len);
    len += r->name_len;
    memcpy(dst + len, addr, r->addr_len);
    len += r->addr_len;

    while (len % 8 != 0) {
        dst[len++] = '\0';
    }

    return len;
}


size_t
fcs_put_spec(char dst[FCS_RECORD_MAX], const char *function_id,
    const fcf_spec_t *spec)
{
    size_t        len;
    unsigned      i;
    fcs_share_t   share;
    fcs_record_t  r;

    memset(&r, 0, sizeof(r));
    r.kind = FCS_SPEC;
    r.version = spec->version;
    r.concurrency = spec->concurrency;
    r.u.spec.cpu = spec->cpu;
    r.u.spec.memory_mb = spec->memory_mb;
    r.u.spec.min = spec->min_instances;
    r.u.spec.max = spec->max_instances;
    r.u.spec.timeout_s = spec->timeout_s;
    r.u.spec.ntraffic = (int32_t) spec->ntraffic;
    len = fcs_put(dst, &r, function_id, "", "");

    for (i = 0; i < spec->ntraffic; i++) {
        share.version = spec->traffic[i].version;
        share.percent = spec->traffic[i].percent;
        memcpy(dst + len, &share, sizeof(share));
        len += sizeof(share);
    }

    return len;
}


size_t
fcs_put_version(char dst[FCS_RECORD_MAX], const char *function_id,
    int64_t version)
{
    fcs_record_t  r;

    memset(&r, 0, sizeof(r));
    r.kind = FCS_VERSION;
    r.version = version;

    return fcs_put(dst, &r, function_id, "", "");
}


size_t
fcs_put_instance(char dst[FCS_RECORD_MAX], const char *function_id,
    const char *worker_id, const fcf_instance_t *instance)
{
    fcs_record_t  r;

    memset(&r, 0, sizeof(r));
    r.kind = FCS_INSTANCE;
    r.version = instance->version;
    r.concurrency = instance->concurrency;
    r.u.instance.port = instance->proxy_port;
    r.u.instance.draining = (instance->state == FCF_INSTANCE_DRAINING);
    r.u.instance.started_ms = instance->started_ms;

    return fcs_put(dst, &r, function_id, worker_id, instance->worker_ip);
}


void
fcs_put_head(char dst[FCS_HEAD], const fcs_info_t *info)
{
    fcs_head_t  head;

    memset(&head, 0, sizeof(head));
    memcpy(head.magic, FCS_MAGIC, sizeof(head.magic));
    head.layout = FCS_LAYOUT;
    head.order = FCS_ORDER;
    head.length = info->length;
    head.hash = info->hash;
    head.written = info->written;
    head.nspecs = info->nspecs;
    head.ninstances = info->ninstances;
    memcpy(head.prefix, info->prefix, strlen(info->prefix));
    head.head_hash = fcs_hash(FCS_HASH, (char *) &head, FCS_HASHED);

    memcpy(dst, &head, FCS_HEAD);
}


/* one text of a record; 0: there are not so many bytes */

static int
fcs_text(char *dst, size_t size, const char *data, size_t len, size_t *at,
    size_t n)
{
    if (n >= size || n > len - *at) {
        return 0;
    }

    memcpy(dst, data + *at, n);
    dst[n] = '\0';
    *at += n;

    return 1;
}


/* the record that begins the data; its length, 0: it is none */

static size_t
fcs_take(fcs_item_t *item, const char *data, size_t len)
{
    size_t         at, n;
    fcs_record_t  *r;

    r = &item->r;

    if (len < sizeof(fcs_record_t)) {
        return 0;
    }

    memcpy(r, data, sizeof(fcs_record_t));
    at = sizeof(fcs_record_t);

    if (!fcs_text(item->id, sizeof(item->id), data, len, &at, r->id_len)
        || !fcs_text(item->name, sizeof(item->name), data, len, &at,
                     r->name_len)
        || !fcs_text(item->addr, sizeof(item->addr), data, len, &at,
                     r->addr_len))
    {
        return 0;
    }

    at = (at + 7) / 8 * 8;

    if (at > len || r->kind != FCS_SPEC) {
        return at <= len ? at : 0;
    }

    if (r->u.spec.ntraffic < 0 || r->u.spec.ntraffic > FCF_TRAFFIC_MAX) {
        return 0;
    }

    n = (size_t) r->u.spec.ntraffic * sizeof(fcs_share_t);

    if (n > len - at) {
        return 0;
    }

    memcpy(item->traffic, data + at, n);

    return at + n;
}


static int
fcs_within(int64_t value, int64_t min, int64_t max)
{
    return value >= min && value <= max;
}


/* the shares of a spec: each of some version, 100 percent in all */

static int
fcs_valid_traffic(const fcs_item_t *item)
{
    int      i, n;
    int64_t  sum;

    n = item->r.u.spec.ntraffic;
    sum = 0;

    for (i = 0; i < n; i++) {
        if (item->traffic[i].version < 1
            || !fcs_within(item->traffic[i].percent, 0, 100))
        {
            return 0;
        }

        sum += item->traffic[i].percent;
    }

    return n == 0 || sum == 100;
}


static int
fcs_valid(const fcs_item_t *item)
{
    const fcs_record_t  *r;

    r = &item->r;

    if (!fcf_id_valid(item->id, r->id_len)
        || strlen(item->id) != r->id_len
        || !fcs_within(r->version, 0, INT64_MAX)
        || !fcs_within(r->concurrency, -1, FCF_CONCURRENCY_MAX))
    {
        return 0;
    }

    if (r->kind == FCS_SPEC) {
        return r->version >= 1 && r->concurrency >= 0
               && r->name_len == 0 && r->addr_len == 0
               && fcs_within(r->u.spec.cpu, 1, FCF_CPU_MAX)
               && fcs_within(r->u.spec.memory_mb, 1, FCF_MEMORY_MB_MAX)
               && fcs_within(r->u.spec.max, 1, FCF_INSTANCES_MAX)
               && fcs_within(r->u.spec.min, 0, r->u.spec.max)
               && fcs_within(r->u.spec.timeout_s, 0, FCF_TIMEOUT_S_MAX)
               && fcs_valid_traffic(item);
    }

    if (r->kind == FCS_VERSION) {
        return r->version >= 1 && r->name_len == 0 && r->addr_len == 0;
    }

    return r->kind == FCS_INSTANCE
           && fcf_worker_id_valid(item->name, r->name_len)
           && fcf_address_valid(item->addr, r->addr_len)
           && fcs_within(r->u.instance.port, 1, 65535)
           && fcs_within(r->u.instance.draining, 0, 1);
}


static int
fcs_check_head(fcs_head_t *head, const char *data, size_t len,
    const char *prefix, fcf_err_t *err)
{
    if (len < FCS_HEAD || memcmp(data, FCS_MAGIC, 8) != 0) {
        return fcf_err_set(err, FCF_E_INVALID, "is none of this program's");
    }

    memcpy(head, data, FCS_HEAD);

    if (head->layout != FCS_LAYOUT || head->order != FCS_ORDER) {
        return fcf_err_set(err, FCF_E_INVALID, "has layout %u, and this is %u",
                           head->layout, FCS_LAYOUT);
    }

    if (head->head_hash != fcs_hash(FCS_HASH, data, FCS_HASHED)
        || memchr(head->prefix, '\0', FCF_PREFIX_MAX + 1) == NULL)
    {
        return fcf_err_set(err, FCF_E_INVALID, "has a damaged head");
    }

    if (strcmp(head->prefix, prefix) != 0) {
        return fcf_err_set(err, FCF_E_INVALID,
                           "is for the prefix \"%s\", and this is \"%s\"",
                           head->prefix, prefix);
    }

    if (head->length != len - FCS_HEAD) {
        return fcf_err_set(err, FCF_E_INVALID,
                           "has %zu bytes instead of %llu", len,
                           (unsigned long long) head->length + FCS_HEAD);
    }

    if (head->length % 8 != 0
        || fcs_hash(FCS_HASH, data + FCS_HEAD, len - FCS_HEAD) != head->hash)
    {
        return fcf_err_set(err, FCF_E_INVALID, "is damaged: its checksum is "
                           "another");
    }

    return 0;
}


int
fcs_check(fcs_info_t *out, const char *data, size_t len, const char *prefix,
    fcf_err_t *err)
{
    size_t       at, n;
    fcs_head_t   head;
    fcs_item_t   item;

    if (fcs_check_head(&head, data, len, prefix, err) != 0) {
        return -1;
    }

    memset(out, 0, sizeof(fcs_info_t));

    for (at = FCS_HEAD; at < len; at += n) {
        n = fcs_take(&item, data + at, len - at);

        if (n == 0 || !fcs_valid(&item)) {
            return fcf_err_set(err, FCF_E_INVALID,
                               "has a record at byte %zu that is none", at);
        }

        out->nspecs += (item.r.kind == FCS_SPEC);
        out->ninstances += (item.r.kind == FCS_INSTANCE);
    }

    if (out->nspecs != head.nspecs || out->ninstances != head.ninstances) {
        return fcf_err_set(err, FCF_E_INVALID,
                           "has %u specs and %u instances instead of %u and "
                           "%u", out->nspecs, out->ninstances, head.nspecs,
                           head.ninstances);
    }

    out->length = head.length;
    out->hash = head.hash;
    out->written = head.written;
    memcpy(out->prefix, head.prefix, sizeof(out->prefix));

    return 0;
}


static void
fcs_tell(const fcs_item_t *item, const fcs_handler_t *handler, void *arg)
{
    unsigned        i;
    fcf_spec_t      spec;
    fcf_instance_t  instance;

    if (item->r.kind == FCS_VERSION) {
        handler->version(arg, item->id, item->r.version);
        return;
    }

    if (item->r.kind == FCS_SPEC) {
        fcf_spec_default(&spec);
        spec.version = item->r.version;
        spec.cpu = item->r.u.spec.cpu;
        spec.memory_mb = item->r.u.spec.memory_mb;
        spec.concurrency = item->r.concurrency;
        spec.min_instances = item->r.u.spec.min;
        spec.max_instances = item->r.u.spec.max;
        spec.timeout_s = item->r.u.spec.timeout_s;
        spec.ntraffic = (unsigned) item->r.u.spec.ntraffic;

        for (i = 0; i < spec.ntraffic; i++) {
            spec.traffic[i].version = item->traffic[i].version;
            spec.traffic[i].percent = (int) item->traffic[i].percent;
        }

        handler->spec(arg, item->id, &spec);
        return;
    }

    memset(&instance, 0, sizeof(instance));
    memcpy(instance.worker_ip, item->addr, item->r.addr_len);
    instance.proxy_port = item->r.u.instance.port;
    instance.version = item->r.version;
    instance.concurrency = item->r.concurrency;
    instance.state = item->r.u.instance.draining ? FCF_INSTANCE_DRAINING
                                                 : FCF_INSTANCE_READY;
    instance.started_ms = item->r.u.instance.started_ms;
    handler->instance(arg, item->id, item->name, &instance);
}


void
fcs_each(const char *data, size_t len, const fcs_handler_t *handler,
    void *arg)
{
    size_t      at, n;
    fcs_item_t  item;

    for (at = FCS_HEAD; at < len; at += n) {
        n = fcs_take(&item, data + at, len - at);

        if (n == 0) {
            return;
        }

        fcs_tell(&item, handler, arg);
    }
}
