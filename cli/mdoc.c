/*
 * "fcfaas mdoc WHAT", which nobody types: what the tables of verbs, options
 * and settings say, as a part of a manual page in mdoc(7).  The pages of
 * cli/man are made with it.  WHAT: "commands", "options", or a verb.
 */

#include <string.h>

#include "cli/fcc.h"


/* a line of text: what mdoc would take for its own is escaped */
static void
fcc_mdoc_text(const char *text, size_t len)
{
    size_t  i;

    if (len != 0 && (text[0] == '.' || text[0] == '\'')) {
        (void) fputs("\\&", stdout);
    }

    for (i = 0; i < len; i++) {
        if (text[i] == '\\') {
            (void) fputs("\\e", stdout);
        } else {
            (void) putchar(text[i]);
        }
    }

    (void) putchar('\n');
}


/* a sentence begins a line, or it could not be told from an abbreviation */
static void
fcc_mdoc_lines(const char *text)
{
    size_t       n;
    const char  *end;

    while (*text != '\0') {

        n = strcspn(text, "\n");
        end = strstr(text, ".  ");

        if (end != NULL && end < text + n) {
            n = (size_t) (end - text) + 1;
        }

        fcc_mdoc_text(text, n);

        text += n;
        text += strspn(text, " \n");
    }
}


static void
fcc_mdoc_option(char letter, const char *name, const char *arg,
    const char *help)
{
    const char  *c;

    (void) fputs(".It ", stdout);

    if (letter != 0) {
        (void) printf("Fl %c , ", letter);
    }

    (void) fputs("Fl Fl ", stdout);

    for (c = name; *c != '\0'; c++) {
        (void) putchar(*c == '_' ? '-' : *c);
    }

    (void) printf("%s%s\n", arg != NULL ? " Ar " : "", arg != NULL ? arg : "");
    fcc_mdoc_lines(help);
}


static void
fcc_mdoc_list(const fcc_option_t *list)
{
    const fcc_option_t  *o;

    for (o = list; o->name != NULL; o++) {
        fcc_mdoc_option(o->letter, o->name, o->arg, o->help);
    }
}


static void
fcc_mdoc_commands(void)
{
    size_t             i;
    const fcc_verb_t  *verb;

    (void) puts(".Bl -tag -width rollback");

    for (i = 0; fcc_verbs[i] != NULL; i++) {
        verb = fcc_verbs[i];

        (void) printf(".It Cm %s%s%s\n", verb->name,
                      verb->args[0] != '\0' ? " Ar " : "", verb->args);
        fcc_mdoc_lines(verb->help);
    }

    (void) puts(".El");
}


static void
fcc_mdoc_options(void)
{
    size_t                i;
    const fcc_setting_t  *s;

    (void) puts(".Bl -tag -width Ds");
    fcc_mdoc_list(fcc_options_all);

    for (i = 0; i < fcc_nsettings; i++) {
        s = &fcc_settings[i];
        fcc_mdoc_option(0, s->name, s->arg, s->help);

        if (s->value != NULL && *s->value != '\0') {
            (void) printf("(default:\n.Ql %s ) .\n", s->value);
        }
    }

    (void) puts(".El");
}


static int
fcc_mdoc_verb(const char *name, fcf_err_t *err)
{
    const fcc_verb_t  *verb;

    verb = fcc_verb(name);

    if (verb == NULL) {
        return fcf_err_set(err, FCF_E_INVALID, "\"%s\": is no command", name);
    }

    (void) printf(".Ss fcfaas %s\n.Nm fcfaas\n.Cm %s\n", name, name);

    if (verb->args[0] != '\0') {
        (void) printf(".Ar %s\n", verb->args);
    }

    if (verb->options != NULL) {
        (void) puts(".Op Ar OPTION ...");
    }

    (void) printf(".Pp\n%c%s.\n", verb->help[0] - 'a' + 'A', verb->help + 1);

    if (verb->more != NULL) {
        fcc_mdoc_lines(verb->more);
    }

    if (verb->options != NULL) {
        (void) puts(".Bl -tag -width Ds");

        fcc_mdoc_list(verb->options);

        (void) puts(".El");
    }

    return FCC_DONE;
}


static int
fcc_mdoc(fcc_t *fcc, fcf_err_t *err)
{
    const char  *what;

    what = fcc->nargs == 1 ? fcc->args[0] : "";

    if (strcmp(what, "commands") == 0) {
        fcc_mdoc_commands();

    } else if (strcmp(what, "options") == 0) {
        fcc_mdoc_options();

    } else {
        return fcc_mdoc_verb(what, err);
    }

    return FCC_DONE;
}


const fcc_verb_t  fcc_verb_mdoc = {
    .name = "mdoc", .run = fcc_mdoc
};
