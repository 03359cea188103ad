/* The files of /etc that say who this machine is and whom it asks. */

#ifndef _FCV_ETC_H_INCLUDED_
#define _FCV_ETC_H_INCLUDED_

#include "vm/init/config.h"

/* hosts, hostname and resolv.conf, over what the runtime has; where no name
 * server is known, resolvers ask 127.0.0.1 and are refused at once */
int fcv_etc_write(const fcv_config_t *conf, fcf_err_t *err) fcf_must_check;
/* after that, for another host name */
void fcv_etc_rename(const fcv_config_t *conf);

#endif /* _FCV_ETC_H_INCLUDED_ */
