/*
 * The root file system that an image's layers make, without the contents of
 * its files: each layer over those before it, with what it hides of them.
 * Names and links are only ever looked up in here, never on this machine.
 */

#ifndef _FCC_MEMBER_H_INCLUDED_
#define _FCC_MEMBER_H_INCLUDED_

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "contract/fcf_err.h"

typedef struct fcc_xattr_s   fcc_xattr_t;
typedef struct fcc_inode_s   fcc_inode_t;
typedef struct fcc_member_s  fcc_member_t;

struct fcc_xattr_s {
    fcc_xattr_t  *next;
    size_t        len;
    void         *value;
    char          name[];
};

/* what hard links share */
struct fcc_inode_s {
    unsigned       refs;
    mode_t         mode;
    int64_t        uid, gid, mtime, size;
    char          *target;              /* of a symbolic link */
    fcc_xattr_t   *xattrs;
    size_t         layer;               /* which has its contents, */
    unsigned       number;              /* as its so manieth entry */
    fcc_member_t  *first;               /* by which it was written */
};

struct fcc_member_s {
    fcc_member_t  *parent, *child, *next, **back;   /* children: a list */
    fcc_member_t  *hash;
    fcc_inode_t   *inode;
    size_t         layer;               /* that put it here last */
    size_t         len;
    char           name[];
};

typedef struct {
    fcc_member_t  *root;
    fcc_member_t **table;
    size_t         n;                   /* members, the root too */
} fcc_members_t;

int fcc_members_init(fcc_members_t *members, fcf_err_t *err) fcf_must_check;
void fcc_members_free(fcc_members_t *members);

fcc_inode_t *fcc_inode_new(mode_t mode);
void fcc_inode_free(fcc_inode_t *inode);        /* one reference less */

/* Puts an entry of a layer at a path; the inode is the members' from then on,
 * also of failure.  A directory where one is gets its attributes; anything else
 * replaces what is there. */
int fcc_members_put(fcc_members_t *members, size_t layer, const char *path,
    fcc_inode_t *inode, fcf_err_t *err) fcf_must_check;
/* a hard link to what is there */
int fcc_members_link(fcc_members_t *members, size_t layer, const char *path,
    const char *target, fcf_err_t *err) fcf_must_check;
/* what lower layers have there goes; opaque: only what is below it */
int fcc_members_hide(fcc_members_t *members, size_t layer, const char *path,
    int opaque, fcf_err_t *err) fcf_must_check;

/* What a path leads to, links followed; NULL: nothing. */
fcc_member_t *fcc_members_find(const fcc_members_t *members, const char *path);
/* is there anything of that name in the root itself, a link that leads nowhere
 * too? */
int fcc_members_named(const fcc_members_t *members, const char *name);
/* its path without a "/" before it; "" is the root.  0: it fits */
int fcc_member_path(const fcc_member_t *member, char *buf, size_t size);
/* all, the root too, each directory before what is in it; malloc'd, as many as
 * members->n */
fcc_member_t **fcc_members_sorted(const fcc_members_t *members);

#endif /* _FCC_MEMBER_H_INCLUDED_ */
