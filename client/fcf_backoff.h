/* How long to wait before the next attempt. */

#ifndef _FCF_BACKOFF_H_INCLUDED_
#define _FCF_BACKOFF_H_INCLUDED_

#include <stdint.h>

/* milliseconds: 50 doubled by each failure after the first, at most max_ms,
 * of which a random part between half and all is taken, so that clients cut
 * off together do not come back together */
uint64_t fcf_backoff(unsigned failures, uint64_t max_ms);

#endif /* _FCF_BACKOFF_H_INCLUDED_ */
