/* Shared by vmm_jail.c and vmm_jail_copy.c. */

#ifndef _FCA_VMM_JAIL_INT_H_INCLUDED_
#define _FCA_VMM_JAIL_INT_H_INCLUDED_

#include <limits.h>
#include <sys/stat.h>

#include "contract/fcf_err.h"

#define FCA_JAIL_COPIES  ".copies"

/* a copy of the file, whose stat this is, under that name in a jail's root */
int fca_jail_copy(const char *base, const char *file, const struct stat *st,
    int rootfd, const char *name, fcf_err_t *err) fcf_must_check;
/* those that no jail uses, and what was not finished */
void fca_jail_copies_clean(const char *base);

#endif /* _FCA_VMM_JAIL_INT_H_INCLUDED_ */
