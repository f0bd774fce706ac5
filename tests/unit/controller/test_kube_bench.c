/* SPDX-License-Identifier: Apache-2.0
 *
 * Results of kube-bench: its three shapes, every truncation, and files that are none or contradict
 * themselves. */
#include <stdbool.h>
#include <string.h>

#include "controller/inspect/kube_bench.h"
#include "probe/base/mem.h"
#include "tests/support/sp_cmocka.h"

#define ITEMS                                                                                      \
    "\"tests\":[{\"section\":\"4.2\",\"results\":["                                                \
    "{\"test_number\":\"4.2.4\",\"status\":\"PASS\",\"scored\":true,\"x\":null},"                  \
    "{\"test_number\":\"4.2.6\",\"status\":\"FAIL\"},"                                             \
    "{\"test_number\":\"4.2.9\",\"status\":\"WARN\"}]}]"
#define TOTALS "\"total_pass\":1,\"total_fail\":1,\"total_warn\":1,\"total_info\":0"

static const char whole[] = "{\"Controls\":[{\"id\":\"4\"," ITEMS "}],\"Totals\":{" TOTALS "}}\n";

static enum sp_rc try(const char *text, size_t len, struct sp_diag *diag)
{
    struct sp_kube_bench bench = {0};
    enum sp_rc rc = sp_kube_bench_read(text, len, &bench, diag);
    if (rc == SP_OK) {
        assert_int_equal(bench.n, 3);
        assert_int_equal(bench.count[SP_KUBE_FAIL], 1);
        assert_string_equal(bench.items[1].number, "4.2.6");
        assert_int_equal(bench.items[1].status, SP_KUBE_FAIL);
        assert_int_equal(bench.items[2].status, SP_KUBE_WARN);
    } else {
        assert_true(diag->text[0] != '\0');
    }
    sp_kube_bench_release(&bench);
    return rc;
}

static void test_shapes(void **state)
{
    static const char *const shapes[] = {whole, "{" ITEMS "," TOTALS "}", "[{" ITEMS "}]",
                                         "\n  {\"Controls\":[{" ITEMS "}]}"};
    struct sp_diag diag = {0};
    (void)state;
    for (size_t i = 0; i < SP_ARRAY_LEN(shapes); i++) {
        if (try(shapes[i], strlen(shapes[i]), &diag) != SP_OK) {
            fail_msg("%s: %s", shapes[i], diag.text);
        }
    }
    assert_int_equal(sp_kube_bench_port("4.2.4"), 10255);
    assert_int_equal(sp_kube_bench_port("4.2.6"), 0);
}

static void test_bad(void **state)
{
    static const char *const bad[] = {
        "",
        " ",
        "x",
        "- yaml: true",
        "{}",
        "[]",
        "7",
        "{\"Controls\":7}",
        "{\"Controls\":[7]}",
        "{\"Controls\":[{}]}",
        "{\"tests\":{}}",
        "{\"tests\":[{}]}",
        "{\"tests\":[{\"results\":7}]}",
        "{\"tests\":[{\"results\":[]}]}",
        "{\"tests\":[{\"results\":[7]}]}",
        "{\"tests\":[{\"results\":[{\"test_number\":\"1.1\"}]}]}",
        "{\"tests\":[{\"results\":[{\"test_number\":\"1.1\",\"status\":\"OK\"}]}]}",
        "{\"tests\":[{\"results\":[{\"test_number\":\"a\",\"status\":\"PASS\"}]}]}",
        "{\"tests\":[{\"results\":[{\"test_number\":\"1.1.1.1.1.1.1.1.1.1.1.1.1\",\"status\":"
        "\"PASS\"}]}]}",
        "{" ITEMS ",\"total_pass\":2}",
        "{" ITEMS ",\"total_fail\":0}",
        "{" ITEMS ",\"total_pass\":\"x\"}",
        "{" ITEMS ",\"tests\":[]}",
        "{\"Controls\":[{" ITEMS "}],\"Totals\":{\"total_fail\":0}}",
    };
    struct sp_diag diag;
    (void)state;
    for (size_t i = 0; i < SP_ARRAY_LEN(bad); i++) {
        diag = (struct sp_diag){0};
        if (try(bad[i], strlen(bad[i]), &diag) != SP_E_INVALID) {
            fail_msg("%s", bad[i]);
        }
    }
    diag = (struct sp_diag){0};
    assert_int_not_equal(try("{\0}", 3, &diag), SP_OK);
}

static void test_truncations(void **state)
{
    (void)state;
    for (size_t len = 0; len + 1 < strlen(whole); len++) {
        struct sp_diag diag = {0};
        char *copy = sp_memdup(whole, len);
        assert_non_null(copy);
        assert_int_equal(try(copy, len, &diag), SP_E_INVALID);
        sp_free(copy);
    }
}

static void test_files(void **state)
{
    struct sp_kube_bench bench = {0};
    struct sp_diag diag = {0};
    (void)state;
    assert_int_equal(sp_kube_bench_read_file("/no/such/file", &bench, &diag), SP_E_SYSTEM);
    assert_int_equal(sp_kube_bench_read_file("/dev/zero", &bench, &diag), SP_E_INVALID);
    assert_int_equal(sp_kube_bench_read_file("/tmp", &bench, &diag), SP_E_INVALID);
    sp_kube_bench_release(&bench);
}

static void test_torture(void **state)
{
    (void)state;
    for (size_t nth = 1;; nth++) {
        struct sp_diag diag = {0};
        (void)sp_mem_fail_at(nth, 0);
        enum sp_rc rc = try(whole, strlen(whole), &diag);
        bool all = sp_mem_fail_at(0, 0) < nth;
        assert_int_equal(rc, all ? SP_OK : SP_E_NOMEM);
        if (all) {
            break;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shapes),      cmocka_unit_test(test_bad),
        cmocka_unit_test(test_truncations), cmocka_unit_test(test_files),
        cmocka_unit_test(test_torture),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
