/*
 * The bytes of etcd's watch stream, taken apart: one JSON object a line, in
 * whatever pieces they come.  Keeps what has not been asked for, up to
 * FCF_WATCH_MAX.  Private to contract/.
 */

#ifndef _FCF_WATCH_H_INCLUDED_
#define _FCF_WATCH_H_INCLUDED_

#include "client/fcf_etcd_codec.h"

#define FCF_WATCH_MAX  (16 * 1024 * 1024)

typedef struct {
    fcf_buf_t   buf;
    size_t      at;             /* start of the first line not taken */
    size_t      scanned;        /* no newline before this */
} fcf_watch_t;

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
} fcf_watch_msg_t;

void fcf_watch_init(fcf_watch_t *watch);
void fcf_watch_free(fcf_watch_t *watch);

/* 0; -FCF_E_LIMIT: no room, what is held stays; -FCF_E_NOMEM: all is lost */
int fcf_watch_feed(fcf_watch_t *watch, const char *data, size_t len);

/* 1: *out is the next message, to be freed; 0: no whole line; -1: not
 * understood.  last: the stream has ended, an unterminated tail is a line. */
int fcf_watch_next(fcf_watch_t *watch, int last, fcf_watch_msg_t *out,
    fcf_err_t *err);
void fcf_watch_msg_free(fcf_watch_msg_t *msg);

#endif /* _FCF_WATCH_H_INCLUDED_ */
