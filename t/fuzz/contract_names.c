/*
 * Keys and names out of any bytes: a key that is taken apart is the one that
 * its parts make, and no part is anything but a name.
 */

#include "contract/fcf_names.h"
#include "t/fuzz/values.h"

static const char *const  prefixes[] = { "", "/", "/one", "one:" };


static void
parts(const fcf_key_t *key, const char *prefix, const char *raw, size_t size)
{
    char  again[FCF_KEY_MAX];

    switch (key->kind) {

    case FCF_KEY_SPEC:
        fcf_key_spec(again, prefix, key->function_id);
        break;

    case FCF_KEY_INSTANCE:
        FCT_HOLDS(fcf_worker_id_valid(key->name, strlen(key->name)));
        fcf_key_instance(again, prefix, key->function_id, key->name);
        break;

    case FCF_KEY_SLOT:
        FCT_HOLDS(key->number >= 0);
        fcf_key_slot(again, prefix, key->function_id, (unsigned) key->number);
        break;

    case FCF_KEY_FAILURE:
        FCT_HOLDS(fcf_request_id_valid(key->name, strlen(key->name)));
        fcf_key_failure(again, prefix, key->function_id, key->name);
        break;

    case FCF_KEY_WORKER:
        FCT_HOLDS(fcf_id_valid(key->name, strlen(key->name)));
        fcf_key_worker(again, prefix, key->name);
        break;

    case FCF_KEY_RUNTIME:
        FCT_HOLDS(fcf_id_valid(key->name, strlen(key->name)));
        fcf_key_runtime(again, prefix, key->name);
        break;

    case FCF_KEY_SPEC_VERSION:
        FCT_HOLDS(key->number > 0);
        fcf_key_spec(again, prefix, key->function_id);
        snprintf(again + strlen(again), sizeof(again) - strlen(again),
                 "/versions/%lld", (long long) key->number);
        break;

    case FCF_KEY_SECRET:
        FCT_HOLDS(key->number > 0);
        fcf_key_secret(again, prefix, key->function_id, key->number);
        break;

    default:
        return;
    }

    FCT_HOLDS(key->kind == FCF_KEY_WORKER || key->kind == FCF_KEY_RUNTIME
              || fcf_id_valid(key->function_id, strlen(key->function_id)));
    FCT_HOLDS(strlen(again) == size && memcmp(again, raw, size) == 0);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char       *raw, *at;
    size_t      i, n;
    fcf_key_t   key, other;

    raw = fct_copy(data, size, 0);

    for (i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
        memset(&key, 0x55, sizeof(key));
        memset(&other, 0xaa, sizeof(other));
        fcf_key_parse(&key, prefixes[i], raw, size);
        fcf_key_parse(&other, prefixes[i], raw, size);
        FCT_HOLDS(key.kind == other.kind && key.number == other.number);
        FCT_HOLDS(memchr(key.function_id, '\0', sizeof(key.function_id)));
        FCT_HOLDS(memchr(key.name, '\0', sizeof(key.name)));
        FCT_HOLDS(strcmp(key.function_id, other.function_id) == 0);
        FCT_HOLDS(strcmp(key.name, other.name) == 0);
        parts(&key, prefixes[i], raw, size);
    }

    /* what is a name has no way out of its key */

    if (fcf_id_valid(raw, size)) {
        FCT_HOLDS(size >= 1 && size <= FCF_ID_MAX);
        FCT_HOLDS(fcf_request_id_valid(raw, size));
        FCT_HOLDS(fcf_worker_id_valid(raw, size));
        FCT_HOLDS(memchr(raw, '/', size) == NULL);

        for (n = 0; n + 1 < size; n++) {
            FCT_HOLDS(raw[n] != '.' || raw[n + 1] != '.');
        }
    }

    if (fcf_worker_id_valid(raw, size) || fcf_request_id_valid(raw, size)) {
        for (at = raw; at < raw + size; at++) {
            FCT_HOLDS(*at > ' ' && *at != '/' && *at != 0x7f);
        }
    }

    (void) fcf_prefix_valid(raw, size);
    free(raw);

    return 0;
}
