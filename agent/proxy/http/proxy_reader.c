#include <string.h>
#include "agent/proxy/http/proxy_head_int.h"

/* What is read here, before llhttp, which knows only the methods of a list. */
typedef enum {
    LEAD = 0,                           /* empty lines, then the method */
    LEAD_LF,
    METHOD,
    ANSWER,                             /* an answer's first byte */
    REST                                /* llhttp's */
} lead_e;

static const char  connect_name[] = "CONNECT";

#define NOT_CONNECT  sizeof(connect_name)

/* tchar of RFC 9110 */
const uint8_t  fca_token_char[256] = {
    ['!'] = 1, ['#'] = 1, ['$'] = 1, ['%'] = 1, ['&'] = 1, ['\''] = 1,
    ['*'] = 1, ['+'] = 1, ['-'] = 1, ['.'] = 1, ['^'] = 1, ['_'] = 1,
    ['`'] = 1, ['|'] = 1, ['~'] = 1, ['0' ... '9'] = 1, ['a' ... 'z'] = 1,
    ['A' ... 'Z'] = 1
};


static int
pause_parser(llhttp_t *parser)
{
    (void) parser;

    return HPE_PAUSED;
}


void
fca_head_start(fca_reader_t *reader, int response)
{
    static const llhttp_settings_t  settings = {
        .on_headers_complete = pause_parser
    };

    llhttp_init(&reader->llhttp, response ? HTTP_RESPONSE : HTTP_REQUEST,
                &settings);
    reader->lead = response ? ANSWER : LEAD;
    reader->connect = 0;
}


/* The method is over: llhttp is told one by which nothing is read differently,
 * but for CONNECT, whose target has a form of its own. */
static int
method_over(fca_reader_t *reader)
{
    const char  *as;

    as = reader->connect == sizeof(connect_name) - 1 ? connect_name : "POST";
    reader->lead = REST;

    return llhttp_execute(&reader->llhttp, as, strlen(as)) == HPE_OK ? 1 : -1;
}


static int
method_byte(fca_reader_t *reader, unsigned char c)
{
    if (reader->connect < sizeof(connect_name) - 1
        && c == (unsigned char) connect_name[reader->connect])
    {
        reader->connect++;

    } else {
        reader->connect = NOT_CONNECT;
    }

    return fca_token_char[c] ? 0 : -1;
}


/* One byte of what stands before llhttp's part; 1: that begins with c;
 * -1: malformed. */
static int
lead(fca_reader_t *reader, unsigned char c)
{
    switch (reader->lead) {

    case LEAD:
        if (c == '\r') {
            reader->lead = LEAD_LF;
            return 0;
        }

        reader->lead = METHOD;
        return method_byte(reader, c);

    case LEAD_LF:
        reader->lead = LEAD;
        return c == '\n' ? 0 : -1;

    case METHOD:
        return c == ' ' ? method_over(reader) : method_byte(reader, c);

    default: /* ANSWER */
        /* llhttp would skip what was left over from the answer before */
        reader->lead = REST;
        return c == 'H' ? 1 : -1;
    }
}


int
fca_head_feed(fca_reader_t *reader, const char *data, size_t len,
    size_t *used)
{
    int              rc;
    const char      *p, *end;
    llhttp_errno_t   error;

    p = data;
    end = data + len;
    *used = len;

    while (reader->lead != REST && p < end) {
        rc = lead(reader, (unsigned char) *p);

        if (rc < 0) {
            *used = 0;
            return -1;
        }

        if (rc == 0) {
            p++;
        }
    }

    if (p == end) {
        return 0;
    }

    error = llhttp_execute(&reader->llhttp, p, (size_t) (end - p));

    if (error == HPE_OK) {
        return 0;
    }

    if (error != HPE_PAUSED) {
        *used = 0;
        return -1;
    }

    *used = (size_t) (llhttp_get_error_pos(&reader->llhttp) - data);

    return 1;
}
