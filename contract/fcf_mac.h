/* MAC addresses as text: six bytes of two hex digits each, with colons. */

#ifndef _FCF_MAC_H_INCLUDED_
#define _FCF_MAC_H_INCLUDED_

#include <stdint.h>

#define FCF_MAC_LEN   6
#define FCF_MAC_TEXT  sizeof("00:00:00:00:00:00")

/* -1, and mac is as it was: text is anything else.  By hand, since a clone
 * under emulation, to which each piece of code is new, takes 2 ms more for
 * sscanf(). */
int fcf_mac_parse(const char *text, uint8_t mac[FCF_MAC_LEN]);
/* that of a NIC may have none of those */
int fcf_mac_is_multicast(const uint8_t mac[FCF_MAC_LEN]);
/* in lower case; text holds FCF_MAC_TEXT bytes, and is returned */
const char *fcf_mac_format(char *text, const uint8_t mac[FCF_MAC_LEN]);

#endif /* _FCF_MAC_H_INCLUDED_ */
