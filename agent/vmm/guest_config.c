#include <arpa/inet.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include "agent/base/clock.h"
#include "agent/vmm/guest_config.h"
#include "contract/fcf_base64.h"
#include "contract/fcf_json.h"
#include "contract/fcf_mac.h"
#include "vm/guest.h"

#define SEED_BYTES  64


/* What cannot be had is left out: the guest has the device for it, too. */
static int
add_seed(json_t *root, const char *name)
{
    int   rc;
    char  seed[SEED_BYTES], text[fcf_base64_encoded_len(SEED_BYTES) + 1];

    if (getrandom(seed, sizeof(seed), GRND_NONBLOCK)
        != (ssize_t) sizeof(seed))
    {
        return 0;
    }

    fcf_base64_encode(text, seed, sizeof(seed));
    rc = json_object_set_new(root, name, json_string(text));
    explicit_bzero(seed, sizeof(seed));
    explicit_bzero(text, sizeof(text));

    return rc;
}


static int
add_dns(json_t *root, const fca_guest_config_t *c)
{
    char     text[INET_ADDRSTRLEN];
    size_t   i;
    json_t  *list;

    if (c->ndns == 0) {
        return 0;
    }

    list = json_array();

    if (json_object_set_new(root, "dns", list) != 0) {
        return -1;
    }

    for (i = 0; i < c->ndns && i < FCV_DNS_MAX; i++) {
        inet_ntop(AF_INET, &c->dns[i], text, sizeof(text));

        if (json_array_append_new(list, json_string(text)) != 0) {
            return -1;
        }
    }

    return 0;
}


/* what is told only where it is known */
static int
add_optional(json_t *root, const fca_guest_config_t *c)
{
    if (c->mtu > 0
        && json_object_set_new(root, "mtu", json_integer(c->mtu)) != 0)
    {
        return -1;
    }

    if (c->memory_mb > 0
        && json_object_set_new(root, "memory_mb", json_integer(c->memory_mb))
           != 0)
    {
        return -1;
    }

    return add_dns(root, c) != 0 || add_seed(root, "seed") != 0 ? -1 : 0;
}


char *
fca_guest_config(const fca_guest_config_t *c)
{
    char     address[INET_ADDRSTRLEN], gateway[INET_ADDRSTRLEN];
    char     mac[FCF_MAC_TEXT], *text;
    json_t  *root;

    static const fcf_env_t  none;

    inet_ntop(AF_INET, &c->address, address, sizeof(address));
    inet_ntop(AF_INET, &c->gateway, gateway, sizeof(gateway));

    root = json_pack("{s:s, s:I, s:s, s:i, s:s, s:i, s:s, s:s, s:s, s:I}",
                     "function_id", c->function_id,
                     "version", (json_int_t) c->version,
                     "instance_id", c->instance_id,
                     "port", c->port,
                     "address", address,
                     "prefix_len", (int) c->prefix_len,
                     "gateway", gateway,
                     "mac", fcf_mac_format(mac, c->mac),
                     "hostname", c->instance_id,
                     "time_ms", (json_int_t) fca_unix_ms());
    fcf_env_json(c->env ? c->env : &none, &root);

    text = root != NULL && add_optional(root, c) == 0
           ? json_dumps(root, JSON_COMPACT) : NULL;
    fcf_env_json_free(root);

    return text;
}


/* Without a seed it is refused: a clone is not to be as its template was. */
char *
fca_guest_wake(const fca_guest_config_t *c)
{
    char     address[INET_ADDRSTRLEN], mac[FCF_MAC_TEXT], *text;
    json_t  *root;

    inet_ntop(AF_INET, &c->address, address, sizeof(address));

    root = json_pack("{s:s, s:I, s:s, s:s, s:s}", "op", "wake",
                     "ms", (json_int_t) fca_unix_ms(),
                     "address", address, "mac", fcf_mac_format(mac, c->mac),
                     "hostname", c->instance_id);

    text = root != NULL && add_seed(root, "data") == 0
           ? json_dumps(root, JSON_COMPACT) : NULL;
    json_decref(root);

    return text;
}
