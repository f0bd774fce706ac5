/* SPDX-License-Identifier: Apache-2.0
 *
 * Boxes against the plainest thing that can be said: a flow is in what is left when it was in the
 * box and is not in the rule; and no box is left that another one overlaps. */
#include "tests/unit/topologies/topo.h"
#include "topologies/build_box.h"

#define TARGETS 70 /* more than one word */
#define PORTS   12
#define ROUNDS  200
#define CUTS    5

static uint64_t seed = 1;

static unsigned draw(unsigned n)
{
    seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407U;
    return (unsigned)(seed >> 33) % n;
}

static struct sp_bits some_bits(void)
{
    struct sp_bits bits;
    assert_int_equal(sp_bits_init(&bits, TARGETS), SP_OK);
    for (size_t i = 0; i < TARGETS; i++) {
        if (draw(3) > 0) {
            sp_bits_set(&bits, i);
        }
    }
    return bits;
}

static struct sp_portspec some_ports(void)
{
    uint16_t lo = (uint16_t)(1 + draw(PORTS));
    return (struct sp_portspec){
        .proto = (uint8_t)draw(2), .lo = lo, .hi = (uint16_t)(lo + draw(PORTS + 1 - lo))};
}

static bool has_port(const struct sp_portspec *ports, size_t n, unsigned proto, unsigned port)
{
    for (size_t i = 0; i < n; i++) {
        if (ports[i].proto == proto && ports[i].lo <= port && port <= ports[i].hi) {
            return true;
        }
    }
    return false;
}

/* In how many boxes a flow is. */
static size_t holders(const struct sp_boxes *boxes, size_t from, size_t to, unsigned proto,
                      unsigned port)
{
    size_t n = 0;
    for (size_t i = 0; i < boxes->n; i++) {
        const struct sp_box *box = &boxes->at[i];
        n += sp_bits_get(&box->from, from) && sp_bits_get(&box->to, to) &&
             has_port(box->ports, box->nports, proto, port);
    }
    return n;
}

static void one_round(void)
{
    struct sp_boxes boxes = {.max_bytes = 1U << 24};
    struct sp_bits from = some_bits(), to = some_bits();
    struct sp_portspec ports[2] = {{.proto = 0, .lo = 1, .hi = PORTS},
                                   {.proto = 1, .lo = 3, .hi = 9}};
    struct sp_rule rules[CUTS] = {{0}};
    struct sp_portspec cuts[CUTS][2];
    assert_int_equal(sp_boxes_add(&boxes, &from, &to, ports, 2), SP_OK);
    for (size_t i = 0; i < CUTS; i++) {
        cuts[i][0] = some_ports();
        cuts[i][1] = some_ports();
        rules[i].from = some_bits();
        rules[i].to = some_bits();
        rules[i].ports = cuts[i];
        rules[i].nports = 2;
        assert_int_equal(sp_boxes_subtract(&boxes, &rules[i]), SP_OK);
    }
    for (unsigned k = 0; k < 400; k++) {
        size_t a = draw(TARGETS), b = draw(TARGETS);
        unsigned proto = draw(2), port = 1 + draw(PORTS);
        bool wanted =
            sp_bits_get(&from, a) && sp_bits_get(&to, b) && has_port(ports, 2, proto, port);
        for (size_t i = 0; i < CUTS; i++) {
            wanted = wanted && !(sp_bits_get(&rules[i].from, a) && sp_bits_get(&rules[i].to, b) &&
                                 has_port(rules[i].ports, 2, proto, port));
        }
        assert_int_equal(holders(&boxes, a, b, proto, port), wanted ? 1 : 0);
    }
    for (size_t i = 0; i < CUTS; i++) {
        sp_bits_release(&rules[i].from);
        sp_bits_release(&rules[i].to);
    }
    sp_bits_release(&from);
    sp_bits_release(&to);
    sp_boxes_release(&boxes);
}

static void test_subtract(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ROUNDS; i++) {
        one_round();
    }
}

static void test_any(void **state)
{
    (void)state;
    struct sp_boxes boxes = {.max_bytes = 1U << 20};
    struct sp_bits all = some_bits();
    struct sp_portspec tcp = {.proto = SP_PROTO_TCP, .lo = 1, .hi = 9};
    struct sp_portspec any = {.proto = SP_PROTO_COUNT, .is_wild = 1, .hi = UINT16_MAX};
    struct sp_rule rule = {.from = all, .to = all, .ports = &any, .nports = 1};
    assert_int_equal(sp_boxes_add(&boxes, &all, &all, &tcp, 1), SP_OK);
    assert_int_equal(sp_boxes_subtract(&boxes, &rule), SP_OK);
    assert_int_equal(boxes.n, 0);
    /* The careful answer where "any" cannot be taken apart: nothing is left to deny by name. */
    rule.ports = &tcp;
    assert_int_equal(sp_boxes_add(&boxes, &all, &all, &any, 1), SP_OK);
    assert_int_equal(sp_boxes_subtract(&boxes, &rule), SP_OK);
    assert_int_equal(boxes.n, 0);
    sp_boxes_release(&boxes);
    sp_bits_release(&all);
}

static void test_limits(void **state)
{
    (void)state;
    struct sp_bits all = some_bits();
    struct sp_portspec tcp = {.proto = SP_PROTO_TCP, .lo = 1, .hi = 9};
    struct sp_rule rule = {.from = all, .to = all, .ports = &tcp, .nports = 1};
    struct sp_boxes small = {.max_bytes = 8};
    assert_int_equal(sp_boxes_add(&small, &all, &all, &tcp, 1), SP_E_LIMIT);
    struct sp_boxes busy = {.max_bytes = 1U << 20, .work = SP_BOXES_MAX_WORK};
    assert_int_equal(sp_boxes_add(&busy, &all, &all, &tcp, 1), SP_OK);
    assert_int_equal(sp_boxes_subtract(&busy, &rule), SP_E_LIMIT);
    sp_boxes_release(&busy);
    struct sp_boxes many = {.max_bytes = 1U << 24};
    enum sp_rc rc = SP_OK;
    for (size_t i = 0; rc == SP_OK; i++) {
        assert_true(i <= SP_BOXES_MAX);
        rc = sp_boxes_add(&many, &all, &all, &tcp, 1);
    }
    assert_int_equal(rc, SP_E_LIMIT);
    sp_boxes_release(&many);
    sp_bits_release(&all);
}

static void test_pair(void **state)
{
    (void)state;
    struct sp_bits a, b;
    assert_int_equal(sp_bits_init(&a, TARGETS), SP_OK);
    assert_int_equal(sp_bits_init(&b, TARGETS), SP_OK);
    assert_false(sp_bits_have_pair(&a, &b));
    sp_bits_set(&a, 66);
    assert_false(sp_bits_have_pair(&a, &b));
    sp_bits_set(&b, 66);
    assert_false(sp_bits_have_pair(&a, &b)); /* only itself */
    sp_bits_set(&b, 3);
    assert_true(sp_bits_have_pair(&a, &b));
    sp_bits_release(&a);
    sp_bits_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_subtract),
        cmocka_unit_test(test_any),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_pair),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
