#include <stdlib.h>

#include "cli/member.h"


fcc_inode_t *
fcc_inode_new(mode_t mode)
{
    fcc_inode_t  *inode;

    inode = calloc(1, sizeof(fcc_inode_t));

    if (inode != NULL) {
        inode->refs = 1;
        inode->mode = mode;
    }

    return inode;
}


void
fcc_inode_free(fcc_inode_t *inode)
{
    fcc_xattr_t  *xattr;

    if (inode == NULL || --inode->refs != 0) {
        return;
    }

    while ((xattr = inode->xattrs) != NULL) {
        inode->xattrs = xattr->next;
        free(xattr->value);
        free(xattr);
    }

    free(inode->target);
    free(inode);
}
