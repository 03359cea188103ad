/* A network of IPv4 addresses, as settings name it and the proxy asks. */

#ifndef _FCA_CIDR_H_INCLUDED_
#define _FCA_CIDR_H_INCLUDED_

#include <stdint.h>

typedef struct {
    uint32_t  addr, mask;               /* network byte order */
} fca_cidr_t;

#endif /* _FCA_CIDR_H_INCLUDED_ */
