/* SPDX-License-Identifier: Apache-2.0
 *
 * The check list, line by line: a world in which it is as good as it can be, worlds in which it
 * fails, and worlds in which it is unknown. */
#include <string.h>

#include "probe/base/mem.h"
#include "reports/checklist_priv.h"
#include "tests/support/checklist_world.h"
#include "tests/support/sp_cmocka.h"

static void show(const struct sp_item *item)
{
    print_error("line %u: %s\n", item->id, sp_item_state_str(item->state));
    for (size_t p = 0; p < item->nparts; p++) {
        const struct sp_item_part *part = &item->parts[p];
        print_error("  %s: %s +%u -%u ?%u x%u %s\n", sp_item_state_str(part->state), part->what,
                    (unsigned)part->held, (unsigned)part->failed, (unsigned)part->unknown,
                    (unsigned)part->not_observable, part->example ? part->example : "");
    }
}

/* Lines with something that no host can tell. */
static uint8_t best_of(unsigned id)
{
    static const uint8_t blind[] = {3, 6, 7, 29, 34, 37};
    for (size_t i = 0; i < SP_ARRAY_LEN(blind); i++) {
        if (blind[i] == id) {
            return SP_ITEM_NOT_OBSERVABLE;
        }
    }
    return SP_ITEM_PASS;
}

static void test_everything_is_good(void **state)
{
    (void)state;
    struct sp_world *world = sp_world_new(NULL);
    const struct sp_checklist *list = sp_world_list(world);
    bool good = true;
    for (size_t i = 0; i < SP_ITEM_COUNT; i++) {
        if (list->items[i].state != best_of(list->items[i].id)) {
            show(&list->items[i]);
            good = false;
        }
    }
    assert_true(good);
    assert_int_equal(list->of[SP_ITEM_PASS], 33);
    assert_int_equal(list->of[SP_ITEM_NOT_OBSERVABLE], 6);
    sp_world_free(world);
}

/* ---- one thing changed at a time ---- */

#define FAIL    SP_ITEM_FAIL
#define UNKNOWN SP_ITEM_UNKNOWN
#define BLIND   SP_ITEM_NOT_OBSERVABLE
#define TCP(n)  .proto = SP_PROTO_TCP, .port = (n)
#define NOT     .verdict = SP_CLAIM_FAILS
#define UNSEEN  .verdict = SP_CLAIM_UNKNOWN
#define GONE    .verdict = SP_CLAIM_VERDICT_COUNT
#define HIDDEN  .verdict = SP_CLAIM_NOT_OBSERVABLE

static const struct row {
    unsigned line;
    uint8_t state;
    struct sp_world_change change;
} rows[] = {
    {1, FAIL, {.check = "virtualisation", NOT, .subject = "cp-1"}},
    {1, UNKNOWN, {.find = ", owner: acme }\n  far", .put = " }\n  far"}},
    {1, UNKNOWN, {.sick = "mon"}},
    {1, UNKNOWN, {.check = "virtualisation", GONE, .subject = "cp-1"}},
    {1, UNKNOWN, {.interrupted = true}},
    {2, FAIL, {.flow = WORLD_BROKEN, .from = "mon", .to = "cp-1", TCP(22)}},
    {2, FAIL, {.flow = WORLD_BROKEN, .from = "mon", .to = "cp-1", TCP(9100)}},
    {2, UNKNOWN, {.flow = WORLD_UNSOUND, .from = "mon", .to = "cp-1", TCP(22)}},
    {2, UNKNOWN, {.find = "role: monitoring, probe: { via: netns }", .put = "role: monitoring"}},
    {2, UNKNOWN, {.interrupted = true}},
    {3, FAIL, {.check = "kernel", NOT, .subject = "cp-1"}},
    {3, UNKNOWN, {.check = "kernel", GONE, .subject = "cp-1"}},
    {4, FAIL, {.check = "memory", NOT, .subject = "gw-2"}},
    {4, UNKNOWN, {.check = "memory", GONE, .subject = "gw-2"}},
    {4, UNKNOWN, {.check = "cpus", UNSEEN, .subject = "gw-2"}},
    {4, UNKNOWN, {.interrupted = true}},
    {5, FAIL, {.find = "hq", .put = "Hq"}},
    {5, FAIL, {.sick = "mgmt"}},
    {5, UNKNOWN, {.find = "role: mgmt", .put = "role: node"}},
    {5, UNKNOWN, {.interrupted = true, .sick = "mgmt"}},
    {6, FAIL, {.check = "lsm", NOT}},
    {6, UNKNOWN, {.check = "lsm", UNSEEN}},
    {7, FAIL, {.check = "mitigations", NOT, .subject = "node-2"}},
    {7, UNKNOWN, {.check = "mitigations", GONE, .subject = "node-2"}},
    {8, FAIL, {.check = "kernel", NOT, .subject = "node-2"}},
    {8, FAIL, {.check = "fips", NOT, .subject = "node-2"}},
    {8, FAIL, {.check = "drift", NOT}},
    {8, UNKNOWN, {.check = "kernel", GONE, .subject = "node-2"}},
    {8, UNKNOWN, {.check = "os", UNSEEN, .subject = "node-2"}},
    {9, FAIL, {.check = "lsm", NOT, .subject = "mgmt-2"}},
    {9, UNKNOWN, {.check = "lsm", UNSEEN, .subject = "mgmt-2"}},
    {9, UNKNOWN, {.check = "lsm", GONE, .subject = "mgmt-2"}},
    {10, FAIL, {.flow = WORLD_BROKEN, .from = "log", .to = "node-1", TCP(10255)}},
    {10, FAIL, {.flow = WORLD_BROKEN, .from = "log", .to = "node-1", TCP(2380)}},
    {10, FAIL, {.check = "http_status", NOT, .subject = "10250"}},
    {10, FAIL, {.check = "kube_bench", NOT, .subject = "cp-1"}},
    {10,
     FAIL, /* declared open: the benchmark says closed */
     {.find = "  - name: closed\n    from: any\n",
      .put = "  - { name: old, from: log, to: mgmt-1, allow: tcp/10255 }\n"
             "  - name: closed\n    from: 'not:log'\n"}},
    {10, UNKNOWN, {.find = "tcp/10255, ", .put = ""}},
    {10, UNKNOWN, {.flow = WORLD_UNSOUND, .from = "log", .to = "node-1", TCP(10255)}},
    {10, UNKNOWN, {.flow = WORLD_GONE, .from = "log", .to = "node-1", TCP(10249)}},
    {10, UNKNOWN, {.flow = WORLD_GONE, .from = "log", .to = "node-1"}},
    {10, UNKNOWN, {.flow = WORLD_GONE, .from = "log"}},
    {10, UNKNOWN, {.check = "http_status", GONE, .subject = "10250"}},
    {10, UNKNOWN, {.interrupted = true}},
    {11, FAIL, {.flow = WORLD_BROKEN, .from = "out-1", .to = "node-1", TCP(22)}},
    {11, FAIL, {.flow = WORLD_BROKEN, .from = "jump", .to = "node-1", TCP(22)}},
    {11, FAIL, {.find = "role: bastion", .put = "role: operator"}}, /* no exception for that */
    {11, FAIL, {.check = "sshd", NOT, .subject = "node-1"}},
    {11, UNKNOWN, {.flow = WORLD_UNSOUND, .from = "out-1", .to = "node-1", TCP(22)}},
    {11, UNKNOWN, {.flow = WORLD_GONE, .from = "out-1", .to = "node-1", TCP(22)}},
    {11, UNKNOWN, {.flow = WORLD_GONE, .from = "out-1"}},
    {11, UNKNOWN, {.flow = WORLD_UNSOUND, .from = "jump", .to = "node-1", TCP(22)}},
    {12, FAIL, {.check = "disk_encryption", NOT, .subject = "node-1"}},
    {12, UNKNOWN, {.check = "disk_encryption", UNSEEN, .subject = "node-1"}},
    {12, BLIND, {.check = "disk_encryption", HIDDEN, .subject = "node-1"}},
    {13, FAIL, {.flow = WORLD_BROKEN, .from = "node-1", .to = "mgmt-1", TCP(9900)}},
    {13, FAIL, {.flow = WORLD_BROKEN, .from = "log", .to = "node-1", TCP(15000)}},
    {13, FAIL, {.flow = WORLD_BROKEN, .from = "log", .to = "node-1", TCP(15010)}},
    {13,
     FAIL,
     {.find = "name: relay,",
      .put = "name: relay, ",
      .flow = WORLD_BROKEN,
      .from = "node-1",
      .to = "node-2",
      TCP(15008)}},
    {13, UNKNOWN, {.flow = WORLD_UNSOUND, .from = "node-1", .to = "mgmt-1", TCP(9900)}},
    {13, UNKNOWN, {.flow = WORLD_GONE, .from = "log", .to = "node-1", TCP(15000)}},
    {14, FAIL, {.check = "tls_issuer", NOT, .subject = "gcr.io"}},
    {14, FAIL, {.check = "dns", NOT, .subject = "gcr.io"}},
    {14, UNKNOWN, {.check = "tls_chain", UNSEEN, .subject = "gcr.io"}},
    {15, FAIL, {.flow = WORLD_BROKEN, .from = "out-1", .to = "node-1", TCP(22)}},
    {15, UNKNOWN, {.flow = WORLD_UNSOUND, .from = "out-1", .to = "node-1", TCP(22)}},
    {16, FAIL, {.flow = WORLD_BROKEN, .from = "spare", .to = "log", TCP(443)}},
    {16,
     FAIL,
     {.find = "  far: { kind: vpc, cidr: 10.4.0.0/24,",
      .put = "  twin: { kind: vpc, cidr: 10.2.0.0/16 }\n"
             "  far: { kind: vpc, cidr: 10.4.0.0/24,"}},
    {16, FAIL, {.check = "forwarding", NOT, .subject = "node-1"}},
    {16, UNKNOWN, {.flow = WORLD_UNSOUND, .from = "spare", .to = "log", TCP(443)}},
    {16, UNKNOWN, {.flow = WORLD_GONE, .from = "spare", .to = "log"}},
    {16, UNKNOWN, {.find = "role: monitoring, probe: { via: netns }", .put = "role: monitoring"}},
    {17, FAIL, {.flow = WORLD_BROKEN, .from = "mgmt-1", .to = "node-1", TCP(443)}},
    {17, FAIL, {.flow = WORLD_BROKEN, .from = "node-1", .to = "node-2", TCP(15008)}},
    {17, FAIL, {.check = "rp_filter", NOT}},
    {17, UNKNOWN, {.find = ", layer: host", .put = ", layer: network"}},
    {17, UNKNOWN, {.flow = WORLD_UNSOUND, .from = "mgmt-1", .to = "node-1", TCP(443)}},
    {18, FAIL, {.flow = WORLD_BROKEN, .from = "out-1", .to = "gw-1", TCP(80)}},
    {18, FAIL, {.flow = WORLD_BROKEN, .from = "out-1", .to = "node-1", TCP(30000)}},
    {18, FAIL, {.check = "public_address", NOT, .subject = "node-1"}},
    {18, UNKNOWN, {.flow = WORLD_GONE, .from = "out-1"}},
    {18, UNKNOWN, {.flow = WORLD_GONE, .from = "out-1", .to = "node-1", TCP(32767)}},
    {18, UNKNOWN, {.check = "public_address", GONE, .subject = "node-1"}},
    {19, FAIL, {.flow = WORLD_BROKEN, .from = "out-1", .to = "shop", TCP(443)}},
    {19, FAIL, {.flow = WORLD_BROKEN, .from = "out-1", .to = "gw-1", TCP(8443)}},
    {19, UNKNOWN, {.flow = WORLD_UNSOUND, .from = "out-1", .to = "gw-1", TCP(8443)}},
    {19, UNKNOWN, {.flow = WORLD_GONE, .from = "out-1", .to = "gw-1", TCP(8443)}},
    {19, UNKNOWN, {.flow = WORLD_UNSOUND, .from = "out-1", .to = "shop", TCP(443)}},
    {20, FAIL, {.check = "dns", NOT, .subject = "shop.example"}},
    {20, UNKNOWN, {.check = "tcp", UNSEEN, .subject = "shop.example"}},
    {21, FAIL, {.check = "failover", NOT}},
    {21, UNKNOWN, {.check = "failover", GONE}},
    {22, FAIL, {.find = "port: tcp/443,", .put = "port: tcp/30443,"}},
    {22, FAIL, {.check = "reserved_port", NOT}},
    {22, UNKNOWN, {.check = "port_range", GONE}},
    {22, UNKNOWN, {.check = "port_range", UNSEEN}},
    {23, FAIL, {.check = "address_present", NOT}},
    {23, FAIL, {.flow = WORLD_BROKEN, .from = "out-1", .to = "shop", TCP(443)}},
    {23, UNKNOWN, {.find = "    pool: [10.1.9.0/24]\n", .put = ""}},
    {23, UNKNOWN, {.flow = WORLD_UNSOUND, .from = "out-1", .to = "shop", TCP(443)}},
    {24, FAIL, {.check = "hairpin", NOT}},
    {24, FAIL, {.flow = WORLD_BROKEN, .from = "log", .to = "shop", TCP(443)}},
    {24, UNKNOWN, {.check = "idle_timeout", GONE}},
    {24, UNKNOWN, {.flow = WORLD_UNSOUND, .from = "log", .to = "shop", TCP(443)}},
    {25, FAIL, {.check = "cross_zone", NOT}},
    {25, UNKNOWN, {.check = "skew", GONE}},
    {26, FAIL, {.check = "tls_mode", NOT}},
    {26, UNKNOWN, {.check = "proxy_protocol", GONE}},
    {27, FAIL, {.find = "10.2.2.12, role: mgmt", .put = "10.2.2.12, role: node"}},
    {27, FAIL, {.flow = WORLD_BROKEN, .from = "spare", .to = "mgmt-1", TCP(9900)}},
    {27, UNKNOWN, {.find = ", role: dr", .put = ""}},
    {27, UNKNOWN, {.flow = WORLD_UNSOUND, .from = "spare", .to = "mgmt-1", TCP(9900)}},
    {28, FAIL, {.find = "zone: b", .put = "zone: a"}},
    {28, FAIL, {.check = "zone", NOT}},
    {28, UNKNOWN, {.find = "10.1.2.0/24, zone: b", .put = "10.1.2.0/24"}},
    {28, UNKNOWN, {.flow = WORLD_UNSOUND, .from = "node-1", .to = "node-2", TCP(15008)}},
    {29, FAIL, {.flow = WORLD_BROKEN, .from = "cp-1", .to = "keys", TCP(8200)}},
    {29, FAIL, {.flow = WORLD_BROKEN, .from = "node-1", .to = "keys", TCP(8200)}},
    {29, UNKNOWN, {.find = ", role: kms", .put = ""}},
    {29, UNKNOWN, {.flow = WORLD_UNSOUND, .from = "node-1", .to = "keys", TCP(443)}},
    {30, FAIL, {.check = "tls_expiry", NOT}},
    {30, FAIL, {.check = "cleartext", NOT, .subject = "9900"}},
    {30, UNKNOWN, {.check = "tls_name", GONE}},
    {30, UNKNOWN, {.check = "cleartext", GONE, .subject = "9900"}},
    {31, FAIL, {.flow = WORLD_BROKEN, .from = "node-1", .to = "mgmt-1", TCP(6379)}},
    {31, FAIL, {.check = "closed", NOT, .subject = "6379"}},
    {31, UNKNOWN, {.flow = WORLD_UNSOUND, .from = "node-1", .to = "mgmt-1", TCP(10101)}},
    {31, UNKNOWN, {.flow = WORLD_GONE, .from = "node-1", .to = "mgmt-1", TCP(8090)}},
    {32, FAIL, {.find = "from: nodes, to: log", .put = "from: [node-1, gw-1, cp-1], to: log"}},
    {32, FAIL, {.flow = WORLD_BROKEN, .from = "cp-2", .to = "log", TCP(6514)}},
    {32, UNKNOWN, {.flow = WORLD_UNSOUND, .from = "cp-2", .to = "log", TCP(6514)}},
    {33, FAIL, {.flow = WORLD_BROKEN, .from = "mon", .to = "node-1", TCP(15020)}},
    {33, FAIL, {.flow = WORLD_BROKEN, .from = "log", .to = "node-1", TCP(15090)}},
    {33, UNKNOWN, {.flow = WORLD_UNSOUND, .from = "log", .to = "node-1", TCP(15090)}},
    {33, UNKNOWN, {.find = ", tcp/4317", .put = ""}},
    {34, FAIL, {.check = "os", NOT, .subject = "cp-2"}},
    {34, UNKNOWN, {.check = "os", GONE, .subject = "cp-2"}},
    {35, FAIL, {.flow = WORLD_BROKEN, .from = "mon", .to = "cp-2", TCP(9100)}},
    {35, FAIL, {.flow = WORLD_BROKEN, .from = "log", .to = "cp-2", TCP(10250)}},
    {35, UNKNOWN, {.flow = WORLD_UNSOUND, .from = "mon", .to = "cp-2", TCP(9100)}},
    {35, UNKNOWN, {.flow = WORLD_GONE, .from = "log", .to = "cp-2", TCP(9100)}},
    {36, FAIL, {.flow = WORLD_BROKEN, .from = "cp-2", .to = "log", TCP(6514)}},
    {36, FAIL, {.flow = WORLD_BROKEN, .from = "spare", .to = "log", TCP(6514)}},
    {36, UNKNOWN, {.check = "kube_bench", GONE}},
    {36, UNKNOWN, {.flow = WORLD_UNSOUND, .from = "cp-2", .to = "log", TCP(6514)}},
    {37, FAIL, {.flow = WORLD_BROKEN, .from = "out-1", .to = "shop", TCP(443)}},
    {37, UNKNOWN, {.flow = WORLD_UNSOUND, .from = "out-1", .to = "shop", TCP(443)}},
    {38, FAIL, {.flow = WORLD_BROKEN, .from = "out-1", .to = "mgmt-1", TCP(9090)}},
    {38, FAIL, {.check = "tls", NOT, .subject = "4317"}},
    {38, UNKNOWN, {.flow = WORLD_GONE, .from = "out-1", .to = "mgmt-1", TCP(8888)}},
    {38, UNKNOWN, {.check = "tls", GONE, .subject = "4317"}},
    {39, UNKNOWN, {.no_evidence = true}},
    {39, UNKNOWN, {.interrupted = true}},
    {39, UNKNOWN, {.flow = WORLD_BROKEN, .from = "mon", .to = "cp-1", TCP(22)}}, /* no packets */
};

static void test_one_thing_changed(void **state)
{
    (void)state;
    bool good = true;
    for (size_t r = 0; r < SP_ARRAY_LEN(rows); r++) {
        struct sp_world *world = sp_world_new(&rows[r].change);
        const struct sp_item *item = &sp_world_list(world)->items[rows[r].line - 1];
        if (item->state != rows[r].state) {
            print_error("row %zu, %s wanted: ", r, sp_item_state_str(rows[r].state));
            show(item);
            good = false;
        }
        sp_world_free(world);
    }
    assert_true(good);
}

/* Whatever a line can be, some row shows it: each can be unknown, and each but the last can fail
 * (line 39 fails when a finding has no cause, see test_no_cause). */
static void test_both_ways(void **state)
{
    bool seen[SP_ITEM_COUNT + 1][SP_ITEM_STATE_COUNT] = {0};
    (void)state;
    for (size_t r = 0; r < SP_ARRAY_LEN(rows); r++) {
        seen[rows[r].line][rows[r].state] = true;
    }
    for (unsigned id = 1; id <= SP_ITEM_COUNT; id++) {
        assert_true(seen[id][SP_ITEM_UNKNOWN]);
        assert_true(seen[id][SP_ITEM_FAIL] || id == 39);
    }
}

static void test_no_cause(void **state)
{
    static const struct sp_world_change leak = {
        .flow = WORLD_BROKEN, .from = "mon", .to = "cp-1", TCP(22)};
    (void)state;
    struct sp_world *world = sp_world_new(&leak);
    const struct sp_summary *summary = sp_world_summary(world);
    struct sp_checklist *list = NULL;
    assert_true(summary->nfindings > 0);
    char *cause = summary->findings[0].cause;
    summary->findings[0].cause = NULL;
    assert_int_equal(sp_checklist_new(summary, &list), SP_OK);
    assert_int_equal(list->items[38].state, SP_ITEM_FAIL);
    summary->findings[0].cause = cause;
    sp_checklist_free(list);
    sp_world_free(world);
}

/* Every allocation fails once; nothing leaks, and nothing half made is handed out. */
static void test_out_of_memory(void **state)
{
    static const struct sp_world_change leak = {
        .flow = WORLD_BROKEN, .from = "mon", .to = "cp-1", TCP(22)};
    (void)state;
    struct sp_world *world = sp_world_new(&leak);
    enum sp_rc rc = SP_E_NOMEM;
    for (size_t n = 1; rc != SP_OK; n++) {
        struct sp_checklist *list = NULL;
        (void)sp_mem_fail_at(n, 0);
        rc = sp_checklist_new(sp_world_summary(world), &list);
        (void)sp_mem_fail_at(0, 0);
        assert_true(rc == SP_OK || rc == SP_E_NOMEM);
        assert_int_equal(rc == SP_OK, list != NULL);
        sp_checklist_free(list);
        assert_true(n < 10000);
    }
    sp_world_free(world);
}

/* The tables hold together: every line has parts, which stand side by side and say what to do. */
static void test_tables(void **state)
{
    unsigned before = 0;
    bool has[SP_ITEM_COUNT + 1] = {0};
    (void)state;
    for (size_t d = 0; d < sp_part_def_count(); d++) {
        const struct sp_part_def *def = sp_part_def_at(d);
        assert_in_range(def->item, 1, SP_ITEM_COUNT);
        assert_true(def->item >= before);
        before = def->item;
        has[def->item] = true;
        assert_non_null(def->what);
        assert_true(def->hint || (def->flags & SP_PART_OPTIONAL) || def->kind == SP_PART_CLOSED);
        assert_int_equal(def->kind == SP_PART_LOOK, def->look != NULL);
        assert_true(def->kind != SP_PART_CLAIMS || def->names);
    }
    for (unsigned id = 1; id <= SP_ITEM_COUNT; id++) {
        assert_true(has[id]);
        assert_non_null(sp_items[id - 1].statement);
    }
    assert_null(sp_part_def_at(sp_part_def_count()));
    assert_null(sp_item_state_str(SP_ITEM_STATE_COUNT));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_everything_is_good), cmocka_unit_test(test_one_thing_changed),
        cmocka_unit_test(test_both_ways),          cmocka_unit_test(test_no_cause),
        cmocka_unit_test(test_out_of_memory),      cmocka_unit_test(test_tables)};
    return cmocka_run_group_tests_name("checklist", tests, NULL, NULL);
}
