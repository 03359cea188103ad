/* fcfaas runtime's parts. */

#ifndef _FCC_RUNTIME_VERB_H_INCLUDED_
#define _FCC_RUNTIME_VERB_H_INCLUDED_

#include "cli/fcc.h"

/* runtime_ls.c */
int fcc_runtime_ls(fcc_t *fcc, fcf_err_t *err);

#endif /* _FCC_RUNTIME_VERB_H_INCLUDED_ */
