/* What the files of keys*.c share. */

#ifndef _FCA_KEYS_INT_H_INCLUDED_
#define _FCA_KEYS_INT_H_INCLUDED_

#include <sys/queue.h>
#include "agent/base/log.h"
#include "agent/store/keys.h"

typedef TAILQ_HEAD(fca_keys_list_s, fca_keys_s)  fca_keys_list_t;

struct fca_keyring_s {
    fca_keyring_conf_t         conf;
    fca_keys_list_t            living, ending;
    fcf_timer_t               *timer;
    fcf_etcd_call_t           *look;    /* under way: which are there, then
                                           what some of them say */
    int64_t                    look_lease;
    uint64_t                   looks;   /* how many were begun */
    unsigned                   ncalls;  /* that needed a turn */
    TAILQ_HEAD(, fca_keys_s)   turn;    /* those that wait for one */
};

struct fca_keys_s {
    TAILQ_ENTRY(fca_keys_s)    link;    /* of those living, or ending */
    fca_keyring_t             *ring;
    fca_keys_conf_t            conf;
    fca_keys_handler_t         handler;
    fca_log_ctx_t              log;
    fcf_timer_t               *timer;   /* whatever is to be done again */
    fcf_etcd_call_t           *call;
    unsigned                   backoff;
    TAILQ_ENTRY(fca_keys_s)    turn;
    unsigned                   waiting:1;   /* for its turn */
    unsigned                   counted:1;   /* it has it */

    int                        slot;        /* -1: none */
    int                        slot_tried;  /* may be ours: -1, or k */
    int64_t                    slot_lease;  /* it was put under */
    int64_t                    revision;    /* of the last put; 0: none */
    char                      *slot_value;
    char                      *value;       /* the instance's; NULL: none yet */

    unsigned                   in_etcd:1;   /* the instance's key may be */
    unsigned                   put_wanted:1;    /* once more when done */
    unsigned                   doubt:1;     /* an answer was lost: it may still
                                               be carried out */
    unsigned                   whole:1;     /* etcd had it all, */
    uint64_t                   looks;       /* before the look after this */
    unsigned                   ending:1;
    unsigned                   twice:1;     /* a put may come after the
                                               deletion */
    char                      *goodbye;     /* to be put first; NULL: not, or
                                               is */
    void                     (*gone)(void *arg);
    void                      *gone_arg;
    char                       slot_key[FCF_KEY_MAX];
    char                       key[FCF_KEY_MAX];
};

/* the timer is set for another try */
void fca_keys_later(fca_keys_t *keys);
void fca_keys_free(fca_keys_t *keys);

/* etcd has all of it now */
void fca_keys_whole(fca_keys_t *keys);

/* keys_turn.c */
/* 0: its timer says when; it had one already: 1 */
int fca_keys_turn(fca_keys_t *keys);
/* its call has ended, and none follows at once */
void fca_keys_turn_over(fca_keys_t *keys);
void fca_keys_turn_leave(fca_keys_t *keys);

/* keys_look.c */
void fca_keys_look(void *arg);

/* keys_end.c */
/* its call has ended; 1: so do the keys, and the answer is not looked at */
int fca_keys_answered(fca_keys_t *keys, const fcf_err_t *err);
void fca_keys_end_send(fca_keys_t *keys);

#endif /* _FCA_KEYS_INT_H_INCLUDED_ */
