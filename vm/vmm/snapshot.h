/*
 * The state file of a snapshot, ours: FCV_SNAPSHOT_MAGIC, the length of the
 * JSON that follows and a checksum of it (both 64 bits, little-endian), the
 * JSON: version, backend, and what was PUT.  What the machine itself held is
 * in the memory file, as its backend likes it, which is at least as long as
 * the memory.
 */

#ifndef _FCV_SNAPSHOT_H_INCLUDED_
#define _FCV_SNAPSHOT_H_INCLUDED_

#include "vm/vmm/model.h"

#define FCV_SNAPSHOT_MAGIC  "FCVSNAP1"
#define FCV_SNAPSHOT_MAX    (4 * 1024 * 1024)

/* Writes a state file, over what lies there. */
int fcv_snapshot_write(const fcv_model_t *model, const char *backend,
    int minor, const char *path, fcf_err_t *err) fcf_must_check;

/* A new object, checked as far as it is of us: magic, checksum, version and
 * backend. */
json_t *fcv_snapshot_read(const char *path, const char *backend, int minor,
    fcf_err_t *err);
/* Makes the machine what it says, with the TAPs of overrides (an array of
 * {"iface_id","host_dev_name"}, or NULL).  On failure the model is of no more
 * use. */
int fcv_snapshot_apply(fcv_model_t *model, const json_t *state,
    const json_t *overrides, int minor, fcf_err_t *err) fcf_must_check;

/* for writing: made or emptied, as long as the memory; for reading: as long
 * at least */
int fcv_snapshot_make_memory(const fcv_model_t *model, const char *path,
    fcf_err_t *err);
int fcv_snapshot_open_memory(const fcv_model_t *model, const char *path,
    fcf_err_t *err);

#endif /* _FCV_SNAPSHOT_H_INCLUDED_ */
