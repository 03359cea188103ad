/*
 * fcfaas, the command people type: settings, connections, and a table of
 * verbs.  It speaks to etcd, Redis and gateways as their clients do, waits for
 * each answer, and ends.  Results go to standard output, everything else to
 * standard error.
 */

#ifndef _FCC_H_INCLUDED_
#define _FCC_H_INCLUDED_

#include <stdio.h>
#include <jansson.h>

#include "cli/conf.h"
#include "cli/poll_loop.h"
#include "client/fcf_http.h"
#include "contract/fcf_codec.h"

/* what the command ends with */
typedef enum {
    FCC_DONE = 0,
    FCC_NO,                 /* not there, refused, failed */
    FCC_USAGE,              /* the command line or a setting is wrong */
    FCC_AWAY,               /* etcd, Redis or the gateway does not
                               answer */
    FCC_AUTH                /* credentials refused */
} fcc_exit_e;

#define FCC_OPTS_MAX  64

typedef struct fcc_s  fcc_t;

typedef struct {
    const char   *name;     /* NULL ends a list */
    char          letter;   /* or 0 */
    const char   *arg;      /* NULL: takes none */
    const char   *help;
} fcc_option_t;

typedef struct {
    const char           *name, *args, *help;
    int                   min, max;     /* how many arguments */
    const fcc_option_t   *options;      /* NULL: none */
    const char           *more;         /* of its help; may be NULL */
    /* what the command ends with, or -1: *err says why not */
    int                 (*run)(fcc_t *fcc, fcf_err_t *err);
} fcc_verb_t;

struct fcc_s {
    fcc_conf_t            conf;
    const fcc_verb_t     *verb;
    int                   json;
    char                **args;
    int                   nargs;
    struct {
        const fcc_option_t  *option;
        const char          *value;
    }                     opts[FCC_OPTS_MAX];
    size_t                nopts;

    fcf_loop_t            loop;
    fcc_poll_t           *poll;
    fcf_etcd_t           *etcd;         /* by fcc_etcd() */
    fcf_http_t           *http;         /* by fcc_http() */
    int                   call_ms;      /* for its answers; 0: the usual */
};

/* ends with NULL; main.c */
extern const fcc_verb_t *const  fcc_verbs[];

extern const fcc_verb_t  fcc_verb_ls, fcc_verb_describe, fcc_verb_ps,
                         fcc_verb_nodes, fcc_verb_invoke, fcc_verb_rm,
                         fcc_verb_scale, fcc_verb_deploy, fcc_verb_rollback,
                         fcc_verb_logs, fcc_verb_init, fcc_verb_doctor,
                         fcc_verb_env, fcc_verb_secret, fcc_verb_top,
                         fcc_verb_runtime;

/* of no list: what a shell asks when a command line is typed (complete.c), and
 * what manual pages are made with (mdoc.c).  They get their arguments as they
 * are, and no settings. */
extern const fcc_verb_t  fcc_verb_complete, fcc_verb_mdoc;

/* options.c: the whole command line; -1, or FCC_DONE, or what to end with
 * without running a verb */
#define FCC_GO_ON  100
int fcc_options(fcc_t *fcc, int argc, char **argv, fcf_err_t *err);
/* an option's last value ("" if it takes none), NULL: was not given */
const char *fcc_opt(const fcc_t *fcc, const char *name);
/* those of all verbs, but for the settings; ends with a name of NULL */
extern const fcc_option_t  fcc_options_all[];
/* each option that a verb has (NULL: those of all), without its dashes */
void fcc_options_each(const fcc_verb_t *verb,
    void (*each)(void *arg, const char *name, char letter, int has_arg),
    void *arg);
/* by its name; NULL: there is none */
const fcc_verb_t *fcc_verb(const char *name);
/* a whole number; *out stays if it was not given */
int fcc_opt_int(const fcc_t *fcc, const char *name, int min, int max,
    int *out, fcf_err_t *err) fcf_must_check;
/* FCF_E_INVALID, and what a name may be */
int fcc_name_check(const char *name, fcf_err_t *err) fcf_must_check;

/* say.c: a line of its own each, of which nothing but text reaches a terminal */
/* on standard error, "fcfaas: " before it */
void fcc_say(const char *fmt, ...) fcf_printf_like(1, 2);
/* on standard error; what fcf_text_clean() made one line of is lines again */
void fcc_say_lines(const char *text);
/* on standard output */
void fcc_print(const char *fmt, ...) fcf_printf_like(1, 2);

/* help.c */
void fcc_help(FILE *out);
void fcc_help_verb(FILE *out, const fcc_verb_t *verb);

#endif /* _FCC_H_INCLUDED_ */
