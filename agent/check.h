/* fcfaas-agent --check: does this host have what an agent needs?  One line
 * for each thing, with what to do about it where it lacks. */

#ifndef _FCA_CHECK_H_INCLUDED_
#define _FCA_CHECK_H_INCLUDED_

#include "agent/base/conf.h"

/* prints to standard output; the process's exit status */
int fca_check(fca_conf_t *conf);

#endif /* _FCA_CHECK_H_INCLUDED_ */
