#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/env.h"
#include "contract/fcf_text.h"


/* a value of JSON and of an environment */
static int
fcc_env_text_check(const char *text, size_t len, const char *from,
    fcf_err_t *err)
{
    size_t  i, n;

    if (memchr(text, '\0', len) != NULL) {
        return fcf_err_set(err, FCF_E_INVALID, "%s: holds a zero byte, which "
                           "no environment can", from);
    }

    for (i = 0; i < len; i += n) {

        n = fcf_utf8_char((const unsigned char *) text + i, len - i, NULL);

        if (n == 0) {
            return fcf_err_set(err, FCF_E_INVALID, "%s: is not UTF-8 at byte "
                               "%zu: base64 makes text of it", from, i);
        }
    }

    return 0;
}


static char *
fcc_env_read_all(int fd, const char *from, int line, fcf_err_t *err)
{
    char     *text;
    size_t    len;
    ssize_t   n;

    text = malloc(FCF_VALUE_MAX + 2);

    if (text == NULL) {
        fcf_err_set(err, FCF_E_NOMEM, "no memory");
        return NULL;
    }

    n = 0;

    for (len = 0; len <= FCF_VALUE_MAX; len += (size_t) n) {

        n = fcc_readable(fd, err) != 0 ? -1
            : read(fd, text + len, FCF_VALUE_MAX + 1 - len);

        if (n <= 0 || (line && memchr(text + len, '\n', (size_t) n) != NULL)) {
            len += n > 0 ? (size_t) n : 0;
            break;
        }
    }

    text[len] = '\0';

    if (n < 0) {
        if (fcc_interrupted(err) == 0) {
            fcf_err_sys(err, errno, "%s", from);
        }

    } else if (len > FCF_VALUE_MAX) {
        fcf_err_set(err, FCF_E_INVALID, "%s: is over %d bytes", from,
                    FCF_VALUE_MAX);

    } else if (fcc_env_text_check(text, len, from, err) == 0) {

        if (len != 0 && text[len - 1] == '\n') {
            text[--len] = '\0';
        }

        return text;
    }

    explicit_bzero(text, FCF_VALUE_MAX + 1);
    free(text);

    return NULL;
}


static char *
fcc_env_read_typed(const char *what, fcf_err_t *err)
{
    char            *text;
    struct termios   seen, unseen;

    if (tcgetattr(STDIN_FILENO, &seen) != 0) {
        fcf_err_sys(err, errno, "standard input");
        return NULL;
    }

    unseen = seen;
    unseen.c_lflag &= ~(tcflag_t) ECHO;
    (void) tcsetattr(STDIN_FILENO, TCSAFLUSH, &unseen);

    /* what is typed from here on is neither seen nor lost */
    (void) fprintf(stderr, "%s: ", what);

    text = fcc_env_read_all(STDIN_FILENO, "standard input", 1, err);

    (void) tcsetattr(STDIN_FILENO, TCSAFLUSH, &seen);
    (void) putc('\n', stderr);

    return text;
}


char *
fcc_env_read(const char *path, const char *what, fcf_err_t *err)
{
    int    fd;
    char  *text;

    if (path == NULL) {
        return isatty(STDIN_FILENO) ? fcc_env_read_typed(what, err)
               : fcc_env_read_all(STDIN_FILENO, "standard input", 0, err);
    }

    fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0) {
        fcf_err_sys(err, errno, "%s", path);
        return NULL;
    }

    text = fcc_env_read_all(fd, path, 0, err);
    (void) close(fd);

    return text;
}
