#include <string.h>

#include "agent/images/cache.h"
#include "agent/images/known.h"


void
fca_file_id(fca_file_id_t *id, const struct stat *st)
{
    id->dev = st->st_dev;
    id->ino = st->st_ino;
    id->size = (uint64_t) st->st_size;
    id->sec = (uint64_t) st->st_mtim.tv_sec;
    id->nsec = (uint64_t) st->st_mtim.tv_nsec;
}


int
fca_file_same(const fca_file_id_t *id, const struct stat *st)
{
    fca_file_id_t  now;

    fca_file_id(&now, st);

    return id->dev == now.dev && id->ino == now.ino && id->size == now.size
           && id->sec == now.sec && id->nsec == now.nsec;
}


int
fca_known_right(fca_known_t *known, const char *path, const char *sha256,
    const struct stat *st, fcf_err_t *err)
{
    int       rc;
    unsigned  i;

    for (i = 0; i < known->n && i < FCA_KNOWN_MAX; i++) {
        if (strcmp(known->list[i].sha256, sha256) == 0
            && fca_file_same(&known->list[i].file, st))
        {
            return 0;
        }
    }

    rc = fca_image_is(path, sha256, err);
    if (rc < 0) {
        return -1;
    }

    if (rc == 0) {
        return fcf_err_set(err, FCF_E_NOT_FOUND, "%s: is not what its name "
                           "says: it is damaged", path);
    }

    i = known->n++ % FCA_KNOWN_MAX;
    memcpy(known->list[i].sha256, sha256, sizeof(known->list[i].sha256));
    fca_file_id(&known->list[i].file, st);

    return 0;
}
