/*
 * The environment of a function: generations below /secrets/, which its
 * versions name.  Another one is another version of the same code.
 */

#ifndef _FCC_ENV_H_INCLUDED_
#define _FCC_ENV_H_INCLUDED_

#include "cli/rollout.h"

typedef struct {
    fcc_rollout_t  rollout;
    fcc_reply_t    stored;              /* all generations */
    int64_t        newest;              /* 0: there is none */
    fcf_env_t      env;                 /* that of the current version, or what
                                           the first one is to have */
    char          *was;                 /* the same as text */
} fcc_env_t;

/* what there is; to be closed, also of failure */
int fcc_env_open(fcc_env_t *env, fcc_t *fcc, const char *name, fcf_err_t *err)
    fcf_must_check;
void fcc_env_close(fcc_env_t *env);
/* env->env as it is now becomes that of the next version, which is current
 * once it is ready, as after a deploy; what the command ends with, or -1 */
int fcc_env_roll(fcc_env_t *env, fcf_err_t *err);

/* "NAME=VALUE", of a command line or a file's; of secrets no value is ever
 * quoted */
int fcc_env_assign(fcf_env_t *env, const char *text, int secret,
    fcf_err_t *err) fcf_must_check;
/* such lines; "#" begins a comment, "export" may stand before; nothing of them
 * stays in the text */
int fcc_env_lines(fcf_env_t *env, char *text, int secret, fcf_err_t *err)
    fcf_must_check;
/* an "env" does not become a secret by itself, nor the other way round */
int fcc_env_put(fcf_env_t *env, const char *name, const char *value,
    int secret, fcf_err_t *err) fcf_must_check;

/* env_read.c: All of a file, or of standard input (NULL), without its last
 * newline; typed at a terminal one line is read, unseen.  To be freed by
 * fcf_env_wipe(). */
char *fcc_env_read(const char *path, const char *what, fcf_err_t *err);

/* What the first version of a function is to have; 0: nothing. */
int fcc_env_first(fcc_rollout_t *rollout, int64_t *generation, fcf_err_t *err)
    fcf_must_check;

#endif /* _FCC_ENV_H_INCLUDED_ */
