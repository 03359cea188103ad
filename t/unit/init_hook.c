/* vm/init/hook.c: what an answer to a hook means. */

#include "t/unit/tap.h"
#include "vm/init/hook.h"


static int
judge(const char *head, int eof, int *reseeds)
{
    fcf_err_t  err;

    *reseeds = -1;

    return fcv_hook_judge("/.fcfaas/restore", head, eof, reseeds, &err);
}


int
main(void)
{
    int  reseeds;

    is_int(judge("", 0, &reseeds), 0, "nothing yet");
    is_int(judge("HTTP/1.1 204 No Content\r\nX-Fcf", 0, &reseeds), 0,
           "half a head");
    is_int(judge("HTTP/1.1 204 No Con", 1, &reseeds), -1, "cut");
    is_int(judge("", 1, &reseeds), -1, "closed without a word");

    is_int(judge("HTTP/1.1 204 No Content\r\n\r\n", 0, &reseeds), 1,
           "an answer");
    is_int(reseeds, 0, "which says nothing of random state");

    is_int(judge("HTTP/1.1 204 No Content\r\nDate: x\r\n"
                 "x-fcfaas-reseeds: 1\r\n\r\n", 0, &reseeds), 1, "one");
    is_int(reseeds, 1, "that does");

    is_int(judge("HTTP/1.1 200 OK\r\n\r\nx\r\nX-Fcfaas-Reseeds: 1\r\n\r\n", 0,
                 &reseeds), 1, "words in a body");
    is_int(reseeds, 0, "are none of a head");

    is_int(judge("HTTP/1.0 404 Not Found\r\n\r\n", 0, &reseeds), 1,
           "a function that has no hook");
    is_int(judge("HTTP/1.0 501 Not Implemented\r\n\r\n", 0, &reseeds), 1,
           "one that knows no POST");
    is_int(judge("HTTP/1.1 500 Oops\r\n\r\n", 0, &reseeds), -1,
           "one that fails");
    is_int(judge("HTTP/1.1 99999999999999999999 x\r\n\r\n", 0, &reseeds), -1,
           "a status that is none");
    is_int(judge("SSH-2.0-x\r\n\r\n", 0, &reseeds), -1, "no HTTP");

    return tap_done();
}
