/* Who listens inside the guest, by the kernel's tables /proc/net/tcp and tcp6:
 * a function that is deaf from outside is told so while it still starts. */

#ifndef _FCV_LISTEN_H_INCLUDED_
#define _FCV_LISTEN_H_INCLUDED_

#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>

#define FCV_LISTEN_ADDR  (INET6_ADDRSTRLEN + sizeof("[]:65535"))

/* zeroed memory: nothing seen yet */
typedef struct {
    int   open;                         /* the port, to others than itself */
    char  loopback[FCV_LISTEN_ADDR];    /* the port, to itself; "": not */
    char  other[FCV_LISTEN_ADDR];       /* another port, to anybody; "" */
} fcv_listen_t;

/* Adds what one of the tables says; unreadable lines are passed over. */
void fcv_listen_scan(fcv_listen_t *seen, FILE *table, uint16_t port);
/* both tables; what cannot be opened says nothing */
void fcv_listen_look(fcv_listen_t *seen, uint16_t port);

/* The watch over one function's port, by the clock of fcv_now_ms(). */
typedef struct {
    int       port;
    int64_t   since_ms, next_ms;        /* next_ms < 0: no more */
    unsigned  loopback;                 /* looks in a row that found only it */
    int       told;
} fcv_watch_t;

typedef enum {
    FCV_WATCH_QUIET,                    /* nothing to say */
    FCV_WATCH_TOLD,                     /* words, to be said now */
    FCV_WATCH_DEAF                      /* words; it will never be reached */
} fcv_watch_e;

void fcv_watch_start(fcv_watch_t *watch, int port, int64_t now_ms);
void fcv_watch_end(fcv_watch_t *watch);
/* until the next look, as poll(2) wants it */
int fcv_watch_wait(const fcv_watch_t *watch, int64_t now_ms);
/* After a look that was due; words is of size bytes. */
fcv_watch_e fcv_watch_judge(fcv_watch_t *watch, const fcv_listen_t *seen,
    int64_t now_ms, char *words, size_t size);
/* that look, and what it comes to */
fcv_watch_e fcv_watch_look(fcv_watch_t *watch, int64_t now_ms, char *words,
    size_t size);

#endif /* _FCV_LISTEN_H_INCLUDED_ */
