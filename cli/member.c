#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/archive.h"
#include "cli/member.h"

#define FCC_MEMBER_BUCKETS  (1 << 16)
#define FCC_MEMBER_LINKS    40          /* that a path may lead through */


static fcc_member_t **
fcc_member_slot(const fcc_members_t *members, const fcc_member_t *parent,
    const char *name, size_t len)
{
    size_t          i;
    uint64_t        hash;
    fcc_member_t  **p;

    hash = 1469598103934665603u ^ (uintptr_t) parent;

    for (i = 0; i < len; i++) {
        hash = (hash ^ (unsigned char) name[i]) * 1099511628211u;
    }

    p = &members->table[(hash ^ hash >> 32) % FCC_MEMBER_BUCKETS];

    while (*p != NULL && ((*p)->parent != parent || (*p)->len != len
                          || memcmp((*p)->name, name, len) != 0))
    {
        p = &(*p)->hash;
    }

    return p;
}


/* takes the inode, also of failure */
static fcc_member_t *
fcc_member_new(fcc_members_t *members, fcc_member_t *parent, const char *name,
    size_t len, size_t layer, fcc_inode_t *inode, fcf_err_t *err)
{
    fcc_member_t  *member;

    member = members->n <= FCC_TREE_FILES_MAX && inode != NULL
             ? calloc(1, sizeof(fcc_member_t) + len + 1) : NULL;

    if (member == NULL) {
        fcc_inode_free(inode);
        fcf_err_set(err, FCF_E_REFUSED, "holds more than %d files, or more "
                    "than there is memory for", FCC_TREE_FILES_MAX);
        return NULL;
    }

    member->parent = parent;
    member->inode = inode;
    member->layer = layer;
    member->len = len;
    memcpy(member->name, name, len);
    members->n++;

    if (parent != NULL) {
        *fcc_member_slot(members, parent, name, len) = member;
        member->next = parent->child;
        member->back = &parent->child;
        parent->child = member;

        if (member->next != NULL) {
            member->next->back = &member->next;
        }
    }

    return member;
}


/* it has no children any more */
static void
fcc_member_free(fcc_members_t *members, fcc_member_t *member)
{
    fcc_member_t  **slot;

    if (member->parent != NULL) {
        slot = fcc_member_slot(members, member->parent, member->name,
                               member->len);
        *slot = member->hash;
        *member->back = member->next;

        if (member->next != NULL) {
            member->next->back = member->back;
        }
    }

    members->n--;
    fcc_inode_free(member->inode);
    free(member);
}


/* all of it, or what layers below "layer" have; no recursion, since depth is
 * theirs to choose.  The member itself stays if something below it does. */
static void
fcc_member_remove(fcc_members_t *members, fcc_member_t *top, size_t layer,
    int self)
{
    fcc_member_t  *member, *next;

    member = top;

    for ( ;; ) {

        while (member->child != NULL) {
            member = member->child;     /* down to a leaf */
        }

        for ( ;; ) {

            if (member == top) {
                if (self && member->child == NULL && member->layer < layer) {
                    fcc_member_free(members, member);
                }

                return;
            }

            next = member->next != NULL ? member->next : member->parent;

            if (member->child == NULL && member->layer < layer) {

                if (member->next != NULL) {
                    fcc_member_free(members, member);
                    member = next;
                    break;              /* its neighbour, from its leaf on */
                }

                fcc_member_free(members, member);
                member = next;
                continue;
            }

            if (member->next != NULL) {
                member = next;
                break;
            }

            member = next;
        }
    }
}


int
fcc_members_init(fcc_members_t *members, fcf_err_t *err)
{
    memset(members, 0, sizeof(fcc_members_t));
    members->table = calloc(FCC_MEMBER_BUCKETS, sizeof(fcc_member_t *));

    if (members->table != NULL) {
        members->root = fcc_member_new(members, NULL, "", 0, 0,
                                       fcc_inode_new(S_IFDIR | 0755), err);
    }

    return members->root != NULL ? 0
           : fcf_err_set(err, FCF_E_NOMEM, "no memory");
}


void
fcc_members_free(fcc_members_t *members)
{
    if (members->root != NULL) {
        fcc_member_remove(members, members->root, SIZE_MAX, 1);
    }

    free(members->table);
    memset(members, 0, sizeof(fcc_members_t));
}


static int
fcc_member_is(const fcc_member_t *member, mode_t type)
{
    return (member->inode->mode & S_IFMT) == type;
}


/* What a path leads to.  make: directories that are missing are made, in that
 * layer; NULL and *err: it leads nowhere. */
static fcc_member_t *
fcc_member_walk(fcc_members_t *members, const char *path, int make,
    size_t layer, fcf_err_t *err)
{
    int            links;
    char           now[2 * PATH_MAX], rest[2 * PATH_MAX];
    size_t         n;
    const char    *p;
    fcc_member_t  *at, *child;

    at = members->root;
    links = 0;

    if ((size_t) snprintf(now, sizeof(now), "%s", path) >= sizeof(now)) {
        fcf_err_set(err, FCF_E_REFUSED, "\"%.60s...\": is too long", path);
        return NULL;
    }

    for (p = now; ; p += n) {

        p += strspn(p, "/");
        n = strcspn(p, "/");

        if (n == 0) {
            return at;
        }

        if (n == 1 && p[0] == '.') {
            continue;
        }

        if (n == 2 && p[0] == '.' && p[1] == '.') {
            at = at->parent != NULL ? at->parent : at;
            continue;
        }

        if (!fcc_member_is(at, S_IFDIR)) {
            fcf_err_set(err, FCF_E_REFUSED, "\"%.200s\": leads through what is "
                        "no directory", path);
            return NULL;
        }

        child = *fcc_member_slot(members, at, p, n);

        if (child == NULL && make) {
            child = fcc_member_new(members, at, p, n, layer,
                                   fcc_inode_new(S_IFDIR | 0755), err);
        } else if (child == NULL) {
            fcf_err_set(err, FCF_E_NOT_FOUND, "\"%.200s\": is not there", path);
        }

        if (child == NULL) {
            return NULL;
        }

        if (!fcc_member_is(child, S_IFLNK)) {
            at = child;
            continue;
        }

        if (++links > FCC_MEMBER_LINKS
            || (size_t) snprintf(rest, sizeof(rest), "%s/%s",
                                 child->inode->target, p + n)
               >= sizeof(rest))
        {
            fcf_err_set(err, FCF_E_REFUSED, "\"%.200s\": leads through too "
                        "many links", path);
            return NULL;
        }

        at = *rest == '/' ? members->root : at;
        memcpy(now, rest, strlen(rest) + 1);
        p = now;
        n = 0;
    }
}


/* the directory that a path's last name is in; that name */
static fcc_member_t *
fcc_member_place(fcc_members_t *members, const char *path, int make,
    size_t layer, const char **name, fcf_err_t *err)
{
    char         dir[PATH_MAX];
    size_t       len;
    const char  *slash;

    slash = strrchr(path, '/');
    len = slash != NULL ? (size_t) (slash - path) : 0;
    *name = slash != NULL ? slash + 1 : path;

    if (len >= sizeof(dir)) {
        fcf_err_set(err, FCF_E_REFUSED, "\"%.60s...\": is too long a name",
                    path);
        return NULL;
    }

    memcpy(dir, path, len);
    dir[len] = '\0';

    return fcc_member_walk(members, dir, make, layer, err);
}


int
fcc_members_put(fcc_members_t *members, size_t layer, const char *path,
    fcc_inode_t *inode, fcf_err_t *err)
{
    const char    *name;
    fcc_member_t  *parent, *there;

    if (*path == '\0') {
        parent = NULL;
        there = members->root;

    } else {
        parent = fcc_member_place(members, path, 1, layer, &name, err);

        if (parent == NULL || !fcc_member_is(parent, S_IFDIR)) {
            fcc_inode_free(inode);
            return parent == NULL ? -1
                   : fcf_err_set(err, FCF_E_REFUSED, "\"%.200s\": is below "
                                 "what is no directory", path);
        }

        there = *fcc_member_slot(members, parent, name, strlen(name));
    }

    if (there != NULL && S_ISDIR(inode->mode)
        && fcc_member_is(there, S_IFDIR))
    {
        fcc_inode_free(there->inode);
        there->inode = inode;
        there->layer = layer;
        return 0;
    }

    if (there == members->root) {
        fcc_inode_free(inode);
        return fcf_err_set(err, FCF_E_REFUSED, "its root is no directory");
    }

    if (there != NULL) {
        fcc_member_remove(members, there, SIZE_MAX, 1);
    }

    return fcc_member_new(members, parent, name, strlen(name), layer, inode,
                          err) != NULL ? 0 : -1;
}


int
fcc_members_link(fcc_members_t *members, size_t layer, const char *path,
    const char *target, fcf_err_t *err)
{
    const char    *name;
    fcc_inode_t   *inode;
    fcc_member_t  *parent, *to;

    parent = fcc_member_place(members, target, 0, layer, &name, err);
    to = parent != NULL
         ? *fcc_member_slot(members, parent, name, strlen(name)) : NULL;

    if (to == NULL || fcc_member_is(to, S_IFDIR)) {
        return fcf_err_set(err, FCF_E_REFUSED, "\"%.100s\": is a hard link to "
                           "no file of the image, \"%.100s\"", path, target);
    }

    inode = to->inode;
    inode->refs++;

    return fcc_members_put(members, layer, path, inode, err);
}


int
fcc_members_hide(fcc_members_t *members, size_t layer, const char *path,
    int opaque, fcf_err_t *err)
{
    fcf_err_t      none;
    const char    *name;
    fcc_member_t  *parent, *there;

    (void) err;

    if (*path == '\0') {
        there = members->root;

    } else {
        parent = fcc_member_place(members, path, 0, layer, &name, &none);
        there = parent != NULL
                ? *fcc_member_slot(members, parent, name, strlen(name)) : NULL;
    }

    /* nothing of that name is no error: engines write such */

    if (there != NULL) {
        fcc_member_remove(members, there, layer,
                          !opaque && there != members->root);
    }

    return 0;
}


fcc_member_t *
fcc_members_find(const fcc_members_t *members, const char *path)
{
    fcf_err_t  none;

    return fcc_member_walk((fcc_members_t *) members, path, 0, 0, &none);
}


int
fcc_members_named(const fcc_members_t *members, const char *name)
{
    return *fcc_member_slot((fcc_members_t *) members, members->root, name,
                            strlen(name)) != NULL;
}


int
fcc_member_path(const fcc_member_t *member, char *buf, size_t size)
{
    size_t               len;
    const fcc_member_t  *up;

    len = 0;

    for (up = member; up->parent != NULL; up = up->parent) {
        len += up->len + (up->parent->parent != NULL);
    }

    if (len >= size) {
        return -1;
    }

    buf[len] = '\0';

    for (up = member; up->parent != NULL; up = up->parent) {
        len -= up->len;
        memcpy(buf + len, up->name, up->len);

        if (up->parent->parent != NULL) {
            buf[--len] = '/';
        }
    }

    return 0;
}


static int
fcc_member_cmp(const void *a, const void *b)
{
    return strcmp((*(fcc_member_t *const *) a)->name,
                  (*(fcc_member_t *const *) b)->name);
}


fcc_member_t **
fcc_members_sorted(const fcc_members_t *members)
{
    size_t          i, from, n;
    fcc_member_t  **all, *child;

    all = calloc(members->n + 1, sizeof(fcc_member_t *));

    if (all == NULL) {
        return NULL;
    }

    /* level by level, the children of each in the order of their names */

    all[0] = members->root;

    for (n = 1, i = 0; i < n; i++) {

        from = n;

        for (child = all[i]->child; child != NULL; child = child->next) {
            all[n++] = child;
        }

        qsort(all + from, n - from, sizeof(fcc_member_t *), fcc_member_cmp);
    }

    return all;
}
