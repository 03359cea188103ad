/* MAC addresses: what is one, to the last byte. */

#include <string.h>

#include "contract/fcf_mac.h"
#include "t/unit/tap.h"

static const char *const  bad[] = {
    "", "0", "06", "06:", "06:00:ac:10:00", "06:00:ac:10:00:",
    "06:00:ac:10:00:0",
    "06:00:ac:10:00:02:", "06:00:ac:10:00:02:03", "06:00:ac:10:00:02 ",
    " 6:00:ac:10:00:02", "+6:00:ac:10:00:02", "0x:00:ac:10:00:02",
    "6:0:ac:10:0:2", "06-00-ac-10-00-02", "0600ac100002", "06:00:ac:10:00:g2",
    "06:00:ac:10:00:0g", "06:00:ac:10::0:02", "\x06:00:ac:10:00:02",
    "06:00:ac:10:00:\xb0\xb2", "06:00:ac:10:00:0\xe9",
};


int
main(void)
{
    char     text[FCF_MAC_TEXT];
    size_t   i;
    uint8_t  mac[FCF_MAC_LEN];

    is_int(fcf_mac_parse("06:00:aC:1f:00:F2", mac), 0, "both cases");
    ok(memcmp(mac, "\x06\x00\xac\x1f\x00\xf2", sizeof(mac)) == 0,
       "are the same digits");
    is_str(fcf_mac_format(text, mac), "06:00:ac:1f:00:f2", "in lower case");

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        is_int(fcf_mac_parse(bad[i], mac), -1, "none: %zu", i);
    }

    is_str(fcf_mac_format(text, mac), "06:00:ac:1f:00:f2",
           "what is none leaves it as it was");

    ok(!fcf_mac_is_multicast(mac), "of one NIC");
    is_int(fcf_mac_parse("ff:ff:ff:ff:ff:ff", mac), 0, "of all");
    ok(fcf_mac_is_multicast(mac), "is not of one");

    return tap_done();
}
