#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "cli/fcc.h"
#include "cli/nearest.h"

#define FCC_LONG_MAX     64
/* what an option is to getopt_long(): these, and where a setting or a verb's
 * own option stands in its list */
enum {
    FCC_OPT_ALL = 1000,
    FCC_OPT_JSON = FCC_OPT_ALL,
    FCC_OPT_HELP,
    FCC_OPT_VERSION,
    FCC_OPT_CONF,
    FCC_OPT_SETTING = 2000,
    FCC_OPT_VERB = 3000
};

const fcc_option_t  fcc_options_all[] = {
    { "json", 'j', NULL, "for programs" },
    { "help", 'h', NULL, "what a command does, or which there are" },
    { "version", 0, NULL, "of fcfaas, before any command" },
    { "conf", 0, "FILE", "the file of settings" },
    { NULL, 0, NULL, NULL }
};

/* what getopt_long() is told: names, and for the letters of a verb's own
 * options the same numbers */
typedef struct {
    struct option        list[FCC_LONG_MAX];
    char                 names[FCC_LONG_MAX][40];
    char                 letters[64];
    int                  n;
    const fcc_option_t  *own;
} fcc_longs_t;


static void
fcc_longs_add(fcc_longs_t *longs, const char *name, int arg, int number)
{
    char  *c;

    if (longs->n == FCC_LONG_MAX - 1) {
        abort();                        /* the tables have outgrown it */
    }

    (void) snprintf(longs->names[longs->n], sizeof(longs->names[0]), "%s",
                    name);

    for (c = longs->names[longs->n]; *c != '\0'; c++) {
        *c = *c == '_' ? '-' : *c;
    }

    longs->list[longs->n] = (struct option) {
        .name = longs->names[longs->n],
        .has_arg = arg ? required_argument : no_argument,
        .val = number,
    };

    longs->n++;
}


static void
fcc_longs_list(fcc_longs_t *longs, const fcc_option_t *list, int number)
{
    size_t               len;
    const fcc_option_t  *o;

    for (o = list; o->name != NULL; o++, number++) {

        if (number == FCC_OPT_VERSION && longs->own != NULL) {
            continue;                   /* behind a verb it is the verb's */
        }

        fcc_longs_add(longs, o->name, o->arg != NULL, number);

        if (o->letter != 0) {
            len = strlen(longs->letters);
            (void) snprintf(longs->letters + len,
                            sizeof(longs->letters) - len, "%c%s", o->letter,
                            o->arg != NULL ? ":" : "");
        }
    }
}


static void
fcc_longs_make(fcc_longs_t *longs, const fcc_option_t *own)
{
    size_t  k;

    memset(longs, 0, sizeof(fcc_longs_t));
    longs->own = own;

    /* ":": a missing argument is told apart; "+": up to the verb */

    (void) strcpy(longs->letters, own == NULL ? "+:" : ":");
    fcc_longs_list(longs, fcc_options_all, FCC_OPT_ALL);

    for (k = 0; k < fcc_nsettings; k++) {
        fcc_longs_add(longs, fcc_settings[k].name, 1,
                      FCC_OPT_SETTING + (int) k);
    }

    if (own != NULL) {
        fcc_longs_list(longs, own, FCC_OPT_VERB);
    }
}


/* of a verb that may have none; NULL: before any */
static const fcc_option_t *
fcc_own_options(const fcc_verb_t *verb)
{
    static const fcc_option_t  none[] = { { NULL, 0, NULL, NULL } };

    return verb == NULL ? NULL : verb->options != NULL ? verb->options : none;
}


void
fcc_options_each(const fcc_verb_t *verb,
    void (*each)(void *arg, const char *name, char letter, int has_arg),
    void *arg)
{
    int                  i, number;
    fcc_longs_t          longs;
    const fcc_option_t  *o;

    fcc_longs_make(&longs, fcc_own_options(verb));

    for (i = 0; i < longs.n; i++) {

        number = longs.list[i].val;
        o = number >= FCC_OPT_VERB ? &verb->options[number - FCC_OPT_VERB]
            : number < FCC_OPT_SETTING
              ? &fcc_options_all[number - FCC_OPT_ALL] : NULL;

        each(arg, longs.names[i], o != NULL ? o->letter : 0,
             longs.list[i].has_arg == required_argument);
    }
}


static const char *
fcc_long_name(void *arg, size_t i)
{
    const fcc_longs_t  *longs = arg;

    return i < (size_t) longs->n ? longs->names[i] : NULL;
}


static int
fcc_unknown_option(fcc_longs_t *longs, const char *word, int letter,
    fcf_err_t *err)
{
    char  name[64], meant[FCC_MEANT_MAX];

    if (letter != 0 && letter < 256 && strncmp(word, "--", 2) != 0) {
        return fcf_err_set(err, FCF_E_INVALID, "-%c: there is no such option",
                           letter);
    }

    (void) snprintf(name, sizeof(name), "%.*s",
                    (int) strcspn(word + 2, "="), word + 2);

    return fcf_err_set(err, FCF_E_INVALID, "--%s: there is no such option%s",
                       name, fcc_meant(meant, name, "--", fcc_long_name,
                                       longs));
}


static int
fcc_own_option(fcc_t *fcc, const fcc_longs_t *longs, int c, fcf_err_t *err)
{
    int  i;

    i = c - FCC_OPT_VERB;

    if (c < 256) {
        for (i = 0; longs->own[i].letter != c; i++) { /* void */ }
    }

    if (fcc->nopts == FCC_OPTS_MAX) {
        return fcf_err_set(err, FCF_E_INVALID, "more than %d options",
                           FCC_OPTS_MAX);
    }

    fcc->opts[fcc->nopts].option = &longs->own[i];
    fcc->opts[fcc->nopts++].value = optarg != NULL ? optarg : "";

    return 0;
}


/* FCC_GO_ON, FCC_DONE: help, or the version, was shown, -1 */
static int
fcc_parse(fcc_t *fcc, int argc, char **argv, const fcc_option_t *own,
    const char **file, fcf_err_t *err)
{
    int          c;
    fcc_longs_t  longs;

    fcc_longs_make(&longs, own);
    optind = 0;
    opterr = 0;

    while ((c = getopt_long(argc, argv, longs.letters, longs.list, NULL))
           != -1)
    {
        if (c == FCC_OPT_HELP || c == 'h') {
            if (fcc->verb != NULL) {
                fcc_help_verb(stdout, fcc->verb);
            } else {
                fcc_help(stdout);
            }

            return FCC_DONE;
        }

        if (c == FCC_OPT_VERSION) {
            (void) printf("fcfaas %s\n", FCF_VERSION);
            return FCC_DONE;
        }

        if (c == FCC_OPT_JSON || c == 'j') {
            fcc->json = 1;

        } else if (c == FCC_OPT_CONF) {
            *file = optarg;

        } else if (c == '?') {
            return fcc_unknown_option(&longs, argv[optind - 1], optopt, err);

        } else if (c == ':') {
            return fcf_err_set(err, FCF_E_INVALID, "%s: an argument is "
                               "missing", argv[optind - 1]);

        } else if (c >= FCC_OPT_SETTING && c < FCC_OPT_VERB) {
            if (fcc_conf_flag(&fcc->conf, (size_t) (c - FCC_OPT_SETTING),
                              optarg, err) != 0)
            {
                return -1;
            }

        } else if (fcc_own_option(fcc, &longs, c, err) != 0) {
            return -1;
        }
    }

    return FCC_GO_ON;
}


static const char *
fcc_verb_name(void *arg, size_t i)
{
    (void) arg;
    return fcc_verbs[i] != NULL ? fcc_verbs[i]->name : NULL;
}


const fcc_verb_t *
fcc_verb(const char *name)
{
    size_t  i;

    for (i = 0; fcc_verbs[i] != NULL; i++) {
        if (strcmp(fcc_verbs[i]->name, name) == 0) {
            return fcc_verbs[i];
        }
    }

    return NULL;
}


static int
fcc_verb_find(fcc_t *fcc, const char *name, fcf_err_t *err)
{
    char  meant[FCC_MEANT_MAX];

    fcc->verb = fcc_verb(name);

    if (fcc->verb != NULL) {
        return 0;
    }

    (void) fcc_meant(meant, name, "\"", fcc_verb_name, NULL);

    return fcf_err_set(err, FCF_E_INVALID, "\"%s\": there is no such "
                       "command%s", name, *meant != '\0' ? meant
                       : "; fcfaas help shows them all");
}


/* "help", "help VERB" */
static int
fcc_help_command(fcc_t *fcc, int argc, char **argv, fcf_err_t *err)
{
    if (argc < 2) {
        fcc_help(stdout);
        return FCC_DONE;
    }

    if (fcc_verb_find(fcc, argv[1], err) != 0) {
        return -1;
    }

    fcc_help_verb(stdout, fcc->verb);

    return FCC_DONE;
}


static int
fcc_count(const fcc_t *fcc, fcf_err_t *err)
{
    const fcc_verb_t  *verb;

    verb = fcc->verb;

    if (fcc->nargs < verb->min) {
        return fcf_err_set(err, FCF_E_INVALID, "usage: fcfaas %s %s",
                           verb->name, verb->args);
    }

    if (fcc->nargs > verb->max) {
        return fcf_err_set(err, FCF_E_INVALID, "\"%s\": one argument too "
                           "many; usage: fcfaas %s %s",
                           fcc->args[verb->max], verb->name, verb->args);
    }

    return 0;
}


static const fcc_verb_t *
fcc_hidden(const char *name)
{
    size_t  i;

    static const fcc_verb_t *const  hidden[] = {
        &fcc_verb_complete, &fcc_verb_mdoc
    };

    for (i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++) {
        if (strcmp(hidden[i]->name, name) == 0) {
            return hidden[i];
        }
    }

    return NULL;
}


int
fcc_options(fcc_t *fcc, int argc, char **argv, fcf_err_t *err)
{
    int          rc;
    const char  *file;

    file = NULL;
    rc = fcc_parse(fcc, argc, argv, NULL, &file, err);

    if (rc != FCC_GO_ON) {
        return rc;
    }

    if (optind == argc) {
        fcc_help(stderr);
        return FCC_USAGE;
    }

    argc -= optind;
    argv += optind;

    if (strcmp(argv[0], "help") == 0) {
        return fcc_help_command(fcc, argc, argv, err);
    }

    fcc->verb = fcc_hidden(argv[0]);

    if (fcc->verb != NULL) {
        fcc->args = argv + 1;
        fcc->nargs = argc - 1;

        return FCC_GO_ON;
    }

    if (fcc_verb_find(fcc, argv[0], err) != 0) {
        return -1;
    }

    rc = fcc_parse(fcc, argc, argv, fcc_own_options(fcc->verb), &file, err);

    if (rc != FCC_GO_ON) {
        return rc;
    }

    fcc->args = argv + optind;
    fcc->nargs = argc - optind;

    if (fcc_count(fcc, err) != 0 || fcc_conf_load(&fcc->conf, file, err) != 0
        || fcc_conf_check(&fcc->conf, err) != 0)
    {
        return -1;
    }

    return FCC_GO_ON;
}


const char *
fcc_opt(const fcc_t *fcc, const char *name)
{
    size_t       i;
    const char  *value;

    value = NULL;

    for (i = 0; i < fcc->nopts; i++) {
        if (strcmp(fcc->opts[i].option->name, name) == 0) {
            value = fcc->opts[i].value;
        }
    }

    return value;
}


int
fcc_opt_int(const fcc_t *fcc, const char *name, int min, int max, int *out,
    fcf_err_t *err)
{
    long         n;
    char        *end;
    const char  *value;

    value = fcc_opt(fcc, name);

    if (value == NULL) {
        return 0;
    }

    errno = 0;
    n = strtol(value, &end, 10);

    if (!isdigit((unsigned char) *value) || *end != '\0' || errno != 0
        || n < min || n > max)
    {
        return fcf_err_set(err, FCF_E_INVALID, "--%s %s: must be a whole "
                           "number from %d to %d", name, value, min, max);
    }

    *out = (int) n;

    return 0;
}


int
fcc_name_check(const char *name, fcf_err_t *err)
{
    return fcf_id_valid(name, strlen(name)) ? 0
           : fcf_err_set(err, FCF_E_INVALID, "\"%s\" cannot be a function's "
                         "name: a-z, 0-9, \".\", \"_\" and \"-\" inside, 64 "
                         "at most", name);
}
