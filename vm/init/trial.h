/* A boot that only shows that a guest can boot here (vm/guest.h). */

#ifndef _FCV_TRIAL_H_INCLUDED_
#define _FCV_TRIAL_H_INCLUDED_

/* by the kernel's command line: 0: no trial; 1: only to come up; 2: with
 * drives and network */
int fcv_trial_kind(void);

#endif /* _FCV_TRIAL_H_INCLUDED_ */
