/* SHA-256: the examples of FIPS 180-4, and text of every length around the
 * borders of blocks, in pieces. */

#include <stdlib.h>
#include "cli/sha256.h"
#include "t/unit/tap.h"

static const struct {
    const char  *text, *hex;
} examples[] = {
    { "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
    { "abc",
      "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
    { "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
      "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1" },
};


static void
digest(char *hex, const char *text, size_t len, size_t piece)
{
    size_t         n;
    fcc_sha256_t   sha;

    fcc_sha256_init(&sha);

    for ( /* void */ ; len > 0; text += n, len -= n) {
        n = piece < len ? piece : len;
        fcc_sha256_add(&sha, text, n);
    }

    fcc_sha256_hex(&sha, hex);
}


int
main(void)
{
    char    text[300], whole[65], hex[65];
    size_t  i, len, piece, wrong;

    for (i = 0; i < sizeof(examples) / sizeof(examples[0]); i++) {
        digest(hex, examples[i].text, strlen(examples[i].text), 1000);
        is_str(hex, examples[i].hex, "\"%.10s\"", examples[i].text);
    }

    memset(text, 'a', sizeof(text));
    wrong = 0;

    for (len = 0; len < sizeof(text); len++) {

        digest(whole, text, len, 1000);

        for (piece = 1; piece < 70; piece += 9) {
            digest(hex, text, len, piece);
            wrong += strcmp(hex, whole) != 0;
        }
    }

    is_int(wrong, 0, "pieces add up to the whole");

    /* sha256sum of so many "a" */

    digest(hex, text, 55, 7);
    is_str(hex, "9f4390f8d30c2dd92ec9f095b65e2b9ae9b0a925a5258e241c9f1e910f73"
           "4318", "as long as fits into one block");
    digest(hex, text, 56, 7);
    is_str(hex, "b35439a4ac6f0948b6d6f9e3c6af0f5f590ce20f1bde7090ef7970686ec6"
           "738a", "one more");

    return tap_done();
}
