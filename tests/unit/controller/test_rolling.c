/* SPDX-License-Identifier: Apache-2.0
 *
 * Rolling coverage: N runs cover every denied port of every lane once, a lane that is not
 * conclusive somewhere keeps the cycle open until that part is swept again, and what a changed
 * declaration never swept is never covered. Runs are made up; plans and policies are real. */
#include "controller/rolling.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controller/rolling_priv.h"
#include "probe/base/clock.h"
#include "probe/base/mem.h"
#include "probe/base/portset.h"
#include "tests/support/model_builder.h"
#include "tests/support/sp_cmocka.h"

#define PARTS     5U
#define FEW       3U /* where the number does not matter */
#define LANES_MAX 32U

static char folder[64];
static uint64_t wall_s;

static uint64_t wall(void)
{
    return wall_s;
}

static int set_up(void **state)
{
    (void)state;
    wall_s = 1800000000;
    sp_clock_inject(NULL, wall);
    (void)snprintf(folder, sizeof(folder), "/tmp/sp-rolling-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

/* Calls what with every file of the folder. */
static void each_file(void (*what)(const char *path))
{
    DIR *dir = opendir(folder);
    struct dirent *entry;
    while (dir && (entry = readdir(dir)) != NULL) {
        char path[512];
        (void)snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
        if (entry->d_name[0] != '.') {
            what(path);
        }
    }
    if (dir) {
        (void)closedir(dir);
    }
}

static void remove_it(const char *path)
{
    (void)unlink(path);
}

static int tear_down(void **state)
{
    (void)state;
    sp_clock_inject(NULL, NULL);
    each_file(remove_it);
    return rmdir(folder);
}

/* Two hosts that may talk https, and a third that is kept away from both. */
static struct sp_model *shop(const char *open_ports)
{
    struct sp_model *m = sp_mb_new();
    (void)sp_mb_network(m, "web", NULL, SP_NET_VPC, "10.10.1.0/24");
    (void)sp_mb_network(m, "data", NULL, SP_NET_VPC, "10.10.2.0/24");
    (void)sp_mb_host(m, "web-1", "web", "10.10.1.11", "netns");
    (void)sp_mb_host(m, "db-1", "data", "10.10.2.11", "netns");
    (void)sp_mb_rule(m, SP_RULE_ALLOW, "https", "web", "data", open_ports);
    return m;
}

/* ---- one run ---- */

/* What goes wrong on one lane. */
enum trouble {
    FINE,
    NOT_RUN,      /* its sweep was not reached */
    INCONCLUSIVE, /* one port of the part */
    FORGOTTEN,    /* one port of the part has no outcome at all */
    OVERLAPPED,   /* one port is inconclusive, and a wide range lies over it */
    LEAKS         /* a finding is a conclusion */
};

struct run {
    struct sp_model *model;
    struct sp_policy *policy;
    struct sp_rolling *rolling;
    struct sp_plan *plan;
    struct sp_result *result;
    uint32_t parts;
    enum trouble trouble;
    size_t lane; /* that has it */
};

static struct sp_plan *plan_of(struct run *run, struct sp_slice slice)
{
    struct sp_plan *plan = NULL;
    const struct sp_plan_options options = {
        .depth = SP_DEPTH_EXHAUSTIVE, .seed = 7, .slice = slice};
    assert_int_equal(sp_plan_new(run->policy, run->model, &options, &plan, NULL), SP_OK);
    assert_true(plan->nsweeps > 0 && plan->nsweeps <= LANES_MAX);
    return plan;
}

static enum sp_rc open_cycle(struct run *run)
{
    struct sp_diag diag = {0};
    const struct sp_rolling_what what = {.parts = run->parts};
    assert_int_equal(sp_policy_new(run->model, &run->policy), SP_OK);
    struct sp_plan *whole = plan_of(run, (struct sp_slice){0});
    enum sp_rc rc =
        sp_rolling_open(folder, &what, run->model, run->policy, whole, &run->rolling, &diag);
    assert_int_equal(rc != SP_OK, diag.text[0] != '\0');
    sp_plan_free(whole);
    return rc;
}

static void add_range(struct run *run, size_t sweep, uint32_t lo, uint32_t hi,
                      enum sp_verdict verdict)
{
    const struct sp_plan_sweep *of = &run->plan->sweeps[sweep];
    const struct sp_test test = {.pair = of->pair,
                                 .rule = SP_NONE,
                                 .port = (uint16_t)lo,
                                 .port_hi = (uint16_t)hi,
                                 .proto = of->proto,
                                 .expect = SP_EXPECT_DENY,
                                 .technique = of->technique,
                                 .why = SP_WHY_SWEPT};
    const struct sp_outcome outcome = {.judged = {.verdict = verdict}};
    assert_int_equal(sp_result_add(run->result, &test, &outcome), SP_OK);
}

/* A port of the part, in the middle of the set. */
static uint32_t victim_of(const struct run *run, const struct sp_portset *denied)
{
    uint32_t port = sp_portset_next(denied, 30000);
    while (!sp_slice_has(&run->plan->slice, (uint16_t)port)) {
        port = sp_portset_next(denied, port + 1);
    }
    return port;
}

static void sweep_lane(struct run *run, size_t sweep)
{
    struct sp_portset denied = {{0}};
    struct sp_portset allowed = {{0}};
    enum trouble trouble = sweep == run->lane ? run->trouble : FINE;
    assert_int_equal(
        sp_plan_sweep_ports(run->plan, run->model, run->policy, sweep, &denied, &allowed), SP_OK);
    uint32_t victim = victim_of(run, &denied);
    run->result->sweeps[sweep].is_run = trouble != NOT_RUN;
    for (uint32_t lo = sp_portset_next(&denied, 0); lo < 65536 && trouble != NOT_RUN;) {
        uint32_t hi = lo;
        bool is_victim = trouble != FINE && lo == victim;
        while (!is_victim && hi < 65535 && sp_portset_has(&denied, (uint16_t)(hi + 1)) &&
               !(trouble != FINE && hi + 1 == victim)) {
            hi++;
        }
        if (!is_victim) {
            add_range(run, sweep, lo, hi, SP_VERDICT_HOLDS);
        } else if (trouble != FORGOTTEN) {
            add_range(run, sweep, lo, hi,
                      trouble == LEAKS ? SP_VERDICT_LEAK : SP_VERDICT_INCONCLUSIVE);
        }
        lo = sp_portset_next(&denied, hi + 1);
    }
    if (trouble == OVERLAPPED) {
        add_range(run, sweep, 1, 65535, SP_VERDICT_HOLDS);
    }
}

/* Begins a run of the cycle that goes as said. */
static void begin(struct run *run)
{
    assert_int_equal(open_cycle(run), SP_OK);
    run->plan = plan_of(run, sp_rolling_next(run->rolling));
    assert_int_equal(sp_result_new(run->model, run->plan, &run->result), SP_OK);
    run->result->policy = run->policy;
    run->result->finished_s = wall_s;
    (void)snprintf(run->result->run_id, sizeof(run->result->run_id), "%016llx",
                   (unsigned long long)wall_s);
    for (size_t i = 0; i < run->plan->nsweeps; i++) {
        sweep_lane(run, i);
    }
}

static struct sp_rolling_status end(struct run *run)
{
    assert_int_equal(sp_rolling_record(run->rolling, run->result), SP_OK);
    assert_int_equal(sp_rolling_save(run->rolling, NULL), SP_OK);
    struct sp_rolling_status status = sp_rolling_status(run->rolling);
    sp_result_free(run->result);
    sp_plan_free(run->plan);
    sp_rolling_free(run->rolling);
    sp_policy_free(run->policy);
    run->result = NULL;
    run->plan = NULL;
    run->rolling = NULL;
    run->policy = NULL;
    wall_s += 86400;
    return status;
}

static struct sp_rolling_status once(struct run *run)
{
    begin(run);
    return end(run);
}

/* ---- the proof ---- */

/* Counts, per lane and port, the runs whose part has the port, and that the plan asks it then. */
static void count_ports(const struct run *run, uint8_t counts[LANES_MAX][65536])
{
    for (size_t i = 0; i < run->plan->nsweeps; i++) {
        struct sp_portset denied = {{0}};
        struct sp_portset allowed = {{0}};
        assert_int_equal(
            sp_plan_sweep_ports(run->plan, run->model, run->policy, i, &denied, &allowed), SP_OK);
        const struct sp_pair *pair = &run->plan->pairs[run->plan->sweeps[i].pair];
        for (uint32_t port = 1; port < 65536; port++) {
            const struct sp_interval *iv = sp_policy_decide(
                run->policy, pair->from, pair->to, run->plan->sweeps[i].proto, (uint16_t)port);
            bool is_of_part = sp_slice_has(&run->plan->slice, (uint16_t)port);
            if (iv->expect == SP_EXPECT_DENY && is_of_part) {
                assert_true(sp_portset_has(&denied, (uint16_t)port));
                counts[i][port]++;
            } else if (iv->expect != SP_EXPECT_DENY) {
                counts[i][port] = 1;
            }
        }
    }
}

static void as_many_runs_as_parts_cover_every_port_once(void **state)
{
    (void)state;
    uint8_t(*counts)[65536] = sp_calloc(LANES_MAX, sizeof(*counts));
    struct run run = {.model = shop("tcp/443,udp/53"), .parts = PARTS};
    bool seen[PARTS] = {false};
    double before = 0;
    assert_non_null(counts);
    for (uint32_t i = 0; i < PARTS; i++) {
        begin(&run);
        uint32_t at = run.plan->slice.at;
        assert_true(at < PARTS && !seen[at]);
        seen[at] = true;
        count_ports(&run, counts);
        size_t lanes = run.plan->nsweeps;
        struct sp_rolling_status status = end(&run);
        assert_int_equal(status.parts, PARTS);
        assert_int_equal(status.part, at + 1);
        assert_int_equal(status.to_cover, PARTS - 1 - i);
        assert_int_equal(status.is_complete, i + 1 == PARTS);
        assert_true(status.covered > before && (status.covered < 1) == (i + 1 < PARTS));
        assert_int_equal(status.since_s, 1800000000);
        before = status.covered;
        for (size_t lane = 0; i + 1 == PARTS && lane < lanes; lane++) {
            for (uint32_t port = 1; port < 65536; port++) {
                assert_int_equal(counts[lane][port], 1);
            }
        }
    }
    /* And on: the oldest part comes next, all stays covered, and since moves on. */
    struct sp_rolling_status status = once(&run);
    assert_true(status.is_complete);
    assert_int_equal(status.part, 1);
    assert_int_equal(status.since_s, 1800000000 + 86400);
    assert_int_equal(once(&run).part, 2);
    sp_free(counts);
    sp_mb_free(run.model);
}

/* Whatever keeps a lane from a conclusion in one part keeps the cycle open until the part is swept
 * again. */
static void a_lane_without_a_conclusion_keeps_it_open(void **state)
{
    (void)state;
    static const enum trouble troubles[] = {NOT_RUN, INCONCLUSIVE, FORGOTTEN, OVERLAPPED};
    for (size_t t = 0; t < sizeof(troubles) / sizeof(troubles[0]); t++) {
        struct run run = {.model = shop("tcp/443"), .parts = FEW, .lane = 1};
        struct sp_rolling_status status = {0};
        uint32_t part = 0;
        each_file(remove_it);
        for (uint32_t i = 0; i < FEW; i++) {
            run.trouble = i == 1 ? troubles[t] : FINE;
            status = once(&run);
            part = i == 1 ? status.part : part;
            assert_false(status.is_complete);
        }
        assert_true(status.covered > 0.8 && status.covered < 1);
        assert_int_equal(status.to_cover, 1);
        run.trouble = troubles[t];
        status = once(&run); /* that part again, and again in vain */
        assert_int_equal(status.part, part);
        assert_false(status.is_complete);
        run.trouble = FINE;
        status = once(&run);
        assert_int_equal(status.part, part);
        assert_true(status.is_complete);
        assert_true(status.covered >= 1);
        sp_mb_free(run.model);
    }
}

static void a_leak_is_a_conclusion(void **state)
{
    (void)state;
    struct run run = {.model = shop("tcp/443"), .parts = 2, .trouble = LEAKS};
    (void)once(&run);
    assert_true(once(&run).is_complete);
    sp_mb_free(run.model);
}

/* A port that is never conclusive must not keep the other parts from their turn. */
static void a_hopeless_part_holds_nothing_up(void **state)
{
    (void)state;
    struct run run = {.model = shop("tcp/443"), .parts = FEW, .lane = 1};
    size_t runs[FEW] = {0};
    uint32_t hopeless = UINT32_MAX;
    for (size_t i = 0; i < (size_t)6 * FEW; i++) {
        begin(&run);
        hopeless = i == 0 ? run.plan->slice.at : hopeless;
        bool is_hopeless = run.plan->slice.at == hopeless;
        runs[run.plan->slice.at]++;
        if (is_hopeless) { /* whoever swept it knows of nothing */
            run.result->sweeps[1].is_run = false;
        }
        struct sp_rolling_status status = end(&run);
        assert_false(status.is_complete);
    }
    for (uint32_t k = 0; k < FEW; k++) {
        assert_true(runs[k] >= 5 && runs[k] <= 9);
    }
    sp_mb_free(run.model);
}

/* ---- what a cycle survives ---- */

static void unrelated_runs_leave_it_alone(void **state)
{
    (void)state;
    struct run run = {.model = shop("tcp/443"), .parts = FEW};
    struct run other = {.model = shop("tcp/80"), .parts = 3};
    sp_free(other.model->name);
    other.model->name = sp_strdup("other");
    for (uint32_t i = 0; i < FEW; i++) {
        assert_int_equal(once(&run).to_cover, FEW - 1 - i);
        (void)once(&other);
    }
    assert_true(once(&run).is_complete);
    sp_mb_free(run.model);
    sp_mb_free(other.model);
}

/* Each selection has a cycle of its own. */
static void selections_are_apart(void **state)
{
    (void)state;
    static const char *const both[] = {"a", "b"};
    const struct sp_rolling_what whats[] = {
        {.parts = 3},
        {.parts = 3, .from = "web"},
        {.parts = 3, .to = "web"},
        {.parts = 3, .from = ""},
        {.parts = 3, .from = "we", .to = "b"},
        {.parts = 3, .only = both, .nonly = 1},
        {.parts = 3, .only = both, .nonly = 2},
        {.parts = 3, .skip = both, .nskip = 1},
        {.parts = 3, .only = both, .nonly = 1, .skip = both + 1, .nskip = 1},
    };
    struct run run = {.model = shop("tcp/443"), .parts = 3};
    struct sp_rolling *cycles[sizeof(whats) / sizeof(whats[0])];
    assert_int_equal(sp_policy_new(run.model, &run.policy), SP_OK);
    struct sp_plan *whole = plan_of(&run, (struct sp_slice){0});
    for (size_t i = 0; i < sizeof(whats) / sizeof(whats[0]); i++) {
        assert_int_equal(
            sp_rolling_open(folder, &whats[i], run.model, run.policy, whole, &cycles[i], NULL),
            SP_OK); /* no lock of another is in the way */
    }
    for (size_t i = 0; i < sizeof(whats) / sizeof(whats[0]); i++) {
        sp_rolling_free(cycles[i]);
    }
    sp_plan_free(whole);
    sp_policy_free(run.policy);
    sp_mb_free(run.model);
}

static const char *news_of(struct run *run, char out[static 256])
{
    assert_int_equal(open_cycle(run), SP_OK);
    (void)snprintf(out, 256, "%s", sp_rolling_news(run->rolling));
    sp_rolling_free(run->rolling);
    sp_policy_free(run->policy);
    return out;
}

static void a_changed_declaration_is_not_covered(void **state)
{
    (void)state;
    char news[256];
    struct run run = {.model = shop("tcp/443"), .parts = 2};
    (void)once(&run);
    struct sp_rolling_status status = once(&run);
    assert_true(status.is_complete);
    assert_string_equal(news_of(&run, news), "");
    sp_mb_free(run.model);
    /* One port less is open from web to data; the other way and udp are as they were. */
    run.model = shop("tcp/444");
    assert_non_null(strstr(news_of(&run, news), "1 of 4 lanes"));
    status = once(&run);
    assert_false(status.is_complete);
    assert_int_equal(status.to_cover, 1);
    assert_true(status.covered > 0.8);
    assert_true(once(&run).is_complete);
    sp_mb_free(run.model);
    /* Another address is another lane, both ways and in both protocols. */
    run.model = shop("tcp/444");
    assert_int_equal(sp_addr_parse("10.10.2.12", &run.model->hosts[1].addrs[0]), SP_OK);
    assert_non_null(strstr(news_of(&run, news), "everywhere"));
    status = once(&run);
    assert_true(status.covered < 0.6);
    assert_int_equal(status.to_cover, 1);
    sp_mb_free(run.model);
}

static void another_number_of_parts_starts_over(void **state)
{
    (void)state;
    char news[256];
    struct run run = {.model = shop("tcp/443"), .parts = 2};
    (void)once(&run);
    (void)once(&run);
    run.parts = 3;
    assert_non_null(strstr(news_of(&run, news), "2 parts"));
    assert_string_equal(news_of(&run, news), ""); /* said once */
    struct sp_rolling_status status = once(&run);
    assert_int_equal(status.part, 1);
    assert_int_equal(status.to_cover, 2);
    assert_true(status.covered < 0.5);
    sp_mb_free(run.model);
}

/* A clock that was set back since: no part lies in the future. */
static void a_clock_that_was_set_back(void **state)
{
    (void)state;
    struct run run = {.model = shop("tcp/443"), .parts = 2};
    (void)once(&run);
    wall_s -= (uint64_t)10 * 86400;
    uint64_t now = wall_s;
    struct sp_rolling_status status = once(&run);
    assert_true(status.is_complete);
    assert_int_equal(status.since_s, now);
    sp_mb_free(run.model);
}

static void an_interrupted_run_goes_on(void **state)
{
    (void)state;
    struct sp_diag diag = {0};
    struct run run = {.model = shop("tcp/443"), .parts = 3, .trouble = NOT_RUN};
    begin(&run);
    struct sp_slice slice = run.plan->slice;
    run.result->interrupted = true;
    assert_false(end(&run).is_complete);
    run.trouble = FINE;
    (void)once(&run); /* another run in between takes a part that none has begun */
    assert_int_equal(open_cycle(&run), SP_OK);
    assert_int_equal(sp_rolling_resume(run.rolling, &slice, &diag), SP_OK);
    assert_int_equal(sp_rolling_status(run.rolling).part, slice.at + 1);
    slice.key++;
    assert_int_equal(sp_rolling_resume(run.rolling, &slice, &diag), SP_E_INVALID);
    assert_true(diag.text[0] != '\0');
    sp_rolling_free(run.rolling);
    sp_policy_free(run.policy);
    sp_mb_free(run.model);
}

/* A result of another part says nothing of this one. */
static void a_result_of_another_part(void **state)
{
    (void)state;
    struct run run = {.model = shop("tcp/443"), .parts = 3};
    begin(&run);
    run.plan->slice.at++;
    assert_int_equal(sp_rolling_record(run.rolling, run.result), SP_E_INVALID);
    run.plan->slice.at--;
    run.plan->slice.key++;
    assert_int_equal(sp_rolling_record(run.rolling, run.result), SP_E_INVALID);
    run.plan->slice.key--;
    assert_int_equal(end(&run).to_cover, 2);
    sp_mb_free(run.model);
}

/* ---- files ---- */

static void two_runs_at_once(void **state)
{
    (void)state;
    struct run run = {.model = shop("tcp/443"), .parts = 3};
    struct run other = {.model = run.model, .parts = 3};
    begin(&run);
    assert_int_equal(open_cycle(&other), SP_E_DENIED);
    sp_policy_free(other.policy);
    (void)end(&run);
    assert_int_equal(once(&other).to_cover, 1);
    sp_mb_free(run.model);
}

static void folders_that_cannot_be_written(void **state)
{
    (void)state;
    static const char *const folders[] = {"/nonexistent", "/dev/null", "/proc/self"};
    struct run run = {.model = shop("tcp/443"), .parts = 3};
    char kept[64];
    memcpy(kept, folder, sizeof(kept));
    for (size_t i = 0; i < 3; i++) {
        (void)snprintf(folder, sizeof(folder), "%s", folders[i]);
        assert_int_equal(open_cycle(&run), SP_E_SYSTEM);
        sp_policy_free(run.policy);
    }
    memcpy(folder, kept, sizeof(kept));
    sp_mb_free(run.model);
}

static uint8_t *bytes;
static size_t nbytes;
static char cycle_path[512];

static void read_cycle(const char *path)
{
    if (strstr(path, ".lock")) {
        return;
    }
    FILE *f = fopen(path, "re");
    assert_non_null(f);
    bytes = sp_calloc(65536, 1);
    assert_non_null(bytes);
    nbytes = fread(bytes, 1, 65536, f);
    (void)fclose(f);
    (void)snprintf(cycle_path, sizeof(cycle_path), "%s", path);
}

static void store(const void *data, size_t len)
{
    FILE *f = fopen(cycle_path, "we");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, len, f), len);
    (void)fclose(f);
}

static void damaged_files_are_refused(void **state)
{
    (void)state;
    struct sp_diag diag = {0};
    struct run run = {.model = shop("tcp/443"), .parts = 3};
    (void)once(&run);
    each_file(read_cycle);
    assert_int_equal(sp_rolling_check(bytes, nbytes, &diag), SP_OK);
    for (size_t len = 0; len < nbytes; len++) {
        assert_int_equal(sp_rolling_check(bytes, len, &diag), SP_E_INVALID);
    }
    for (size_t at = 0; at < nbytes; at++) {
        bytes[at] ^= (uint8_t)(1U << (at % 8));
        enum sp_rc rc = sp_rolling_check(bytes, nbytes, &diag);
        assert_true(rc == SP_E_INVALID || (rc == SP_E_DENIED && at < 8));
        assert_true(diag.text[0] != '\0');
        bytes[at] ^= (uint8_t)(1U << (at % 8));
    }
    store(bytes, nbytes - 1);
    assert_int_equal(open_cycle(&run), SP_E_INVALID);
    sp_policy_free(run.policy);
    store("segproof: 1\n", 12);
    assert_int_equal(open_cycle(&run), SP_E_INVALID);
    sp_policy_free(run.policy);
    store("", 0);
    assert_int_equal(open_cycle(&run), SP_E_INVALID);
    sp_policy_free(run.policy);
    store(bytes, nbytes);
    assert_int_equal(once(&run).to_cover, 1);
    sp_free(bytes);
    sp_mb_free(run.model);
}

/* Checks that are right over content that is not. */
static void nonsense_is_refused(void **state)
{
    (void)state;
    struct sp_rolling_state cycle;
    struct sp_rolling_state back;
    assert_int_equal(sp_rolling_state_init(&cycle, SP_ROLLING_MOST + 1, 1), SP_E_LIMIT);
    assert_int_equal(sp_rolling_state_init(&cycle, 1, 1), SP_E_LIMIT);
    assert_int_equal(sp_rolling_state_init(&cycle, 2, SP_ROLLING_CELLS_MAX), SP_E_LIMIT);
    assert_int_equal(sp_rolling_state_init(&cycle, 2, 3), SP_OK);
    cycle.key = 5;
    cycle.parts[1] = (struct sp_rolling_part){.run = 6, .at_s = 7, .fruitless = 8};
    cycle.ids[2][15] = 9;
    cycle.covered_s[5] = 10;
    for (uint32_t parts = 1; parts < 4; parts++) {
        struct sp_buf text;
        sp_buf_init(&text, 65536);
        uint32_t nparts = cycle.nparts;
        cycle.nparts = parts == 2 ? 2 : 1; /* one part is no cycle */
        sp_rolling_encode(&cycle, &text);
        cycle.nparts = nparts;
        enum sp_rc rc = sp_rolling_decode((uint8_t *)text.data, text.len, &back);
        assert_int_equal(rc, parts == 2 ? SP_OK : SP_E_INVALID);
        if (rc == SP_OK) {
            assert_int_equal(back.key, 5);
            assert_int_equal(back.parts[1].run, 6);
            assert_int_equal(back.parts[1].at_s, 7);
            assert_int_equal(back.parts[1].fruitless, 8);
            assert_int_equal(back.nlanes, 3);
            assert_int_equal(back.ids[2][15], 9);
            assert_int_equal(back.covered_s[5], 10);
            sp_rolling_state_release(&back);
        }
        sp_buf_release(&text);
    }
    sp_rolling_state_release(&cycle);
}

static void default_folders(void **state)
{
    (void)state;
    char out[256];
    char want[256];
    char *old = getenv("XDG_STATE_HOME");
    char *kept = old ? strdup(old) : NULL;
    assert_int_equal(setenv("XDG_STATE_HOME", folder, 1), 0);
    assert_true(sp_rolling_default_folder(out, sizeof(out)));
    (void)snprintf(want, sizeof(want), "%s/segproof/rolling", folder);
    assert_string_equal(out, want);
    assert_int_equal(rmdir(want), 0);
    (void)snprintf(want, sizeof(want), "%s/segproof", folder);
    assert_int_equal(rmdir(want), 0);
    if (kept) {
        (void)setenv("XDG_STATE_HOME", kept, 1);
    } else {
        (void)unsetenv("XDG_STATE_HOME");
    }
    free(kept);
}

static void torture(void **state)
{
    (void)state;
    struct run run = {.model = shop("tcp/443"), .parts = 3};
    const struct sp_rolling_what what = {.parts = 3, .from = "web"};
    bool failed = true;
    begin(&run);
    struct sp_plan *whole = plan_of(&run, (struct sp_slice){0});
    for (size_t n = 1; failed; n++) {
        struct sp_rolling *rolling = NULL;
        (void)sp_mem_fail_at(n, 0);
        enum sp_rc rc =
            sp_rolling_open(folder, &what, run.model, run.policy, whole, &rolling, NULL);
        if (rc == SP_OK) {
            rc = sp_rolling_save(rolling, NULL);
            assert_true(rc == SP_OK || rc == SP_E_NOMEM);
            struct sp_slice slice = run.plan->slice;
            run.plan->slice = sp_rolling_next(rolling);
            rc = rc == SP_OK ? sp_rolling_record(rolling, run.result) : rc;
            run.plan->slice = slice;
        }
        failed = sp_mem_fail_at(0, 0) >= n;
        assert_true(rc == SP_OK || (rc == SP_E_NOMEM && failed));
        sp_rolling_free(rolling);
    }
    sp_plan_free(whole);
    (void)end(&run);
    sp_mb_free(run.model);
}

#define EACH(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {EACH(as_many_runs_as_parts_cover_every_port_once),
                                       EACH(a_lane_without_a_conclusion_keeps_it_open),
                                       EACH(a_leak_is_a_conclusion),
                                       EACH(a_hopeless_part_holds_nothing_up),
                                       EACH(unrelated_runs_leave_it_alone),
                                       EACH(selections_are_apart),
                                       EACH(a_changed_declaration_is_not_covered),
                                       EACH(another_number_of_parts_starts_over),
                                       EACH(a_clock_that_was_set_back),
                                       EACH(an_interrupted_run_goes_on),
                                       EACH(a_result_of_another_part),
                                       EACH(two_runs_at_once),
                                       EACH(folders_that_cannot_be_written),
                                       EACH(damaged_files_are_refused),
                                       EACH(nonsense_is_refused),
                                       EACH(default_folders),
                                       EACH(torture)};
    return cmocka_run_group_tests_name("rolling", tests, NULL, NULL);
}
