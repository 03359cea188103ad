/*
 * The settings of the command: a flag goes before the environment
 * (FCFAAS_<NAME>), that before the file.  The file is the one that --conf or
 * FCFAAS_CONF names, else ~/.config/fcfaas/fcfaas.conf, else
 * /etc/fcfaas/fcfaas.conf; neither of these need be there.
 */

#ifndef _FCC_CONF_H_INCLUDED_
#define _FCC_CONF_H_INCLUDED_

#include "client/fcf_etcd.h"
#include "client/fcf_redis.h"

#define FCC_LIST_MAX  16

typedef struct {
    char         *conf;                 /* which file was read; NULL: none */

    char         *etcd, *etcd_user, *etcd_password_file;
    char         *etcd_ca, *etcd_cert, *etcd_key;
    char         *prefix;
    char         *redis, *redis_user, *redis_password_file, *redis_db;
    char         *gateway;
    char         *admin_token_file;
    char         *store, *store_token_file, *store_ca;
    char         *node_ca, *node_cert, *node_key;
    char         *functions, *runtimes;

    /* made of these by fcc_conf_check() */
    const char   *etcds[FCC_LIST_MAX], *redises[FCC_LIST_MAX];
    const char   *stores[FCC_LIST_MAX];
    size_t        netcds, nredises, nstores;
    char         *etcd_password, *redis_password, *admin_token, *store_token;
    int           db;
} fcc_conf_t;

typedef struct {
    const char   *name;                 /* as in the file; the flag has "-"
                                           for "_" */
    size_t        field;                /* offset of the char * */
    const char   *value;                /* default, or NULL */
    const char   *arg, *help;
} fcc_setting_t;

extern const fcc_setting_t  fcc_settings[];
extern const size_t         fcc_nsettings;

/* a flag's value; before fcc_conf_load() */
int fcc_conf_flag(fcc_conf_t *conf, size_t setting, const char *value,
    fcf_err_t *err) fcf_must_check;
/* Reads environment and file, and fills in the defaults.  file: of --conf, or
 * NULL. */
int fcc_conf_load(fcc_conf_t *conf, const char *file, fcf_err_t *err)
    fcf_must_check;
/* what is common to all verbs: addresses, prefix, password files */
int fcc_conf_check(fcc_conf_t *conf, fcf_err_t *err) fcf_must_check;
void fcc_conf_free(fcc_conf_t *conf);

#endif /* _FCC_CONF_H_INCLUDED_ */
