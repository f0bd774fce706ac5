/* SPDX-License-Identifier: Apache-2.0
 *
 * What is one cause and what is two. The oracle is a made-up world: wrong rules at places, of which
 * it is known how many there are. */
#include <stdlib.h>
#include <string.h>

#include "probe/techniques/registry.h"
#include "reports/group.h"
#include "tests/support/report_golden.h"
#include "tests/support/sample_result.h"
#include "tests/support/sp_cmocka.h"

#define V4   SP_FAMILY_IPV4
#define V6   SP_FAMILY_IPV6
#define TCP  SP_PROTO_TCP
#define UDP  SP_PROTO_UDP
#define DENY SP_EXPECT_DENY

static struct sp_sample *s;

static int setup(void **state)
{
    (void)state;
    s = sp_sample_new();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    sp_sample_free(s);
    return 0;
}

static void deny(uint32_t from, uint32_t to, uint8_t family, uint8_t proto, uint16_t port,
                 bool leaks)
{
    sp_sample_add(s, from, to, family, proto, port, DENY, SP_NONE,
                  leaks ? sp_seen_leak() : sp_seen_silence());
}

/* Every finding is in one cause, and says which; every cause has what it promises. */
static void check_partition(const struct sp_summary *summary)
{
    unsigned *told = test_calloc(summary->nfindings + 1, sizeof(*told));
    for (size_t i = 0; i < summary->ncauses; i++) {
        const struct sp_cause_group *cause = &summary->causes[i];
        assert_true(cause->nfindings > 0 && cause->nflows > 0);
        assert_true(cause->nflows <= cause->nfindings);
        for (size_t k = 0; k < cause->nfindings; k++) {
            const struct sp_finding *f = &summary->findings[cause->findings[k]];
            told[cause->findings[k]]++;
            assert_int_equal(f->group, i);
            assert_int_equal(f->cause_kind, cause->kind);
            assert_string_equal(f->remedy, cause->remedy);
            assert_true(f->severity <= cause->severity);
        }
        if (i > 0) { /* the worst first, then the biggest */
            const struct sp_cause_group *before = &summary->causes[i - 1];
            assert_true(before->severity > cause->severity ||
                        (before->severity == cause->severity && before->nflows >= cause->nflows));
        }
    }
    for (size_t i = 0; i < summary->nfindings; i++) {
        assert_int_equal(told[i], 1);
        for (size_t k = 0; k < i; k++) {
            assert_string_not_equal(summary->findings[i].id, summary->findings[k].id);
        }
    }
    test_free(told);
}

static struct sp_summary *judged(void)
{
    struct sp_summary *summary = NULL;
    sp_sample_judge(s);
    assert_int_equal(sp_summary_new(s->result, &summary), SP_OK);
    check_partition(summary);
    return summary;
}

static void next(struct sp_summary *summary)
{
    sp_summary_free(summary);
    sp_sample_free(s);
    s = sp_sample_new();
}

/* One firewall between all networks. */
static void one_firewall(void)
{
    struct sp_enforcement *point = &s->model->enforcements[0];
    point->between[0] = 0; /* prod */
    point->between[1] = 3; /* dev */
}

/* tcp/22 through one firewall, from everybody to everybody, in both families: one. */
static void test_one_rule(void **state)
{
    (void)state;
    static const uint32_t inside[] = {SAMPLE_WEB_1, SAMPLE_WEB_2, SAMPLE_DB_1, SAMPLE_JUMP};
    one_firewall();
    for (size_t i = 0; i < SP_ARRAY_LEN(inside); i++) {
        for (uint8_t family = V4; family <= V6; family += V6 - V4) {
            deny(SAMPLE_DEV_1, inside[i], family, TCP, 21, false);
            deny(SAMPLE_DEV_1, inside[i], family, TCP, 22, true);
            deny(SAMPLE_DEV_1, inside[i], family, TCP, 23, false);
            deny(inside[i], SAMPLE_DEV_1, family, TCP, 21, false);
            deny(inside[i], SAMPLE_DEV_1, family, TCP, 22, true);
        }
    }
    /* Where others may use it, and where it is open one way: each told by itself would guess. */
    sp_sample_add(s, SAMPLE_OUT_1, SAMPLE_DB_1, V4, TCP, 22, SP_EXPECT_ALLOW, SP_NONE,
                  sp_seen_works());
    struct sp_summary *summary = judged();
    assert_int_equal(summary->nfindings, 16);
    assert_int_equal(summary->ncauses, 1);
    assert_int_equal(summary->causes[0].nflows, 16);
    assert_int_equal(summary->causes[0].kind, SP_CAUSE_LET_THROUGH);
    assert_string_equal(summary->causes[0].where, "fw-1");
    assert_string_equal(summary->causes[0].policy, "default deny");
    assert_string_equal(summary->causes[0].repeat,
                        "segproof verify shop.yaml --from web-1,web-2,db-1,jump,dev-1 --to "
                        "dev-1,web-1,web-2,db-1,jump --only tcp_syn --seed 42");
    next(summary);
}

/* The same port at two places is two; another port, or another protocol, is another. */
static void test_two_rules(void **state)
{
    (void)state;
    deny(SAMPLE_WEB_1, SAMPLE_DB_1, V4, TCP, 22, true); /* fw-1 */
    deny(SAMPLE_WEB_1, SAMPLE_DB_1, V4, TCP, 23, false);
    deny(SAMPLE_DB_1, SAMPLE_WEB_1, V4, TCP, 22, true); /* fw-1 the other way */
    deny(SAMPLE_DB_1, SAMPLE_WEB_1, V4, TCP, 23, false);
    deny(SAMPLE_DEV_1, SAMPLE_DB_1, V4, TCP, 22, true); /* no firewall is declared there */
    deny(SAMPLE_DEV_1, SAMPLE_DB_1, V4, TCP, 23, false);
    deny(SAMPLE_DEV_1, SAMPLE_WEB_1, V4, TCP, 22, true); /* another segment */
    deny(SAMPLE_DEV_1, SAMPLE_WEB_1, V4, TCP, 23, false);
    struct sp_summary *summary = judged();
    assert_int_equal(summary->nfindings, 4);
    assert_int_equal(summary->ncauses, 3);
    next(summary);
    deny(SAMPLE_WEB_1, SAMPLE_DB_1, V4, TCP, 22, true);
    deny(SAMPLE_WEB_1, SAMPLE_DB_1, V4, TCP, 23, false);
    deny(SAMPLE_WEB_1, SAMPLE_DB_1, V4, TCP, 24, true);
    deny(SAMPLE_WEB_1, SAMPLE_DB_1, V4, UDP, 22, true);
    deny(SAMPLE_WEB_1, SAMPLE_DB_1, V4, UDP, 23, false);
    summary = judged();
    assert_int_equal(summary->nfindings, 3);
    assert_int_equal(summary->ncauses, 3);
    next(summary);
    /* One range, of which lanes were asked at different ports. */
    deny(SAMPLE_WEB_1, SAMPLE_DB_1, V4, TCP, 8010, true);
    deny(SAMPLE_WEB_1, SAMPLE_DB_1, V4, TCP, 7000, false);
    deny(SAMPLE_WEB_2, SAMPLE_DB_1, V4, TCP, 8020, true);
    deny(SAMPLE_WEB_2, SAMPLE_DB_1, V4, TCP, 9000, false);
    summary = judged();
    assert_int_equal(summary->ncauses, 1);
    assert_int_equal(summary->causes[0].nflows, 2);
    next(summary);
}

/* As many openings as a rule may have ports are told one by one; more are one. */
static void test_many(void **state)
{
    (void)state;
    for (size_t holes = 32; holes <= 33; holes++) {
        for (size_t i = 0; i <= holes; i++) {
            uint16_t port = (uint16_t)(1000 + 2 * i);
            deny(SAMPLE_WEB_1, SAMPLE_DB_1, V4, TCP, port, false);
            deny(SAMPLE_WEB_2, SAMPLE_DB_1, V6, TCP, port, false);
            if (i < holes) {
                deny(SAMPLE_WEB_1, SAMPLE_DB_1, V4, TCP, port + 1, true);
                deny(SAMPLE_WEB_2, SAMPLE_DB_1, V6, TCP, port + 1, true);
            }
        }
        struct sp_summary *summary = judged();
        assert_int_equal(summary->nfindings, holes == 32 ? 64 : 2);
        assert_int_equal(summary->ncauses, holes == 32 ? 32 : 1);
        assert_int_equal(summary->causes[0].nflows, 2);
        next(summary);
    }
}

/* A missing default deny: one cause for all ports, protocols and families of a path, though a rule
 * stops one port by name. */
static void test_no_filter(void **state)
{
    (void)state;
    static const uint16_t ports[] = {21, 80, 443, 3306, 5432, 8080, 40000};
    static const uint32_t senders[] = {SAMPLE_WEB_1, SAMPLE_WEB_2};
    for (uint8_t family = V4; family <= V6; family += V6 - V4) {
        for (size_t from = 0; from < SP_ARRAY_LEN(senders); from++) {
            for (size_t i = 0; i < SP_ARRAY_LEN(ports); i++) {
                deny(senders[from], SAMPLE_DB_1, family, TCP, ports[i], true);
                deny(senders[from], SAMPLE_DB_1, family, UDP, ports[i], true);
            }
            sp_sample_add(s, senders[from], SAMPLE_DB_1, family, TCP, 22, DENY, SAMPLE_RULE_NO_SSH,
                          sp_seen_silence());
            deny(senders[from], SAMPLE_DB_1, family, family == V4 ? SP_PROTO_ICMP : SP_PROTO_ICMP6,
                 family == V4 ? SP_PORT_ICMP_ECHO : SP_PORT_ICMP6_ECHO, true);
        }
    }
    struct sp_summary *summary = judged();
    assert_int_equal(summary->nfindings, 12);
    assert_int_equal(summary->ncauses, 1);
    assert_int_equal(summary->causes[0].kind, SP_CAUSE_NO_FILTER);
    assert_int_equal(summary->causes[0].nflows, 12);
    next(summary);
    /* Ports that the firewall drops by name, though nothing declares them apart. */
    for (size_t i = 0; i < SP_ARRAY_LEN(ports); i++) {
        deny(SAMPLE_WEB_1, SAMPLE_DB_1, V4, TCP, ports[i], ports[i] != 443);
        deny(SAMPLE_WEB_2, SAMPLE_DB_1, V4, TCP, ports[i], ports[i] != 40000); /* a wide range */
    }
    summary = judged();
    assert_int_equal(summary->ncauses, 2);
    assert_int_not_equal(summary->causes[0].kind, summary->causes[1].kind);
    next(summary);
    /* IPv4 is filtered: the IPv6 rules are missing. */
    for (size_t i = 0; i < SP_ARRAY_LEN(ports); i++) {
        deny(SAMPLE_WEB_1, SAMPLE_DB_1, V4, TCP, ports[i], false);
        deny(SAMPLE_WEB_1, SAMPLE_DB_1, V6, TCP, ports[i], true);
        deny(SAMPLE_WEB_1, SAMPLE_DB_1, V4, UDP, ports[i], false);
        deny(SAMPLE_WEB_1, SAMPLE_DB_1, V6, UDP, ports[i], true);
    }
    summary = judged();
    assert_int_equal(summary->ncauses, 1);
    assert_int_equal(summary->causes[0].kind, SP_CAUSE_NO_IPV6);
    next(summary);
}

/* A host's own firewall is one cause for each host. */
static void test_hosts(void **state)
{
    (void)state;
    static const uint32_t hosts[] = {SAMPLE_WEB_1, SAMPLE_WEB_2};
    for (size_t i = 0; i < SP_ARRAY_LEN(hosts); i++) {
        for (uint8_t family = V4; family <= V6; family += V6 - V4) {
            deny(SAMPLE_JUMP, hosts[i], family, TCP, 22, true);
            deny(SAMPLE_JUMP, hosts[i], family, TCP, 23, true);
            deny(SAMPLE_DEV_1, hosts[i], family, TCP, 22, true);
            deny(SAMPLE_DEV_1, hosts[i], family, TCP, 23, true);
        }
    }
    for (size_t i = 0; i < s->plan.npairs; i++) {
        s->plan.pairs[i].layer = SP_LAYER_HOST;
    }
    struct sp_summary *summary = judged();
    assert_int_equal(summary->nfindings, 8);
    assert_int_equal(summary->ncauses, 2);
    assert_int_equal(summary->causes[0].place.kind, SP_PLACE_HOST);
    assert_int_equal(summary->causes[0].nflows, 4);
    next(summary);
    struct sp_seen filtered = sp_seen_silence();
    filtered.attempts = filtered.nic = 21;
    for (size_t i = 0; i < SP_ARRAY_LEN(hosts); i++) {
        for (uint16_t port = 8000; port <= 8002; port++) {
            sp_sample_add(s, SAMPLE_JUMP, hosts[i], V4, TCP, port, SP_EXPECT_ALLOW, port % 2,
                          filtered);
        }
    }
    summary = judged();
    assert_int_equal(summary->ncauses, 2);
    assert_int_equal(summary->causes[0].kind, SP_CAUSE_HOST_FILTER);
    next(summary);
}

/* A declared rule that is missing at a place is one; where nothing works, the place is. */
static void test_blocked(void **state)
{
    (void)state;
    static const uint16_t ports[] = {5432, 8000, 9100};
    for (int works = 1; works >= 0; works--) {
        for (uint8_t family = V4; family <= V6; family += V6 - V4) {
            for (uint32_t from = SAMPLE_WEB_1; from <= SAMPLE_WEB_2; from++) {
                for (uint32_t i = 0; i < SP_ARRAY_LEN(ports); i++) {
                    struct sp_seen lost = sp_seen_silence();
                    lost.attempts = 21;
                    sp_sample_add(s, from, SAMPLE_DB_1, family, TCP, ports[i], SP_EXPECT_ALLOW, i,
                                  works && i == 2 ? sp_seen_works() : lost);
                }
            }
        }
        struct sp_summary *summary = judged();
        assert_int_equal(summary->nfindings, works ? 8 : 12);
        assert_int_equal(summary->ncauses, 2); /* two rules; or no way in either family */
        assert_int_equal(summary->causes[0].nflows, works ? 4 : 2);
        assert_int_equal(summary->causes[0].kind, works ? SP_CAUSE_DROPPED : SP_CAUSE_NO_WAY);
        assert_true(works == (summary->causes[0].policy != NULL));
        next(summary);
    }
}

/* ------------------------------------------------------------------ a world with wrong rules */

struct wrong {
    uint16_t port;
    uint32_t from, to; /* bits: hosts */
    uint8_t families;  /* bits */
};

#define NWRONG  4U
#define NPOINTS 17U

static const uint16_t points[NPOINTS] = {21,   22,   23,   25,   53,   80,   111,   135,  443,
                                         1433, 3306, 5432, 6379, 8080, 9200, 11211, 27017};

static uint32_t draw(uint32_t *seed, uint32_t n)
{
    *seed = *seed * 1664525U + 1013904223U;
    return (*seed >> 8) % n;
}

/* What the place of two hosts of the sample is called, by another way than the program's. */
static unsigned place_of(uint32_t from, uint32_t to)
{
    static const unsigned networks[] = {1, 1, 2, 2, 0, 3, 4};
    unsigned a = networks[from];
    unsigned b = networks[to];
    return (a == 1 && b == 2) || (a == 2 && b == 1) ? 99U : a * 8 + b;
}

struct asked {
    uint32_t from, to;
    uint8_t family;
    uint16_t port;
    bool leaks;
};

/* Asks every point of every lane; counts the pairs of rule and place that leak. */
static size_t ask(const struct wrong *wrong, size_t nwrong, struct asked *asked, size_t *ret_n)
{
    bool seen[NWRONG][128] = {{false}};
    size_t causes = 0;
    size_t n = 0;
    for (uint32_t from = 0; from <= SAMPLE_OUT_1; from++) {
        for (uint32_t to = 0; to <= SAMPLE_OUT_1; to++) {
            if (from == to || from == SAMPLE_OLD || to == SAMPLE_OLD) {
                continue;
            }
            for (uint8_t family = V4; family <= V6; family += V6 - V4) {
                for (size_t p = 0; p < NPOINTS; p++) {
                    struct asked one = {from, to, family, points[p], false};
                    for (size_t w = 0; w < nwrong; w++) {
                        bool matches = wrong[w].port == points[p] && (wrong[w].from >> from & 1) &&
                                       (wrong[w].to >> to & 1) && (wrong[w].families >> family & 1);
                        bool is_new = matches && !seen[w][place_of(from, to)];
                        causes += is_new;
                        seen[w][place_of(from, to)] |= matches;
                        one.leaks |= matches;
                    }
                    asked[n++] = one;
                }
            }
        }
    }
    *ret_n = n;
    return causes;
}

static void run_world(const struct asked *asked, size_t n, size_t causes, struct sp_buf *json)
{
    for (size_t i = 0; i < n; i++) {
        deny(asked[i].from, asked[i].to, asked[i].family, TCP, asked[i].port, asked[i].leaks);
    }
    struct sp_summary *summary = judged();
    if (summary->ncauses != causes) {
        fail_msg("%zu causes, not %zu", summary->ncauses, causes);
    }
    sp_summary_free(summary);
    sp_render_sample(s, "json", NULL, json);
    sp_sample_free(s);
    s = sp_sample_new();
}

static void test_worlds(void **state)
{
    (void)state;
    static struct asked asked[7 * 7 * 2 * NPOINTS];
    for (uint32_t world = 1; world <= 30; world++) {
        struct wrong wrong[NWRONG];
        uint32_t seed = world;
        size_t nwrong = 1 + draw(&seed, NWRONG);
        for (size_t i = 0; i < nwrong; i++) {
            /* Of every second point, so that one that holds stands between any two. */
            wrong[i] = (struct wrong){
                .port = points[1 + 2 * (i * 2 + draw(&seed, 2))],
                .from = draw(&seed, 128),
                .to = draw(&seed, 128),
                .families = (uint8_t)(draw(&seed, 3) == 0 ? 1U << V6 : 1U << V4 | 1U << V6)};
        }
        size_t n = 0;
        size_t causes = ask(wrong, nwrong, asked, &n);
        struct sp_buf first, second;
        run_world(asked, n, causes, &first);
        for (size_t i = n; i > 1; i--) { /* another order */
            size_t k = draw(&seed, (uint32_t)i);
            struct asked swap = asked[i - 1];
            asked[i - 1] = asked[k];
            asked[k] = swap;
        }
        run_world(asked, n, causes, &second);
        assert_string_equal(sp_buf_text(&first), sp_buf_text(&second));
        sp_buf_release(&first);
        sp_buf_release(&second);
    }
}

/* ------------------------------------------------------------------ techniques */

static void bypass(const char *name, uint16_t port, bool leaks)
{
    const struct sp_technique_info *info = sp_technique_find(name);
    assert_non_null(info);
    deny(SAMPLE_WEB_1, SAMPLE_DB_1, V4, info->proto, port, leaks);
    struct sp_test *test = &s->plan.tests[s->plan.ntests - 1];
    test->technique = (uint8_t)sp_technique_index(info);
    test->why = SP_WHY_BYPASS;
}

/* Three ways past a filter without state are one; where a plain packet passes, that is the cause.
 */
static void test_bypasses(void **state)
{
    (void)state;
    deny(SAMPLE_WEB_1, SAMPLE_DB_1, V4, TCP, 22, true);
    deny(SAMPLE_WEB_1, SAMPLE_DB_1, V4, TCP, 25, false);
    deny(SAMPLE_WEB_1, SAMPLE_DB_1, V4, TCP, 5432, false);
    bypass("tcp_ack", 22, true);
    bypass("tcp_ack", 5432, true);
    bypass("tcp_fin", 5432, true);
    bypass("tcp_null", 5432, false);
    bypass("tcp_badsum", 5432, true);
    struct sp_summary *summary = judged();
    assert_int_equal(summary->nfindings, 5);
    assert_int_equal(summary->ncauses, 3);
    for (size_t i = 0; i < summary->ncauses; i++) {
        const struct sp_cause_group *cause = &summary->causes[i];
        assert_int_equal(cause->severity, SP_SEVERITY_HIGH);
        assert_int_equal(cause->nflows, 1);
        bool is_one = cause->kind == SP_CAUSE_BAD_CHECKSUM;
        assert_int_equal(cause->nfindings, is_one ? 1 : 2);
        assert_true(is_one || cause->kind == SP_CAUSE_STATELESS ||
                    cause->kind == SP_CAUSE_LET_THROUGH);
    }
    for (size_t i = 0; i < summary->nfindings; i++) {
        const struct sp_finding *f = &summary->findings[i];
        bool explained = strcmp(f->ports, "22") == 0 && sp_technique_is_bypass(f->technique);
        assert_int_equal(f->severity, explained ? SP_SEVERITY_MEDIUM : SP_SEVERITY_HIGH);
    }
    next(summary);
    /* No filter at all. */
    deny(SAMPLE_WEB_1, SAMPLE_DB_1, V4, TCP, 22, true);
    deny(SAMPLE_WEB_1, SAMPLE_DB_1, V4, TCP, 25, true);
    bypass("tcp_ack", 22, true);
    bypass("tcp_sport", 4000, true);
    summary = judged();
    assert_int_equal(summary->ncauses, 1);
    assert_int_equal(summary->causes[0].kind, SP_CAUSE_NO_FILTER);
    next(summary);
}

static void test_names_of_techniques(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum sp_cause cause;
    } rows[] = {
        {"tcp_ack", SP_CAUSE_STATELESS},
        {"tcp_synack", SP_CAUSE_STATELESS},
        {"udp_badsum", SP_CAUSE_BAD_CHECKSUM},
        {"udp_sport", SP_CAUSE_SOURCE_PORT},
        {"frag_overlap", SP_CAUSE_FRAGMENTS},
        {"ip_options", SP_CAUSE_IP_OPTIONS},
        {"ip_ssrr", SP_CAUSE_SOURCE_ROUTE},
        {"eh_hopopts", SP_CAUSE_EXT_HEADERS},
        {"eh_frag", SP_CAUSE_EXT_HEADERS},
        {"spoof_bogon", SP_CAUSE_SPOOFED},
        {"sctp_cookie", SP_CAUSE_OTHER_PROTOCOLS},
        {"sctp_init", SP_CAUSE_OTHER_PROTOCOLS},
        {"ip_proto", SP_CAUSE_OTHER_PROTOCOLS},
        {"encap_6in4", SP_CAUSE_ENCAPSULATED},
        {"icmp_related", SP_CAUSE_ICMP_FORGED},
        {"icmp_type", SP_CAUSE_ICMP_TYPES},
        {"tcp_syn", SP_CAUSE_COUNT},
        {"tcp_handshake", SP_CAUSE_COUNT},
        {"udp", SP_CAUSE_COUNT},
        {"icmp_echo", SP_CAUSE_COUNT},
        {"tcp_ac", SP_CAUSE_COUNT},
        {"", SP_CAUSE_COUNT},
    };
    for (size_t i = 0; i < SP_ARRAY_LEN(rows); i++) {
        assert_int_equal(sp_cause_of_name(rows[i].name), rows[i].cause);
    }
    for (int cause = 0; cause < SP_CAUSE_COUNT; cause++) {
        assert_true(strlen(sp_cause_str((enum sp_cause)cause)) > 10);
        assert_true(strlen(sp_cause_remedy((enum sp_cause)cause)) > 10);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_one_rule, setup, teardown),
        cmocka_unit_test_setup_teardown(test_two_rules, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_filter, setup, teardown),
        cmocka_unit_test_setup_teardown(test_hosts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_blocked, setup, teardown),
        cmocka_unit_test_setup_teardown(test_worlds, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bypasses, setup, teardown),
        cmocka_unit_test(test_names_of_techniques),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
