/* fcf_http.h for unit tests: nothing is sent, the test answers. */

#ifndef _FCT_FAKE_HTTP_H_INCLUDED_
#define _FCT_FAKE_HTTP_H_INCLUDED_

#include "client/fcf_http.h"

/* the body of the oldest request under way whose URL ends like that, or NULL */
const char *fake_http_body(const char *path);
const char *fake_http_header(const char *path, const char *name);
unsigned fake_http_pending(void);
/* started so far, of that path */
unsigned fake_http_started(const char *path);

/* each: 0 if there is no such request */
int fake_http_answer(const char *path, long status, const char *body);
int fake_http_fail(const char *path, fcf_code_e code, int sys_errno);
int fake_http_data(const char *path, const char *data);

#endif /* _FCT_FAKE_HTTP_H_INCLUDED_ */
