/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/report_golden.h"
#include "tests/support/sp_cmocka.h"

static size_t count(const char *text, const char *what)
{
    size_t n = 0;
    for (const char *p = text; (p = strstr(p, what)) != NULL; p += strlen(what)) {
        n++;
    }
    return n;
}

/* The counts in the head are those of the cases below it. */
static void check_counts(const char *text)
{
    char want[160];
    (void)snprintf(want, sizeof(want), "tests=\"%zu\" failures=\"%zu\" errors=\"%zu\"",
                   count(text, "<testcase "), count(text, "<failure "), count(text, "<error "));
    assert_int_equal(count(text, want), 2);
    (void)snprintf(want, sizeof(want), " skipped=\"%zu\"", count(text, "<skipped "));
    assert_int_equal(count(text, want), 1);
}

static int run_xmllint(const char *const *arguments)
{
    int status = 0;
    (void)fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        (void)execvp("xmllint", (char *const *)(uintptr_t)arguments);
        _exit(127);
    }
    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void check_schema(struct sp_sample *sample)
{
    char path[] = "/tmp/sp-junit-XXXXXX";
    const char *const lint[] = {
        "xmllint", "--noout", "--nonet", "--schema", "tests/golden/formats/junit.xsd", path, NULL};
    struct sp_buf out;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    sp_render_sample(sample, "junit", NULL, &out);
    check_counts(sp_buf_text(&out));
    assert_int_equal(write(fd, sp_buf_text(&out), out.len), (ssize_t)out.len);
    (void)close(fd);
    sp_buf_release(&out);
    sp_sample_free(sample);
    int status = run_xmllint(lint);
    (void)unlink(path);
    assert_int_equal(status, 0);
}

static void test_schema(void **state)
{
    (void)state;
    static const char *const version[] = {"xmllint", "--noout", "tests/golden/formats/junit.xsd",
                                          NULL};
    if (run_xmllint(version) == 127) {
        skip();
    }
    check_schema(sp_sample_shop());
    check_schema(sp_sample_clean());
    check_schema(sp_sample_empty());
    check_schema(sp_sample_hostile());
    check_schema(sp_sample_big(2000));
}

static void test_golden(void **state)
{
    (void)state;
    sp_check_golden(sp_sample_shop(), "junit", NULL, "shop.xml");
    sp_check_golden(sp_sample_clean(), "junit", NULL, "clean.xml");
    sp_check_golden(sp_sample_empty(), "junit", NULL, "empty.xml");
    sp_check_golden(sp_sample_swept(), "junit", NULL, "swept.xml");
    sp_check_golden(sp_sample_hostile(), "junit", NULL, "hostile.xml");
}

/* A run that proved nothing is never all green. */
static void test_never_green_by_absence(void **state)
{
    (void)state;
    struct sp_buf out;
    struct sp_sample *s = sp_sample_empty();
    sp_render_sample(s, "junit", NULL, &out);
    assert_int_equal(count(sp_buf_text(&out), "message=\"nothing was checked\""), 1);
    sp_buf_release(&out);
    sp_sample_free(s);

    s = sp_sample_clean();
    s->result->interrupted = true;
    s->result->hosts[SAMPLE_DB_1].ok = false;
    sp_render_sample(s, "junit", NULL, &out);
    assert_int_equal(count(sp_buf_text(&out), "message=\"the run was interrupted\""), 1);
    assert_int_equal(count(sp_buf_text(&out), "message=\"no reason given\""), 1);
    check_counts(sp_buf_text(&out));
    sp_buf_release(&out);
    sp_sample_free(s);
}

/* A case with a finding and an open question fails; one with a hold and an open question is an
 * error; one with a hold and a test left out passes. */
static void test_state_of_a_case(void **state)
{
    (void)state;
    struct sp_sample *s = sp_sample_new();
    struct sp_seen open = sp_seen_unsound(SP_UNSOUND_UNTAGGED);
    static const uint32_t from[] = {SAMPLE_WEB_1, SAMPLE_WEB_2, SAMPLE_JUMP};
    struct sp_seen seen[3][2] = {{sp_seen_silence(), sp_seen_leak()},
                                 {sp_seen_silence(), open},
                                 {sp_seen_silence(), sp_seen_silence()}};
    for (size_t i = 0; i < 3; i++) {
        for (uint16_t k = 0; k < 2; k++) {
            sp_sample_add(s, from[i], SAMPLE_DB_1, SP_FAMILY_IPV4, SP_PROTO_TCP, 22 + k,
                          SP_EXPECT_DENY, SP_NONE, seen[i][k]);
        }
    }
    sp_sample_add(s, SAMPLE_WEB_1, SAMPLE_DB_1, SP_FAMILY_IPV4, SP_PROTO_TCP, 24, SP_EXPECT_DENY,
                  SP_NONE, open);
    sp_sample_judge(s);
    s->result->outcomes[5].judged.verdict = SP_VERDICT_NOT_TESTED;
    struct sp_buf out;
    sp_render_sample(s, "junit", NULL, &out);
    const char *text = sp_buf_text(&out);
    assert_int_equal(count(text, "<failure "), 1);
    assert_int_equal(count(text, "<error "), 1);
    assert_int_equal(count(text, "<skipped "), 0);
    assert_non_null(strstr(text, "<error type=\"inconclusive\" message=\"packets without our tag "
                                 "arrived at the tested port\">tcp/23</error>"));
    check_counts(text);
    sp_buf_release(&out);
    sp_sample_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),
        cmocka_unit_test(test_schema),
        cmocka_unit_test(test_never_green_by_absence),
        cmocka_unit_test(test_state_of_a_case),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
