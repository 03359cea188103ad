/*
 * The agent's settings: agent.conf ("name = value" lines), each also an
 * option --name=value, which goes before the file.  What is not known is
 * refused by file, line, name and value.
 */

#ifndef _FCA_CONF_H_INCLUDED_
#define _FCA_CONF_H_INCLUDED_

#include <netinet/in.h>
#include <sys/types.h>
#include "agent/base/cidr.h"
#include "client/fcf_etcd.h"
#include "client/fcf_redis.h"

#define FCA_CONF_PATH       "/etc/fcfaas/agent.conf"
#define FCA_CIDRS_MAX       32
#define FCA_DNS_MAX         3           /* what a resolver asks */
#define FCA_VMM_ARGS_MAX    24
/* a kernel takes 2048 bytes, ours included */
#define FCA_KERNEL_ARGS_MAX 1024
#define FCA_TOKEN_MAX       256

typedef enum { FCA_RUN = 0, FCA_RUN_CHECK, FCA_RUN_TRIAL, FCA_RUN_VERSION,
               FCA_RUN_HELP, FCA_RUN_DRAIN, FCA_RUN_RESUME, FCA_RUN_STATUS }
    fca_run_e;

/* words of a list setting; items point into text */
typedef struct {
    char            *text;
    const char     **items;             /* NULL-ended, never NULL itself */
    size_t           n;
} fca_list_t;

/* All strings are owned by the conf; "" means not set, but for secrets, whose
 * pointer is NULL then. */
typedef struct {
    fca_run_e        run;
    char            *conf_path;
    int              conf_given;
    int              trial_timeout;     /* s */
    int              wait;              /* until the node is empty */

    char            *node_id;
    char            *prefix;
    fca_list_t       etcd;
    char            *etcd_user, *etcd_password_file;
    char            *etcd_ca, *etcd_cert, *etcd_key;
    fca_list_t       redis;
    char            *redis_user, *redis_password_file;
    int              redis_db;
    char            *token_file;
    struct in_addr   advertise;
    struct in_addr   listen;            /* INADDR_ANY: not set */
    fca_cidr_t       allow[FCA_CIDRS_MAX];
    size_t           nallow;
    struct sockaddr_in  admin;          /* sin_port 0: no listener */
    char            *admin_token_file;

    char            *state_dir;
    char            *functions, *runtimes;      /* directories of images */
    char            *store_ca, *store_cert, *store_key;
    char            *kernel, *initrd, *kernel_args;
    char            *vmm;
    fca_list_t       vmm_args;
    int              vmm_answer_ms;
    int              serial_kb, drive_mb, drive_ops, net_mb;    /* a second */
    int              vmm_overhead_mb;   /* 0: by what vmm is */
    int              cgroups;           /* 0 auto, 1 yes, 2 no */
    char            *run_dir;
    char            *cgroup_root;
    int              jailer;
    char            *jailer_binary, *jail_base;
    int              jail_uid_first, jail_uid_last;
    char            *bridge;
    struct in_addr   bridge_address;
    unsigned         bridge_prefix_len;
    char            *tap_prefix;
    int              egress;            /* 0 none, 1 internet */
    fca_cidr_t       egress_allow[FCA_CIDRS_MAX];
    size_t           negress_allow;
    int              egress_connections;
    struct in_addr   dns[FCA_DNS_MAX];
    size_t           ndns;

    char            *proxy, *proxy_socket, *proxy_user;
    uid_t            proxy_uid;         /* by fca_conf_proxy() */
    int              proxy_threads;
    int              port_first, port_last;
    int              max_vms, max_boots;
    int              memory_reserve_mb;
    int              cpu_overcommit;
    int              images_mb;
    int              snapshots;
    int              snapshots_mb;
    fca_list_t       snapshot_runtimes;
    int              vmms_ahead;
    int              boot_timeout_s;    /* bound on the specs'; 0: none */
    int              adopt;
    int              log_kb, log_mb;    /* of what functions print: of one,
                                           of all */
    int              log_hours;
    fcf_log_e        log_level;

    /* for fca_conf_reload() */
    int              argc;
    char           **argv;
    char           **raw;               /* each setting as it was written, in
                                           the order of their table */

    /* read from the files named above by fca_conf_secrets() */
    char            *etcd_password, *redis_password, *token, *admin_token;
} fca_conf_t;

/* Fills *conf from argv and the file that it (or the default) names; a
 * default file that does not exist is no error.  On failure *conf is freed. */
int fca_conf_load(fca_conf_t *conf, int argc, char **argv, fcf_err_t *err)
    fcf_must_check;
/* Reads the secret files. */
int fca_conf_secrets(fca_conf_t *conf, fcf_err_t *err) fcf_must_check;
/* What has to exist on this host for VMs to be started: the VMM (searched on
 * PATH and made absolute), kernel, initrd. */
int fca_conf_guest_files(fca_conf_t *conf, fcf_err_t *err) fcf_must_check;
/* Makes proxy and proxy_socket absolute, and looks up whom proxy_user names. */
int fca_conf_proxy(fca_conf_t *conf, fcf_err_t *err) fcf_must_check;
/* Reads file, options and secrets anew and takes what can be changed while
 * the agent runs.  differs hears of each setting that is another now, and
 * whether it was taken.  On failure nothing was. */
typedef void (*fca_conf_differs_pt)(void *arg, const char *name, int taken);
int fca_conf_reload(fca_conf_t *conf, fca_conf_differs_pt differs, void *arg,
    fcf_err_t *err) fcf_must_check;
void fca_conf_free(fca_conf_t *conf);
int fca_conf_loopback(struct in_addr addr);
/* TLS ends in front of the ports: others are told of another address than the
 * one they are opened on. */
int fca_conf_fronted(const fca_conf_t *conf);
/* Where VMs' ports are opened: on loopback alone if neither a network nor a
 * token is demanded, else on listen or advertise. */
struct in_addr fca_conf_listen_on(const fca_conf_t *conf);
/* What gateways are told of that, and of the admin listener. */
struct in_addr fca_conf_tell(const fca_conf_t *conf);
struct sockaddr_in fca_conf_tell_admin(const fca_conf_t *conf);
/* one line per setting, on standard output */
void fca_conf_help(void);

/* exposed for the tests */
int fca_conf_set(fca_conf_t *conf, const char *where, const char *name,
    const char *value, fcf_err_t *err) fcf_must_check;
int fca_conf_file(fca_conf_t *conf, const char *path, fcf_err_t *err)
    fcf_must_check;

#endif /* _FCA_CONF_H_INCLUDED_ */
