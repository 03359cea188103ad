/*
 * The layers of a container image, without a tar around them: what each byte
 * says is done to the names in it, in any order.  Whatever that is, what comes
 * of it is a tree, whose names are all below its root.
 *
 *   a line each: kind, layer, name, and after a blank the target of a link
 */

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "cli/archive.h"
#include "cli/member.h"
#include "t/fuzz/values.h"


static void
put(fcc_members_t *members, size_t layer, const char *path, mode_t mode,
    const char *target)
{
    fcf_err_t     err;
    fcc_inode_t  *inode;

    inode = fcc_inode_new(mode);
    FCT_HOLDS(inode != NULL);

    if (target != NULL) {
        inode->target = strdup(target);
    }

    if (fcc_members_put(members, layer, path, inode, &err) != 0) {
        fct_says(&err);
    }
}


static void
line(fcc_members_t *members, char *text)
{
    int        kind;
    char      *target, path[PATH_MAX], to[PATH_MAX];
    size_t     layer;
    fcf_err_t  err;

    if (text[0] == '\0' || text[1] == '\0') {
        return;
    }

    kind = text[0];
    layer = (size_t) text[1] % 4;
    target = strchr(text + 2, ' ');
    target = target != NULL ? (*target = '\0', target + 1) : text + 2;

    if (fcc_entry_name(path, sizeof(path), text + 2, &err) != 0) {
        fct_says(&err);
        return;
    }

    FCT_HOLDS(path[0] != '/' && strstr(path, "//") == NULL);

    switch (kind % 6) {

    case 0:
        put(members, layer, path, S_IFREG | 0644, NULL);
        break;

    case 1:
        put(members, layer, path, S_IFDIR | 0755, NULL);
        break;

    case 2:
        put(members, layer, path, S_IFLNK | 0777, target);
        break;

    case 3:
        if (fcc_entry_name(to, sizeof(to), target, &err) == 0
            && fcc_members_link(members, layer, path, to, &err) != 0)
        {
            fct_says(&err);
        }

        break;

    default:
        FCT_HOLDS(fcc_members_hide(members, layer, path, kind % 6 == 5, &err)
                  == 0);
    }
}


static void
is_tree(const fcc_members_t *members)
{
    char            path[PATH_MAX];
    size_t          i, n;
    fcc_member_t  **all, *up;

    all = fcc_members_sorted(members);
    FCT_HOLDS(all != NULL);

    for (n = 0; all[n] != NULL; n++) {
        FCT_HOLDS(all[n]->inode != NULL && all[n]->inode->refs >= 1);
    }

    FCT_HOLDS(n == members->n && all[0] == members->root);

    for (i = 1; i < n; i++) {

        FCT_HOLDS(S_ISDIR(all[i]->parent->inode->mode));
        FCT_HOLDS(strcmp(all[i]->name, "..") != 0
                  && strcmp(all[i]->name, ".") != 0
                  && all[i]->name[0] != '\0'
                  && strchr(all[i]->name, '/') == NULL);

        for (up = all[i]; up->parent != NULL; up = up->parent) { /* void */ }

        FCT_HOLDS(up == members->root);

        if (fcc_member_path(all[i], path, sizeof(path)) == 0) {
            FCT_HOLDS(path[0] != '/' && strlen(path) < sizeof(path));
        }
    }

    free(all);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char           *text, *next, *save;
    fcf_err_t       err;
    fcc_members_t   members;

    text = fct_copy(data, size, 1);
    FCT_HOLDS(fcc_members_init(&members, &err) == 0);

    for (next = strtok_r(text, "\n", &save); next != NULL;
         next = strtok_r(NULL, "\n", &save))
    {
        line(&members, next);
    }

    is_tree(&members);
    fcc_members_free(&members);
    free(text);

    return 0;
}
