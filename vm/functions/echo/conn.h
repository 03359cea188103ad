/*
 * One connection of the echo function: requests one after another, each read
 * whole before its answer begins.  nginx stops sending a request's body once
 * it sees an answer's head, so an answer must not overtake its request.
 */

#ifndef _FCV_ECHO_CONN_H_INCLUDED_
#define _FCV_ECHO_CONN_H_INCLUDED_

#include <stddef.h>

typedef struct fcv_echo_s  fcv_echo_t;

/* What all connections together may hold in bodies, in bytes; a request that
 * does not fit is answered with 413. */
void fcv_echo_limit(size_t bytes);

/* Takes fd over; NULL: out of memory, fd stays the caller's. */
fcv_echo_t *fcv_echo_new(int fd);
/* closes the descriptor */
void fcv_echo_free(fcv_echo_t *echo);
int fcv_echo_fd(const fcv_echo_t *echo);

/* Reads, answers and writes as far as it goes without blocking.  Returns the
 * events to wait for (EPOLLIN or EPOLLOUT), or 0: the connection is over, the
 * caller frees it. */
unsigned fcv_echo_run(fcv_echo_t *echo);

#endif /* _FCV_ECHO_CONN_H_INCLUDED_ */
