/* Messages between agent and proxy: each is taken as it is meant, and nothing
 * else is. */

#include <stdlib.h>
#include <unistd.h>
#include "agent/wire/wire.h"
#include "t/unit/tap.h"

#define ROUNDS  200000

static const struct {
    fca_wire_e       type;
    fca_wire_side_e  from;
    unsigned         fds;
} types[] = {
    { FCA_WIRE_HELLO, FCA_WIRE_AGENT, 0 },
    { FCA_WIRE_ACCESS, FCA_WIRE_AGENT, 0 },
    { FCA_WIRE_LIST, FCA_WIRE_AGENT, 0 },
    { FCA_WIRE_OPEN, FCA_WIRE_AGENT, 1 },
    { FCA_WIRE_DRAIN, FCA_WIRE_AGENT, 0 },
    { FCA_WIRE_CLOSE, FCA_WIRE_AGENT, 0 },
    { FCA_WIRE_PING, FCA_WIRE_AGENT, 0 },
    { FCA_WIRE_BYE, FCA_WIRE_AGENT, 0 },
    { FCA_WIRE_WELCOME, FCA_WIRE_PROXY, 1 },
    { FCA_WIRE_ROUTE, FCA_WIRE_PROXY, 1 },
    { FCA_WIRE_LISTED, FCA_WIRE_PROXY, 0 },
    { FCA_WIRE_DONE, FCA_WIRE_PROXY, 0 },
    { FCA_WIRE_CLOSED, FCA_WIRE_PROXY, 0 },
    { FCA_WIRE_PONG, FCA_WIRE_PROXY, 0 },
};

#define NTYPES  (sizeof(types) / sizeof(types[0]))

static void
good(fca_wire_msg_t *msg, fca_wire_e type)
{
    fca_wire_init(msg, type, 7);

    switch (type) {

    case FCA_WIRE_OPEN:
    case FCA_WIRE_ROUTE:
        msg->route.port = 30000;
        msg->route.guest_port = 80;
        strcpy(msg->route.device, "fc-bridge0");
        strcpy(msg->route.function_id, "resize-image");
        strcpy(msg->route.worker_id, "node-17");
        break;

    case FCA_WIRE_DRAIN:
        msg->drain.port = 30000;
        break;

    case FCA_WIRE_CLOSE:
        msg->close.port = 30000;
        break;

    case FCA_WIRE_CLOSED:
        msg->closed.port = 30000;
        break;

    case FCA_WIRE_WELCOME:
        msg->welcome.threads = 2;
        break;

    default:
        break;
    }
}

static void
each_type(void)
{
    size_t           i;
    fca_wire_msg_t   msg;
    fca_wire_side_e  other;

    for (i = 0; i < NTYPES; i++) {
        good(&msg, types[i].type);
        other = types[i].from == FCA_WIRE_AGENT ? FCA_WIRE_PROXY
                                                : FCA_WIRE_AGENT;

        ok(fca_wire_check(&msg, msg.head.len, types[i].fds, types[i].from,
                          NULL) == 0, "%s", fca_wire_name(types[i].type));
        ok(fca_wire_check(&msg, msg.head.len, types[i].fds, other, NULL)
           == -1, "not the other way round");
        ok(fca_wire_check(&msg, msg.head.len, !types[i].fds, types[i].from,
                          NULL) == -1, "a descriptor too many or too few");
        ok(fca_wire_check(&msg, msg.head.len - 1, types[i].fds,
                          types[i].from, NULL) == -1, "cut");

        msg.head.len++;
        ok(fca_wire_check(&msg, msg.head.len, types[i].fds, types[i].from,
                          NULL) == -1, "too long");
    }
}

static int
route_is(const fca_wire_msg_t *msg)
{
    return fca_wire_check(msg, msg->head.len, !msg->route.closing,
                          FCA_WIRE_PROXY, NULL) == 0;
}

static void
routes(void)
{
    fca_wire_msg_t  msg, ok;

    good(&ok, FCA_WIRE_ROUTE);

#define BAD(change, name)                                                   \
    msg = ok;                                                               \
    change;                                                                 \
    ok(!route_is(&msg), name)

    BAD(msg.route.port = 0, "port 0");
    BAD(msg.route.port = 65536, "a port beyond all");
    BAD(msg.route.guest_port = 65536, "a guest's port beyond all");
    BAD(msg.route.draining = 2, "neither draining nor not");
    BAD(msg.route.closing = 2, "neither closing nor not");
    BAD(msg.route.reserved = 1, "what is reserved");
    BAD(msg.route.function_id[0] = '\0', "no function");
    BAD(msg.route.function_id[0] = '/', "no name of a function");
    BAD(msg.route.function_id[20] = 'x', "something behind the name");
    BAD(memset(msg.route.function_id, 'a', sizeof(msg.route.function_id)),
        "a name without an end");
    BAD(memset(msg.route.worker_id, 'a', sizeof(msg.route.worker_id)),
        "a worker without an end");
    BAD(strcpy(msg.route.worker_id, "node"), "no worker");
    BAD(memset(msg.route.device, 'a', sizeof(msg.route.device)),
        "a device without an end");
    BAD(strcpy(msg.route.device, "a/b"), "no device's name");

    msg = ok;
    msg.route.closing = 1;
    ok(route_is(&msg), "one that closes has no socket");
    msg.route.closing = 0;
    memset(msg.route.device, 0, sizeof(msg.route.device));
    ok(route_is(&msg), "a device need not be");

    good(&msg, FCA_WIRE_OPEN);
    msg.route.closing = 1;
    ok(fca_wire_check(&msg, msg.head.len, 0, FCA_WIRE_AGENT, NULL) == -1,
       "none is opened closing");
}

static void
versions(void)
{
    fcf_err_t       err;
    fca_wire_msg_t  msg;

    good(&msg, FCA_WIRE_HELLO);
    msg.head.version++;
    ok(fca_wire_check(&msg, msg.head.len, 0, FCA_WIRE_AGENT, &err) == -1
       && err.code == FCF_E_REFUSED, "another version is told as such");

    good(&msg, FCA_WIRE_LIST);
    msg.head.version++;
    ok(fca_wire_check(&msg, msg.head.len, 0, FCA_WIRE_AGENT, &err) == -1
       && err.code == FCF_E_PROTOCOL, "but not after the first message");
}

/* what a message that was taken promises */
static int
promise(const fca_wire_msg_t *m)
{
    switch (m->head.type) {

    case FCA_WIRE_ACCESS:
        return m->access.token_len <= FCA_WIRE_TOKEN_MAX
               && m->access.nnets <= FCA_WIRE_NETS_MAX;

    case FCA_WIRE_OPEN:
    case FCA_WIRE_ROUTE:
        return m->route.port - 1 < FCA_WIRE_PORTS - 1
               && strnlen(m->route.device, IFNAMSIZ) < IFNAMSIZ
               && strnlen(m->route.function_id, 68) <= FCF_ID_MAX
               && strnlen(m->route.worker_id, 100) <= FCF_WORKER_ID_MAX;

    case FCA_WIRE_DRAIN:
        return m->drain.port - 1 < FCA_WIRE_PORTS - 1;

    case FCA_WIRE_CLOSE:
        return m->close.port - 1 < FCA_WIRE_PORTS - 1;

    case FCA_WIRE_DONE:
        return m->done.port < FCA_WIRE_PORTS
               && strnlen(m->done.text, FCA_WIRE_TEXT_MAX)
                  < FCA_WIRE_TEXT_MAX;

    case FCA_WIRE_CLOSED:
        return m->closed.port - 1 < FCA_WIRE_PORTS - 1;
    }

    return 1;
}

/* good ones with a few bytes changed */
static void
mutants(unsigned seed)
{
    int              i, j, taken, broken;
    size_t           t;
    fca_wire_msg_t   msg;
    unsigned char   *p = (unsigned char *) &msg;

    srand(seed);
    taken = broken = 0;

    for (i = 0; i < ROUNDS; i++) {
        t = (size_t) rand() % NTYPES;
        good(&msg, types[t].type);

        for (j = rand() % 4; j >= 0; j--) {
            p[16 + (size_t) rand() % (sizeof(msg) - 16)] = rand() % 3
                ? (unsigned char) rand() : rand() % 2 ? 0xff : 0;
        }

        if (fca_wire_check(&msg, msg.head.len, types[t].fds, types[t].from,
                           NULL) == 0)
        {
            taken++;
            broken += !promise(&msg);
        }
    }

    ok(taken > ROUNDS / 100, "%d of %d were taken", taken, ROUNDS);
    is_int(broken, 0, "and each keeps what it promises (seed %u)", seed);
}

int
main(void)
{
    const char  *seed = getenv("FCF_SEED");

    each_type();
    routes();
    versions();
    mutants(seed ? (unsigned) atoi(seed) : (unsigned) getpid());

    return tap_done();
}
