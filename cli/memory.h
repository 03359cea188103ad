/* What a guest needs of memory before its function has any. */

#ifndef _FCC_MEMORY_H_INCLUDED_
#define _FCC_MEMORY_H_INCLUDED_

#include "contract/fcf_codec.h"

/* Less than any of our kernels boots this runtime with is refused; less than
 * Debian's does is said on standard error, since the CLI does not know which
 * kernel nodes have.  name: the function's. */
int fcc_memory_check(const char *name, const fcf_spec_t *spec, fcf_err_t *err)
    fcf_must_check;

#endif /* _FCC_MEMORY_H_INCLUDED_ */
