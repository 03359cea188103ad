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

/* what was written is kept, to be compared with what will be */
static int
fca_conf_keep(fca_conf_t *conf, const fca_setting_t *s, const char *value)
{
    char  **raw, *copy;

    if (conf->raw == NULL) {
        conf->raw = calloc(fca_nsettings, sizeof(char *));
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

    for (i = 0; i < fca_nsettings; i++) {
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
    char   line[FCA_LINE_MAX], where[512], seen[FCA_SETTINGS_MAX];
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

    for (i = 0; i < fca_nsettings; i++) {
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
fca_conf_pair(const char *of, const char *cert, const char *key,
    fcf_err_t *err)
{
    if ((cert[0] == '\0') == (key[0] == '\0')) {
        return 0;
    }

    return fcf_err_set(err, FCF_E_INVALID, "%s_cert = \"%s\" and %s_key = "
                       "\"%s\": one without the other", of, cert, of, key);
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

    if (fca_conf_pair("etcd", conf->etcd_cert, conf->etcd_key, err) != 0
        || fca_conf_pair("store", conf->store_cert, conf->store_key, err) != 0)
    {
        return -1;
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

    for (i = 0; i < fca_nsettings; i++) {
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

    for (i = 0; i < fca_nsettings; i++) {
        printf("  %-20s %s%s%s%s\n", fca_settings[i].name,
               fca_settings[i].help,
               fca_settings[i].def && *fca_settings[i].def ? " [" : "",
               fca_settings[i].def ? fca_settings[i].def : "",
               fca_settings[i].def && *fca_settings[i].def ? "]" : "");
    }
}
