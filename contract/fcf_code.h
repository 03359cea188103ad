/* fcf_code.c's part of fcf_spec.c. */

#ifndef _FCF_CODE_H_INCLUDED_
#define _FCF_CODE_H_INCLUDED_

#include "contract/fcf_codec.h"
#include "contract/fcf_json.h"

int fcf_spec_code(fcf_spec_t *out, const json_t *obj, fcf_err_t *err)
    fcf_must_check;
/* as fcf_json_put_*() */
void fcf_spec_put_code(json_t **obj, const fcf_spec_t *spec);

#endif /* _FCF_CODE_H_INCLUDED_ */
