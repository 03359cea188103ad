#ifndef _FCT_NGX_CORE_H_INCLUDED_
#define _FCT_NGX_CORE_H_INCLUDED_

#include <ngx_config.h>
#include <ngx_queue.h>

#endif /* _FCT_NGX_CORE_H_INCLUDED_ */
