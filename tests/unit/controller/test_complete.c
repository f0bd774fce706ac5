/* SPDX-License-Identifier: Apache-2.0
 *
 * What may stand at a place of the command line. What shells make of it is tested in tests/cli. */
#include "controller/commands/complete.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "probe/base/mem.h"
#include "tests/support/sp_cmocka.h"

#define SHOP "topologies/examples/shop.yaml"

/* The answer to a line whose words are separated by spaces; '_' stands for an empty word, and the
 * word under the cursor is at. */
static char *ask(const char *line, size_t at)
{
    static char copy[512];
    static char empty[] = "";
    char *words[32];
    size_t n = 0;
    struct sp_buf out;
    (void)snprintf(copy, sizeof(copy), "%s", line);
    for (char *p = copy; *p && n < 32; n++) {
        words[n] = p;
        p += strcspn(p, " ");
        if (*p) {
            *p++ = '\0';
        }
        if (strcmp(words[n], "_") == 0) {
            words[n] = empty;
        }
    }
    sp_buf_init(&out, 1U << 20);
    sp_complete(at, n, words, &out);
    char *text = sp_buf_take(&out);
    sp_buf_release(&out);
    return text;
}

static void starts(const char *line, size_t at, const char *first)
{
    char *text = ask(line, at);
    assert_non_null(text);
    if (strncmp(text, first, strlen(first)) != 0) {
        fail_msg("'%s' at %zu: '%s' does not start with '%s'", line, at, text, first);
    }
    sp_free(text);
}

static void has(const char *line, size_t at, const char *value, bool wanted)
{
    char needle[128];
    char *text = ask(line, at);
    assert_non_null(text);
    (void)snprintf(needle, sizeof(needle), "\n%s\t", value);
    if ((strstr(text, needle) != NULL) != wanted) {
        fail_msg("'%s' at %zu: '%s' %s in '%s'", line, at, value, wanted ? "is not" : "is", text);
    }
    sp_free(text);
}

static void kinds(void **state)
{
    (void)state;
    starts("segproof _", 1, "words 0\ncheck\t");
    starts("segproof check _", 2, "topologies 0\n");
    starts("segproof check a.yaml _", 3, "nothing 0\n");
    starts("segproof verify -", 2, "words 0\n--depth\t");
    starts("segproof verify --state _", 3, "files 0\n");
    starts("segproof verify --state=x", 2, "files 8\n");
    starts("segproof verify --seed _", 3, "nothing 0\n");
    starts("segproof verify --rolling _", 3, "nothing 0\n");
    starts("segproof verify a.yaml --resume _", 4, "words 0\n");
    starts("segproof verify a.yaml --resume=01", 3, "words 9\n");
    starts("segproof verify --depth=q", 2, "words 8\nquick\t\nstandard\t\n");
    starts("segproof verify -dq", 2, "words 2\nquick\t");
    starts("segproof verify -qd _", 3, "words 0\nquick\t");
    starts("segproof verify -rjson=x", 2, "files 7\n");
    starts("segproof verify --report j", 3, "words 0\nchecklist=\t");
    starts("segproof verify --report=j", 2, "words 9\nchecklist=\t");
    starts("segproof verify --from=a,not:b", 2, "words 13\n");
    starts("segproof completion _", 2, "words 0\nbash\t\nzsh\t\n");
    starts("segproof nosuch _", 2, "nothing 0\n");
    starts("segproof", 1, "nothing 0\n");
    starts("segproof check", 0, "nothing 0\n");
    starts("segproof check", 7, "nothing 0\n");
}

static void options(void **state)
{
    (void)state;
    has("segproof verify -", 2, "--inject", true);
    has("segproof plan -", 2, "--inject", false);
    has("segproof verify --inject raw -", 4, "--inject", false);  /* given already */
    has("segproof verify - --inject raw", 2, "--inject", false);  /* behind the cursor */
    has("segproof verify --inject", 2, "--inject", true);         /* being typed */
    has("segproof verify --skip udp -", 4, "--skip", true);       /* a list */
    has("segproof verify -d quick -", 4, "--depth", false);       /* by its letter */
    starts("segproof verify -- -", 3, "topologies 0\n");          /* no option any more */
    starts("segproof verify --from --to _", 4, "topologies 0\n"); /* a value may be anything */
}

static void names(void **state)
{
    (void)state;
    has("segproof verify " SHOP " --from _", 4, "web-1", true);
    has("segproof verify --from _ " SHOP, 3, "web-1", true);
    has("segproof verify '" SHOP "' --from _", 4, "web-1", true);
    has("segproof verify \"" SHOP "\" --from _", 4, "label:app=web", true);
    has("segproof verify \\" SHOP " --from _", 4, "databases", true);
    has("segproof verify --from _", 3, "web-1", false);
    has("segproof verify --state " SHOP " --from _", 5, "web-1", false);
    has("segproof explain " SHOP " _", 3, "shop", true);
    has("segproof explain " SHOP " web-1 not:_", 4, "any", false);
    has("segproof explain " SHOP " web-1 db-1 _", 5, "tcp/", true);
    has("segproof verify /dev/zero --from _", 4, "any", true); /* not read, so it does not wait */
}

/* One line for a label that many hosts have. */
static void labels_once(void **state)
{
    (void)state;
    char *text = ask("segproof verify " SHOP " --from _", 4);
    const char *first = strstr(text, "label:app=web\t");
    assert_non_null(first);
    assert_null(strstr(first + 1, "label:app=web\t"));
    sp_free(text);
}

static void home(void **state)
{
    (void)state;
    char folder[256];
    const char *before = getenv("HOME");
    char *kept = before ? sp_strdup(before) : NULL;
    assert_non_null(getcwd(folder, sizeof(folder)));
    assert_int_equal(setenv("HOME", folder, 1), 0);
    has("segproof verify ~/" SHOP " --from _", 4, "web-1", true);
    (void)unsetenv("HOME");
    has("segproof verify ~/" SHOP " --from _", 4, "web-1", false);
    if (kept) {
        (void)setenv("HOME", kept, 1);
    }
    sp_free(kept);
}

/* Any allocation may fail: then names are missing, or all is. */
static void torture(void **state)
{
    (void)state;
    const char *line = "segproof verify " SHOP " --from _";
    char *want = ask(line, 4);
    bool same = false;
    for (unsigned n = 1; n < 5000 && !same; n++) {
        (void)sp_mem_fail_at(n, 0);
        char *text = ask(line, 4);
        (void)sp_mem_fail_at(0, 0);
        same = text && strcmp(text, want) == 0;
        sp_free(text);
    }
    assert_true(same);
    sp_free(want);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kinds),       cmocka_unit_test(options), cmocka_unit_test(names),
        cmocka_unit_test(labels_once), cmocka_unit_test(home),    cmocka_unit_test(torture),
    };
    return cmocka_run_group_tests_name("complete", tests, NULL, NULL);
}
