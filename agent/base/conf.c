#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "agent/base/conf.h"
#include "agent/base/conf_parse.h"

#define FCA_LINE_MAX  4096

#define FCA_STR(name, def, help)                                            \
    { #name, fca_conf_str, offsetof(fca_conf_t, name), def, 0, 0, help }
#define FCA_PATH(name, def, help)                                           \
    { #name, fca_conf_path, offsetof(fca_conf_t, name), def, 0, 0, help }
#define FCA_INT(name, def, min, max, help)                                  \
    { #name, fca_conf_int, offsetof(fca_conf_t, name), def, min, max, help }
#define FCA_ANY(name, parse, def, help)                                     \
    { #name, parse, offsetof(fca_conf_t, name), def, 0, 0, help }

static const fca_setting_t  fca_settings[] = {
    FCA_ANY(node_id, fca_conf_id, NULL,
            "this node's name in etcd; the host's name if not set"),
    FCA_ANY(prefix, fca_conf_prefix, "",
            "stands before every etcd and Redis key"),
    FCA_ANY(etcd, fca_conf_etcd, "http://127.0.0.1:2379",
            "etcd endpoints, numeric"),
    FCA_STR(etcd_user, "", "etcd user"),
    FCA_STR(etcd_password_file, "", "file with that user's password"),
    FCA_STR(etcd_ca, "", "PEM file: who may sign etcd's certificate"),
    FCA_STR(etcd_cert, "", "PEM file: our certificate for etcd"),
    FCA_STR(etcd_key, "", "PEM file: its key"),
    FCA_ANY(redis, fca_conf_redis, "127.0.0.1:6379",
            "Redis addresses, numeric, or unix:/path"),
    FCA_STR(redis_user, "", "Redis user"),
    FCA_STR(redis_password_file, "", "file with the Redis password"),
    FCA_INT(redis_db, "0", 0, 65535, "Redis database"),
    FCA_STR(token_file, "", "file with the token that gateways must send"),
    FCA_ANY(advertise, fca_conf_addr, "127.0.0.1",
            "IPv4 address where gateways reach this node's VMs"),
    FCA_ANY(allow, fca_conf_allow, "",
            "networks that gateways may come from; none: everywhere with the "
            "token, else loopback alone"),
    FCA_ANY(admin, fca_conf_listen, "",
            "address:port of the admin listener; empty: none"),
    FCA_STR(admin_token_file, "",
            "file with the token that its clients must send"),
    FCA_PATH(state_dir, "/var/lib/fcfaas/agent",
             "directory of this agent: what outlives a reboot"),
    FCA_PATH(run_dir, "/run/fcfaas/agent",
             "directory of its VMs, best in memory"),
    FCA_PATH(functions, "/var/lib/fcfaas/functions",
             "directory of function images"),
    FCA_PATH(runtimes, "/usr/lib/fcfaas/runtimes",
             "directory of runtime images"),
    FCA_PATH(kernel, "/usr/lib/fcfaas/vmlinux", "guest kernel, ELF"),
    FCA_STR(initrd, "/usr/lib/fcfaas/initrd", "guest initramfs; may be empty"),
    FCA_ANY(kernel_args, fca_conf_kernel_args, "",
            "added to the guest's kernel command line"),
    FCA_PATH(vmm, "firecracker", "the VMM's program"),
    FCA_ANY(vmm_args, fca_conf_words, "", "arguments for it, by words"),
    FCA_INT(vmm_answer_ms, "2000", 100, 60000,
            "ms for it to start, and for each call but the guest's start"),
    FCA_INT(serial_kb, "64", 0, 1048576,
            "KiB/s of a guest's serial console; 0: no limit"),
    FCA_INT(drive_mb, "512", 0, 1048576,
            "MiB/s of each drive of a guest; 0: no limit"),
    FCA_INT(drive_ops, "0", 0, INT_MAX,
            "requests/s to each drive of a guest; 0: no limit"),
    FCA_INT(net_mb, "256", 0, 1048576,
            "MiB/s of a guest's network, each way; 0: no limit"),
    FCA_INT(vmm_overhead_mb, "0", 0, 65536,
            "memory that the VMM itself takes; 0: by what vmm is"),
    FCA_ANY(cgroups, fca_conf_cgroups, "auto",
            "limits for each VM: auto, yes (or do not start) or no"),
    FCA_ANY(cgroup_root, fca_conf_cgroup, "",
            "cgroup below which VMs have theirs; empty: the agent's own"),
    FCA_ANY(jailer, fca_conf_yes_no, "no",
            "start VMMs through a jailer: yes or no"),
    FCA_STR(jailer_binary, "jailer", "the jailer's program"),
    FCA_PATH(jail_base, "/var/lib/fcfaas/jails", "directory of the jails"),
    FCA_INT(jail_uid_first, "1900000000", 1, INT_MAX - 1,
            "first user and group number for jailed VMs"),
    FCA_INT(jail_uid_last, "1900065534", 1, INT_MAX - 1,
            "last one; each VM has one of its own"),
    FCA_ANY(bridge, fca_conf_ifname, "fc-bridge0", "bridge of the guests"),
    FCA_ANY(bridge_address, fca_conf_net, "172.16.0.1/24",
            "its address and the guests' network, /16 to /29"),
    FCA_ANY(tap_prefix, fca_conf_ifname, "fctap", "first part of TAP names"),
    FCA_ANY(egress, fca_conf_egress, "none",
            "what guests may reach: none or internet"),
    FCA_ANY(egress_allow, fca_conf_egress_allow, "",
            "networks that guests with egress reach beside public ones"),
    FCA_INT(egress_connections, "1024", 1, 65535,
            "connections of a guest to outside at once"),
    FCA_ANY(dns, fca_conf_dns, "",
            "name servers in guests' resolv.conf, at most 3"),
    FCA_STR(proxy, "fcfaas-proxy", "the proxy's program, a path or a name "
            "beside the agent's; empty: others start it"),
    FCA_STR(proxy_socket, "", "where it listens; proxy.sock in state_dir if "
            "not set"),
    FCA_STR(proxy_user, "fcfaas-proxy", "whose rights it has: name, uid or "
            "uid:gid"),
    FCA_INT(proxy_threads, "2", 1, 64, "data loops of the proxy"),
    FCA_INT(port_first, "30000", 1, 65535, "first host port for VMs"),
    FCA_INT(port_last, "32767", 1, 65535, "last host port for VMs"),
    FCA_INT(max_vms, "1000", 1, 65000, "VMs at once"),
    FCA_INT(max_boots, "8", 1, 1000, "VMs starting at once"),
    FCA_INT(memory_reserve_mb, "512", 0, INT_MAX,
            "memory that is never given to VMs"),
    FCA_INT(cpu_overcommit, "64", 1, 1000, "vCPUs given out per CPU"),
    FCA_INT(boot_timeout_s, "0", 0, 3600,
            "bound on what functions ask for; 0: none"),
    FCA_ANY(adopt, fca_conf_adopt, "no",
            "keep VMs over a restart of the agent: no or yes"),
    FCA_ANY(log_level, fca_conf_level, "info", "debug, info, warn or error"),
};

#define FCA_NSETTINGS  (sizeof(fca_settings) / sizeof(fca_settings[0]))

const fca_setting_t *
fca_conf_settings(size_t *n)
{
    *n = FCA_NSETTINGS;
    return fca_settings;
}

/* what was written is kept, to be compared with what will be */
static int
fca_conf_keep(fca_conf_t *conf, const fca_setting_t *s, const char *value)
{
    char  **raw, *copy;

    if (conf->raw == NULL) {
        conf->raw = calloc(FCA_NSETTINGS, sizeof(char *));
    }

    copy = strdup(value);

    if (conf->raw == NULL || copy == NULL) {
        free(copy);
        return -1;
    }

    raw = &conf->raw[s - fca_settings];
    free(*raw);
    *raw = copy;

    return 0;
}

static const fca_setting_t *
fca_conf_find(const char *name)
{
    size_t  i;

    for (i = 0; i < FCA_NSETTINGS; i++) {
        if (strcmp(fca_settings[i].name, name) == 0) {
            return &fca_settings[i];
        }
    }

    return NULL;
}

int
fca_conf_set(fca_conf_t *conf, const char *where, const char *name,
    const char *value, fcf_err_t *err)
{
    fcf_err_t             why;
    const fca_setting_t  *s;

    s = fca_conf_find(name);
    if (s == NULL) {
        return fcf_err_set(err, FCF_E_INVALID,
                           "%s: unknown setting \"%s\" (value \"%s\")",
                           where, name, fca_conf_shown(name, value));
    }

    if (s->parse((char *) conf + s->offset, s, value, &why) != 0) {
        value = fca_conf_shown(name, value);
        return fcf_err_set(err, why.code, "%s: %s = \"%.100s%s\": %s", where,
                           name, value, strlen(value) > 100 ? "..." : "",
                           why.msg);
    }

    return fca_conf_keep(conf, s, value) == 0
           ? 0 : fcf_err_set(err, FCF_E_NOMEM, "no memory for the settings");
}

static char *
fca_conf_trim(char *s)
{
    char  *end;

    while (*s == ' ' || *s == '\t') {
        s++;
    }

    end = s + strlen(s);
    while (end > s && strchr(" \t\r\n", end[-1])) {
        end--;
    }

    *end = '\0';

    return s;
}

/* seen: settings already given in this file, by their place in the table */
static int
fca_conf_line(fca_conf_t *conf, const char *where, char *line, char *seen,
    fcf_err_t *err)
{
    char                 *name, *value, *eq;
    const fca_setting_t  *s;

    name = fca_conf_trim(line);
    if (*name == '\0' || *name == '#' || *name == ';') {
        return 0;
    }

    if (*name == '[') {
        if (strcmp(name, "[agent]") == 0) {
            return 0;
        }

        return fcf_err_set(err, FCF_E_INVALID, "%s: unknown section \"%s\"",
                           where, name);
    }

    eq = strchr(name, '=');
    if (eq == NULL) {
        return fcf_err_set(err, FCF_E_INVALID,
                           "%s: \"%s\" is not \"name = value\"", where, name);
    }

    *eq = '\0';
    name = fca_conf_trim(name);
    value = fca_conf_trim(eq + 1);

    s = fca_conf_find(name);
    if (s && seen[s - fca_settings]++) {
        return fcf_err_set(err, FCF_E_INVALID,
                           "%s: %s = \"%s\": given twice", where, name,
                           fca_conf_shown(name, value));
    }

    return fca_conf_set(conf, where, name, value, err);
}

int
fca_conf_file(fca_conf_t *conf, const char *path, fcf_err_t *err)
{
    int    rc;
    char   line[FCA_LINE_MAX], where[512], seen[FCA_NSETTINGS];
    FILE  *f;
    long   n;

    f = fopen(path, "re");
    if (f == NULL) {
        return fcf_err_sys(err, errno, "%s", path);
    }

    rc = 0;
    memset(seen, 0, sizeof(seen));

    for (n = 1; rc == 0 && fgets(line, sizeof(line), f); n++) {
        snprintf(where, sizeof(where), "%s:%ld", path, n);

        if (strlen(line) == sizeof(line) - 1) {
            rc = fcf_err_set(err, FCF_E_INVALID, "%s: line too long", where);
            break;
        }

        rc = fca_conf_line(conf, where, line, seen, err);
    }

    if (rc == 0 && ferror(f)) {
        rc = fcf_err_sys(err, errno, "%s", path);
    }

    fclose(f);

    return rc;
}

/* Options that are no settings.  1: taken, 0: not one of these. */
static int
fca_conf_command(fca_conf_t *conf, const char *arg, fcf_err_t *err)
{
    size_t                      i;
    static const fca_setting_t  timeout = FCA_INT(trial_timeout, "20", 1, 600,
                                                  "");
    static const struct {
        const char  *name;
        fca_run_e    run;
    } runs[] = {
        { "--check", FCA_RUN_CHECK }, { "--trial", FCA_RUN_TRIAL },
        { "--version", FCA_RUN_VERSION }, { "--help", FCA_RUN_HELP },
        { "-h", FCA_RUN_HELP }, { "drain", FCA_RUN_DRAIN },
        { "resume", FCA_RUN_RESUME }, { "status", FCA_RUN_STATUS },
    };

    for (i = 0; i < sizeof(runs) / sizeof(runs[0]); i++) {
        if (strcmp(arg, runs[i].name) == 0) {
            conf->run = runs[i].run;
            return 1;
        }
    }

    if (strcmp(arg, "--wait") == 0) {
        conf->wait = 1;
        return 1;
    }

    if (strncmp(arg, "--conf=", 7) == 0) {
        free(conf->conf_path);
        conf->conf_path = strdup(arg + 7);
        conf->conf_given = 1;
        return conf->conf_path ? 1 : fcf_err_set(err, FCF_E_NOMEM, "conf");
    }

    if (strncmp(arg, "--trial-timeout=", 16) == 0) {
        if (fca_conf_int(&conf->trial_timeout, &timeout, arg + 16, err) != 0) {
            return fcf_err_wrap(err, "option %s", arg);
        }

        return 1;
    }

    return 0;
}

static int
fca_conf_option(fca_conf_t *conf, const char *arg, fcf_err_t *err)
{
    char         name[64], *c;
    const char  *eq;

    eq = strchr(arg, '=');
    if (strncmp(arg, "--", 2) != 0 || eq == NULL
        || (size_t) (eq - arg - 2) >= sizeof(name))
    {
        return fcf_err_set(err, FCF_E_INVALID, "unknown option \"%s\" "
                           "(settings are given as --name=value)", arg);
    }

    memcpy(name, arg + 2, eq - arg - 2);
    name[eq - arg - 2] = '\0';

    for (c = name; *c; c++) {
        *c = *c == '-' ? '_' : *c;
    }

    return fca_conf_set(conf, "command line", name, eq + 1, err);
}

static int
fca_conf_defaults(fca_conf_t *conf, fcf_err_t *err)
{
    size_t  i;

    conf->conf_path = strdup(FCA_CONF_PATH);
    conf->node_id = fca_conf_hostname();
    conf->trial_timeout = 20;

    if (conf->conf_path == NULL || conf->node_id == NULL) {
        return fcf_err_set(err, FCF_E_NOMEM, "no memory for the settings");
    }

    for (i = 0; i < FCA_NSETTINGS; i++) {
        if (fca_settings[i].def
            && fca_conf_set(conf, "default", fca_settings[i].name,
                            fca_settings[i].def, err) != 0)
        {
            return -1;
        }
    }

    return 0;
}

static int
fca_conf_whole(const fca_conf_t *conf, fcf_err_t *err)
{
    char  addr[INET_ADDRSTRLEN];

    if (conf->port_last < conf->port_first) {
        return fcf_err_set(err, FCF_E_INVALID, "port_last = \"%d\": is below "
                           "port_first (%d)", conf->port_last,
                           conf->port_first);
    }

    if (conf->wait && conf->run != FCA_RUN_DRAIN) {
        return fcf_err_set(err, FCF_E_INVALID, "option \"--wait\": is for "
                           "\"drain\" alone");
    }

    if (conf->node_id[0] == '\0') {
        return fcf_err_set(err, FCF_E_INVALID, "node_id is not set, and the "
                           "host's name cannot serve as one");
    }

    if ((conf->etcd_cert[0] == '\0') != (conf->etcd_key[0] == '\0')) {
        return fcf_err_set(err, FCF_E_INVALID, "etcd_cert = \"%s\" and "
                           "etcd_key = \"%s\": one without the other",
                           conf->etcd_cert, conf->etcd_key);
    }

    if ((conf->etcd_user[0] == '\0') != (conf->etcd_password_file[0] == '\0'))
    {
        return fcf_err_set(err, FCF_E_INVALID, "etcd_user = \"%s\" and "
                           "etcd_password_file = \"%s\": one without the "
                           "other", conf->etcd_user,
                           conf->etcd_password_file);
    }

    if (conf->admin.sin_port && conf->admin_token_file[0] == '\0'
        && !fca_conf_loopback(conf->admin.sin_addr))
    {
        return fcf_err_set(err, FCF_E_INVALID, "admin = \"%s:%d\": on an "
                           "address that is not loopback it needs "
                           "admin_token_file",
                           inet_ntop(AF_INET, &conf->admin.sin_addr, addr,
                                     sizeof(addr)),
                           ntohs(conf->admin.sin_port));
    }

    if (conf->redis_user[0] && conf->redis_password_file[0] == '\0') {
        return fcf_err_set(err, FCF_E_INVALID, "redis_user = \"%s\": without "
                           "redis_password_file", conf->redis_user);
    }

    return 0;
}

static int
fca_conf_try(fca_conf_t *conf, int argc, char **argv, fcf_err_t *err)
{
    int  i, rc;

    if (fca_conf_defaults(conf, err) != 0) {
        return -1;
    }

    for (i = 1; i < argc; i++) {
        if (fca_conf_command(conf, argv[i], err) < 0) {
            return -1;
        }
    }

    if (conf->run == FCA_RUN_VERSION || conf->run == FCA_RUN_HELP) {
        return 0;
    }

    if (conf->conf_given || access(conf->conf_path, F_OK) == 0) {
        if (fca_conf_file(conf, conf->conf_path, err) != 0) {
            return -1;
        }
    }

    for (i = 1; i < argc; i++) {
        rc = fca_conf_command(conf, argv[i], err);
        if (rc == 0) {
            rc = fca_conf_option(conf, argv[i], err);
        }

        if (rc < 0) {
            return -1;
        }
    }

    return fca_conf_whole(conf, err) != 0 ? -1 : fca_conf_jails(conf, err);
}

int
fca_conf_load(fca_conf_t *conf, int argc, char **argv, fcf_err_t *err)
{
    memset(conf, 0, sizeof(*conf));
    conf->argc = argc;
    conf->argv = argv;

    if (fca_conf_try(conf, argc, argv, err) != 0) {
        fca_conf_free(conf);
        return -1;
    }

    return 0;
}

void
fca_conf_free(fca_conf_t *conf)
{
    size_t  i;
    char  **p;

    for (i = 0; i < FCA_NSETTINGS; i++) {
        p = (char **) ((char *) conf + fca_settings[i].offset);

        if (fca_conf_is_list(&fca_settings[i])) {
            fca_conf_list_free((fca_list_t *) p);

        } else if (fca_conf_is_string(&fca_settings[i])) {
            free(*p);
        }

        if (conf->raw) {
            free(conf->raw[i]);
        }
    }

    free(conf->raw);
    free(conf->conf_path);
    free(conf->etcd_password);
    free(conf->redis_password);
    free(conf->token);
    free(conf->admin_token);
    memset(conf, 0, sizeof(*conf));
}

void
fca_conf_help(void)
{
    size_t  i;

    printf("fcfaas-agent [--conf=FILE] [--check | --trial "
           "[--trial-timeout=S] | --version] [--name=value ...]\n"
           "fcfaas-agent drain [--wait] | resume | status [--conf=FILE] "
           "[--name=value ...]\n\n"
           "Settings, in FILE (%s) as \"name = value\":\n", FCA_CONF_PATH);

    for (i = 0; i < FCA_NSETTINGS; i++) {
        printf("  %-20s %s%s%s%s\n", fca_settings[i].name,
               fca_settings[i].help,
               fca_settings[i].def && *fca_settings[i].def ? " [" : "",
               fca_settings[i].def ? fca_settings[i].def : "",
               fca_settings[i].def && *fca_settings[i].def ? "]" : "");
    }
}
