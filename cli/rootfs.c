/* A root file system of an image's layers: read once for who is who, and once
 * more for the contents, into a tar that sqfstar makes an image of. */

#include <inttypes.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/command.h"
#include "cli/rootfs.h"


/* when the last of it was changed */
static int64_t
fcc_rootfs_newest(const fcc_rootfs_t *fs)
{
    size_t   i;
    int64_t  newest;

    newest = 1;

    for (i = 0; i < fs->members.n; i++) {
        newest = fs->sorted[i]->inode->mtime > newest
                 ? fs->sorted[i]->inode->mtime : newest;
    }

    return newest;
}


/* sqfstar 4.5.1 heeds no -root-time: the root's is now, unless all that is
 * newer than SOURCE_DATE_EPOCH is to have that */
static int
fcc_rootfs_squash(const fcc_rootfs_t *fs, const char *tar, const char *out,
    fcf_err_t *err)
{
    char                mode[16], uid[24], gid[24], epoch[64];
    struct stat         st;
    const fcc_inode_t  *root = fs->members.root->inode;

    const char *const  argv[] = {
        "env", epoch, "sqfstar", "-quiet", "-no-progress", "-reproducible",
        "-exit-on-error", "-noI", "-noD", "-noF", "-noX", "-root-mode", mode,
        "-root-uid", uid, "-root-gid", gid, out, NULL
    };

    (void) snprintf(mode, sizeof(mode), "%o", root->mode & 07777);
    (void) snprintf(uid, sizeof(uid), "%" PRId64, root->uid);
    (void) snprintf(gid, sizeof(gid), "%" PRId64, root->gid);
    (void) snprintf(epoch, sizeof(epoch), "SOURCE_DATE_EPOCH=%" PRId64,
                    fcc_rootfs_newest(fs));

    return fcc_command_makes(argv, tar, out, "the image",
                             stat(tar, &st) == 0 ? st.st_size : 0, err);
}


int
fcc_oci_rootfs(fcc_oci_t *oci, const char *temp, const char *out,
    unsigned *files, fcf_err_t *err)
{
    int           rc;
    char         *tar, *program;
    fcc_rootfs_t  fs;

    memset(&fs, 0, sizeof(fs));
    fs.oci = oci;
    fs.temp = temp;
    tar = fcc_join(temp, "rootfs.tar");
    program = NULL;

    /* names beyond ASCII */
    (void) setlocale(LC_CTYPE, "C.UTF-8");

    rc = tar == NULL ? fcf_err_set(err, FCF_E_NOMEM, "no memory")
         : fcc_members_init(&fs.members, err) != 0
           || fcc_rootfs_layers(&fs, err) != 0 ? -1 : 0;

    if (rc == 0) {
        program = fcc_program(&fs, err);
        fs.sorted = fcc_members_sorted(&fs.members);
        rc = program == NULL ? -1 : fs.sorted != NULL ? 0
             : fcf_err_set(err, FCF_E_NOMEM, "no memory");
    }

    if (rc == 0) {
        *files = (unsigned) fs.members.n - 1;
        rc = fcc_rootfs_write(&fs, tar, program, err) != 0
             || fcc_rootfs_squash(&fs, tar, out, err) != 0 ? -1 : 0;
    }

    free(program);
    free(tar);
    free(fs.sorted);
    fcc_members_free(&fs.members);

    return rc;
}
