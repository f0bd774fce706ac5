/* SPDX-License-Identifier: Apache-2.0
 *
 * Every command: a sound option table, help with an example, a clear error for what it does not
 * know. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "controller/commands/cmd.h"
#include "controller/commands/complete.h"
#include "tests/support/sp_cmocka.h"

/* Runs a command with its streams in files; returns the exit code. */
static int run(const struct sp_command *c, int argc, char **argv, char out[65536], char err[65536])
{
    FILE *files[2] = {tmpfile(), tmpfile()};
    char *into[2] = {out, err};
    int kept[2];
    (void)fflush(NULL);
    for (int i = 0; i < 2; i++) {
        assert_non_null(files[i]);
        kept[i] = dup(i + 1);
        assert_true(dup2(fileno(files[i]), i + 1) >= 0);
    }
    int code = c->run(argc, argv);
    (void)fflush(NULL);
    for (int i = 0; i < 2; i++) {
        (void)dup2(kept[i], i + 1);
        (void)close(kept[i]);
        rewind(files[i]);
        into[i][fread(into[i], 1, 65535, files[i])] = '\0';
        (void)fclose(files[i]);
    }
    return code;
}

static void entries(void **state)
{
    (void)state;
    const struct sp_command *c;
    const char *before = "";
    size_t i;
    for (i = 0; (c = sp_command_at(i)) != NULL; i++) {
        struct sp_diag diag = {0};
        char name[64];
        assert_true(strcmp(before, c->name) < 0); /* sorted */
        before = c->name;
        assert_ptr_equal(sp_command_find(c->name), c);
        assert_non_null(c->run);
        if (sp_args_check(c->cmdline, &diag) != SP_OK) {
            fail_msg("%s: %s: %s", c->name, diag.where, diag.text);
        }
        (void)snprintf(name, sizeof(name), "segproof %s", c->name);
        assert_string_equal(c->cmdline->name, name);
        assert_true(strlen(c->cmdline->summary) > 10);
        assert_non_null(c->cmdline->examples);
        assert_non_null(strstr(c->cmdline->examples, name));
    }
    assert_int_equal(i, sp_command_count());
    assert_null(sp_command_find("no such command"));
}

static bool has_option(const struct sp_cmdline *cmd, const char *name)
{
    const struct sp_opt *o;
    for (size_t i = 0; (o = sp_args_opt_at(cmd, i)) != NULL; i++) {
        if (strcmp(o->name, name) == 0) {
            return true;
        }
    }
    return false;
}

static void common_options(void **state)
{
    (void)state;
    const struct sp_command *c;
    for (size_t i = 0; (c = sp_command_at(i)) != NULL; i++) {
        assert_true(has_option(c->cmdline, "json"));
        assert_true(has_option(c->cmdline, "quiet"));
        assert_true(has_option(c->cmdline, "verbose"));
        assert_true(has_option(c->cmdline, "color"));
    }
}

/* A generated list of what an option takes must know every word for a value. */
static void values_can_be_completed(void **state)
{
    (void)state;
    const struct sp_command *c;
    for (size_t i = 0; (c = sp_command_at(i)) != NULL; i++) {
        const struct sp_opt *o;
        for (size_t j = 0; (o = sp_args_opt_at(c->cmdline, j)) != NULL; j++) {
            if (o->metavar && !o->choices && !sp_complete_knows(o->metavar)) {
                fail_msg("%s --%s: complete.c does not know what %s is", c->name, o->name,
                         o->metavar);
            }
        }
        char words[128];
        char *rest = NULL;
        (void)snprintf(words, sizeof(words), "%s",
                       c->cmdline->positional ? c->cmdline->positional : "");
        for (char *w = strtok_r(words, " ", &rest); w; w = strtok_r(NULL, " ", &rest)) {
            if (!sp_complete_knows(w)) {
                fail_msg("%s: complete.c does not know what %s is", c->name, w);
            }
            assert_non_null(strstr(c->cmdline->usage, w));
        }
    }
    assert_false(sp_complete_knows("NOSUCH"));
}

/* "  segproof plan shop.yaml -v > file": the words of the command, or 0. Written for lines without
 * quotes; that there are none is checked. */
static int words_of(char *line, const char *name, char *words[32])
{
    char *at = strstr(line, name);
    char *rest = NULL;
    int n = 0;
    assert_null(strpbrk(line, "'\"\\"));
    if (!at) {
        return 0;
    }
    at += strlen("segproof ");
    at[strcspn(at, ")>|&;#")] = '\0';
    for (char *w = strtok_r(at, " ", &rest); w && n < 31; w = strtok_r(NULL, " ", &rest)) {
        words[n++] = w;
    }
    words[n] = NULL;
    return n;
}

/* Help that shows what is no longer accepted is worse than none. */
static void examples_parse(void **state)
{
    (void)state;
    const struct sp_command *c;
    for (size_t i = 0; (c = sp_command_at(i)) != NULL; i++) {
        char text[2048];
        char *rest = NULL;
        assert_true(strlen(c->cmdline->examples) < sizeof(text));
        (void)snprintf(text, sizeof(text), "%s", c->cmdline->examples);
        for (char *l = strtok_r(text, "\n", &rest); l; l = strtok_r(NULL, "\n", &rest)) {
            union {
                max_align_t align;
                unsigned char bytes[4096];
            } into = {0};
            struct sp_args args;
            struct sp_diag diag = {0};
            char *words[32];
            char line[256];
            (void)snprintf(line, sizeof(line), "%s", l);
            int n = words_of(line, c->cmdline->name, words);
            if (n == 0) {
                fail_msg("%s: no example of it: %s", c->name, l);
            }
            if (sp_args_parse(c->cmdline, n, words, &into, &args, &diag) != SP_OK) {
                fail_msg("%s: %s: %s", c->name, l, diag.text);
            }
            assert_false(args.help);
            sp_args_release(c->cmdline, &into, &args);
        }
    }
}

static void help_works(void **state)
{
    (void)state;
    static char out[65536];
    static char err[65536];
    const struct sp_command *c;
    for (size_t i = 0; (c = sp_command_at(i)) != NULL; i++) {
        for (int k = 0; k < 2; k++) {
            char word[32];
            char option[8];
            char *argv[] = {word, option, NULL};
            (void)snprintf(option, sizeof(option), "%s", k ? "-h" : "--help");
            (void)snprintf(word, sizeof(word), "%s", c->name);
            assert_int_equal(run(c, 2, argv, out, err), SP_EXIT_HOLDS);
            assert_string_equal(err, "");
            assert_non_null(strstr(out, c->cmdline->name));
            assert_non_null(strstr(out, "--json"));
            const struct sp_opt *o;
            for (size_t j = 0; (o = sp_args_opt_at(c->cmdline, j)) != NULL; j++) {
                assert_non_null(strstr(out, o->name));
            }
            assert_non_null(strstr(out, c->cmdline->examples));
        }
    }
}

static void unknown_options_are_usage_errors(void **state)
{
    (void)state;
    static char out[65536];
    static char err[65536];
    const struct sp_command *c;
    for (size_t i = 0; (c = sp_command_at(i)) != NULL; i++) {
        char word[32];
        char option[] = "--jsn";
        char *argv[] = {word, option, NULL};
        (void)snprintf(word, sizeof(word), "%s", c->name);
        assert_int_equal(run(c, 2, argv, out, err), SP_EXIT_USAGE);
        assert_string_equal(out, "");
        assert_non_null(strstr(err, "--jsn"));
        assert_non_null(strstr(err, "json")); /* what was meant */
    }
}

static void a_missing_topology_is_a_usage_error(void **state)
{
    (void)state;
    static char out[65536];
    static char err[65536];
    const struct sp_command *c;
    for (size_t i = 0; (c = sp_command_at(i)) != NULL; i++) {
        char word[32];
        char file[] = "/nonexistent/shop.yaml";
        char from[] = "a";
        char to[] = "b";
        char port[] = "tcp/1";
        char *argv[] = {word, file, from, to, port, NULL};
        size_t least = c->cmdline->min_positional;
        bool reads = c->cmdline->positional && strstr(c->cmdline->positional, "TOPOLOGY");
        (void)snprintf(word, sizeof(word), "%s", c->name);
        if (least == 0 || !reads) {
            continue;
        }
        assert_int_equal(run(c, 1, argv, out, err), SP_EXIT_USAGE); /* no topology at all */
        assert_true(err[0] != '\0');
        assert_int_equal(run(c, (int)least + 1, argv, out, err), SP_EXIT_USAGE);
        assert_string_equal(out, "");
        assert_non_null(strstr(err, "/nonexistent/shop.yaml"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries),
        cmocka_unit_test(common_options),
        cmocka_unit_test(values_can_be_completed),
        cmocka_unit_test(examples_parse),
        cmocka_unit_test(help_works),
        cmocka_unit_test(unknown_options_are_usage_errors),
        cmocka_unit_test(a_missing_topology_is_a_usage_error),
    };
    return cmocka_run_group_tests_name("commands", tests, NULL, NULL);
}
