#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "contract/fcf_names.h"

#define FCF_REDIS_QUEUE  "queue:vm_provision"


static int
fcf_is_lower_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}


static int
fcf_is_word(char c)
{
    return fcf_is_lower_alnum(c) || (c >= 'A' && c <= 'Z')
           || c == '.' || c == '_' || c == '-';
}


static int
fcf_word_valid(const char *s, size_t len, size_t max)
{
    size_t  i;

    if (len == 0 || len > max) {
        return 0;
    }

    for (i = 0; i < len; i++) {
        if (!fcf_is_word(s[i])) {
            return 0;
        }
    }

    return 1;
}


int
fcf_id_valid(const char *s, size_t len)
{
    size_t  i;

    if (len == 0 || len > FCF_ID_MAX
        || !fcf_is_lower_alnum(s[0]) || !fcf_is_lower_alnum(s[len - 1]))
    {
        return 0;
    }

    for (i = 1; i < len; i++) {

        if (!fcf_is_lower_alnum(s[i])
            && s[i] != '.' && s[i] != '_' && s[i] != '-')
        {
            return 0;
        }

        if (s[i] == '.' && s[i - 1] == '.') {
            return 0;
        }
    }

    return 1;
}


int
fcf_prefix_valid(const char *s, size_t len)
{
    size_t  i;

    if (len > FCF_PREFIX_MAX) {
        return 0;
    }

    for (i = 0; i < len; i++) {
        if (s[i] <= ' ' || s[i] > '~' || s[i] == '{' || s[i] == '}') {
            return 0;
        }
    }

    return 1;
}


int
fcf_request_id_valid(const char *s, size_t len)
{
    return fcf_word_valid(s, len, FCF_REQUEST_ID_MAX);
}


int
fcf_worker_id_valid(const char *s, size_t len)
{
    return fcf_word_valid(s, len, FCF_WORKER_ID_MAX);
}


/* without random numbers: unlike any other of this machine, at least */
static void
fcf_request_id_clock(unsigned char bytes[12])
{
    uint32_t         pid;
    uint64_t         n;
    struct timespec  now;

    static uint64_t  count;

    (void) clock_gettime(CLOCK_REALTIME, &now);

    n = (uint64_t) now.tv_sec * 1000000000 + (uint64_t) now.tv_nsec;
    n += __atomic_add_fetch(&count, 1, __ATOMIC_RELAXED);
    pid = (uint32_t) getpid();

    memcpy(bytes, &n, 8);
    memcpy(bytes + 8, &pid, 4);
}


void
fcf_request_id_new(char *buf)
{
    char              *p;
    size_t             i, done;
    ssize_t            n;
    unsigned char      bytes[12];
    static const char  hex[] = "0123456789abcdef";

    /* up to 256 bytes getrandom() neither blocks, once the system's pool is
     * ready, nor is cut short; before that it may be interrupted */

    for (done = 0; done < sizeof(bytes); done += (size_t) n) {
        n = getrandom(bytes + done, sizeof(bytes) - done, 0);

        if (n < 0) {
            if (errno != EINTR) {
                /* a sandbox that forbids it, say */
                fcf_request_id_clock(bytes);
                break;
            }

            n = 0;
        }
    }

    memcpy(buf, "req-", 4);
    p = buf + 4;

    for (i = 0; i < sizeof(bytes); i++) {
        *p++ = hex[bytes[i] >> 4];
        *p++ = hex[bytes[i] & 15];
    }

    *p = '\0';
}


static char *
fcf_key_printf(char *buf, const char *fmt, ...) fcf_printf_like(2, 3);

static char *
fcf_key_printf(char *buf, const char *fmt, ...)
{
    int      n;
    va_list  args;

    va_start(args, fmt);
    n = vsnprintf(buf, FCF_KEY_MAX, fmt, args);
    va_end(args);

    assert(n > 0 && n < FCF_KEY_MAX);

    return buf;
}


char *
fcf_key_specs(char *buf, const char *prefix)
{
    return fcf_key_printf(buf, "%s/specs/", prefix);
}


char *
fcf_key_functions(char *buf, const char *prefix)
{
    return fcf_key_printf(buf, "%s/functions/", prefix);
}


char *
fcf_key_workers(char *buf, const char *prefix)
{
    return fcf_key_printf(buf, "%s/workers/", prefix);
}


char *
fcf_key_runtimes(char *buf, const char *prefix)
{
    return fcf_key_printf(buf, "%s/runtimes/", prefix);
}


char *
fcf_key_runtime(char *buf, const char *prefix, const char *name)
{
    return fcf_key_printf(buf, "%s/runtimes/%s", prefix, name);
}


char *
fcf_key_spec(char *buf, const char *prefix, const char *function_id)
{
    return fcf_key_printf(buf, "%s/specs/%s", prefix, function_id);
}


char *
fcf_key_versions(char *buf, const char *prefix, const char *function_id)
{
    return fcf_key_printf(buf, "%s/specs/%s/versions/", prefix, function_id);
}


char *
fcf_key_version(char *buf, const char *prefix, const char *function_id,
    int64_t version)
{
    return fcf_key_printf(buf, "%s/specs/%s/versions/%" PRId64, prefix,
                          function_id, version);
}


char *
fcf_key_secrets(char *buf, const char *prefix, const char *function_id)
{
    return fcf_key_printf(buf, "%s/secrets/%s/", prefix, function_id);
}


char *
fcf_key_secret(char *buf, const char *prefix, const char *function_id,
    int64_t generation)
{
    return fcf_key_printf(buf, "%s/secrets/%s/%" PRId64, prefix, function_id,
                          generation);
}


char *
fcf_key_function(char *buf, const char *prefix, const char *function_id)
{
    return fcf_key_printf(buf, "%s/functions/%s/", prefix, function_id);
}


char *
fcf_key_instance(char *buf, const char *prefix, const char *function_id,
    const char *worker_id)
{
    return fcf_key_printf(buf, "%s/functions/%s/instances/%s", prefix,
                          function_id, worker_id);
}


char *
fcf_key_slot(char *buf, const char *prefix, const char *function_id,
    unsigned k)
{
    return fcf_key_printf(buf, "%s/functions/%s/slots/%u", prefix,
                          function_id, k);
}


char *
fcf_key_failure(char *buf, const char *prefix, const char *function_id,
    const char *request_id)
{
    return fcf_key_printf(buf, "%s/functions/%s/failures/%s", prefix,
                          function_id, request_id);
}


char *
fcf_key_worker(char *buf, const char *prefix, const char *node_id)
{
    return fcf_key_printf(buf, "%s/workers/%s", prefix, node_id);
}


char *
fcf_redis_queue(char *buf, const char *prefix)
{
    return fcf_key_printf(buf, "%s" FCF_REDIS_QUEUE, prefix);
}


/* the prefix stands inside the tag: a tag hashes like the queue only if it is
 * the queue's whole name */

char *
fcf_redis_taken(char *buf, const char *prefix, const char *node_id)
{
    return fcf_key_printf(buf, "{%s" FCF_REDIS_QUEUE "}:taken:%s", prefix,
                          node_id);
}


char *
fcf_redis_dead(char *buf, const char *prefix)
{
    return fcf_key_printf(buf, "{%s" FCF_REDIS_QUEUE "}:dead", prefix);
}


char *
fcf_redis_nodes(char *buf, const char *prefix)
{
    return fcf_key_printf(buf, "{%s" FCF_REDIS_QUEUE "}:nodes", prefix);
}


char *
fcf_redis_pending(char *buf, const char *prefix, const char *function_id)
{
    return fcf_key_printf(buf, "{%s" FCF_REDIS_QUEUE "}:pending:%s", prefix,
                          function_id);
}


char *
fcf_redis_demand(char *buf, const char *prefix, const char *function_id)
{
    return fcf_key_printf(buf, "{%s" FCF_REDIS_QUEUE "}:demand:%s", prefix,
                          function_id);
}
