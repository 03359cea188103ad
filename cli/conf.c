#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/conf.h"
#include "cli/nearest.h"
#include "contract/fcf_codec.h"

#define FCC_CONF_LINE      4096
#define FCC_PASSWORD_MAX   1024

#define FCC_SETTING(name, value, arg, help)                                 \
    { #name, offsetof(fcc_conf_t, name), value, arg, help }

const fcc_setting_t  fcc_settings[] = {
    FCC_SETTING(etcd, "http://127.0.0.1:2379", "URL...",
                "etcd endpoints, numeric"),
    FCC_SETTING(etcd_user, NULL, "NAME", "etcd user"),
    FCC_SETTING(etcd_password_file, NULL, "FILE",
                "file with that user's password"),
    FCC_SETTING(etcd_ca, NULL, "FILE", "who may sign etcd's certificate"),
    FCC_SETTING(etcd_cert, NULL, "FILE", "our certificate for etcd"),
    FCC_SETTING(etcd_key, NULL, "FILE", "its key"),
    FCC_SETTING(prefix, "", "TEXT", "stands before every etcd and Redis key"),
    FCC_SETTING(redis, "127.0.0.1:6379", "ADDRESS...",
                "Redis addresses, numeric, or unix:/path"),
    FCC_SETTING(redis_user, NULL, "NAME", "Redis user"),
    FCC_SETTING(redis_password_file, NULL, "FILE",
                "file with the Redis password"),
    FCC_SETTING(redis_db, "0", "N", "Redis database"),
    FCC_SETTING(gateway, "http://127.0.0.1:8080/run", "URL",
                "where functions are called, without their names"),
    FCC_SETTING(admin_token_file, NULL, "FILE",
                "file with the token of agents' admin listeners"),
    FCC_SETTING(node_ca, NULL, "FILE", "who may sign nodes' certificates; "
                "else their admin listeners have no TLS"),
    FCC_SETTING(node_cert, NULL, "FILE", "our certificate for nodes"),
    FCC_SETTING(node_key, NULL, "FILE", "its key"),
    FCC_SETTING(store, NULL, "URL...", "where images are put and agents fetch "
                "them, numeric; all get each"),
    FCC_SETTING(store_token_file, NULL, "FILE",
                "file with the token that stores demand"),
    FCC_SETTING(store_ca, NULL, "FILE", "who may sign a store's certificate; "
                "else the system's"),
    FCC_SETTING(functions, "/var/lib/fcfaas/functions", "DIR",
                "directory of function images, where agents look, without a "
                "store"),
    FCC_SETTING(runtimes, "/usr/lib/fcfaas/runtimes", "DIR",
                "directory of runtime images, for checks and \"runtime push\"; "
                "need not be there"),
};

const size_t  fcc_nsettings = sizeof(fcc_settings) / sizeof(fcc_settings[0]);


static char **
fcc_conf_field(fcc_conf_t *conf, size_t setting)
{
    return (char **) ((char *) conf + fcc_settings[setting].field);
}


/* unless something that goes before has set it */
static int
fcc_conf_set(fcc_conf_t *conf, size_t setting, const char *value,
    fcf_err_t *err)
{
    char  **field;

    field = fcc_conf_field(conf, setting);

    if (*field == NULL && (*field = strdup(value)) == NULL) {
        return fcf_err_set(err, FCF_E_NOMEM, "no memory");
    }

    return 0;
}


int
fcc_conf_flag(fcc_conf_t *conf, size_t setting, const char *value,
    fcf_err_t *err)
{
    char  **field;

    /* the last one holds, as everywhere */

    field = fcc_conf_field(conf, setting);
    free(*field);
    *field = NULL;

    return fcc_conf_set(conf, setting, value, err);
}


static int
fcc_conf_environment(fcc_conf_t *conf, fcf_err_t *err)
{
    char         name[64], *c;
    size_t       i;
    const char  *value;

    for (i = 0; i < fcc_nsettings; i++) {

        (void) snprintf(name, sizeof(name), "FCFAAS_%s",
                        fcc_settings[i].name);

        for (c = name; *c != '\0'; c++) {
            *c = (char) toupper((unsigned char) *c);
        }

        value = getenv(name);

        if (value != NULL && fcc_conf_set(conf, i, value, err) != 0) {
            return -1;
        }
    }

    return 0;
}


static const char *
fcc_conf_name(void *arg, size_t i)
{
    (void) arg;
    return i < fcc_nsettings ? fcc_settings[i].name : NULL;
}


/* without blanks at both ends */
static char *
fcc_conf_trim(char *s)
{
    char  *end;

    s += strspn(s, " \t");
    end = s + strlen(s);

    while (end > s && strchr(" \t\r\n", end[-1]) != NULL) {
        end--;
    }

    *end = '\0';

    return s;
}


static int
fcc_conf_line(fcc_conf_t *conf, char *line, fcf_err_t *err)
{
    char    *value, *name, meant[FCC_MEANT_MAX];
    size_t   i;

    name = fcc_conf_trim(line);

    if (*name == '\0' || *name == '#' || *name == ';' || *name == '[') {
        return 0;
    }

    value = strchr(name, '=');

    if (value == NULL) {
        return fcf_err_set(err, FCF_E_INVALID, "\"%s\": is no \"name = "
                           "value\"", name);
    }

    *value++ = '\0';
    name = fcc_conf_trim(name);
    value = fcc_conf_trim(value);

    for (i = 0; i < fcc_nsettings; i++) {
        if (strcmp(fcc_settings[i].name, name) == 0) {
            return *value == '\0' ? 0 : fcc_conf_set(conf, i, value, err);
        }
    }

    return fcf_err_set(err, FCF_E_INVALID, "\"%s\": there is no such "
                       "setting%s", name, fcc_meant(meant, name, "\"",
                                                    fcc_conf_name, NULL));
}


/* 1: it was read, 0: it is not there, and need not be */
static int
fcc_conf_read(fcc_conf_t *conf, const char *path, int must, fcf_err_t *err)
{
    int    rc;
    char   line[FCC_CONF_LINE];
    FILE  *file;
    long   n;

    file = fopen(path, "re");

    if (file == NULL) {
        return (!must && (errno == ENOENT || errno == ENOTDIR
                          || errno == EACCES))
               ? 0 : fcf_err_sys(err, errno, "settings \"%s\"", path);
    }

    rc = 0;

    for (n = 1; rc == 0 && fgets(line, sizeof(line), file) != NULL; n++) {
        if (fcc_conf_line(conf, line, err) != 0) {
            rc = fcf_err_wrap(err, "%s:%ld", path, n);
        }
    }

    if (rc == 0 && ferror(file)) {
        rc = fcf_err_sys(err, errno, "settings \"%s\"", path);
    }

    (void) fclose(file);

    if (rc == 0) {
        conf->conf = strdup(path);
    }

    return rc == 0 ? 1 : rc;
}


static int
fcc_conf_file(fcc_conf_t *conf, const char *file, fcf_err_t *err)
{
    int          rc;
    char         path[4096];
    const char  *home;

    if (file == NULL) {
        file = getenv("FCFAAS_CONF");
    }

    if (file != NULL && *file != '\0') {
        return fcc_conf_read(conf, file, 1, err);
    }

    home = getenv("HOME");
    rc = 0;

    if (home != NULL
        && (size_t) snprintf(path, sizeof(path),
                             "%s/.config/fcfaas/fcfaas.conf", home)
           < sizeof(path))
    {
        rc = fcc_conf_read(conf, path, 0, err);
    }

    return rc != 0 ? rc
           : fcc_conf_read(conf, "/etc/fcfaas/fcfaas.conf", 0, err);
}


int
fcc_conf_load(fcc_conf_t *conf, const char *file, fcf_err_t *err)
{
    size_t  i;

    if (fcc_conf_environment(conf, err) != 0
        || fcc_conf_file(conf, file, err) < 0)
    {
        return -1;
    }

    for (i = 0; i < fcc_nsettings; i++) {
        if (fcc_settings[i].value != NULL
            && fcc_conf_set(conf, i, fcc_settings[i].value, err) != 0)
        {
            return -1;
        }
    }

    return 0;
}


/* cuts the text into the list's items */
static int
fcc_conf_list(const char **list, size_t *n, char *text, const char *name,
    int (*check)(const char *item, fcf_err_t *err), fcf_err_t *err)
{
    char  *item, *save;

    *n = 0;

    for (item = strtok_r(text, " \t,", &save); item != NULL;
         item = strtok_r(NULL, " \t,", &save))
    {
        if (*n == FCC_LIST_MAX) {
            return fcf_err_set(err, FCF_E_INVALID, "%s: more than %d "
                               "addresses", name, FCC_LIST_MAX);
        }

        if (check(item, err) != 0) {
            return fcf_err_wrap(err, "%s", name);
        }

        list[(*n)++] = item;
    }

    return *n != 0 ? 0 : fcf_err_set(err, FCF_E_INVALID, "%s: is empty",
                                     name);
}


/* the first line of a file */
static int
fcc_conf_password(char **out, const char *name, const char *path,
    fcf_err_t *err)
{
    int      fd, e;
    char     text[FCC_PASSWORD_MAX + 2];
    ssize_t  n;

    if (path == NULL || *path == '\0') {
        return 0;
    }

    fd = open(path, O_RDONLY | O_CLOEXEC);
    n = fd == -1 ? -1 : read(fd, text, sizeof(text) - 1);
    e = errno;

    if (fd != -1) {
        (void) close(fd);
    }

    if (n < 0) {
        return fcf_err_sys(err, e, "%s = \"%s\"", name, path);
    }

    text[n] = '\0';
    text[strcspn(text, "\r\n")] = '\0';

    if (*text == '\0' || strlen(text) > FCC_PASSWORD_MAX) {
        return fcf_err_set(err, FCF_E_INVALID, "%s = \"%s\": must hold one "
                           "line of 1 to %d bytes", name, path,
                           FCC_PASSWORD_MAX);
    }

    *out = strdup(text);

    return *out != NULL ? 0 : fcf_err_set(err, FCF_E_NOMEM, "no memory");
}


static int
fcc_conf_store(const char *item, fcf_err_t *err)
{
    return fcf_store_valid(item, strlen(item)) ? 0
           : fcf_err_set(err, FCF_E_INVALID, "\"%s\": must be "
                         "http://ADDRESS[:PORT][/PATH] or https, the address "
                         "numeric, without \"/\" at its end", item);
}


static int
fcc_conf_stores(fcc_conf_t *conf, fcf_err_t *err)
{
    if (conf->store == NULL || *conf->store == '\0') {
        return 0;
    }

    if (strlen(conf->store) > FCF_WHERE_MAX) {
        return fcf_err_set(err, FCF_E_INVALID, "store: is longer than %d "
                           "bytes", FCF_WHERE_MAX);
    }

    return fcc_conf_list(conf->stores, &conf->nstores, conf->store, "store",
                         fcc_conf_store, err);
}


int
fcc_conf_check(fcc_conf_t *conf, fcf_err_t *err)
{
    char  *end;

    if (fcc_conf_list(conf->etcds, &conf->netcds, conf->etcd, "etcd",
                      fcf_etcd_endpoint_check, err) != 0
        || fcc_conf_list(conf->redises, &conf->nredises, conf->redis, "redis",
                         fcf_redis_addr_check, err) != 0
        || fcc_conf_stores(conf, err) != 0)
    {
        return -1;
    }

    if (*conf->prefix != '\0'
        && !fcf_prefix_valid(conf->prefix, strlen(conf->prefix)))
    {
        return fcf_err_set(err, FCF_E_INVALID, "prefix = \"%s\": must be at "
                           "most %d printable characters without space or "
                           "braces", conf->prefix, FCF_PREFIX_MAX);
    }

    conf->db = (int) strtol(conf->redis_db, &end, 10);

    if (!isdigit((unsigned char) *conf->redis_db) || *end != '\0'
        || strlen(conf->redis_db) > 5)
    {
        return fcf_err_set(err, FCF_E_INVALID, "redis_db = \"%s\": must be a "
                           "number", conf->redis_db);
    }

    if (strncmp(conf->gateway, "http://", 7) != 0
        && strncmp(conf->gateway, "https://", 8) != 0)
    {
        return fcf_err_set(err, FCF_E_INVALID, "gateway = \"%s\": must begin "
                           "with http:// or https://", conf->gateway);
    }

    return fcc_conf_password(&conf->etcd_password, "etcd_password_file",
                             conf->etcd_password_file, err) != 0
           || fcc_conf_password(&conf->redis_password, "redis_password_file",
                                conf->redis_password_file, err) != 0
           || fcc_conf_password(&conf->admin_token, "admin_token_file",
                                conf->admin_token_file, err) != 0
           || fcc_conf_password(&conf->store_token, "store_token_file",
                                conf->store_token_file, err) != 0
           ? -1 : 0;
}


void
fcc_conf_free(fcc_conf_t *conf)
{
    size_t  i;

    for (i = 0; i < fcc_nsettings; i++) {
        free(*fcc_conf_field(conf, i));
    }

    free(conf->conf);
    free(conf->etcd_password);
    free(conf->redis_password);
    free(conf->admin_token);
    free(conf->store_token);
    memset(conf, 0, sizeof(fcc_conf_t));
}
