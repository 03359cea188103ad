#include <stdio.h>
#include <string.h>
#include "contract/fcf_mac.h"


/* -1: none */
static int
digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }

    c |= 0x20;

    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}


int
fcf_mac_parse(const char *text, uint8_t mac[FCF_MAC_LEN])
{
    int      i, high, low;
    uint8_t  out[FCF_MAC_LEN];

    for (i = 0; i < FCF_MAC_LEN; i++, text += 3) {
        high = digit(text[0]);
        low = high < 0 ? -1 : digit(text[1]);

        if (low < 0 || text[2] != (i == FCF_MAC_LEN - 1 ? '\0' : ':')) {
            return -1;
        }

        out[i] = (uint8_t) (high << 4 | low);
    }

    memcpy(mac, out, sizeof(out));

    return 0;
}


int
fcf_mac_is_multicast(const uint8_t mac[FCF_MAC_LEN])
{
    return mac[0] & 1;
}


const char *
fcf_mac_format(char *text, const uint8_t mac[FCF_MAC_LEN])
{
    snprintf(text, FCF_MAC_TEXT, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0],
             mac[1], mac[2], mac[3], mac[4], mac[5]);

    return text;
}
