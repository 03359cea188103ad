/* The guest's network: lo, and eth0 as the config drive says, by ioctl(2). */

#ifndef _FCV_NET_H_INCLUDED_
#define _FCV_NET_H_INCLUDED_

#include "vm/init/config.h"

/* Also sets the host name and lets any user bind any port.  What the kernel
 * did by its ip= argument is not done again. */
int fcv_net_up(const fcv_config_t *conf, fcf_err_t *err) fcf_must_check;
/* after that: another host name, MAC address and address */
int fcv_net_move(const fcv_config_t *conf, fcf_err_t *err) fcf_must_check;

#endif /* _FCV_NET_H_INCLUDED_ */
