/* Settings that are addresses. */

#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include "agent/base/conf_parse.h"

/* the field begins a pair in fca_conf_t */
#define fca_conf_of(field, name)                                            \
    ((fca_conf_t *) ((char *) (field) - offsetof(fca_conf_t, name)))

int
fca_conf_addr(void *field, const fca_setting_t *s, const char *value,
    fcf_err_t *err)
{
    struct in_addr  addr;

    (void) s;

    if (inet_pton(AF_INET, value, &addr) != 1
        || addr.s_addr == htonl(INADDR_ANY))
    {
        return fcf_err_set(err, FCF_E_INVALID,
                           "must be a numeric IPv4 address of this host");
    }

    *(struct in_addr *) field = addr;

    return 0;
}

int
fca_conf_addr_or_none(void *field, const fca_setting_t *s, const char *value,
    fcf_err_t *err)
{
    if (*value == '\0') {
        ((struct in_addr *) field)->s_addr = htonl(INADDR_ANY);
        return 0;
    }

    return fca_conf_addr(field, s, value, err);
}

int
fca_conf_loopback(struct in_addr addr)
{
    return ntohl(addr.s_addr) >> 24 == 127;
}

int
fca_conf_fronted(const fca_conf_t *conf)
{
    return conf->listen.s_addr != htonl(INADDR_ANY)
           && conf->listen.s_addr != conf->advertise.s_addr;
}

struct in_addr
fca_conf_listen_on(const fca_conf_t *conf)
{
    struct in_addr  wanted, loopback = { htonl(INADDR_LOOPBACK) };

    wanted = fca_conf_fronted(conf) ? conf->listen : conf->advertise;

    return conf->nallow || *conf->token_file || fca_conf_loopback(wanted)
           ? wanted : loopback;
}

struct in_addr
fca_conf_tell(const fca_conf_t *conf)
{
    return fca_conf_fronted(conf) ? conf->advertise
                                  : fca_conf_listen_on(conf);
}

struct sockaddr_in
fca_conf_tell_admin(const fca_conf_t *conf)
{
    struct sockaddr_in  admin = conf->admin;

    if (fca_conf_fronted(conf)
        && admin.sin_addr.s_addr == conf->listen.s_addr)
    {
        admin.sin_addr = conf->advertise;
    }

    return admin;
}

int
fca_conf_listen(void *field, const fca_setting_t *s, const char *value,
    fcf_err_t *err)
{
    long                 port = 0;
    char                 text[INET_ADDRSTRLEN], *end;
    const char          *colon;
    struct sockaddr_in   addr;

    (void) s;

    memset(&addr, 0, sizeof(addr));
    addr.sin_family = AF_INET;
    colon = strchr(value, ':');

    if (*value) {
        if (colon && (size_t) (colon - value) < sizeof(text)
            && isdigit((unsigned char) colon[1]))
        {
            memcpy(text, value, colon - value);
            text[colon - value] = '\0';
            port = strtol(colon + 1, &end, 10);

            if (*end || inet_pton(AF_INET, text, &addr.sin_addr) != 1) {
                port = 0;
            }
        }

        if (port < 1 || port > 65535) {
            return fcf_err_set(err, FCF_E_INVALID, "must be a numeric IPv4 "
                               "address and a port, as 127.0.0.1:9180");
        }
    }

    addr.sin_port = htons((uint16_t) port);
    *(struct sockaddr_in *) field = addr;

    return 0;
}

/* "10.0.0.0/8" or "10.0.0.1"; the bits beyond the prefix are kept */
static int
fca_conf_cidr(const char *value, struct in_addr *addr, unsigned *len,
    fcf_err_t *err)
{
    long         n = 32;
    char         text[INET_ADDRSTRLEN], *end;
    size_t       alen;
    const char  *slash;

    slash = strchr(value, '/');
    alen = slash ? (size_t) (slash - value) : strlen(value);

    if (slash) {
        n = strtol(slash + 1, &end, 10);
        if (!isdigit((unsigned char) slash[1]) || *end || n > 32) {
            alen = sizeof(text);
        }
    }

    if (alen < sizeof(text)) {
        memcpy(text, value, alen);
        text[alen] = '\0';
        *len = (unsigned) n;

        if (inet_pton(AF_INET, text, addr) == 1) {
            return 0;
        }
    }

    return fcf_err_set(err, FCF_E_INVALID,
                       "\"%s\" is not a numeric IPv4 address/length", value);
}

static uint32_t
fca_conf_mask(unsigned len)
{
    return htonl(len == 0 ? 0 : UINT32_MAX << (32 - len));
}

int
fca_conf_net(void *field, const fca_setting_t *s, const char *value,
    fcf_err_t *err)
{
    uint32_t         host;
    unsigned         len;
    fca_conf_t      *conf = fca_conf_of(field, bridge_address);
    struct in_addr   addr;

    (void) s;

    if (fca_conf_cidr(value, &addr, &len, err) != 0) {
        return -1;
    }

    host = addr.s_addr & ~fca_conf_mask(len);

    if (len < 16 || len > 29 || host == 0
        || host == (uint32_t) ~fca_conf_mask(len))
    {
        return fcf_err_set(err, FCF_E_INVALID, "must be a host's address "
                           "with a length from /16 to /29");
    }

    conf->bridge_address = addr;
    conf->bridge_prefix_len = len;

    return 0;
}

static int
fca_conf_cidrs(fca_cidr_t *out, size_t *n, const char *value, fcf_err_t *err)
{
    int             rc;
    size_t          i;
    unsigned        len;
    fca_list_t      list;
    struct in_addr  addr;

    if (fca_conf_split(&list, value, " \t,", err) != 0) {
        return -1;
    }

    rc = 0;

    if (list.n > FCA_CIDRS_MAX) {
        rc = fcf_err_set(err, FCF_E_INVALID, "must have at most %d networks",
                         FCA_CIDRS_MAX);
    }

    for (i = 0; rc == 0 && i < list.n; i++) {
        rc = fca_conf_cidr(list.items[i], &addr, &len, err);
        if (rc == 0) {
            out[i].mask = fca_conf_mask(len);
            out[i].addr = addr.s_addr & out[i].mask;
        }
    }

    if (rc == 0) {
        *n = list.n;
    }

    fca_conf_list_free(&list);

    return rc;
}

int
fca_conf_allow(void *field, const fca_setting_t *s, const char *value,
    fcf_err_t *err)
{
    fca_conf_t  *conf = fca_conf_of(field, allow);

    (void) s;

    return fca_conf_cidrs(conf->allow, &conf->nallow, value, err);
}

int
fca_conf_egress_allow(void *field, const fca_setting_t *s, const char *value,
    fcf_err_t *err)
{
    fca_conf_t  *conf = fca_conf_of(field, egress_allow);

    (void) s;

    return fca_conf_cidrs(conf->egress_allow, &conf->negress_allow, value,
                          err);
}

/* 0.0.0.0 and 127.0.0.0/8 would be the guest itself */
static int
fca_conf_name_server(const char *text, struct in_addr *addr)
{
    return inet_pton(AF_INET, text, addr) == 1 && addr->s_addr != INADDR_ANY
           && !fca_conf_loopback(*addr);
}

int
fca_conf_dns(void *field, const fca_setting_t *s, const char *value,
    fcf_err_t *err)
{
    int          rc;
    size_t       i;
    fca_conf_t  *conf = fca_conf_of(field, dns);
    fca_list_t   list;

    (void) s;

    if (fca_conf_split(&list, value, " \t,", err) != 0) {
        return -1;
    }

    rc = 0;

    if (list.n > FCA_DNS_MAX) {
        rc = fcf_err_set(err, FCF_E_INVALID, "must have at most %d addresses",
                         FCA_DNS_MAX);
    }

    for (i = 0; rc == 0 && i < list.n; i++) {
        if (!fca_conf_name_server(list.items[i], &conf->dns[i])) {
            rc = fcf_err_set(err, FCF_E_INVALID, "\"%.40s\" is not an IPv4 "
                             "address that guests can reach", list.items[i]);
        }
    }

    if (rc == 0) {
        conf->ndns = list.n;
    }

    fca_conf_list_free(&list);

    return rc;
}
