/* Names of an archive's entries, which strangers wrote. */

#include <limits.h>
#include <string.h>

#include "cli/archive.h"


int
fcc_entry_name(char *out, size_t size, const char *name, fcf_err_t *err)
{
    size_t       n, len;
    const char  *p;

    if (*name == '/') {
        return fcf_err_set(err, FCF_E_REFUSED, "\"%s\": is an absolute path; "
                           "pack with relative ones", name);
    }

    len = 0;
    *out = '\0';

    for (p = name; *p != '\0'; p += n) {

        p += strspn(p, "/");
        n = strcspn(p, "/");

        if (n == 0 || (n == 1 && *p == '.')) {
            continue;
        }

        if (n == 2 && p[0] == '.' && p[1] == '.') {
            return fcf_err_set(err, FCF_E_REFUSED, "\"%s\": leads out of the "
                               "archive by \"..\"", name);
        }

        if (n > NAME_MAX || len + n + 2 > size) {
            return fcf_err_set(err, FCF_E_REFUSED, "\"%.60s...\": is too long "
                               "a name", name);
        }

        if (len != 0) {
            out[len++] = '/';
        }

        memcpy(out + len, p, n);
        len += n;
        out[len] = '\0';
    }

    return 0;
}
