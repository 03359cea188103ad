/* How one setting's value is read.  Private to conf*.c. */

#ifndef _FCA_CONF_PARSE_H_INCLUDED_
#define _FCA_CONF_PARSE_H_INCLUDED_

#include <stddef.h>
#include "agent/base/conf.h"

typedef struct fca_setting_s  fca_setting_t;

/* Stores value in *field, freeing what was there; err says what is wrong
 * with the value, without naming it. */
typedef int (*fca_conf_pt)(void *field, const fca_setting_t *s,
    const char *value, fcf_err_t *err);

struct fca_setting_s {
    const char   *name;
    fca_conf_pt   parse;
    size_t        offset;               /* in fca_conf_t */
    const char   *def;                  /* NULL: set elsewhere */
    int           min, max;             /* of numbers */
    const char   *help;
};

/* a row of such a table */
#define FCA_STR(name, def, help)                                            \
    { #name, fca_conf_str, offsetof(fca_conf_t, name), def, 0, 0, help }
#define FCA_PATH(name, def, help)                                           \
    { #name, fca_conf_path, offsetof(fca_conf_t, name), def, 0, 0, help }
#define FCA_INT(name, def, min, max, help)                                  \
    { #name, fca_conf_int, offsetof(fca_conf_t, name), def, min, max, help }
#define FCA_ANY(name, parse, def, help)                                     \
    { #name, parse, offsetof(fca_conf_t, name), def, 0, 0, help }

/* conf_table.c: a conf keeps what was written for each in this order */
#define FCA_SETTINGS_MAX  128

extern const fca_setting_t  fca_settings[];
extern const size_t         fca_nsettings;

int fca_conf_str(void *field, const fca_setting_t *s, const char *value,
    fcf_err_t *err);
int fca_conf_path(void *field, const fca_setting_t *s, const char *value,
    fcf_err_t *err);
int fca_conf_kernel_args(void *field, const fca_setting_t *s,
    const char *value, fcf_err_t *err);
int fca_conf_int(void *field, const fca_setting_t *s, const char *value,
    fcf_err_t *err);
int fca_conf_id(void *field, const fca_setting_t *s, const char *value,
    fcf_err_t *err);
int fca_conf_prefix(void *field, const fca_setting_t *s, const char *value,
    fcf_err_t *err);
int fca_conf_ifname(void *field, const fca_setting_t *s, const char *value,
    fcf_err_t *err);
/* the value as messages may have it: without what could be a secret */
const char *fca_conf_shown(const char *name, const char *value);

int fca_conf_etcd(void *field, const fca_setting_t *s, const char *value,
    fcf_err_t *err);
int fca_conf_redis(void *field, const fca_setting_t *s, const char *value,
    fcf_err_t *err);
int fca_conf_words(void *field, const fca_setting_t *s, const char *value,
    fcf_err_t *err);
/* INADDR_ANY: none */
int fca_conf_addr_or_none(void *field, const fca_setting_t *s,
    const char *value, fcf_err_t *err);
int fca_conf_addr(void *field, const fca_setting_t *s, const char *value,
    fcf_err_t *err);
/* "127.0.0.1:9180", or "" for none */
int fca_conf_listen(void *field, const fca_setting_t *s, const char *value,
    fcf_err_t *err);
/* these set two fields that lie beside each other in fca_conf_t */
int fca_conf_net(void *field, const fca_setting_t *s, const char *value,
    fcf_err_t *err);
int fca_conf_allow(void *field, const fca_setting_t *s, const char *value,
    fcf_err_t *err);
int fca_conf_egress_allow(void *field, const fca_setting_t *s,
    const char *value, fcf_err_t *err);
int fca_conf_dns(void *field, const fca_setting_t *s, const char *value,
    fcf_err_t *err);
int fca_conf_egress(void *field, const fca_setting_t *s, const char *value,
    fcf_err_t *err);
int fca_conf_cgroups(void *field, const fca_setting_t *s, const char *value,
    fcf_err_t *err);
int fca_conf_cgroup(void *field, const fca_setting_t *s, const char *value,
    fcf_err_t *err);
int fca_conf_yes_no(void *field, const fca_setting_t *s, const char *value,
    fcf_err_t *err);
int fca_conf_adopt(void *field, const fca_setting_t *s, const char *value,
    fcf_err_t *err);
int fca_conf_level(void *field, const fca_setting_t *s, const char *value,
    fcf_err_t *err);

/* conf_files.c: what the settings of jails say together */
int fca_conf_jails(const fca_conf_t *conf, fcf_err_t *err);
int fca_conf_is_list(const fca_setting_t *s);
int fca_conf_is_string(const fca_setting_t *s);
/* words between any of sep's characters; none is fine */
int fca_conf_split(fca_list_t *out, const char *value, const char *sep,
    fcf_err_t *err);
void fca_conf_list_free(fca_list_t *list);
/* the host's name as a node_id, "" if it is none; NULL: out of memory */
char *fca_conf_hostname(void);

#endif /* _FCA_CONF_PARSE_H_INCLUDED_ */
