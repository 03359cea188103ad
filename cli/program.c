/* What of an image is run, and as whom: looked up in the image, so that what
 * cannot run is told before anything is sent. */

#include <jansson.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/rootfs.h"


/* an executable file there; its name as it is to be run */
static int
fcc_program_at(const fcc_rootfs_t *fs, const char *path)
{
    const fcc_member_t  *member;

    member = fcc_members_find(&fs->members, path);

    return member != NULL && S_ISREG(member->inode->mode)
           && (member->inode->mode & 0111) != 0;
}


static int
fcc_program_file(const fcc_rootfs_t *fs, char out[PATH_MAX], fcf_err_t *err)
{
    size_t                   i, n;
    const char              *dirs, *name;
    const fcc_oci_config_t  *config;

    config = &fs->oci->config;
    name = config->argv[0];
    dirs = FCF_IMAGE_PATH;

    if (strchr(name, '/') != NULL) {
        (void) snprintf(out, PATH_MAX, "%s%s%s", *name == '/' ? ""
                        : config->cwd, *name == '/' ? "" : "/", name);

        return fcc_program_at(fs, out) ? 0
               : fcf_err_set(err, FCF_E_REFUSED, "\"%.200s\", which it is to "
                             "run, is no executable file in it", out);
    }

    for (i = 0; i < config->nenv; i++) {
        if (strncmp(config->env[i], "PATH=", 5) == 0) {
            dirs = config->env[i] + 5;
        }
    }

    for (i = 0; dirs[i] != '\0'; i += n + (dirs[i + n] == ':')) {

        n = strcspn(dirs + i, ":");

        if (n != 0 && dirs[i] == '/'
            && snprintf(out, PATH_MAX, "%.*s/%s", (int) n, dirs + i, name)
               < PATH_MAX
            && fcc_program_at(fs, out))
        {
            return 0;
        }
    }

    return fcf_err_set(err, FCF_E_REFUSED, "\"%.100s\", which it is to run, is "
                       "in no directory of its PATH, %.200s", name, dirs);
}


/* a number in the n-th field of a line of passwd or group; -1: none */
static int64_t
fcc_program_field(const char *line, int n)
{
    char    *end;
    int64_t  id;

    for ( /* void */ ; n > 0; n--) {

        line += strcspn(line, ":\n");

        if (*line++ != ':') {
            return -1;
        }
    }

    id = strspn(line, "0123456789") != 0 ? strtoll(line, &end, 10) : -1;

    return id >= 0 && id <= FCF_IMAGE_ID_MAX && strchr(":\n", *end) != NULL
           ? id : -1;
}


/* the line of this name, or, without, of this number; NULL: none */
static const char *
fcc_program_line(const char *text, const char *name, size_t len, int64_t id)
{
    for ( /* void */ ; text != NULL && *text != '\0';
         text += strcspn(text, "\n"), text += *text == '\n')
    {
        if (name != NULL ? strncmp(text, name, len) == 0 && text[len] == ':'
                         : fcc_program_field(text, 2) == id)
        {
            return text;
        }
    }

    return NULL;
}


static int
fcc_is_number(const char *said, size_t len)
{
    return len != 0 && strspn(said, "0123456789") >= len;
}


/* "12", or a name of the file; -1: neither */
static int64_t
fcc_program_id(const char *said, size_t len, const char *text)
{
    const char  *line;

    if (fcc_is_number(said, len)) {
        return len <= 10 && strtoll(said, NULL, 10) <= FCF_IMAGE_ID_MAX
               ? strtoll(said, NULL, 10) : -1;
    }

    line = fcc_program_line(text, said, len, 0);

    return line != NULL ? fcc_program_field(line, 2) : -1;
}


static int
fcc_program_user(const fcc_rootfs_t *fs, int64_t *uid, int64_t *gid,
    fcf_err_t *err)
{
    char        *users, *groups;
    size_t       len;
    const char  *said, *line, *group;

    said = fs->oci->config.user;
    *uid = *gid = 0;

    if (*said == '\0') {
        return 0;
    }

    len = strcspn(said, ":");
    group = said[len] == ':' ? said + len + 1 : NULL;

    /* a layer is unpacked for each: only where it is looked into */

    users = group != NULL && fcc_is_number(said, len)
            ? NULL : fcc_rootfs_file(fs, "etc/passwd");
    groups = group == NULL || fcc_is_number(group, strlen(group))
             ? NULL : fcc_rootfs_file(fs, "etc/group");

    *uid = fcc_program_id(said, len, users);

    if (group != NULL) {
        *gid = fcc_program_id(group, strlen(group), groups);

    } else {
        line = fcc_program_line(users, NULL, 0, *uid);
        *gid = line != NULL ? fcc_program_field(line, 3) : 0;
    }

    free(users);
    free(groups);

    return *uid >= 0 && *gid >= 0 ? 0
           : fcf_err_set(err, FCF_E_REFUSED, "its user \"%.100s\" is neither a "
                         "number nor in its /etc/passwd and /etc/group", said);
}


static json_t *
fcc_program_list(char *const *list, size_t n)
{
    size_t   i;
    json_t  *array;

    array = json_array();

    for (i = 0; i < n; i++) {
        (void) json_array_append_new(array, json_string(list[i]));
    }

    return array;
}


static int
fcc_program_dir(fcc_rootfs_t *fs, fcf_err_t *err)
{
    const char          *cwd;
    fcc_inode_t         *inode;
    const fcc_member_t  *member;

    cwd = fs->oci->config.cwd;
    member = fcc_members_find(&fs->members, cwd);

    if (member != NULL) {
        return S_ISDIR(member->inode->mode) ? 0
               : fcf_err_set(err, FCF_E_REFUSED, "\"%.200s\", where it is to "
                             "run, is no directory", cwd);
    }

    if (strstr(cwd, "/../") != NULL || strlen(cwd) >= PATH_MAX) {
        return fcf_err_set(err, FCF_E_REFUSED, "\"%.200s\", where it is to "
                           "run, is not there", cwd);
    }

    inode = fcc_inode_new(S_IFDIR | 0755);

    return inode == NULL ? fcf_err_set(err, FCF_E_NOMEM, "no memory")
           : fcc_members_put(&fs->members, fs->oci->nlayers, cwd
                             + strspn(cwd, "/"), inode, err);
}


char *
fcc_program(fcc_rootfs_t *fs, fcf_err_t *err)
{
    char                    *text, file[PATH_MAX];
    json_t                  *json;
    int64_t                  uid, gid;
    const fcc_oci_config_t  *config;

    config = &fs->oci->config;

    if (fcc_program_file(fs, file, err) != 0
        || fcc_program_user(fs, &uid, &gid, err) != 0
        || fcc_program_dir(fs, err) != 0)
    {
        return NULL;
    }

    if (fcc_members_named(&fs->members, FCF_IMAGE_DIR)) {
        fcf_err_set(err, FCF_E_REFUSED, "has \"/" FCF_IMAGE_DIR "\", which is "
                    "for us");
        return NULL;
    }

    json = json_pack("{s:o, s:s, s:o, s:s, s:I, s:I}",
                     "argv", fcc_program_list(config->argv, config->nargv),
                     "file", file,
                     "env", fcc_program_list(config->env, config->nenv),
                     "cwd", config->cwd, "uid", (json_int_t) uid,
                     "gid", (json_int_t) gid);
    text = json != NULL ? json_dumps(json, JSON_COMPACT) : NULL;
    json_decref(json);

    if (text == NULL) {
        fcf_err_set(err, FCF_E_REFUSED, "what it is to run is no text in "
                    "UTF-8");
    }

    return text;
}
