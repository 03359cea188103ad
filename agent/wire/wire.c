#include <string.h>
#include "agent/wire/wire.h"

#define FCA_WIRE_MAGIC  0x70636166      /* "facp" */
#define FCA_WIRE_MS     3600000u        /* longest wait asked for */

/* ids end in zeros, up to and with their last byte */
_Static_assert(sizeof(((fca_wire_route_t *) 0)->function_id) > FCF_ID_MAX,
               "no room for a function_id");
_Static_assert(sizeof(((fca_wire_route_t *) 0)->worker_id)
               > FCF_WORKER_ID_MAX, "no room for a worker_id");

typedef int (*fca_wire_check_pt)(const fca_wire_msg_t *msg, unsigned nfds);

typedef struct {
    const char         *name;
    fca_wire_side_e     from;
    size_t              size;           /* of the body */
    unsigned            fds;            /* at most; check says more */
    fca_wire_check_pt   check;          /* NULL: any value will do */
} fca_wire_type_t;

#define BODY(member)  sizeof(((fca_wire_msg_t *) 0)->member)

/* text of at most max bytes, all after it zero */
static int
text_ok(const char *text, size_t size, size_t max)
{
    size_t  i, len;

    len = strnlen(text, size);
    if (len > max || len == size) {
        return 0;
    }

    for (i = len; i < size; i++) {
        if (text[i] != '\0') {
            return 0;
        }
    }

    return 1;
}

static int
port_ok(uint32_t port)
{
    return port >= 1 && port < FCA_WIRE_PORTS;
}

static int
device_ok(const char *device)
{
    const char  *p;

    for (p = device; *p; p++) {
        if (*p <= ' ' || *p > '~' || *p == '/' || *p == ':') {
            return 0;
        }
    }

    return 1;
}

static int
check_access(const fca_wire_msg_t *msg, unsigned nfds)
{
    (void) nfds;

    return msg->access.token_len <= FCA_WIRE_TOKEN_MAX
           && msg->access.nnets <= FCA_WIRE_NETS_MAX && msg->access.stay <= 1;
}

static int
check_route(const fca_wire_msg_t *msg, unsigned nfds)
{
    const fca_wire_route_t  *r = &msg->route;

    /* a closing one has no socket to hand back */
    if (nfds != !r->closing
        || (r->closing && msg->head.type != FCA_WIRE_ROUTE))
    {
        return 0;
    }

    return port_ok(r->port) && port_ok(r->guest_port) && r->draining <= 1
           && r->closing <= 1 && r->reserved == 0
           && text_ok(r->device, sizeof(r->device), IFNAMSIZ - 1)
           && device_ok(r->device)
           && text_ok(r->function_id, sizeof(r->function_id), FCF_ID_MAX)
           && fcf_id_valid(r->function_id, strlen(r->function_id))
           && text_ok(r->worker_id, sizeof(r->worker_id), FCF_WORKER_ID_MAX)
           && fcf_worker_id_valid(r->worker_id, strlen(r->worker_id));
}

static int
check_drain(const fca_wire_msg_t *msg, unsigned nfds)
{
    (void) nfds;

    return port_ok(msg->drain.port) && msg->drain.on <= 1;
}

static int
check_close(const fca_wire_msg_t *msg, unsigned nfds)
{
    (void) nfds;

    return port_ok(msg->close.port) && msg->close.linger_ms <= FCA_WIRE_MS
           && msg->close.grace_ms <= FCA_WIRE_MS
           && msg->close.guest_dead <= 1;
}

static int
check_welcome(const fca_wire_msg_t *msg, unsigned nfds)
{
    return nfds == 1 && msg->welcome.threads >= 1
           && msg->welcome.threads <= 64;
}

static int
check_listed(const fca_wire_msg_t *msg, unsigned nfds)
{
    (void) nfds;

    return msg->listed.count < FCA_WIRE_PORTS;
}

static int
check_done(const fca_wire_msg_t *msg, unsigned nfds)
{
    (void) nfds;

    return msg->done.port < FCA_WIRE_PORTS && msg->done.failed <= 1
           && text_ok(msg->done.text, sizeof(msg->done.text),
                      FCA_WIRE_TEXT_MAX - 1);
}

static int
check_closed(const fca_wire_msg_t *msg, unsigned nfds)
{
    (void) nfds;

    return port_ok(msg->closed.port);
}

static const fca_wire_type_t  fca_wire_types[FCA_WIRE_NTYPES] = {
    [FCA_WIRE_HELLO] = { "HELLO", FCA_WIRE_AGENT, 0, 0, NULL },
    [FCA_WIRE_ACCESS] = { "ACCESS", FCA_WIRE_AGENT, BODY(access), 0,
                          check_access },
    [FCA_WIRE_LIST] = { "LIST", FCA_WIRE_AGENT, 0, 0, NULL },
    [FCA_WIRE_OPEN] = { "OPEN", FCA_WIRE_AGENT, BODY(route), 1, check_route },
    [FCA_WIRE_DRAIN] = { "DRAIN", FCA_WIRE_AGENT, BODY(drain), 0,
                         check_drain },
    [FCA_WIRE_CLOSE] = { "CLOSE", FCA_WIRE_AGENT, BODY(close), 0,
                         check_close },
    [FCA_WIRE_PING] = { "PING", FCA_WIRE_AGENT, 0, 0, NULL },
    [FCA_WIRE_BYE] = { "BYE", FCA_WIRE_AGENT, 0, 0, NULL },
    [FCA_WIRE_WELCOME] = { "WELCOME", FCA_WIRE_PROXY, BODY(welcome), 1,
                           check_welcome },
    [FCA_WIRE_ROUTE] = { "ROUTE", FCA_WIRE_PROXY, BODY(route), 1,
                         check_route },
    [FCA_WIRE_LISTED] = { "LISTED", FCA_WIRE_PROXY, BODY(listed), 0,
                          check_listed },
    [FCA_WIRE_DONE] = { "DONE", FCA_WIRE_PROXY, BODY(done), 0, check_done },
    [FCA_WIRE_CLOSED] = { "CLOSED", FCA_WIRE_PROXY, BODY(closed), 0,
                          check_closed },
    [FCA_WIRE_PONG] = { "PONG", FCA_WIRE_PROXY, 0, 0, NULL },
};

static const fca_wire_type_t *
type_find(unsigned type)
{
    return type < FCA_WIRE_NTYPES && fca_wire_types[type].name
           ? &fca_wire_types[type] : NULL;
}

const char *
fca_wire_name(unsigned type)
{
    const fca_wire_type_t  *t = type_find(type);

    return t ? t->name : "unknown";
}

void
fca_wire_init(fca_wire_msg_t *msg, fca_wire_e type, uint32_t seq)
{
    memset(msg, 0, sizeof(*msg));
    msg->head.magic = FCA_WIRE_MAGIC;
    msg->head.version = FCA_WIRE_VERSION;
    msg->head.type = (uint16_t) type;
    msg->head.len = (uint32_t) (sizeof(msg->head) + type_find(type)->size);
    msg->head.seq = seq;
}

int
fca_wire_check(const fca_wire_msg_t *msg, size_t len, unsigned nfds,
    fca_wire_side_e from, fcf_err_t *err)
{
    const fca_wire_type_t  *t;

    if (len < sizeof(msg->head) || msg->head.magic != FCA_WIRE_MAGIC
        || msg->head.len != len)
    {
        return fcf_err_set(err, FCF_E_PROTOCOL, "%zu bytes that are no "
                           "message", len);
    }

    /* only a first message can be of another version */
    if (msg->head.version != FCA_WIRE_VERSION
        && (msg->head.type == FCA_WIRE_HELLO
            || msg->head.type == FCA_WIRE_WELCOME))
    {
        return fcf_err_set(err, FCF_E_REFUSED, "it speaks version %u, not %u",
                           msg->head.version, FCA_WIRE_VERSION);
    }

    t = type_find(msg->head.type);

    if (t == NULL || t->from != from || msg->head.version != FCA_WIRE_VERSION)
    {
        return fcf_err_set(err, FCF_E_PROTOCOL, "a message of type %u that it "
                           "may not send", msg->head.type);
    }

    if (len != sizeof(msg->head) + t->size || nfds > t->fds
        || (t->check && !t->check(msg, nfds)))
    {
        return fcf_err_set(err, FCF_E_PROTOCOL, "a malformed %s", t->name);
    }

    return 0;
}
