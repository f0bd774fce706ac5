/* SPDX-License-Identifier: Apache-2.0
 *
 * What every technique must do whose packets travel inside others, besides what test_techniques.c
 * asks of the packets inside. */
#include <string.h>

#include "tests/contract/tech_kit.h"

/* One goes to each outer destination; inside it is, byte for byte, the packet that the rest of this
 * contract looks at; and with nowhere to go nothing is sent, which is no success. */
static void closed(const struct sp_technique_info *info, const struct sp_technique *tech, bool v6)
{
    struct sp_tag_keys keys = keys_of(1);
    struct sp_flow flow = flow_of(v6, 300, port_of(tech, 8080));
    struct sp_outer outers[SP_OUTERS_MAX];
    size_t index = sp_technique_index(info);
    assert_int_equal(sp_technique_outer(index) != 0, tech->wraps != SP_WRAP_NONE);
    if (tech->wraps == SP_WRAP_NONE) {
        return;
    }
    assert_int_equal(info->hazard, 'C');
    outers_of(tech, &flow, outers);
    struct emitted out = start_closed(tech, &keys, &flow);
    struct emitted bare = start(tech, &keys, &flow);
    assert_int_equal(out.n, SP_OUTERS_MAX);
    for (size_t i = 0; i < out.n; i++) {
        struct kit_bytes bytes;
        struct kit_bytes inner;
        struct sp_unwrapped in;
        kit_build(&out.specs[i], &bytes);
        kit_build(&bare.specs[i], &inner);
        bool outer6 = bytes.at[0] >> 4 == 6;
        assert_int_equal(bytes.at[outer6 ? 6 : 9], sp_technique_outer(index));
        assert_true(sp_pkt_unwrap(bytes.at, bytes.len, &in));
        assert_int_equal(in.kind, tech->wraps);
        assert_true(sp_addr_eq(&in.src, &outers[i].src) && sp_addr_eq(&in.dst, &outers[i].dst));
        assert_true(sp_addr_eq(sp_spec_to(&out.specs[i]), &outers[i].dst));
        assert_int_equal(in.vni, outers[i].vni);
        assert_int_equal(in.len, inner.len);
        assert_memory_equal(in.ip, inner.at, inner.len);
    }
    struct emitted none = {.n = 0};
    struct sp_tech_io io = {.keys = &keys, .emit = emit, .arg = &none};
    assert_int_not_equal(tech->start(&flow, &io), 0);
    assert_int_equal(none.n, 0);
}

static void packets_inside_others(void **state)
{
    (void)state;
    each(closed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packets_inside_others),
    };
    return cmocka_run_group_tests_name("outers", tests, NULL, NULL);
}
