#include <pwd.h>
#include <stdlib.h>
#include "agent/base/user.h"

int
fca_user_find(const char *user, uid_t *uid, gid_t *gid, fcf_err_t *err)
{
    char           *end;
    unsigned long   u, g;
    struct passwd  *pw;

    pw = getpwnam(user);

    if (pw) {
        *uid = pw->pw_uid;
        *gid = pw->pw_gid;

    } else {
        u = strtoul(user, &end, 10);
        g = u;

        if (end != user && *end == ':' && end[1] != '\0') {
            g = strtoul(end + 1, &end, 10);
        }

        if (end == user || *end != '\0' || u > 0xfffffffe || g > 0xfffffffe) {
            return fcf_err_set(err, FCF_E_NOT_FOUND, "there is no user "
                               "\"%s\" (adduser --system --group %s)", user,
                               user);
        }

        *uid = (uid_t) u;
        *gid = (gid_t) g;
    }

    if (*uid == 0 || *gid == 0) {
        return fcf_err_set(err, FCF_E_INVALID, "user \"%s\" is root", user);
    }

    return 0;
}
