#ifndef _FCV_TAP_H_INCLUDED_
#define _FCV_TAP_H_INCLUDED_

#include "contract/fcf_err.h"

/* Attaches to an existing TAP; returns a non-blocking, close-on-exec fd, or
 * -1.  vnet_hdr: frames carry a virtio header, offloads are the reader's
 * affair; else the host sends whole frames with checksums. */
int fcv_tap_open(const char *name, int vnet_hdr, fcf_err_t *err);

/* The descriptor that the next fcv_tap_open() attaches and returns: a process
 * that was given it before has that TAP then.  -1: there is none. */
int fcv_tap_prepare(void);
/* closes it, if it has not been returned */
void fcv_tap_unprepare(void);

#endif /* _FCV_TAP_H_INCLUDED_ */
