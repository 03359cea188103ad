/*
 * The bytes of etcd's watch stream, taken apart: one JSON object a line, in
 * whatever pieces they come.  Keeps what has not been asked for, up to
 * FCF_WATCH_MAX.  A long line comes as several messages, so that none takes
 * long.  Private to client/.
 */

#ifndef _FCF_WATCH_H_INCLUDED_
#define _FCF_WATCH_H_INCLUDED_

#include "client/fcf_etcd_codec.h"

#define FCF_WATCH_MAX    (16 * 1024 * 1024)
#define FCF_WATCH_LONG   (16 * 1024)    /* bytes of a line that is cut */
#define FCF_WATCH_PIECE  32             /* events of such a line at once */

typedef enum {
    FCF_WATCH_PROGRESS = 0,     /* nothing but a header */
    FCF_WATCH_CREATED,
    FCF_WATCH_CANCELED,         /* compact_revision != 0: compacted */
    FCF_WATCH_EVENTS,
    FCF_WATCH_ERROR             /* the whole stream; err says which */
} fcf_watch_kind_e;

typedef struct {
    fcf_watch_kind_e    kind;
    int64_t             watch_id;
    int64_t             compact_revision;
    fcf_etcd_header_t   header;
    fcf_etcd_kvs_t      events;
    fcf_err_t           err;    /* CANCELED, ERROR */
    unsigned            partial:1;      /* more of the last revision may
                                           come with the next message */
} fcf_watch_msg_t;

typedef struct {
    fcf_buf_t           buf;
    size_t              at;         /* start of what is not taken */
    size_t              scanned;    /* no newline before this; while cutting,
                                       the end of that line */
    size_t              at_least;   /* bytes of a line that is cut */
    fcf_watch_msg_t     head;       /* valid while cutting: of the line */
    unsigned            cutting:1;
} fcf_watch_t;

void fcf_watch_init(fcf_watch_t *watch);
void fcf_watch_free(fcf_watch_t *watch);

/* 0; -FCF_E_LIMIT: no room, what is held stays; -FCF_E_NOMEM: all is lost */
int fcf_watch_feed(fcf_watch_t *watch, const char *data, size_t len);

/* 1: *out is the next message, to be freed; 0: no whole line; -1: not
 * understood.  last: the stream has ended, an unterminated tail is a line. */
int fcf_watch_next(fcf_watch_t *watch, int last, fcf_watch_msg_t *out,
    fcf_err_t *err);
void fcf_watch_msg_free(fcf_watch_msg_t *msg);

/* fcf_watch_cut.c: the line at "at", that ends at "scanned", will come in
 * pieces; -1: it can not */
int fcf_watch_cut(fcf_watch_t *watch);
/* as fcf_watch_next(), the next of them */
int fcf_watch_piece(fcf_watch_t *watch, fcf_watch_msg_t *out, fcf_err_t *err);
/* what stands in "result" */
int fcf_watch_result(fcf_watch_msg_t *out, const json_t *result,
    fcf_err_t *err);

#endif /* _FCF_WATCH_H_INCLUDED_ */
