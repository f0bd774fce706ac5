/* SPDX-License-Identifier: Apache-2.0
 *
 * The ledger: no conversation twice, never the reverse of one, in this run and in the next, for as
 * long as a firewall may remember it. */
#include "controller/ledger.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "probe/base/clock.h"
#include "probe/base/mem.h"
#include "probe/base/proto.h"
#include "tests/support/sp_cmocka.h"

static uint64_t wall_s;
static char dir[64];
static char path[96];

static uint64_t wall(void)
{
    return wall_s;
}

static int set_up(void **state)
{
    (void)state;
    wall_s = 1800000000;
    sp_clock_inject(NULL, wall);
    (void)snprintf(dir, sizeof(dir), "/tmp/sp-ledger-XXXXXX");
    if (!mkdtemp(dir)) {
        return -1;
    }
    (void)snprintf(path, sizeof(path), "%s/ledger", dir);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    sp_clock_inject(NULL, NULL);
    (void)unlink(path);
    return rmdir(dir);
}

static struct sp_addr addr(const char *text)
{
    struct sp_addr a;
    assert_int_equal(sp_addr_parse(text, &a), SP_OK);
    return a;
}

static struct sp_ledger *open_ledger(const char *file, uint16_t lo, uint16_t hi, uint64_t seed)
{
    struct sp_ledger *ledger = NULL;
    assert_int_equal(sp_ledger_open(file, lo, hi, seed, &ledger), SP_OK);
    assert_non_null(ledger);
    return ledger;
}

static uint16_t take(struct sp_ledger *ledger, const char *src, const char *dst, uint16_t dport)
{
    struct sp_addr s = addr(src);
    struct sp_addr d = addr(dst);
    return sp_ledger_take(ledger, &s, &d, SP_PROTO_TCP, dport, true);
}

static void every_port_once(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed < 20; seed++) {
        struct sp_ledger *ledger = open_ledger(NULL, 40000, 40099, seed);
        bool seen[100] = {false};
        for (int i = 0; i < 100; i++) {
            uint16_t port = take(ledger, "10.0.0.1", "10.0.0.2", 443);
            assert_true(port >= 40000 && port <= 40099);
            assert_false(seen[port - 40000]);
            seen[port - 40000] = true;
        }
        assert_int_equal(take(ledger, "10.0.0.1", "10.0.0.2", 443), 0); /* none is left */
        assert_int_not_equal(take(ledger, "10.0.0.1", "10.0.0.2", 444), 0);
        assert_int_not_equal(take(ledger, "10.0.0.3", "10.0.0.2", 443), 0);
        struct sp_addr s = addr("10.0.0.1");
        struct sp_addr d = addr("10.0.0.2");
        assert_int_not_equal(sp_ledger_take(ledger, &s, &d, SP_PROTO_UDP, 443, true), 0);
        sp_ledger_free(ledger);
    }
    sp_ledger_free(NULL);
}

/* A to B from p to q was sent: B to A from q to p would look like its answer to a firewall. */
static void never_the_reverse(void **state)
{
    (void)state;
    struct sp_ledger *ledger = open_ledger(NULL, 100, 103, 1);
    for (int i = 0; i < 3; i++) {
        assert_int_not_equal(take(ledger, "10.0.0.1", "10.0.0.2", 101), 0); /* from 100..103 */
    }
    /* Back to each of 100..103, from 101: taken where the way there was. */
    size_t refused = 0;
    for (uint16_t dport = 100; dport <= 103; dport++) {
        bool from_101 = false;
        for (int i = 0; i < 4; i++) {
            from_101 = take(ledger, "10.0.0.2", "10.0.0.1", dport) == 101 || from_101;
        }
        refused += !from_101;
    }
    assert_int_equal(refused, 3);
    sp_ledger_free(ledger);
}

static uint16_t repeat(struct sp_ledger *ledger, const char *src, const char *dst, uint16_t dport)
{
    struct sp_addr s = addr(src);
    struct sp_addr d = addr(dst);
    return sp_ledger_take(ledger, &s, &d, SP_PROTO_TCP, dport, false);
}

/* An allowed flow takes fresh ports while there are some, then repeats itself, and even then never
 * runs against one that went the other way. */
static void an_allowed_flow_may_be_repeated(void **state)
{
    (void)state;
    struct sp_ledger *ledger = open_ledger(NULL, 100, 109, 3);
    bool seen[10] = {false};
    for (int i = 0; i < 10; i++) {
        uint16_t port = repeat(ledger, "10.0.0.1", "10.0.0.2", 443);
        assert_true(port >= 100 && port <= 109 && !seen[port - 100]);
        seen[port - 100] = true;
    }
    assert_int_equal(take(ledger, "10.0.0.1", "10.0.0.2", 443), 0);
    for (int i = 0; i < 30; i++) {
        uint16_t port = repeat(ledger, "10.0.0.1", "10.0.0.2", 443);
        assert_true(port >= 100 && port <= 109);
    }
    sp_ledger_free(ledger);
    ledger = open_ledger(NULL, 100, 101, 1);
    assert_int_not_equal(take(ledger, "10.0.0.1", "10.0.0.2", 100), 0); /* from 100 */
    assert_int_not_equal(take(ledger, "10.0.0.1", "10.0.0.2", 100), 0); /* and from 101 */
    for (int i = 0; i < 10; i++) { /* back to 100 and 101 from 100 is forbidden for good */
        assert_int_equal(repeat(ledger, "10.0.0.2", "10.0.0.1", 100), 101);
        assert_int_equal(repeat(ledger, "10.0.0.2", "10.0.0.1", 101), 101);
    }
    sp_ledger_free(ledger);
}

/* A repetition renews the state that it leaves: it counts from the last time. */
static void a_repetition_is_remembered_from_its_own_time(void **state)
{
    (void)state;
    struct sp_ledger *ledger = open_ledger(path, 5, 5, 1);
    assert_int_equal(repeat(ledger, "10.0.0.1", "10.0.0.2", 443), 5);
    wall_s += SP_LEDGER_MEMORY_S - 1;
    assert_int_equal(repeat(ledger, "10.0.0.1", "10.0.0.2", 443), 5);
    assert_int_equal(sp_ledger_save(ledger, NULL), SP_OK);
    sp_ledger_free(ledger);
    wall_s += SP_LEDGER_MEMORY_S - 1;
    ledger = open_ledger(path, 5, 5, 1);
    assert_int_equal(take(ledger, "10.0.0.1", "10.0.0.2", 443), 0);
    sp_ledger_free(ledger);
}

static void the_whole_range(void **state)
{
    (void)state;
    struct sp_ledger *ledger = open_ledger(NULL, 1, 65535, 7);
    for (int i = 0; i < 65535; i++) {
        assert_int_not_equal(take(ledger, "10.0.0.1", "10.0.0.2", 443), 0);
    }
    assert_int_equal(take(ledger, "10.0.0.1", "10.0.0.2", 443), 0);
    sp_ledger_free(ledger);
    ledger = open_ledger(NULL, 5, 5, 7);
    assert_int_equal(take(ledger, "10.0.0.1", "10.0.0.2", 443), 5);
    assert_int_equal(take(ledger, "10.0.0.1", "10.0.0.2", 443), 0);
    sp_ledger_free(ledger);
}

/* One run takes the only port there is; the next asks when so many seconds have passed. */
static uint16_t next_run(int64_t seconds)
{
    struct sp_ledger *ledger = open_ledger(path, 5, 5, 1);
    assert_int_equal(take(ledger, "10.0.0.1", "10.0.0.2", 443), 5);
    assert_int_equal(sp_ledger_save(ledger, NULL), SP_OK);
    sp_ledger_free(ledger);
    wall_s = (uint64_t)((int64_t)wall_s + seconds);
    ledger = open_ledger(path, 5, 5, 1);
    uint16_t port = take(ledger, "10.0.0.1", "10.0.0.2", 443);
    sp_ledger_free(ledger);
    (void)unlink(path);
    return port;
}

static void the_next_run_remembers(void **state)
{
    (void)state;
    assert_int_equal(next_run(0), 0);
    assert_int_equal(next_run(SP_LEDGER_MEMORY_S - 1), 0);
    assert_int_equal(next_run(SP_LEDGER_MEMORY_S), 5);
    assert_int_equal(next_run(86400), 5);
    /* The clock was set back in between: nothing is known of the age, so nothing is forgotten. */
    assert_int_equal(next_run(-1), 0);
    assert_int_equal(next_run(-86400), 0);
}

/* An entry from a wrong clock ages out all the same, instead of blocking the port for ever. */
static void the_future_ages_too(void **state)
{
    (void)state;
    struct sp_ledger *ledger = open_ledger(path, 5, 5, 1);
    assert_int_equal(take(ledger, "10.0.0.1", "10.0.0.2", 443), 5);
    assert_int_equal(sp_ledger_save(ledger, NULL), SP_OK);
    sp_ledger_free(ledger);
    wall_s -= 1000000;
    ledger = open_ledger(path, 5, 5, 1);
    assert_int_equal(sp_ledger_save(ledger, NULL), SP_OK);
    sp_ledger_free(ledger);
    wall_s += SP_LEDGER_MEMORY_S;
    ledger = open_ledger(path, 5, 5, 1);
    assert_int_equal(take(ledger, "10.0.0.1", "10.0.0.2", 443), 5);
    sp_ledger_free(ledger);
}

static void files_that_are_no_ledger(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "SPLEDG1", "SPLEDG2\n0123456789abcdef",
                                        "\n\n\n\n\n\n\n\n\n\n\n\n\n\n"};
    for (size_t i = 0; i < 4; i++) {
        FILE *f = fopen(path, "we");
        assert_non_null(f);
        assert_int_equal(fwrite(texts[i], 1, strlen(texts[i]), f), strlen(texts[i]));
        (void)fclose(f);
        struct sp_ledger *ledger = open_ledger(path, 5, 5, 1);
        assert_int_equal(take(ledger, "10.0.0.1", "10.0.0.2", 443), 5);
        assert_int_equal(sp_ledger_save(ledger, NULL), SP_OK); /* and it is one again */
        sp_ledger_free(ledger);
        ledger = open_ledger(path, 5, 5, 1);
        assert_int_equal(take(ledger, "10.0.0.1", "10.0.0.2", 443), 0);
        sp_ledger_free(ledger);
    }
}

/* A slip in the name must not cost somebody's file. */
static void files_of_somebody_else(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum sp_rc rc;
    } files[] = {{"", SP_OK},
                 {"SP", SP_OK},
                 {"SPLEDG1\nxyz", SP_OK},
                 {"SPLEDG2\n", SP_OK},
                 {"segproof: 1\n", SP_E_INVALID},
                 {"S-", SP_E_INVALID},
                 {"\n", SP_E_INVALID}};
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        struct sp_diag diag = {0};
        FILE *f = fopen(path, "we");
        assert_non_null(f);
        assert_int_equal(fwrite(files[i].text, 1, strlen(files[i].text), f), strlen(files[i].text));
        (void)fclose(f);
        assert_int_equal(sp_ledger_check(path, &diag), files[i].rc);
        assert_int_equal(diag.text[0] != '\0', files[i].rc != SP_OK);
    }
    (void)unlink(path);
    assert_int_equal(sp_ledger_check(path, NULL), SP_OK);
    assert_int_equal(sp_ledger_check(dir, NULL), SP_OK); /* saving tells what is wrong with it */
}

/* Cut anywhere, what stands before the cut is still known. */
static void a_file_cut_short(void **state)
{
    (void)state;
    struct sp_ledger *ledger = open_ledger(path, 1, 3, 1);
    for (int i = 0; i < 3; i++) {
        assert_int_not_equal(take(ledger, "10.0.0.1", "10.0.0.2", 443), 0);
    }
    assert_int_equal(sp_ledger_save(ledger, NULL), SP_OK);
    sp_ledger_free(ledger);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, 8 + 3 * 12);
    for (off_t size = st.st_size; size >= 0; size--) {
        assert_int_equal(truncate(path, size), 0);
        ledger = open_ledger(path, 1, 3, 1);
        size_t left = 0;
        while (take(ledger, "10.0.0.1", "10.0.0.2", 443) != 0) {
            left++;
        }
        assert_int_equal(left, size < 8 ? 3 : 3 - (size - 8) / 12);
        sp_ledger_free(ledger);
    }
}

static void where_it_cannot_be_written(void **state)
{
    (void)state;
    struct sp_diag diag = {0};
    struct sp_ledger *ledger = open_ledger("/nonexistent/dir/ledger", 5, 9, 1);
    assert_int_not_equal(sp_ledger_save(ledger, &diag), SP_OK);
    assert_true(diag.text[0] != '\0');
    sp_ledger_free(ledger);
    ledger = open_ledger(NULL, 5, 9, 1);
    assert_int_equal(sp_ledger_save(ledger, &diag), SP_OK);
    sp_ledger_free(ledger);
}

/* A file with 30 of the 40 ports taken. */
static void thirty_taken(void)
{
    (void)unlink(path);
    struct sp_ledger *full = open_ledger(path, 1, 40, 1);
    for (int i = 0; i < 30; i++) {
        assert_int_not_equal(take(full, "10.0.0.1", "10.0.0.2", 443), 0);
    }
    assert_int_equal(sp_ledger_save(full, NULL), SP_OK);
    sp_ledger_free(full);
}

static void torture(void **state)
{
    (void)state;
    bool failed = true;
    for (size_t n = 1; failed; n++) {
        struct sp_ledger *ledger = NULL;
        enum sp_rc saved = SP_OK;
        size_t got = 0;
        size_t left = 0;
        thirty_taken();
        (void)sp_mem_fail_at(n, 0);
        enum sp_rc rc = sp_ledger_open(path, 1, 40, 1, &ledger);
        if (rc == SP_OK) {
            for (int i = 0; i < 10; i++) {
                got += take(ledger, "10.0.0.1", "10.0.0.2", 443) != 0;
            }
            saved = sp_ledger_save(ledger, NULL);
        }
        failed = sp_mem_fail_at(0, 0) >= n;
        assert_int_equal(ledger != NULL, rc == SP_OK);
        assert_true(rc == SP_OK || (rc == SP_E_NOMEM && failed));
        assert_true(saved == SP_OK || (saved == SP_E_NOMEM && failed));
        assert_true(failed || got == 10);
        sp_ledger_free(ledger);
        ledger = open_ledger(path, 1, 40, 1); /* the file is the new one or the old one, whole */
        while (take(ledger, "10.0.0.1", "10.0.0.2", 443) != 0) {
            left++;
        }
        assert_int_equal(left, rc == SP_OK && saved == SP_OK ? 10 - got : 10);
        sp_ledger_free(ledger);
    }
}

static void default_paths(void **state)
{
    (void)state;
    char out[256];
    char want[256];
    struct stat st;
    char *old = getenv("XDG_STATE_HOME");
    char *kept = old ? strdup(old) : NULL;
    assert_int_equal(setenv("XDG_STATE_HOME", dir, 1), 0);
    assert_true(sp_ledger_default_path(out, sizeof(out)));
    (void)snprintf(want, sizeof(want), "%s/segproof/ledger", dir);
    assert_string_equal(out, want);
    (void)snprintf(want, sizeof(want), "%s/segproof", dir);
    assert_int_equal(stat(want, &st), 0); /* made, for its owner alone */
    assert_int_equal(st.st_mode & 0777, 0700);
    assert_true(sp_ledger_default_path(out, sizeof(out)));
    assert_false(sp_ledger_default_path(out, 8)); /* cut is not a path */
    assert_int_equal(rmdir(want), 0);
    assert_int_equal(setenv("XDG_STATE_HOME", "/proc/nowhere", 1), 0);
    assert_false(sp_ledger_default_path(out, sizeof(out)));
    if (kept) {
        (void)setenv("XDG_STATE_HOME", kept, 1);
    } else {
        (void)unsetenv("XDG_STATE_HOME");
    }
    free(kept);
}

/* ---- sweeps ---- */

static uint16_t sweep(struct sp_ledger *ledger, const char *src, const char *dst, uint16_t n,
                      bool fresh)
{
    struct sp_addr s = addr(src);
    struct sp_addr d = addr(dst);
    uint16_t first = 0;
    bool is_fresh = !fresh;
    assert_true(sp_ledger_take_sports(ledger, &s, &d, SP_PROTO_TCP,
                                      (struct sp_sports){1000, 1039, n}, &first, &is_fresh));
    assert_true(first >= 1000 && first + n - 1 <= 1039);
    assert_int_equal(is_fresh, fresh);
    return first;
}

/* Neighbours that no sweep of the pair had, as long as there are some. */
static void sweeps_take_fresh_ports(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed < 30; seed++) {
        struct sp_ledger *ledger = open_ledger(NULL, 1000, 1039, seed);
        bool seen[40] = {false};
        size_t taken = 0;
        for (int i = 0; i < 4; i++) { /* of 40 ports at most 12 are left out: three gaps below 4 */
            uint16_t first = sweep(ledger, "10.0.0.1", "10.0.0.2", 4, true);
            for (uint16_t k = 0; k < 4; k++, taken++) {
                assert_false(seen[first - 1000 + k]);
                seen[first - 1000 + k] = true;
            }
        }
        assert_int_equal(taken, 16);
        (void)sweep(ledger, "10.0.0.2", "10.0.0.1", 40, true); /* the other way all are fresh */
        (void)sweep(ledger, "10.0.0.2", "10.0.0.1", 1, false);
        sp_ledger_free(ledger);
    }
}

static void sweeps_of_other_lanes_are_none_of_it(void **state)
{
    (void)state;
    struct sp_ledger *ledger = open_ledger(NULL, 1000, 1039, 4);
    struct sp_addr s = addr("10.0.0.1");
    struct sp_addr d = addr("10.0.0.2");
    uint16_t first = 0;
    bool fresh = false;
    (void)sweep(ledger, "10.0.0.1", "10.0.0.2", 40, true);
    (void)sweep(ledger, "10.0.0.1", "10.0.0.3", 40, true);
    assert_true(sp_ledger_take_sports(ledger, &s, &d, SP_PROTO_UDP,
                                      (struct sp_sports){1000, 1039, 40}, &first, &fresh));
    assert_true(fresh);
    assert_true(sp_ledger_take_sports(ledger, &s, &d, SP_PROTO_TCP,
                                      (struct sp_sports){2000, 2003, 4}, &first, &fresh));
    assert_true(fresh && first == 2000);
    sp_ledger_free(ledger);
}

/* When all were used, those whose last use is the longest ago. */
static void sweeps_repeat_the_oldest(void **state)
{
    (void)state;
    uint16_t order[10];
    struct sp_ledger *ledger = open_ledger(NULL, 1000, 1039, 9);
    struct sp_addr s = addr("10.0.0.1");
    struct sp_addr d = addr("10.0.0.2");
    bool fresh = false;
    for (uint16_t i = 0; i < 10; i++) {
        uint16_t lo = (uint16_t)(1000 + 4 * ((i * 3) % 10)); /* 1000, 1012, 1024, ... */
        assert_true(sp_ledger_take_sports(ledger, &s, &d, SP_PROTO_TCP,
                                          (struct sp_sports){lo, (uint16_t)(lo + 3), 4}, &order[i],
                                          &fresh));
        assert_true(fresh);
        wall_s++;
    }
    for (uint16_t i = 0; i < 10; i++) {
        assert_int_equal(sweep(ledger, "10.0.0.1", "10.0.0.2", 4, false), order[i]);
        wall_s++;
    }
    (void)sweep(ledger, "10.0.0.1", "10.0.0.2", 40, false);
    sp_ledger_free(ledger);
}

static void sweeps_are_remembered(void **state)
{
    (void)state;
    struct sp_ledger *ledger = open_ledger(path, 1000, 1039, 9);
    (void)sweep(ledger, "10.0.0.1", "10.0.0.2", 40, true);
    assert_int_equal(sp_ledger_save(ledger, NULL), SP_OK);
    sp_ledger_free(ledger);
    wall_s += SP_LEDGER_MEMORY_S - 1;
    ledger = open_ledger(path, 1000, 1039, 9);
    (void)sweep(ledger, "10.0.0.1", "10.0.0.2", 1, false);
    sp_ledger_free(ledger);
    wall_s += 1;
    ledger = open_ledger(path, 1000, 1039, 9);
    (void)sweep(ledger, "10.0.0.1", "10.0.0.2", 40, true);
    sp_ledger_free(ledger);
}

/* A sweep asks every port from its own: a test from there would be one of its packets, and a test
 * into it from a port that it asked the reverse of one. */
static void tests_keep_away_from_sweeps(void **state)
{
    (void)state;
    struct sp_ledger *ledger = open_ledger(NULL, 1000, 1009, 2);
    struct sp_addr s = addr("10.0.0.1");
    struct sp_addr d = addr("10.0.0.2");
    uint16_t first = 0;
    bool fresh = false;
    assert_true(sp_ledger_take_sports(ledger, &s, &d, SP_PROTO_TCP,
                                      (struct sp_sports){1003, 1005, 3}, &first, &fresh));
    for (int i = 0; i < 7; i++) {
        uint16_t port = take(ledger, "10.0.0.1", "10.0.0.2", 443);
        assert_true(port >= 1000 && port <= 1009 && (port < 1003 || port > 1005));
    }
    assert_int_equal(take(ledger, "10.0.0.1", "10.0.0.2", 443), 0);
    for (int i = 0; i < 100; i++) {
        uint16_t port = repeat(ledger, "10.0.0.1", "10.0.0.2", 443);
        assert_true(port < 1003 || port > 1005);
    }
    assert_int_equal(take(ledger, "10.0.0.2", "10.0.0.1", 1004), 0); /* back into the sweep */
    assert_int_not_equal(take(ledger, "10.0.0.2", "10.0.0.1", 1006), 0);
    assert_int_not_equal(take(ledger, "10.0.0.2", "10.0.0.1", 443), 0);
    sp_ledger_free(ledger);
}

static void ranges_too_narrow(void **state)
{
    (void)state;
    struct sp_ledger *ledger = open_ledger(NULL, 1000, 1009, 2);
    struct sp_addr s = addr("10.0.0.1");
    uint16_t first = 7;
    bool fresh = false;
    assert_false(sp_ledger_take_sports(ledger, &s, &s, SP_PROTO_TCP, (struct sp_sports){0, 9, 2},
                                       &first, &fresh));
    assert_false(sp_ledger_take_sports(ledger, &s, &s, SP_PROTO_TCP, (struct sp_sports){9, 8, 1},
                                       &first, &fresh));
    assert_false(sp_ledger_take_sports(ledger, &s, &s, SP_PROTO_TCP, (struct sp_sports){8, 9, 3},
                                       &first, &fresh));
    assert_false(sp_ledger_take_sports(ledger, &s, &s, SP_PROTO_TCP, (struct sp_sports){8, 9, 0},
                                       &first, &fresh));
    assert_int_equal(first, 7);
    assert_true(sp_ledger_take_sports(ledger, &s, &s, SP_PROTO_TCP,
                                      (struct sp_sports){65534, 65535, 2}, &first, &fresh));
    assert_int_equal(first, 65534);
    assert_true(sp_ledger_take_sports(ledger, &s, &s, SP_PROTO_TCP,
                                      (struct sp_sports){65534, 65535, 2}, &first, &fresh));
    assert_false(fresh);
    sp_ledger_free(ledger);
}

/* Firewalls keep a protocol without ports longer than half-open flows; so does the ledger. */
static void protocols_without_ports(void **state)
{
    (void)state;
    struct sp_addr a, b;
    assert_int_equal(sp_addr_parse("10.0.0.1", &a), SP_OK);
    assert_int_equal(sp_addr_parse("10.0.0.2", &b), SP_OK);
    struct sp_ledger *ledger = NULL;
    assert_int_equal(sp_ledger_open(path, 100, 200, 1, &ledger), SP_OK);
    assert_int_equal(sp_ledger_portless_age(ledger, &a, &b, 47), UINT32_MAX);
    assert_true(sp_ledger_note_portless(ledger, &a, &b, 47));
    uint16_t sport = sp_ledger_take(ledger, &a, &b, SP_PROTO_TCP, 80, true);
    wall_s += 10;
    assert_int_equal(sp_ledger_portless_age(ledger, &a, &b, 47), 10);
    assert_int_equal(sp_ledger_portless_age(ledger, &b, &a, 47), UINT32_MAX); /* one direction */
    assert_int_equal(sp_ledger_portless_age(ledger, &a, &b, 50), UINT32_MAX);
    assert_true(sp_ledger_note_portless(ledger, &a, &b, 47));
    assert_int_equal(sp_ledger_portless_age(ledger, &a, &b, 47), 0); /* the last one counts */
    assert_int_equal(sp_ledger_save(ledger, NULL), SP_OK);
    sp_ledger_free(ledger);
    wall_s += 5000;
    assert_int_equal(sp_ledger_open(path, sport, sport, 1, &ledger), SP_OK);
    assert_int_equal(sp_ledger_portless_age(ledger, &a, &b, 47), 5000);
    /* The conversation is forgotten after its five minutes. */
    assert_int_equal(sp_ledger_take(ledger, &a, &b, SP_PROTO_TCP, 80, true), sport);
    sp_ledger_free(ledger);
    wall_s += 86400 - 5000;
    assert_int_equal(sp_ledger_open(path, 100, 200, 1, &ledger), SP_OK);
    assert_int_equal(sp_ledger_portless_age(ledger, &a, &b, 47), UINT32_MAX);
    sp_ledger_free(ledger);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_port_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(never_the_reverse, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_allowed_flow_may_be_repeated, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_repetition_is_remembered_from_its_own_time, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(the_whole_range, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_next_run_remembers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_future_ages_too, set_up, tear_down),
        cmocka_unit_test_setup_teardown(files_that_are_no_ledger, set_up, tear_down),
        cmocka_unit_test_setup_teardown(files_of_somebody_else, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_file_cut_short, set_up, tear_down),
        cmocka_unit_test_setup_teardown(where_it_cannot_be_written, set_up, tear_down),
        cmocka_unit_test_setup_teardown(sweeps_take_fresh_ports, set_up, tear_down),
        cmocka_unit_test_setup_teardown(sweeps_of_other_lanes_are_none_of_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(sweeps_repeat_the_oldest, set_up, tear_down),
        cmocka_unit_test_setup_teardown(sweeps_are_remembered, set_up, tear_down),
        cmocka_unit_test_setup_teardown(tests_keep_away_from_sweeps, set_up, tear_down),
        cmocka_unit_test_setup_teardown(ranges_too_narrow, set_up, tear_down),
        cmocka_unit_test_setup_teardown(torture, set_up, tear_down),
        cmocka_unit_test_setup_teardown(default_paths, set_up, tear_down),
        cmocka_unit_test_setup_teardown(protocols_without_ports, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("ledger", tests, NULL, NULL);
}
