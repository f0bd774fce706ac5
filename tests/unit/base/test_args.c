/* SPDX-License-Identifier: Apache-2.0
 *
 * The command line parser and the text of --help. */
#include "tests/support/sp_cmocka.h"

#include <stdio.h>
#include <string.h>

#include "probe/base/args.h"
#include "probe/base/attr.h"
#include "probe/base/mem.h"

struct common {
    unsigned verbose;
    unsigned json;
};

struct cmd {
    struct common common;
    unsigned depth;
    const char *from;
    struct sp_args_list reports;
    uint64_t rate;
    uint64_t timeout_ms;
    uint64_t any;
};

static const char *const depths[] = {"quick", "standard", "exhaustive", NULL};

static const struct sp_opt opts[] = {
    {.name = "depth",
     .letter = 'd',
     .kind = SP_OPT_CHOICE,
     .metavar = "DEPTH",
     .help = "how much is tested",
     .choices = depths,
     .offset = offsetof(struct cmd, depth)},
    {.name = "from",
     .kind = SP_OPT_STRING,
     .metavar = "SELECTOR",
     .help = "only these senders",
     .offset = offsetof(struct cmd, from)},
    {.name = "report",
     .letter = 'r',
     .kind = SP_OPT_LIST,
     .metavar = "FORMAT=FILE",
     .help = "write a report in this format to this file; the option may be repeated, once for "
             "every report that is wanted",
     .offset = offsetof(struct cmd, reports)},
    {.name = "max-rate",
     .kind = SP_OPT_UINT,
     .metavar = "N",
     .help = "packets per second",
     .min = 10,
     .max = 20000,
     .offset = offsetof(struct cmd, rate)},
    {.name = "timeout",
     .letter = 't',
     .kind = SP_OPT_DURATION,
     .metavar = "TIME",
     .help = "give up after this time",
     .min = 1000,
     .max = 3600000,
     .offset = offsetof(struct cmd, timeout_ms)},
    {.name = "an-option-with-a-very-long-name",
     .kind = SP_OPT_UINT,
     .metavar = "N",
     .help = "any number",
     .offset = offsetof(struct cmd, any)},
};

static const struct sp_opt common_opts[] = {
    {.name = "verbose",
     .letter = 'v',
     .kind = SP_OPT_FLAG,
     .help = "say more",
     .offset = offsetof(struct common, verbose)},
    {.name = "json",
     .letter = 'j',
     .kind = SP_OPT_FLAG,
     .help = "write JSON",
     .offset = offsetof(struct common, json)},
};

static const struct sp_cmdline verify = {
    .name = "segproof verify",
    .usage = "TOPOLOGY [HOST]... [OPTION]...",
    .summary = "Tests the declared topology with packets and says whether it holds.",
    .opts = opts,
    .nopts = SP_ARRAY_LEN(opts),
    .common = common_opts,
    .ncommon = SP_ARRAY_LEN(common_opts),
    .examples = "  segproof verify shop.yaml --depth quick",
    .positional = "TOPOLOGY HOST",
    .min_positional = 1,
    .max_positional = 2,
};

#define MAX_ARGV 24

/* Splits words at blanks (an underscore stands for an empty string) and parses them. */
struct run {
    char text[512];
    char *argv[MAX_ARGV];
    int argc;
    struct cmd into;
    struct sp_args args;
    struct sp_diag diag;
    enum sp_rc rc;
};

static void parse_cmd(struct run *run, const struct sp_cmdline *cmd, const char *words)
{
    memset(run, 0, sizeof(*run));
    assert_true(strlen(words) < sizeof(run->text) - 10);
    memcpy(run->text, "segproof ", 9);
    memcpy(run->text + 9, words, strlen(words) + 1);
    for (char *at = run->text; *at;) {
        assert_true(run->argc < MAX_ARGV);
        run->argv[run->argc++] = at;
        at += strcspn(at, " ");
        if (*at) {
            *at++ = '\0';
        }
    }
    run->rc = sp_args_parse(cmd, run->argc, run->argv, &run->into, &run->args, &run->diag);
}

static void parse(struct run *run, const char *words)
{
    parse_cmd(run, &verify, words);
}

static void release(struct run *run)
{
    sp_args_release(&verify, &run->into, &run->args);
}

/* Parsing must fail and the message must hold this text. */
static void refuse(const char *words, const char *message)
{
    struct run run;
    parse(&run, words);
    if (run.rc != SP_E_INVALID || !strstr(run.diag.text, message)) {
        fail_msg("'%s' gave %d, '%s'; wanted '%s'", words, (int)run.rc, run.diag.text, message);
    }
    assert_string_equal(run.diag.where, "segproof verify");
    assert_null(run.args.items);
    assert_null(run.into.reports.items);
}

static void test_every_kind(void **state)
{
    (void)state;
    struct run run;
    parse(&run, "--depth exhaustive shop.yaml --from=web -r html=a.html --report junit=b.xml "
                "-rtap=c --max-rate 500 --timeout=90s -vj --verbose db-1");
    assert_int_equal(run.rc, SP_OK);
    assert_int_equal(run.into.depth, 2);
    assert_string_equal(run.into.from, "web");
    assert_int_equal(run.into.reports.count, 3);
    assert_string_equal(run.into.reports.items[0], "html=a.html");
    assert_string_equal(run.into.reports.items[1], "junit=b.xml");
    assert_string_equal(run.into.reports.items[2], "tap=c");
    assert_int_equal(run.into.rate, 500);
    assert_int_equal(run.into.timeout_ms, 90000);
    assert_int_equal(run.into.common.verbose, 2);
    assert_int_equal(run.into.common.json, 1);
    assert_false(run.args.help);
    assert_int_equal(run.args.count, 2);
    assert_string_equal(run.args.items[0], "shop.yaml");
    assert_string_equal(run.args.items[1], "db-1");
    release(&run);
    assert_null(run.into.reports.items);
    assert_null(run.args.items);
}

static void test_defaults_stay(void **state)
{
    (void)state;
    char program[] = "segproof";
    char *argv[] = {program, program, NULL};
    struct cmd into = {.depth = 1, .rate = 77};
    struct sp_args args;
    assert_int_equal(sp_args_parse(&verify, 2, argv, &into, &args, NULL), SP_OK);
    assert_int_equal(into.depth, 1);
    assert_int_equal(into.rate, 77);
    assert_int_equal(args.count, 1);
    sp_args_release(&verify, &into, &args);
}

static void test_last_one_counts(void **state)
{
    (void)state;
    struct run run;
    parse(&run, "x -d quick -d standard --from a --from b");
    assert_int_equal(run.rc, SP_OK);
    assert_int_equal(run.into.depth, 1);
    assert_string_equal(run.into.from, "b");
    release(&run);
}

static void test_dashes(void **state)
{
    (void)state;
    struct run run;
    parse(&run, "- -- --json"); /* "-" is an argument; nothing after "--" is an option */
    assert_int_equal(run.rc, SP_OK);
    assert_int_equal(run.args.count, 2);
    assert_string_equal(run.args.items[0], "-");
    assert_string_equal(run.args.items[1], "--json");
    assert_int_equal(run.into.common.json, 0);
    release(&run);

    parse(&run, "x --from -"); /* "-" may also be a value */
    assert_int_equal(run.rc, SP_OK);
    assert_string_equal(run.into.from, "-");
    release(&run);

    parse(&run, "x --from=--odd"); /* with '=' every value is possible */
    assert_int_equal(run.rc, SP_OK);
    assert_string_equal(run.into.from, "--odd");
    release(&run);

    parse(&run, "x --from="); /* the empty one too */
    assert_int_equal(run.rc, SP_OK);
    assert_string_equal(run.into.from, "");
    release(&run);
}

static void test_help(void **state)
{
    (void)state;
    struct run run;
    parse(&run, "--help");
    assert_int_equal(run.rc, SP_OK);
    assert_true(run.args.help);
    release(&run);
    parse(&run, "a b c d -vh --nonsense"); /* help wins over everything after it */
    assert_int_equal(run.rc, SP_OK);
    assert_true(run.args.help);
    release(&run);
}

static void test_errors_help(void **state)
{
    (void)state;
    refuse("x --dept quick", "unknown option '--dept': did you mean '--depth'?");
    refuse("x --jsn", "did you mean '--json'?");
    refuse("x --max", "did you mean '--max-rate'?");
    refuse("x --hlep", "did you mean '--help'?");
    refuse("x --zzzzzz", "unknown option '--zzzzzz': 'segproof verify --help' lists the options");
    refuse("x --zz=1", "unknown option '--zz'");
    refuse("x --aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
           "unknown option '--aaaa");
    refuse("x -q", "unknown option '-q'");
    refuse("x -\x01", "unknown option '-?'");
    refuse("x -vq", "unknown option '-q'");
    refuse("x --json=yes", "--json takes no value");
    refuse("x --depth", "--depth needs a value: --depth=DEPTH");
    refuse("x -d", "--depth needs a value: --depth=DEPTH");
    refuse("x --from --json", "--from needs a value before '--json': write --from=SELECTOR");
    refuse("x -r -v", "--report needs a value before '-v'");
    refuse("x --depth quik", "--depth: no 'quik': did you mean 'quick'?");
    refuse("x --depth 7", "--depth: no '7': use one of quick, standard, exhaustive");
    refuse("x --depth=", "use one of quick");
    refuse("x --max-rate 9", "--max-rate: 9 is out of range: use 10 to 20000");
    refuse("x --max-rate 20001", "out of range");
    refuse("x --max-rate 99999999999999999999", "out of range");
    refuse("x --max-rate=-1", "--max-rate: '-1' is not a whole number");
    refuse("x --max-rate 0x10", "not a whole number");
    refuse("x --max-rate=", "not a whole number");
    refuse("x --timeout 5x", "--timeout: '5x' is not a duration: write 250ms, 5s, 10m or 1h");
    refuse("x --timeout 10ms", "out of range: use 1000 ms to 3600000 ms");
    refuse("x --timeout 2h", "out of range");
    refuse("x --an-option-with-a-very-long-name 99999999999999999999", "is too large");
    refuse("--json", "TOPOLOGY is missing; usage: segproof verify TOPOLOGY");
    refuse("a b c", "one argument too many: 'c'");
    refuse("--report a --report b c --bad", "unknown option '--bad'"); /* and frees the list */
}

static void test_missing_second(void **state)
{
    (void)state;
    struct sp_cmdline two = verify;
    struct run run;
    two.min_positional = 2;
    parse_cmd(&run, &two, "x");
    assert_int_equal(run.rc, SP_E_INVALID);
    assert_non_null(strstr(run.diag.text, "HOST is missing"));
    two.positional = NULL;
    parse_cmd(&run, &two, "x");
    assert_non_null(strstr(run.diag.text, "an argument is missing"));
}

static void test_stop_at_positional(void **state)
{
    (void)state;
    struct sp_cmdline program = verify;
    struct run run;
    program.stop_at_positional = true;
    program.max_positional = SIZE_MAX;
    parse_cmd(&run, &program, "-v verify --json -- --unknown");
    assert_int_equal(run.rc, SP_OK);
    assert_int_equal(run.into.common.verbose, 1);
    assert_int_equal(run.into.common.json, 0);
    assert_int_equal(run.args.count, 4);
    assert_string_equal(run.args.items[1], "--json");
    assert_string_equal(run.args.items[2], "--");
    release(&run);
}

static void test_empty_argv(void **state)
{
    (void)state;
    struct sp_cmdline none = {.name = "x", .usage = "", .summary = "Does nothing."};
    struct sp_args args;
    struct sp_diag diag;
    int unused = 0;
    char program[] = "x";
    char empty[] = "";
    char *argv[] = {program, empty, NULL};
    assert_int_equal(sp_args_parse(&none, 0, argv, &unused, &args, &diag), SP_OK);
    assert_int_equal(args.count, 0);
    sp_args_release(&none, &unused, &args);
    /* an empty argument is an argument */
    assert_int_equal(sp_args_parse(&none, 2, argv, &unused, &args, &diag), SP_E_INVALID);
    assert_non_null(strstr(diag.text, "one argument too many: ''"));
}

static void test_help_text(void **state)
{
    (void)state;
    struct sp_buf out;
    sp_buf_init(&out, 8192);
    sp_args_help(&verify, &out);
    assert_int_equal(out.rc, SP_OK);
    const char *want =
        "Usage: segproof verify TOPOLOGY [HOST]... [OPTION]...\n"
        "Tests the declared topology with packets and says whether it holds.\n"
        "\n"
        "Options:\n"
        "  -d, --depth DEPTH         how much is tested: quick, standard, exhaustive\n"
        "      --from SELECTOR       only these senders\n"
        "  -r, --report FORMAT=FILE...\n"
        "                            write a report in this format to this file; the\n"
        "                            option may be repeated, once for every report that\n"
        "                            is wanted\n"
        "      --max-rate N          packets per second\n"
        "  -t, --timeout TIME        give up after this time\n"
        "      --an-option-with-a-very-long-name N\n"
        "                            any number\n"
        "  -v, --verbose             say more\n"
        "  -j, --json                write JSON\n"
        "  -h, --help                show this help and exit\n"
        "\n"
        "Examples:\n"
        "  segproof verify shop.yaml --depth quick\n";
    assert_string_equal(sp_buf_text(&out), want);
    sp_buf_release(&out);

    sp_buf_init(&out, 100); /* too small: a failure, not a crash */
    sp_args_help(&verify, &out);
    assert_int_equal(out.rc, SP_E_LIMIT);
    sp_buf_release(&out);
}

static void check_fails(const struct sp_opt *bad, const char *message)
{
    struct sp_cmdline cmd = {
        .name = "x", .usage = "", .summary = "Tests.", .opts = bad, .nopts = 1};
    struct sp_diag diag = {0};
    assert_int_equal(sp_args_check(&cmd, &diag), SP_E_INVALID);
    if (!strstr(diag.text, message)) {
        fail_msg("'%s' does not hold '%s'", diag.text, message);
    }
}

static void test_table_check(void **state)
{
    (void)state;
    struct sp_diag diag = {0};
    assert_int_equal(sp_args_check(&verify, &diag), SP_OK);
    check_fails(&(struct sp_opt){.name = "X"}, "not a good option name");
    check_fails(&(struct sp_opt){.name = "x_y"}, "not a good option name");
    check_fails(&(struct sp_opt){.name = "xx"}, "help is missing");
    check_fails(&(struct sp_opt){.name = "xx", .help = "Ends."}, "help is missing or ends");
    check_fails(&(struct sp_opt){.name = "xx", .help = "a", .metavar = "N"}, "metavar");
    check_fails(&(struct sp_opt){.name = "xx", .help = "a", .kind = SP_OPT_UINT}, "metavar");
    check_fails(&(struct sp_opt){.name = "xx", .help = "a", .metavar = "N", .kind = SP_OPT_CHOICE},
                "choices");
    check_fails(
        &(struct sp_opt){
            .name = "xx", .help = "a", .metavar = "N", .kind = SP_OPT_UINT, .min = 2, .max = 1},
        "min is above max");
    check_fails(&(struct sp_opt){.name = "help", .help = "a"}, "same name or letter");
    check_fails(&(struct sp_opt){.name = "host", .help = "a", .letter = 'h'},
                "same name or letter");
    struct sp_cmdline unnamed = {.usage = "", .summary = ""};
    assert_int_equal(sp_args_check(&unnamed, &diag), SP_E_INVALID);
    struct sp_cmdline silent = verify;
    silent.positional = NULL;
    assert_int_equal(sp_args_check(&silent, &diag), SP_E_INVALID);
}

static void test_opt_at(void **state)
{
    (void)state;
    size_t n = SP_ARRAY_LEN(opts) + SP_ARRAY_LEN(common_opts);
    assert_ptr_equal(sp_args_opt_at(&verify, 0), &opts[0]);
    assert_ptr_equal(sp_args_opt_at(&verify, n - 1), &common_opts[1]);
    assert_string_equal(sp_args_opt_at(&verify, n)->name, "help");
    assert_null(sp_args_opt_at(&verify, n + 1));
    assert_null(sp_args_opt_at(&verify, SIZE_MAX));
}

static const char *command_at(const void *ctx, size_t i)
{
    const char *const *names = ctx;
    return names[i];
}

static void test_suggest(void **state)
{
    (void)state;
    static const char *const names[] = {"check", "explain", "plan", "verify", "report", "x"};
    size_t n = SP_ARRAY_LEN(names);
    assert_string_equal(sp_args_suggest("chekc", n, command_at, names), "check");
    assert_string_equal(sp_args_suggest("ver", n, command_at, names), "verify");
    assert_string_equal(sp_args_suggest("pln", n, command_at, names), "plan");
    assert_null(sp_args_suggest("deploy", n, command_at, names));
    assert_null(sp_args_suggest("", n, command_at, names));
    assert_null(sp_args_suggest("y", n, command_at, names)); /* one letter is no likeness */
    assert_null(sp_args_suggest("check", 0, command_at, names));
}

static void test_torture(void **state)
{
    (void)state;
    for (size_t n = 1;; n++) {
        struct run run;
        assert_true(n < 100);
        (void)sp_mem_fail_at(n, 0);
        parse(&run, "--report a b --report c -rd e f");
        size_t asked = sp_mem_fail_at(0, 0);
        if (asked < n) {
            assert_int_equal(run.rc, SP_E_INVALID); /* f is one argument too many */
            break;
        }
        assert_int_equal(run.rc, SP_E_NOMEM);
    }
    for (size_t n = 1;; n++) {
        struct sp_buf out;
        assert_true(n < 100);
        sp_buf_init(&out, 8192);
        (void)sp_mem_fail_at(n, 0);
        sp_args_help(&verify, &out);
        size_t asked = sp_mem_fail_at(0, 0);
        assert_int_equal(out.rc, asked < n ? SP_OK : SP_E_NOMEM);
        sp_buf_release(&out);
        if (asked < n) {
            break;
        }
    }
}

/* A maximum that is only the type's own is no advice. */
static void test_minimum_alone(void **state)
{
    (void)state;
    static const struct sp_opt own[] = {
        {.name = "seed", .kind = SP_OPT_UINT, .metavar = "N", .help = "x", .min = 1, .offset = 0},
        {.name = "wait", .kind = SP_OPT_DURATION, .metavar = "T", .help = "x", .min = 100},
    };
    static const struct sp_cmdline cmd = {
        .name = "t", .usage = "", .summary = "s", .opts = own, .nopts = SP_ARRAY_LEN(own)};
    static const char *const given[] = {"--seed=0", "--wait=5ms", "--seed=99999999999999999999"};
    static const char *const texts[] = {"--seed: 0 is out of range: use 1 or more",
                                        "--wait: 5ms is out of range: use 100 ms or more",
                                        "--seed: 99999999999999999999 is too large"};
    for (size_t i = 0; i < SP_ARRAY_LEN(texts); i++) {
        uint64_t into = 7;
        struct sp_args args;
        struct sp_diag diag = {0};
        char name[] = "t", word[40];
        char *argv[] = {name, word, NULL};
        (void)snprintf(word, sizeof(word), "%s", given[i]);
        assert_int_equal(sp_args_parse(&cmd, 2, argv, &into, &args, &diag), SP_E_INVALID);
        assert_string_equal(diag.text, texts[i]);
        assert_int_equal(into, 7);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_minimum_alone),
        cmocka_unit_test(test_every_kind),
        cmocka_unit_test(test_defaults_stay),
        cmocka_unit_test(test_last_one_counts),
        cmocka_unit_test(test_dashes),
        cmocka_unit_test(test_help),
        cmocka_unit_test(test_errors_help),
        cmocka_unit_test(test_missing_second),
        cmocka_unit_test(test_stop_at_positional),
        cmocka_unit_test(test_empty_argv),
        cmocka_unit_test(test_help_text),
        cmocka_unit_test(test_table_check),
        cmocka_unit_test(test_opt_at),
        cmocka_unit_test(test_suggest),
        cmocka_unit_test(test_torture),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
