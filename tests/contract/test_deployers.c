/* SPDX-License-Identifier: Apache-2.0
 *
 * Every deployer has what the fleet relies on, and reports a failure to start instead of handing
 * out a dead probe. */
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "controller/deployers/deployer.h"
#include "probe/base/mem.h"
#include "tests/support/sp_cmocka.h"

static void entries(void **state)
{
    (void)state;
    const struct sp_deployer *d;
    const char *before = "";
    size_t i;
    for (i = 0; (d = sp_deployer_at(i)) != NULL; i++) {
        assert_true(strcmp(before, d->name) < 0); /* sorted */
        before = d->name;
        assert_true(strlen(d->summary) > 5);
        assert_non_null(d->start);
        assert_ptr_equal(sp_deployer_find(d->name), d);
    }
    assert_int_equal(i, sp_deployer_count());
    assert_null(sp_deployer_find("no such deployer"));
    assert_null(sp_deployer_find(""));
}

static struct sp_host host_of(const char *name)
{
    struct sp_host host = {0};
    host.name = (char *)(uintptr_t)name;
    host.target = (char *)(uintptr_t) "nobody@192.0.2.1.invalid";
    return host;
}

static uint8_t elf[64] = {0x7f, 'E', 'L', 'F'};
static const struct sp_image image = {
    .bytes = elf, .len = sizeof(elf), .machine = "x86_64", .machines = "x86_64"};
static const struct sp_deploy_help help = {.image = &image, .timeout_ms = 1000};

static void a_missing_program_is_reported(void **state)
{
    (void)state;
    struct sp_host host = host_of("db-1");
    char program[] = "/nonexistent/segproof-probe";
    char *argv[] = {program, NULL};
    const struct sp_deployer *d;
    for (size_t i = 0; (d = sp_deployer_at(i)) != NULL; i++) {
        struct sp_deployed deployed = {.pid = -1, .io_fd = -1, .err_fd = -1};
        struct sp_diag diag = {0};
        enum sp_rc rc = d->start(&host, argv, &help, &deployed, &diag);
        if (rc == SP_OK) { /* a path to elsewhere may only find out later */
            assert_true(d->is_remote && d->on_marker && d->explain && deployed.marker[0]);
            assert_true(deployed.lead_len > 0);
            sp_free(deployed.lead);
            (void)close(deployed.io_fd);
            (void)close(deployed.err_fd);
            assert_int_equal(waitpid(deployed.pid, NULL, 0), deployed.pid);
            assert_string_not_equal(d->name, "local");
        } else {
            assert_true(diag.text[0] != '\0');
            assert_int_equal(deployed.pid, -1);
        }
    }
}

/* A name from a topology never becomes a path. */
static void netns_names(void **state)
{
    (void)state;
    const struct sp_deployer *d = sp_deployer_find("netns");
    char program[] = "/bin/true";
    char *argv[] = {program, NULL};
    static const struct {
        const char *name;
        enum sp_rc want;
    } rows[] = {{"../../etc/passwd", SP_E_INVALID},
                {"a/b", SP_E_INVALID},
                {"..", SP_E_INVALID},
                {"/", SP_E_INVALID},
                {"sp-no-such-netns", SP_E_NOTFOUND}};
    if (!d) {
        skip();
    }
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct sp_host host = host_of(rows[i].name);
        struct sp_deployed deployed;
        struct sp_diag diag = {0};
        assert_int_equal(d->start(&host, argv, &help, &deployed, &diag), rows[i].want);
        assert_string_equal(diag.where, rows[i].name);
        host.name = (char *)(uintptr_t) "web-1";
        host.via_name = (char *)(uintptr_t)rows[i].name; /* `name:` beside `via:` counts */
        assert_int_equal(d->start(&host, argv, &help, &deployed, &diag), rows[i].want);
        assert_string_equal(diag.where, "web-1");
    }
    char longest[300];
    memset(longest, 'n', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    struct sp_host host = host_of(longest);
    struct sp_deployed deployed;
    struct sp_diag diag = {0};
    assert_int_equal(d->start(&host, argv, &help, &deployed, &diag), SP_E_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries),
        cmocka_unit_test(a_missing_program_is_reported),
        cmocka_unit_test(netns_names),
    };
    return cmocka_run_group_tests_name("deployers", tests, NULL, NULL);
}
