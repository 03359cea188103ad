/* What becomes of a job: which node it is for, and what it is started from. */

#ifndef _FCA_PLACE_H_INCLUDED_
#define _FCA_PLACE_H_INCLUDED_

#include "agent/instance/instance.h"

/* there is room for the smallest VM */
int fca_place_room(fca_instances_t *all);
/* this node is ill for that reason, and so are all that live */
void fca_place_ill(fca_instances_t *all, fca_job_t *job, const char *reason);
/* Decides about a job just taken, or held. */
fca_verdict_e fca_place(fca_instances_t *all, fca_job_t *job);

#endif /* _FCA_PLACE_H_INCLUDED_ */
