/* Removing a directory with all that is in it, whoever made it. */

#ifndef _FCA_TREE_H_INCLUDED_
#define _FCA_TREE_H_INCLUDED_

#include "contract/fcf_err.h"

/* No link is followed, no mount is entered, and depth costs nothing (neither
 * descriptors nor stack).  0 also if there is nothing; -1: something is left.
 * It waits for the disk: not for a loop's thread. */
int fca_tree_remove(const char *path, fcf_err_t *err);

#endif /* _FCA_TREE_H_INCLUDED_ */
