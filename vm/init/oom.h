/* Whom the kernel killed for lack of memory, by its own log. */

#ifndef _FCV_OOM_H_INCLUDED_
#define _FCV_OOM_H_INCLUDED_

#include <sys/types.h>

/* The pid that a line of the kernel's log names as killed, and name, of at
 * least 64 bytes, as what; 0: another line. */
pid_t fcv_oom_line(const char *line, char *name);

/* The kernel's log from here on, for poll(2); -1: this kernel has none. */
int fcv_oom_open(void);
/* One record of it is read: as fcv_oom_line(); -1: no more for now. */
pid_t fcv_oom_read(int fd, char *name);

#endif /* _FCV_OOM_H_INCLUDED_ */
