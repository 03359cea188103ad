/* Settings read anew while the agent runs. */

#include <stdlib.h>
#include <string.h>
#include "agent/base/conf_parse.h"

/* what nothing holds on to that was made with it */
static const char *const  fca_reloadable[] = {
    "token_file", "allow", "max_vms", "max_boots", "memory_reserve_mb",
    "cpu_overcommit", "boot_timeout_s", "log_level"
};

#define FCA_NRELOADABLE  (sizeof(fca_reloadable) / sizeof(fca_reloadable[0]))

static int
fca_conf_reloadable(const char *name)
{
    size_t  i;

    for (i = 0; i < FCA_NRELOADABLE; i++) {
        if (strcmp(fca_reloadable[i], name) == 0) {
            return 1;
        }
    }

    return 0;
}

static int
fca_conf_same(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* A file may hold another token under the same name. */
static void
fca_conf_token(fca_conf_t *conf, fca_conf_t *fresh, int differs_too,
    fca_conf_differs_pt differs, void *arg)
{
    char  *token;

    if (fca_conf_same(conf->token, fresh->token)) {
        return;
    }

    token = conf->token;
    conf->token = fresh->token;
    fresh->token = token;

    if (!differs_too) {
        differs(arg, "token_file", 1);
    }
}

/* It was parsed once already, so that only memory can be lacking. */
static int
fca_conf_take(fca_conf_t *conf, const fca_conf_t *fresh, const char *name,
    size_t i)
{
    fcf_err_t  err;

    return fca_conf_reloadable(name)
           && fca_conf_set(conf, "reload", name, fresh->raw[i], &err) == 0;
}

int
fca_conf_reload(fca_conf_t *conf, fca_conf_differs_pt differs, void *arg,
    fcf_err_t *err)
{
    int                   token_file;
    size_t                i;
    fca_conf_t            fresh;
    const fca_setting_t  *s = fca_settings;

    if (fca_conf_load(&fresh, conf->argc, conf->argv, err) != 0) {
        return -1;
    }

    if (fca_conf_secrets(&fresh, err) != 0) {
        fca_conf_free(&fresh);
        return -1;
    }

    token_file = 0;

    for (i = 0; i < fca_nsettings; i++) {
        if (fca_conf_same(conf->raw[i], fresh.raw[i])) {
            continue;
        }

        token_file |= strcmp(s[i].name, "token_file") == 0;
        differs(arg, s[i].name, fca_conf_take(conf, &fresh, s[i].name, i));
    }

    fca_conf_token(conf, &fresh, token_file, differs, arg);
    fca_conf_free(&fresh);

    return 0;
}
