#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>
#include <sys/un.h>

#include "contract/fcf_names.h"
#include "client/fcf_redis_addr.h"


int
fcf_redis_addr_parse(fcf_redis_addr_t *out, const char *addr, fcf_err_t *err)
{
    char           *end;
    long            port;
    size_t          len;
    const char     *colon, *host;
    unsigned char   bin[16];

    memset(out, 0, sizeof(fcf_redis_addr_t));

    /* not to be shown */

    if (strchr(addr, '@') != NULL && strncmp(addr, "unix:", 5) != 0) {
        return fcf_err_set(err, FCF_E_INVALID,
                           "redis address: has an \"@\": user and password "
                           "have settings of their own");
    }

    if (strncmp(addr, "unix:", 5) == 0) {
        len = strlen(addr + 5);

        if (addr[5] != '/' || len >= sizeof(out->host)) {
            return fcf_err_set(err, FCF_E_INVALID,
                               "redis address \"%s\": not unix:/path of at "
                               "most %zu bytes", addr, sizeof(out->host) - 1);
        }

        memcpy(out->host, addr + 5, len);
        return 0;
    }

    colon = strrchr(addr, ':');

    if (colon == NULL) {
        return fcf_err_set(err, FCF_E_INVALID,
                           "redis address \"%s\": no port", addr);
    }

    port = strtol(colon + 1, &end, 10);

    if (colon[1] < '0' || colon[1] > '9' || *end != '\0'
        || port < 1 || port > 65535)
    {
        return fcf_err_set(err, FCF_E_INVALID,
                           "redis address \"%s\": bad port", addr);
    }

    host = addr;
    len = (size_t) (colon - addr);

    if (len > 2 && addr[0] == '[' && colon[-1] == ']') {
        host++;
        len -= 2;
    }

    if (len < FCF_ADDR_MAX) {
        memcpy(out->host, host, len);
    }

    if (len >= FCF_ADDR_MAX
        || inet_pton(host == addr ? AF_INET : AF_INET6, out->host, bin) != 1)
    {
        return fcf_err_set(err, FCF_E_INVALID,
                           "redis address \"%s\": not a numeric address",
                           addr);
    }

    out->port = (int) port;

    return 0;
}


int
fcf_redis_addr_check(const char *addr, fcf_err_t *err)
{
    fcf_redis_addr_t  parsed;

    return fcf_redis_addr_parse(&parsed, addr, err);
}
