#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>

#include "client/fcf_etcd.h"


int
fcf_etcd_endpoint_check(const char *url, fcf_err_t *err)
{
    char            host[FCF_ADDR_MAX], *end;
    long            port;
    size_t          len;
    const char     *p, *colon;
    unsigned char   bin[16];

    /* not to be shown */

    if (strchr(url, '@') != NULL) {
        return fcf_err_set(err, FCF_E_INVALID,
                           "etcd endpoint: has an \"@\": user and password "
                           "have settings of their own");
    }

    p = NULL;

    if (strncmp(url, "http://", 7) == 0) {
        p = url + 7;

    } else if (strncmp(url, "https://", 8) == 0) {
        p = url + 8;
    }

    if (p == NULL) {
        return fcf_err_set(err, FCF_E_INVALID,
                           "etcd endpoint \"%s\": not http:// or https://",
                           url);
    }

    colon = strrchr(p, ':');

    if (colon == NULL || colon[1] < '0' || colon[1] > '9') {
        return fcf_err_set(err, FCF_E_INVALID, "etcd endpoint \"%s\": no port",
                           url);
    }

    port = strtol(colon + 1, &end, 10);

    if (*end != '\0' || port < 1 || port > 65535) {
        return fcf_err_set(err, FCF_E_INVALID,
                           "etcd endpoint \"%s\": bad port", url);
    }

    len = (size_t) (colon - p);

    if (len > 2 && p[0] == '[' && colon[-1] == ']') {
        p++;
        len -= 2;
    }

    if (len < sizeof(host)) {
        memcpy(host, p, len);
        host[len] = '\0';
    }

    if (len >= sizeof(host)
        || inet_pton(p[-1] == '[' ? AF_INET6 : AF_INET, host, bin) != 1)
    {
        return fcf_err_set(err, FCF_E_INVALID,
                           "etcd endpoint \"%s\": not a numeric address", url);
    }

    return 0;
}
