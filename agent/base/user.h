#ifndef _FCA_USER_H_INCLUDED_
#define _FCA_USER_H_INCLUDED_

#include <sys/types.h>
#include "contract/fcf_err.h"

/* "name", "uid" or "uid:gid"; root is refused.  Reads the host's data base of
 * users: not for a loop. */
int fca_user_find(const char *user, uid_t *uid, gid_t *gid, fcf_err_t *err)
    fcf_must_check;

#endif /* _FCA_USER_H_INCLUDED_ */
