#include <string.h>

#include "contract/fcf_names.h"
#include "contract/fcf_trace.h"

#define FCF_TRACE_SAMPLED  1u
#define FCF_TRACE_RANDOM   2u


static int
fcf_trace_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}


/* hex digits in lower case; *zero: all of them are 0 */

static int
fcf_trace_hex(const char *s, size_t len, int *zero)
{
    int     digit;
    size_t  i;

    *zero = 1;

    for (i = 0; i < len; i++) {
        digit = fcf_trace_digit(s[i]);

        if (digit < 0) {
            return 0;
        }

        *zero &= (digit == 0);
    }

    return 1;
}


int
fcf_trace_parse(fcf_trace_t *out, const char *s, size_t len)
{
    int  zero;

    /* version, trace, parent, flags */

    if (len < FCF_TRACE_LEN
        || s[2] != '-' || s[35] != '-' || s[52] != '-'
        || !fcf_trace_hex(s, 2, &zero)
        || memcmp(s, "ff", 2) == 0
        || (zero && len != FCF_TRACE_LEN)
        || (len > FCF_TRACE_LEN && s[FCF_TRACE_LEN] != '-')
        || !fcf_trace_hex(s + 3, 32, &zero) || zero
        || !fcf_trace_hex(s + 36, 16, &zero) || zero
        || !fcf_trace_hex(s + 53, 2, &zero))
    {
        return 0;
    }

    memcpy(out->id, s + 3, sizeof(out->id));
    out->flags = (unsigned) fcf_trace_digit(s[54])
                 & (FCF_TRACE_SAMPLED | FCF_TRACE_RANDOM);

    return 1;
}


/* 16 random hex digits, not all 0: of what makes request ids */

static void
fcf_trace_random(char *dst)
{
    int   zero;
    char  id[FCF_REQUEST_ID_MAX + 1];

    fcf_request_id_new(id);
    memcpy(dst, id + 4, 16);

    if (fcf_trace_hex(dst, 16, &zero) && zero) {
        dst[15] = '1';
    }
}


void
fcf_trace_new(fcf_trace_t *out)
{
    fcf_trace_random(out->id);
    fcf_trace_random(out->id + 16);
    out->flags = FCF_TRACE_SAMPLED | FCF_TRACE_RANDOM;
}


void
fcf_trace_format(char *buf, const fcf_trace_t *trace)
{
    memcpy(buf, "00-", 3);
    memcpy(buf + 3, trace->id, sizeof(trace->id));
    buf[35] = '-';
    fcf_trace_random(buf + 36);
    buf[52] = '-';
    buf[53] = '0';
    buf[54] = (char) ('0' + trace->flags);
    buf[FCF_TRACE_LEN] = '\0';
}
