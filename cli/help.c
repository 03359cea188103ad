#include <string.h>

#include "cli/fcc.h"

#define FCC_HELP_WIDTH  26


static void
fcc_help_option(FILE *out, char letter, const char *name, const char *arg,
    const char *help)
{
    int          n;
    const char  *c;

    n = letter != 0 ? fprintf(out, "  -%c, --", letter)
                    : fprintf(out, "      --");

    for (c = name; *c != '\0'; c++) {
        (void) putc(*c == '_' ? '-' : *c, out);
        n++;
    }

    n += fprintf(out, "%s%s", arg != NULL ? " " : "", arg != NULL ? arg : "");

    (void) fprintf(out, "%*s  %s\n",
                   n < FCC_HELP_WIDTH ? FCC_HELP_WIDTH - n : 0, "", help);
}


static void
fcc_help_list(FILE *out, const fcc_option_t *list)
{
    const fcc_option_t  *o;

    for (o = list; o->name != NULL; o++) {
        fcc_help_option(out, o->letter, o->name, o->arg, o->help);
    }
}


static void
fcc_help_all(FILE *out)
{
    size_t  i;

    fcc_help_list(out, fcc_options_all);

    for (i = 0; i < fcc_nsettings; i++) {
        fcc_help_option(out, 0, fcc_settings[i].name, fcc_settings[i].arg,
                        fcc_settings[i].help);
    }
}


void
fcc_help(FILE *out)
{
    size_t  i;

    (void) fprintf(out, "usage: fcfaas COMMAND [ARGUMENT...] [OPTION...]\n\n"
                   "Commands (\"fcfaas help COMMAND\" says more):\n");

    for (i = 0; fcc_verbs[i] != NULL; i++) {
        (void) fprintf(out, "  %-11s%s\n", fcc_verbs[i]->name,
                       fcc_verbs[i]->help);
    }

    (void) fprintf(out, "\nOptions of all commands:\n");
    fcc_help_all(out);

    (void) fprintf(out, "\nFrom --etcd on each is also a line \"name = value\" "
                   "of the settings file, with \"_\"\nfor \"-\" "
                   "(~/.config/fcfaas/fcfaas.conf, else "
                   "/etc/fcfaas/fcfaas.conf), and a\nvariable of the "
                   "environment, as FCFAAS_ETCD_USER.\n\n"
                   "It ends with 0 when all is done; 1: not there, refused or "
                   "failed; 2: the\ncommand line or a setting is wrong; 3: "
                   "etcd, Redis or the gateway does not\nanswer; 4: "
                   "credentials refused.\n");
}


void
fcc_help_verb(FILE *out, const fcc_verb_t *verb)
{
    (void) fprintf(out, "usage: fcfaas %s%s%s\n\n%c%s.\n", verb->name,
                   *verb->args != '\0' ? " " : "", verb->args,
                   verb->help[0] - 'a' + 'A', verb->help + 1);

    if (verb->more != NULL) {
        (void) fprintf(out, "\n%s", verb->more);
    }

    if (verb->options != NULL) {
        (void) fprintf(out, "\nOptions:\n");

        fcc_help_list(out, verb->options);
    }

    (void) fprintf(out, "\nOptions of all commands: fcfaas help\n");
}
