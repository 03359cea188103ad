/*
 * Shares of requests among versions, by weighted rendezvous hashing: all
 * gateways agree on where a client belongs, and as shares change no more
 * clients go elsewhere than it takes.
 */

#ifndef _FCF_SHARE_H_INCLUDED_
#define _FCF_SHARE_H_INCLUDED_

#include <stdint.h>

/* What a version costs for a point (a hash of the client, or chance): the
 * point belongs to the version that costs least.  percent 0: UINT64_MAX. */
uint64_t fcf_share_cost(uint64_t point, int64_t version, unsigned percent);

#endif /* _FCF_SHARE_H_INCLUDED_ */
