/*
 * "fcfaas complete N WORD...", which nobody types: cli/fcfaas.bash asks it.
 * All that can be completed is in the tables of verbs, options and settings
 * already, so that a new verb has nothing to do for it.
 */

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "cli/call.h"

#define FCC_COMPLETE_MS  1000

typedef struct {
    const char  *word;                  /* that is being typed */
    const char  *before;                /* the one before it */
    int          value;                 /* of that option */
} fcc_complete_t;


static void
fcc_offer(const char *word, const char *dashes, const char *name)
{
    char  text[FCF_ID_MAX + 8];

    (void) snprintf(text, sizeof(text), "%s%s", dashes, name);

    if (strncmp(text, word, strlen(word)) == 0) {
        (void) puts(text);
    }
}


/* whether the word before is this option, and is still to be told its value */
static void
fcc_complete_look(void *arg, const char *name, char letter, int has_arg)
{
    const char      *before;
    fcc_complete_t  *c;

    c = arg;
    before = c->before;

    if (has_arg && before[0] == '-') {
        c->value |= before[1] == '-' ? strcmp(before + 2, name) == 0
                    : before[1] == letter && letter != 0 && before[2] == '\0';
    }
}


static void
fcc_complete_option(void *arg, const char *name, char letter, int has_arg)
{
    (void) letter;
    (void) has_arg;

    fcc_offer(((fcc_complete_t *) arg)->word, "--", name);
}


static void
fcc_complete_verbs(const char *word)
{
    size_t  i;

    for (i = 0; fcc_verbs[i] != NULL; i++) {
        fcc_offer(word, "", fcc_verbs[i]->name);
    }

    fcc_offer(word, "", "help");
}


/* nobody waits long for a name: without etcd there is none */
static void
fcc_complete_keys(fcc_t *fcc, const char *word,
    char *(*below)(char *buf, const char *prefix), fcf_key_e kind)
{
    int          rc;
    char         key[FCF_KEY_MAX];
    size_t       i;
    fcf_err_t    err;
    fcf_key_t    parsed;
    fcc_reply_t  keys;

    fcc->call_ms = FCC_COMPLETE_MS;

    if (fcc_conf_load(&fcc->conf, NULL, &err) != 0
        || fcc_conf_check(&fcc->conf, &err) != 0)
    {
        return;
    }

    rc = fcc_list(fcc, below(key, fcc->conf.prefix), &keys, &err);

    for (i = 0; rc == 0 && i < keys.nkvs; i++) {

        fcf_key_parse(&parsed, fcc->conf.prefix, keys.kvs[i].key,
                      keys.kvs[i].key_len);

        if (parsed.kind == kind) {
            fcc_offer(word, "", kind == FCF_KEY_SPEC ? parsed.function_id
                                                     : parsed.name);
        }
    }

    fcc_reply_free(&keys);
}


/* "set NAME | ls": the first word of each way to call it */
static void
fcc_complete_words(const fcc_verb_t *verb, const char *word)
{
    char         name[16];
    const char  *at;

    for (at = verb->args; islower((unsigned char) *at); ) {

        (void) snprintf(name, sizeof(name), "%.*s", (int) strcspn(at, " "),
                        at);
        fcc_offer(word, "", name);

        at += strcspn(at, "|");
        at += strspn(at, "| ");
    }
}


/* the verb, and how many arguments stand behind it; -1: the word is an
 * option's value, or no argument of any kind */
static int
fcc_complete_place(fcc_complete_t *c, const fcc_verb_t **verb, int n,
    char **words)
{
    int  i, nargs;

    *verb = NULL;
    nargs = 0;

    for (i = 0; i <= n; i++) {

        c->before = i > 0 ? words[i - 1] : "";
        c->value = 0;
        fcc_options_each(*verb, fcc_complete_look, c);

        if (i == n) {
            break;
        }

        if (words[i][0] == '-' || c->value) {
            continue;
        }

        if (*verb != NULL) {
            nargs++;

        } else if (strcmp(words[i], "help") != 0
                   && (*verb = fcc_verb(words[i])) == NULL)
        {
            return -1;
        }
    }

    return c->value ? -1 : nargs;
}


/* at which of a verb's arguments such a name stands ("NAME": a function's);
 * -1: at none */
static int
fcc_complete_name(const fcc_verb_t *verb, const char *name)
{
    int          n;
    const char  *at;

    for (n = 0, at = verb->args; *at != '\0'; n++) {

        if (strncmp(at, name, strlen(name)) == 0) {
            return n;
        }

        at += strcspn(at, " |[");
        at += *at == ' ' && at[1] != '|' && at[1] != '[' ? 1 : strlen(at);
    }

    return -1;
}


/* Prints what the word could become, a line each; nothing where a file is
 * meant, or where nothing can be known. */
static int
fcc_complete(fcc_t *fcc, fcf_err_t *err)
{
    int                n, nargs;
    char             **words;
    fcc_complete_t     c;
    const fcc_verb_t  *verb;

    n = fcc->nargs > 0 && isdigit((unsigned char) fcc->args[0][0])
        ? atoi(fcc->args[0]) : -1;

    if (n < 0 || n >= fcc->nargs) {
        return fcf_err_set(err, FCF_E_INVALID, "usage: fcfaas complete N "
                           "WORD...: N (0: the first) is the one to complete");
    }

    words = fcc->args + 1;
    c.word = n < fcc->nargs - 1 ? words[n] : "";

    nargs = fcc_complete_place(&c, &verb, n, words);

    if (nargs < 0) {
        return FCC_DONE;
    }

    if (c.word[0] == '-') {
        fcc_options_each(verb, fcc_complete_option, &c);

    } else if (verb == NULL) {
        fcc_complete_verbs(c.word);

    } else if (nargs == fcc_complete_name(verb, "NAME")) {
        fcc_complete_keys(fcc, c.word, fcf_key_specs, FCF_KEY_SPEC);

    } else if (nargs == fcc_complete_name(verb, "RUNTIME")) {
        fcc_complete_keys(fcc, c.word, fcf_key_runtimes, FCF_KEY_RUNTIME);

    } else if (nargs == 0) {
        fcc_complete_words(verb, c.word);
    }

    return FCC_DONE;
}


const fcc_verb_t  fcc_verb_complete = {
    .name = "complete", .run = fcc_complete
};
