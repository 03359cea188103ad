#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "cli/runtime.h"

#define FCC_LINKS_MAX  40


/* "lrwxrwxrwx root/root  7 1970-01-01 00:00 /bin -> usr/bin" */
static void
fcc_runtime_line(void *arg, char *text)
{
    int             i;
    char           *path, *arrow;
    size_t          size;
    fcc_node_t     *nodes, *node;
    fcc_runtime_t  *runtime = arg;

    path = text;

    for (i = 0; i < 5; i++) {
        path += strcspn(path, " ");
        path += strspn(path, " ");
    }

    if (*path != '/') {
        return;
    }

    if (runtime->n == runtime->size) {

        size = runtime->size * 2 + 1024;
        nodes = realloc(runtime->nodes, size * sizeof(fcc_node_t));

        if (nodes == NULL) {
            runtime->failed = 1;
            return;
        }

        runtime->nodes = nodes;
        runtime->size = size;
    }

    node = &runtime->nodes[runtime->n];
    node->target = NULL;
    arrow = *text == 'l' ? strstr(path, " -> ") : NULL;

    if (arrow != NULL) {
        *arrow = '\0';
        node->target = strdup(arrow + 4);
    }

    node->path = strdup(path);

    if (node->path == NULL || (arrow != NULL && node->target == NULL)) {
        runtime->failed = 1;
    }

    runtime->n++;
}


static int
fcc_node_cmp(const void *a, const void *b)
{
    return strcmp(((const fcc_node_t *) a)->path,
                  ((const fcc_node_t *) b)->path);
}


int
fcc_runtime_read(fcc_runtime_t *out, const char *image, fcf_err_t *err)
{
    const char *const  argv[] = { "unsquashfs", "-lls", "-d", "", image,
                                  NULL };

    memset(out, 0, sizeof(fcc_runtime_t));

    if (fcc_command_lines(argv, fcc_runtime_line, out, err) != 0) {
        return fcf_err_wrap(err, "%s", image);
    }

    if (out->failed) {
        return fcf_err_set(err, FCF_E_NOMEM, "no memory");
    }

    if (out->n != 0) {
        qsort(out->nodes, out->n, sizeof(fcc_node_t), fcc_node_cmp);
    }

    return 0;
}


void
fcc_runtime_free(fcc_runtime_t *runtime)
{
    size_t  i;

    for (i = 0; i < runtime->n; i++) {
        free(runtime->nodes[i].path);
        free(runtime->nodes[i].target);
    }

    free(runtime->nodes);
}


/* puts a link's target before what is left of the path */
static int
fcc_follow(char *left, const char *target, char *done)
{
    char  whole[PATH_MAX];

    if ((size_t) snprintf(whole, sizeof(whole), "%s/%s", target, left)
        >= sizeof(whole))
    {
        return -1;
    }

    memcpy(left, whole, strlen(whole) + 1);

    if (*target == '/') {
        *done = '\0';
    }

    return 0;
}


int
fcc_runtime_has(const fcc_runtime_t *runtime, const char *path)
{
    int          links;
    char         left[PATH_MAX], done[PATH_MAX], name[NAME_MAX + 1], *slash;
    size_t       n, len;
    fcc_node_t   wanted = { done, NULL }, *node;

    if ((size_t) snprintf(left, sizeof(left), "%s", path) >= sizeof(left)) {
        return 0;
    }

    done[0] = '\0';

    for (links = 0; links < FCC_LINKS_MAX; ) {

        n = strspn(left, "/");
        memmove(left, left + n, strlen(left + n) + 1);
        n = strcspn(left, "/");

        if (n == 0) {
            return 1;
        }

        if (n > NAME_MAX) {
            return 0;
        }

        memcpy(name, left, n);
        name[n] = '\0';
        memmove(left, left + n, strlen(left + n) + 1);
        slash = strrchr(done, '/');

        if (strcmp(name, ".") == 0) {
            continue;
        }

        if (strcmp(name, "..") == 0) {
            if (slash != NULL) {
                *slash = '\0';
            }

            continue;
        }

        len = strlen(done);

        if (len + n + 2 > sizeof(done)) {
            return 0;
        }

        done[len] = '/';
        memcpy(done + len + 1, name, n + 1);

        node = runtime->n == 0 ? NULL
               : bsearch(&wanted, runtime->nodes, runtime->n,
                         sizeof(fcc_node_t), fcc_node_cmp);

        if (node == NULL) {
            return 0;
        }

        if (node->target != NULL) {
            links++;
            done[len] = '\0';

            if (fcc_follow(left, node->target, done) != 0) {
                return 0;
            }
        }
    }

    return 0;
}
