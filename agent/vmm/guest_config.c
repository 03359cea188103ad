#include <arpa/inet.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "agent/vmm/guest_config.h"

char *
fca_guest_config(const fca_guest_config_t *c)
{
    char             address[INET_ADDRSTRLEN], gateway[INET_ADDRSTRLEN];
    char             mac[18], *text;
    json_t          *root;
    struct timespec  ts;

    inet_ntop(AF_INET, &c->address, address, sizeof(address));
    inet_ntop(AF_INET, &c->gateway, gateway, sizeof(gateway));
    snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", c->mac[0],
             c->mac[1], c->mac[2], c->mac[3], c->mac[4], c->mac[5]);
    clock_gettime(CLOCK_REALTIME, &ts);

    root = json_pack("{s:s, s:I, s:s, s:i, s:s, s:i, s:s, s:s, s:s, s:I, "
                     "s:{}, s:{}}",
                     "function_id", c->function_id,
                     "version", (json_int_t) c->version,
                     "instance_id", c->instance_id,
                     "port", c->port,
                     "address", address,
                     "prefix_len", (int) c->prefix_len,
                     "gateway", gateway,
                     "mac", mac,
                     "hostname", c->instance_id,
                     "time_ms", (json_int_t) ts.tv_sec * 1000
                                + ts.tv_nsec / 1000000,
                     "env", "secrets");
    if (root == NULL) {
        return NULL;
    }

    text = NULL;

    if (c->mtu == 0
        || json_object_set_new(root, "mtu", json_integer(c->mtu)) == 0)
    {
        text = json_dumps(root, JSON_COMPACT);
    }

    json_decref(root);

    return text;
}
