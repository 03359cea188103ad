#ifndef _FCV_MAC_H_INCLUDED_
#define _FCV_MAC_H_INCLUDED_

#include <net/ethernet.h>
#include <stdint.h>

/* -1: text is not a unicast MAC address, with colons */
int fcv_mac_parse(const char *text, uint8_t mac[ETH_ALEN]);

#endif /* _FCV_MAC_H_INCLUDED_ */
