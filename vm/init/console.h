/* One line at a time on the serial console, where it costs an exit a byte:
 * only what explains a failure or an end is said there. */

#ifndef _FCV_CONSOLE_H_INCLUDED_
#define _FCV_CONSOLE_H_INCLUDED_

#include <stddef.h>
#include "contract/fcf_err.h"

#define FCV_CONSOLE_LINE  512

/* "fcfaas: " and the text, cut at FCV_CONSOLE_LINE; control characters and
 * bytes above 126 become '?' */
void fcv_say(const char *fmt, ...) fcf_printf_like(1, 2);
/* the same behind FCV_WARNING: the agent's log has it, too */
void fcv_warn(const char *fmt, ...) fcf_printf_like(1, 2);
/* the lines of text, each behind "| ", cleaned as above */
void fcv_say_lines(const char *text, size_t len);

#endif /* _FCV_CONSOLE_H_INCLUDED_ */
