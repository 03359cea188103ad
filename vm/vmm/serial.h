/* Where the guest's console goes: PUT /serial's file or FIFO, or standard
 * output.  Writing never blocks: what nobody takes, or is beyond its rate, is
 * dropped. */

#ifndef _FCV_SERIAL_H_INCLUDED_
#define _FCV_SERIAL_H_INCLUDED_

#include <stddef.h>
#include "vm/vmm/model.h"

void fcv_serial_write(const fcv_model_t *model, const void *data, size_t len);

#endif /* _FCV_SERIAL_H_INCLUDED_ */
