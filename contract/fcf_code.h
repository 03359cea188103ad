/* fcf_code.c's part of fcf_spec.c. */

#ifndef _FCF_CODE_H_INCLUDED_
#define _FCF_CODE_H_INCLUDED_

#include "contract/fcf_codec.h"
#include "contract/fcf_json.h"

/* the image that this field says, or none */
int fcf_spec_image(fcf_image_t *out, const json_t *obj, const char *field,
    fcf_err_t *err) fcf_must_check;
/* as fcf_json_put_*() */
void fcf_spec_put_image(json_t **obj, const char *field,
    const fcf_image_t *image);

#endif /* _FCF_CODE_H_INCLUDED_ */
