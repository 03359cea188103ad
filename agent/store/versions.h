/* Local copy of /specs/<function>/versions/<version>: what an instance of
 * another version than the spec's is made of. */

#ifndef _FCA_VERSIONS_H_INCLUDED_
#define _FCA_VERSIONS_H_INCLUDED_

#include "contract/fcf_codec.h"

typedef struct fca_versions_s  fca_versions_t;

/* NULL: out of memory */
fca_versions_t *fca_versions_new(void);
void fca_versions_free(fca_versions_t *versions);

/* It is copied; "list" is the one that names it.  What does not fit into
 * memory is not known. */
void fca_versions_put(fca_versions_t *versions, const char *function_id,
    const fcf_spec_t *spec, unsigned list);
void fca_versions_del(fca_versions_t *versions, const char *function_id,
    int64_t version);
/* those that the list did not name go */
void fca_versions_sweep(fca_versions_t *versions, unsigned list);

/* NULL: not known.  Valid until the loop's next turn. */
const fcf_spec_t *fca_versions_get(const fca_versions_t *versions,
    const char *function_id, int64_t version);

/* Calls each with the digest of every image that is named in this part of so
 * many. */
void fca_versions_images(const fca_versions_t *versions, unsigned part,
    unsigned parts, void (*each)(void *arg, const char *sha256), void *arg);

#endif /* _FCA_VERSIONS_H_INCLUDED_ */
