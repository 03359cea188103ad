#include <stdio.h>
#include "vm/init/mac.h"


int
fcv_mac_parse(const char *text, uint8_t mac[ETH_ALEN])
{
    int       i, end;
    unsigned  byte[ETH_ALEN];

    end = 0;

    if (sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%n", &byte[0], &byte[1],
               &byte[2], &byte[3], &byte[4], &byte[5], &end) != ETH_ALEN
        || end != 17 || text[17] != '\0' || (byte[0] & 1))
    {
        return -1;
    }

    for (i = 0; i < ETH_ALEN; i++) {
        mac[i] = (uint8_t) byte[i];
    }

    return 0;
}
