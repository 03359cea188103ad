#include <inttypes.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "agent/base/log.h"
#include "agent/lines_int.h"
#include "contract/fcf_text.h"
#include "vm/guest.h"

/* of what a guest's init warns of: a function that is root in there could write
 * the same, over and over */
#define FCA_WARNED_MAX  8

/* a VM, and the lines that it has begun */
typedef struct {
    char      worker_id[FCF_WORKER_ID_MAX + 1];
    char      function_id[FCF_ID_MAX + 1];
    int64_t   version;
    int       warned;
    struct {
        size_t  len;
        char   *data;                   /* FCA_LINE_MAX; NULL: none ever came */
    }         begun[FCA_STREAMS];
} fca_lines_vm_t;

fca_lines_t *
fca_lines_new(const fca_lines_conf_t *conf, int64_t epoch, fcf_err_t *err)
{
    fca_lines_t  *lines;

    lines = calloc(1, sizeof(*lines));
    if (lines == NULL) {
        fcf_err_set(err, FCF_E_NOMEM, "no memory for what functions print");
        return NULL;
    }

    lines->conf = *conf;
    lines->epoch = epoch;
    TAILQ_INIT(&lines->list);

    return lines;
}

static void
lines_vm_free(void *arg)
{
    int              i;
    fca_lines_vm_t  *vm = arg;

    for (i = 0; i < FCA_STREAMS; i++) {
        free(vm->begun[i].data);
    }

    free(vm);
}

static int
lines_vm_cmp(const void *a, const void *b)
{
    return strcmp(((const fca_lines_vm_t *) a)->worker_id,
                  ((const fca_lines_vm_t *) b)->worker_id);
}

static int
lines_of_cmp(const void *a, const void *b)
{
    return strcmp(((const fca_lines_of_t *) a)->id,
                  ((const fca_lines_of_t *) b)->id);
}

fca_lines_of_t *
fca_lines_find(const fca_lines_t *lines, const char *id)
{
    void            *node;
    fca_lines_of_t   key;

    snprintf(key.id, sizeof(key.id), "%s", id);
    node = tfind(&key, &lines->functions, lines_of_cmp);

    return node ? *(fca_lines_of_t **) node : NULL;
}

/* numbers go on where all others are, so that none comes twice */
static fca_lines_of_t *
lines_of(fca_lines_t *lines, const char *id)
{
    fca_lines_of_t  *of;

    of = fca_lines_find(lines, id);
    if (of) {
        return of;
    }

    of = calloc(1, sizeof(*of));
    if (of == NULL) {
        return NULL;
    }

    snprintf(of->id, sizeof(of->id), "%s", id);
    TAILQ_INIT(&of->list);
    of->last = lines->total;

    if (tsearch(of, &lines->functions, lines_of_cmp) == NULL) {
        free(of);
        return NULL;
    }

    return of;
}

/* with its function, if nothing else is known of it */
static void
lines_drop(fca_lines_t *lines, fca_line_t *line, int counted)
{
    fca_lines_of_t  *of = line->of;

    TAILQ_REMOVE(&lines->list, line, all);
    TAILQ_REMOVE(&of->list, line, own);
    lines->size -= line->size;
    of->size -= line->size;
    of->dropped += counted != 0;
    free(line);

    if (TAILQ_EMPTY(&of->list)) {
        tdelete(of, &lines->functions, lines_of_cmp);
        free(of);
    }
}

void
fca_lines_age(fca_lines_t *lines, int64_t now_ms)
{
    fca_line_t  *line;

    while ((line = TAILQ_FIRST(&lines->list)) != NULL
           && line->ms < now_ms - lines->conf.age_ms)
    {
        lines_drop(lines, line, 0);
    }
}

/* the newest stays, whatever the bounds are */
static void
lines_bound(fca_lines_t *lines, fca_lines_of_t *of)
{
    fca_line_t  *first;

    while (of->size > lines->conf.each
           && (first = TAILQ_FIRST(&of->list)) != TAILQ_LAST(&of->list,
                                                        fca_line_list_s))
    {
        lines_drop(lines, first, 1);
    }

    while (lines->size > lines->conf.all
           && (first = TAILQ_FIRST(&lines->list)) != TAILQ_LAST(&lines->list,
                                                        fca_line_list_s))
    {
        lines_drop(lines, first, 1);
    }
}

/* text is clean */
static void
lines_warn(fca_lines_vm_t *vm, const char *text)
{
    fca_log_ctx_t  ctx = { .function_id = vm->function_id,
                           .vm = vm->worker_id };

    if (strncmp(text, FCV_WARNING, strlen(FCV_WARNING)) != 0
        || vm->warned == FCA_WARNED_MAX)
    {
        return;
    }

    vm->warned++;
    fca_log(FCF_LOG_WARN, &ctx, "guest: %s%s", text + strlen(FCV_WARNING),
            vm->warned < FCA_WARNED_MAX ? ""
            : "; what else it warns of is in its own log");
}

static void
lines_add(fca_lines_t *lines, fca_lines_vm_t *vm, fca_stream_e stream,
    const char *data, size_t len, int64_t now_ms)
{
    char             id[FCF_REQUEST_ID_MAX + 1], *p;
    char             text[FCA_LINE_MAX * FCF_TEXT_GROWS + 1];
    size_t           mark, size, worker;
    fca_line_t      *line;
    fca_lines_of_t  *of;

    mark = fca_mark_len(data, len);
    snprintf(id, sizeof(id), "%.*s", mark ? (int) mark - 2 : 0, data + !!mark);
    len = fcf_text_clean(text, sizeof(text), data + mark, len - mark, 0);

    if (stream == FCA_STREAM_CONSOLE) {
        lines_warn(vm, text);
    }

    of = lines_of(lines, vm->function_id);
    if (of == NULL) {
        return;
    }

    worker = strlen(vm->worker_id) + 1;
    size = sizeof(*line) + worker + strlen(id) + 1 + len + 1;
    line = malloc(size);
    of->last++;
    lines->total++;

    if (line == NULL) {
        of->dropped++;
        return;
    }

    *line = (fca_line_t) { .of = of, .ms = now_ms, .seq = of->last,
                           .version = vm->version, .stream = stream,
                           .size = size };
    p = memcpy(line->worker_id, vm->worker_id, worker);
    line->request_id = strcpy(p + worker, id);
    line->text = strcpy(p + worker + strlen(id) + 1, text);

    TAILQ_INSERT_TAIL(&lines->list, line, all);
    TAILQ_INSERT_TAIL(&of->list, line, own);
    lines->size += size;
    of->size += size;
    lines_bound(lines, of);
}

static fca_lines_vm_t *
lines_vm_find(const fca_lines_t *lines, const char *worker_id)
{
    void            *node;
    fca_lines_vm_t   key;

    snprintf(key.worker_id, sizeof(key.worker_id), "%s", worker_id);
    node = tfind(&key, &lines->vms, lines_vm_cmp);

    return node ? *(fca_lines_vm_t **) node : NULL;
}

static fca_lines_vm_t *
lines_vm(fca_lines_t *lines, const fca_instance_said_t *said)
{
    fca_lines_vm_t  *vm;

    vm = lines_vm_find(lines, said->worker_id);
    if (vm) {
        return vm;
    }

    vm = calloc(1, sizeof(*vm));
    if (vm == NULL) {
        return NULL;
    }

    snprintf(vm->worker_id, sizeof(vm->worker_id), "%s", said->worker_id);
    snprintf(vm->function_id, sizeof(vm->function_id), "%s",
             said->function_id);
    vm->version = said->version;

    if (tsearch(vm, &lines->vms, lines_vm_cmp) == NULL) {
        free(vm);
        return NULL;
    }

    return vm;
}

static void
lines_flush(fca_lines_t *lines, fca_lines_vm_t *vm, fca_stream_e stream,
    int64_t now_ms)
{
    size_t  len = vm->begun[stream].len;

    if (len > 0) {
        vm->begun[stream].len = 0;
        lines_add(lines, vm, stream, vm->begun[stream].data, len, now_ms);
    }
}

/* up to a newline, or as much as fits; returns how much was taken */
static size_t
lines_take(fca_lines_t *lines, fca_lines_vm_t *vm, fca_stream_e stream,
    const char *data, size_t len, int64_t now_ms)
{
    int          whole;
    size_t       n, room;
    const char  *end;

    end = memchr(data, '\n', len);
    n = end ? (size_t) (end - data) : len;
    whole = end != NULL;
    room = FCA_LINE_MAX - vm->begun[stream].len;

    if (n > room) {
        n = room;
        whole = 0;
    }

    memcpy(vm->begun[stream].data + vm->begun[stream].len, data, n);
    vm->begun[stream].len += n;

    if (whole && vm->begun[stream].len > 0
        && vm->begun[stream].data[vm->begun[stream].len - 1] == '\r')
    {
        vm->begun[stream].len--;
    }

    if (whole || vm->begun[stream].len == FCA_LINE_MAX) {

        if (whole && vm->begun[stream].len == 0) {
            lines_add(lines, vm, stream, "", 0, now_ms);
        }

        lines_flush(lines, vm, stream, now_ms);
    }

    return n + (whole != 0);
}

void
fca_lines_said(fca_lines_t *lines, const fca_instance_said_t *said,
    int64_t now_ms)
{
    char             lost[64];
    size_t           at;
    fca_lines_vm_t  *vm;

    fca_lines_age(lines, now_ms);
    vm = lines_vm(lines, said);

    if (vm == NULL) {
        return;
    }

    if (said->dropped > 0) {
        lines_add(lines, vm, FCA_STREAM_LOST, lost, (size_t) snprintf(lost,
                  sizeof(lost), "%" PRIu64 " bytes more were printed",
                  said->dropped), now_ms);
    }

    if (said->len > 0 && vm->begun[said->stream].data == NULL) {
        vm->begun[said->stream].data = malloc(FCA_LINE_MAX);
        if (vm->begun[said->stream].data == NULL) {
            return;
        }
    }

    for (at = 0; at < said->len; ) {
        at += lines_take(lines, vm, said->stream, said->data + at,
                         said->len - at, now_ms);
    }
}

void
fca_lines_ended(fca_lines_t *lines, const char *worker_id, int64_t now_ms)
{
    int              i;
    fca_lines_vm_t  *vm;

    vm = lines_vm_find(lines, worker_id);
    if (vm == NULL) {
        return;
    }

    for (i = 0; i < FCA_STREAMS; i++) {
        lines_flush(lines, vm, (fca_stream_e) i, now_ms);
    }

    tdelete(vm, &lines->vms, lines_vm_cmp);
    lines_vm_free(vm);
}

void
fca_lines_free(fca_lines_t *lines)
{
    if (lines == NULL) {
        return;
    }

    while (!TAILQ_EMPTY(&lines->list)) {
        lines_drop(lines, TAILQ_FIRST(&lines->list), 0);
    }

    tdestroy(lines->functions, free);
    tdestroy(lines->vms, lines_vm_free);
    free(lines);
}
