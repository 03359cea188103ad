/*
 * Fields, an empty line, and what follows.  Behind a request's first line and
 * behind an answer's they frame the same body, or are refused; and what is
 * accepted llhttp, left to itself, takes for a message that ends in the same
 * place, or refuses.  (Of chunks its loose mode takes what ours does not.)
 */

#include <string.h>
#include "agent/proxy/http/proxy_body.h"
#include "agent/proxy/http/proxy_head.h"
#include "t/fuzz/fuzz.h"

static const char *const  first_line[] = {
    "QUERY /a HTTP/1.1\r\n", "HTTP/1.1 200 OK\r\n"
};

/* what only requests are refused for: the rest is read alike */
typedef struct {
    int           accepted;
    int           refused;              /* its body */
    size_t        end;                  /* of the message; 0: not there yet */
    fca_body_e    kind;
    fca_body_t    body;
    fca_head_t    head;
} result_t;


static char *
message(int response, const uint8_t *data, size_t size, size_t *len)
{
    char    *text;
    size_t   n;

    n = strlen(first_line[response]);
    *len = n + size;
    text = malloc(*len);
    FCT_HOLDS(text);
    memcpy(text, first_line[response], n);
    memcpy(text + n, data, size);

    return text;
}


static void
read_message(result_t *r, int response, const uint8_t *data, size_t size)
{
    char          *text;
    size_t         len, used;
    ssize_t        n;
    fca_reader_t   reader;

    text = message(response, data, size, &len);
    fca_head_start(&reader, response);
    memset(r, 0, sizeof(*r));

    if (fca_head_feed(&reader, text, len, &used) != 1
        || fca_head_scan(&r->head, &reader, text, text + used) != 0)
    {
        free(text);
        return;
    }

    r->accepted = 1;
    r->kind = r->head.chunked ? FCA_BODY_CHUNKED
              : r->head.has_length ? FCA_BODY_LENGTH
              : response ? FCA_BODY_CLOSE : FCA_BODY_NONE;

    fca_body_init(&r->body, r->kind, r->head.length);
    n = fca_body_feed(&r->body, text + used, len - used, NULL);

    r->refused = n < 0;

    if (n >= 0 && r->body.done) {
        r->end = used + (size_t) n;
    }

    free(text);
}


/* Is there a field in it that requests are held to, and answers are not? */
static int
concerns_requests(const uint8_t *data, size_t size)
{
    size_t  i;

    for (i = 0; i + 4 < size; i++) {
        /* Host, Expect */
        if ((data[i] | 0x20) == 'h' || (data[i] | 0x20) == 'x') {
            return 1;
        }
    }

    return 0;
}


static int
on_complete(llhttp_t *parser)
{
    (void) parser;

    return HPE_PAUSED;
}


static int
on_request_headers(llhttp_t *parser)
{
    /* an upgrade is the guest's to grant */
    parser->upgrade = 0;

    return 0;
}


static void
llhttp_agrees(const result_t *r, int response, const uint8_t *data,
    size_t size)
{
    char               *text;
    size_t              len;
    llhttp_t            parser;
    llhttp_errno_t      rc;
    llhttp_settings_t   settings = {
        .on_headers_complete = on_request_headers,
        .on_message_complete = on_complete
    };

    text = message(response, data, size, &len);

    if (!response) {
        memcpy(text, "POST /a", 7);
        memmove(text + 7, text + 8, len - 8);
        len--;
    }

    llhttp_init(&parser, response ? HTTP_RESPONSE : HTTP_REQUEST, &settings);

    rc = llhttp_execute(&parser, text, len);

    if (rc == HPE_PAUSED) {
        FCT_HOLDS(r->end);
        FCT_HOLDS(llhttp_get_error_pos(&parser)
                  == text + r->end - !response);

    } else {
        FCT_HOLDS(rc != HPE_OK || !r->end);
    }

    free(text);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    result_t  request, answer;

    if (size == 0) {
        return 0;                       /* data may be NULL */
    }

    read_message(&request, 0, data, size);
    read_message(&answer, 1, data, size);

    FCT_HOLDS(request.accepted == answer.accepted
              || concerns_requests(data, size));

    if (request.accepted && answer.accepted) {
        FCT_HOLDS(request.head.chunked == answer.head.chunked);
        FCT_HOLDS(request.head.has_length == answer.head.has_length);
        FCT_HOLDS(request.head.length == answer.head.length);
        FCT_HOLDS(request.kind == answer.kind
                  || (request.kind == FCA_BODY_NONE
                      && answer.kind == FCA_BODY_CLOSE));
    }

    if (request.accepted && !request.refused) {
        llhttp_agrees(&request, 0, data, size);
    }

    if (answer.accepted && !answer.refused && answer.kind != FCA_BODY_CLOSE) {
        llhttp_agrees(&answer, 1, data, size);
    }

    return 0;
}
