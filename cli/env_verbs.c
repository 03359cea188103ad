/* fcfaas env, fcfaas secret */

#include <string.h>

#include "cli/command.h"
#include "cli/env.h"
#include "cli/table.h"

#define FCC_WORDS_MAX  1000

typedef int (*fcc_env_word_pt)(fcc_env_t *env, char **words, int n,
    fcf_err_t *err);


static int
fcc_env_show(const fcc_env_t *env, fcf_err_t *err)
{
    size_t            i;
    json_t           *all;
    const fcf_var_t  *var;

    all = json_object();

    for (i = 0; i < env->env.nvars; i++) {

        var = &env->env.vars[i];

        if (var->secret) {
            continue;
        }

        (void) json_object_set_new(all, var->name, json_string(var->value));

        if (!env->rollout.fcc->json) {
            fcc_print("%s=%s", var->name, var->value);
        }
    }

    if (env->rollout.fcc->json) {
        return fcc_json_print(all, err);
    }

    json_decref(all);

    return FCC_DONE;
}


static int
fcc_env_word_set(fcc_env_t *env, char **words, int n, fcf_err_t *err)
{
    int    i;
    char  *text;

    if (fcc_opt(env->rollout.fcc, "file") != NULL) {

        text = fcc_env_read(fcc_opt(env->rollout.fcc, "file"), NULL, err);

        if (text == NULL || fcc_env_lines(&env->env, text, 0, err) != 0) {
            fcf_env_wipe(text);
            return -1;
        }

        fcf_env_wipe(text);

    } else if (n == 0) {
        return fcf_err_set(err, FCF_E_INVALID, "env NAME set: what?  "
                           "VAR=VALUE..., or --file");
    }

    for (i = 0; i < n; i++) {
        if (fcc_env_assign(&env->env, words[i], 0, err) != 0) {
            return -1;
        }
    }

    return 0;
}


/* those words, of which each must be one of its kind */
static int
fcc_env_drop(fcc_env_t *env, char **words, int n, int secret, fcf_err_t *err)
{
    int               i;
    const fcf_var_t  *var;

    for (i = 0; i < n; i++) {

        var = fcf_env_get(&env->env, words[i]);

        if (var == NULL || var->secret != secret) {
            return fcf_err_set(err, FCF_E_NOT_FOUND, "%s: %s no %s %s",
                               env->rollout.name, "there is",
                               secret ? "secret" : "variable", words[i]);
        }

        (void) fcf_env_unset(&env->env, words[i]);
    }

    return 0;
}


static int
fcc_env_word_unset(fcc_env_t *env, char **words, int n, fcf_err_t *err)
{
    return n == 0 ? fcf_err_set(err, FCF_E_INVALID, "env NAME unset: what?")
                  : fcc_env_drop(env, words, n, 0, err);
}


static int
fcc_secret_word_set(fcc_env_t *env, char **words, int n, fcf_err_t *err)
{
    int    rc;
    char  *text;

    if (n != 1) {
        return fcf_err_set(err, FCF_E_INVALID, "secret set NAME: one "
                           "variable; \"secret import\" takes many");
    }

    /* before it is asked for; nor is what may be a value ever told */

    if (strchr(words[0], '=') != NULL) {
        return fcf_err_set(err, FCF_E_INVALID, "secret set: a value does not "
                           "belong on the command line, where others see it: "
                           "put it on standard input, or --file");
    }

    if (fcc_env_put(&env->env, words[0], "", 1, err) != 0) {
        return -1;
    }

    text = fcc_env_read(fcc_opt(env->rollout.fcc, "file"), words[0], err);

    if (text == NULL) {
        return -1;
    }

    rc = *text != '\0' ? fcc_env_put(&env->env, words[0], text, 1, err)
         : fcf_err_set(err, FCF_E_INVALID, "%s: its value is empty; fcfaas "
                       "secret rm removes it", words[0]);
    fcf_env_wipe(text);

    return rc;
}


static int
fcc_secret_word_import(fcc_env_t *env, char **words, int n, fcf_err_t *err)
{
    int    rc;
    char  *text;

    (void) words;

    if (n != 0) {
        return fcf_err_set(err, FCF_E_INVALID, "secret import NAME: lines "
                           "VAR=VALUE come from standard input, or --file");
    }

    text = fcc_env_read(fcc_opt(env->rollout.fcc, "file"), "VAR=VALUE", err);
    rc = text != NULL ? fcc_env_lines(&env->env, text, 1, err) : -1;
    fcf_env_wipe(text);

    return rc;
}


static int
fcc_secret_word_rm(fcc_env_t *env, char **words, int n, fcf_err_t *err)
{
    return n == 0 ? fcf_err_set(err, FCF_E_INVALID, "secret rm NAME: which?")
                  : fcc_env_drop(env, words, n, 1, err);
}


static int
fcc_secret_ls(const fcc_env_t *env, fcf_err_t *err)
{
    size_t   i;
    json_t  *names;

    names = json_array();

    for (i = 0; i < env->env.nvars; i++) {

        if (!env->env.vars[i].secret) {
            continue;
        }

        (void) json_array_append_new(names,
                                     json_string(env->env.vars[i].name));

        if (!env->rollout.fcc->json) {
            fcc_print("%s", env->env.vars[i].name);
        }
    }

    if (env->rollout.fcc->json) {
        return fcc_json_print(names, err);
    }

    json_decref(names);

    return FCC_DONE;
}


/* what is there, changed by the words, and rolled out */
static int
fcc_env_change(fcc_t *fcc, const char *name, fcc_env_word_pt word,
    char **words, int n, fcf_err_t *err)
{
    int        rc;
    fcc_env_t  env;

    fcc_catch_signals();

    rc = fcc_env_open(&env, fcc, name, err);

    if (rc == 0) {
        rc = word(&env, words, n, err);
    }

    if (rc == 0) {
        rc = fcc_env_roll(&env, err);
    }

    fcc_env_close(&env);

    return rc;
}


static int
fcc_env_look(fcc_t *fcc, const char *name,
    int (*show)(const fcc_env_t *env, fcf_err_t *err), fcf_err_t *err)
{
    int        rc;
    fcc_env_t  env;

    rc = fcc_env_open(&env, fcc, name, err);

    if (rc == 0 && env.rollout.old == NULL && env.newest == 0) {
        rc = fcc_no_function(name, err);
    }

    if (rc == 0) {
        rc = show(&env, err);
    }

    fcc_env_close(&env);

    return rc;
}


static int
fcc_env(fcc_t *fcc, fcf_err_t *err)
{
    if (fcc->nargs == 1) {
        return fcc_env_look(fcc, fcc->args[0], fcc_env_show, err);
    }

    if (strcmp(fcc->args[1], "set") == 0) {
        return fcc_env_change(fcc, fcc->args[0], fcc_env_word_set,
                              fcc->args + 2, fcc->nargs - 2, err);
    }

    if (strcmp(fcc->args[1], "unset") == 0) {
        return fcc_env_change(fcc, fcc->args[0], fcc_env_word_unset,
                              fcc->args + 2, fcc->nargs - 2, err);
    }

    return fcf_err_set(err, FCF_E_INVALID, "\"%s\": neither set nor unset; "
                       "usage: fcfaas env %s", fcc->args[1],
                       fcc->verb->args);
}


static int
fcc_secret(fcc_t *fcc, fcf_err_t *err)
{
    size_t       i;
    const char  *name;

    static const struct {
        const char       *name;
        fcc_env_word_pt   change;
    } words[] = {
        { "set", fcc_secret_word_set },
        { "import", fcc_secret_word_import },
        { "rm", fcc_secret_word_rm },
    };

    name = fcc->args[1];

    if (strcmp(fcc->args[0], "ls") == 0 && fcc->nargs == 2) {
        return fcc_env_look(fcc, name, fcc_secret_ls, err);
    }

    for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(words[i].name, fcc->args[0]) == 0) {
            return fcc_env_change(fcc, name, words[i].change, fcc->args + 2,
                                  fcc->nargs - 2, err);
        }
    }

    return fcf_err_set(err, FCF_E_INVALID, "usage: fcfaas secret %s",
                       fcc->verb->args);
}


static const fcc_option_t  fcc_env_options[] = {
    { "file", 'f', "FILE", "what is to be set" },
    { "no-wait", 0, NULL, "do not see first whether it comes up" },
    { "timeout", 't', "SECONDS", "for that; else boot_timeout_s and 10" },
    { NULL, 0, NULL, NULL }
};

const fcc_verb_t  fcc_verb_env = {
    "env", "NAME [set VAR=VALUE... | unset VAR...]",
    "the environment of a function", 1, FCC_WORDS_MAX, fcc_env_options,
    "Alone it shows what was set.  A change is another version of the same\n"
    "code: it is started and seen to be ready, and replaces the one before\n"
    "without a lost request, as by deploy.  --file has lines VAR=VALUE, taken\n"
    "as they are.  What others must not see is a secret, see fcfaas secret.\n"
    "Before the first deploy it is kept for that.\n", fcc_env
};

const fcc_verb_t  fcc_verb_secret = {
    "secret", "set NAME VAR | import NAME | ls NAME | rm NAME VAR...",
    "variables of a function that nobody is shown", 2, FCC_WORDS_MAX,
    fcc_env_options,
    "set reads the value of VAR from standard input or --file, without its\n"
    "last newline; import reads lines VAR=VALUE.  ls shows names alone.  Like\n"
    "fcfaas env, a change is another version, which is rolled out; versions\n"
    "that are kept for a rollback keep theirs.\n", fcc_secret
};
