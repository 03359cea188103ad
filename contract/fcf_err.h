/*
 * The error object of contract/, agent/ and vm/.  A fallible function takes
 * "fcf_err_t *err" last, returns 0 (or a pointer) on success and a negative
 * number (or NULL) on failure.  Success never touches *err; err may be NULL
 * where the caller does not want the words.  Context is added on the way up
 * with fcf_err_wrap(); whoever decides (retry, refuse, answer) logs it, once.
 */

#ifndef _FCF_ERR_H_INCLUDED_
#define _FCF_ERR_H_INCLUDED_

#define FCF_ERR_MSG_MAX  384

#define fcf_printf_like(f, a)  __attribute__((format(printf, f, a)))
#define fcf_must_check         __attribute__((warn_unused_result))

typedef enum {
    FCF_OK = 0,
    FCF_E_NOMEM,            /* allocation failed */
    FCF_E_INVALID,          /* bad input: message names the place and value */
    FCF_E_SYSTEM,           /* a system call; sys_errno is set */
    FCF_E_UNAVAILABLE,      /* peer down, connection cut, no leader: retry */
    FCF_E_TIMEOUT,          /* no answer within the deadline: retry */
    FCF_E_PROTOCOL,         /* the peer said something not understood */
    FCF_E_NOT_FOUND,        /* no such key, lease, file */
    FCF_E_EXISTS,           /* a demand for absence was not met */
    FCF_E_AUTH,             /* credentials refused */
    FCF_E_LIMIT,            /* a stated maximum was exceeded */
    FCF_E_REFUSED,          /* the peer understood and said no */
    FCF_E_CANCELED          /* the client object was freed before the answer */
} fcf_code_e;

typedef struct {
    fcf_code_e   code;
    int          sys_errno;         /* 0 unless a system call failed */
    char         msg[FCF_ERR_MSG_MAX];
} fcf_err_t;

/* All three return -1, so that "return fcf_err_set(...)" reads well.
 * The message is cut at FCF_ERR_MSG_MAX - 1 bytes, never refused, and is made
 * fit for a log, whoever's words are in it (fcf_text_clean()). */
int fcf_err_set(fcf_err_t *err, fcf_code_e code, const char *fmt, ...)
    fcf_printf_like(3, 4);
/* as above, with code FCF_E_SYSTEM, and ": <strerror>" appended */
int fcf_err_sys(fcf_err_t *err, int sys_errno, const char *fmt, ...)
    fcf_printf_like(3, 4);
/* puts "<context>: " before the message; code and sys_errno stay */
int fcf_err_wrap(fcf_err_t *err, const char *fmt, ...)
    fcf_printf_like(2, 3);

const char *fcf_code_name(fcf_code_e code);

#endif /* _FCF_ERR_H_INCLUDED_ */
