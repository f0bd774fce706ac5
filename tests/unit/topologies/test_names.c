/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "probe/base/mem.h"
#include "tests/support/sp_cmocka.h"
#include "topologies/names.h"

static void many_names_are_found_again(void **state)
{
    (void)state;
    enum { N = 5000 };
    static char texts[N][16];
    struct sp_names names;
    assert_int_equal(sp_names_init(&names, N), SP_OK);
    for (uint32_t i = 0; i < N; i++) {
        (void)snprintf(texts[i], sizeof(texts[i]), "host-%u", (unsigned)i);
        assert_null(sp_names_add(
            &names, (struct sp_name){.name = texts[i], .kind = SP_NAME_HOST, .index = i}));
    }
    assert_int_equal(names.n, N);
    for (uint32_t i = 0; i < N; i++) {
        const struct sp_name *found = sp_names_find(&names, texts[i]);
        assert_non_null(found);
        assert_int_equal(found->index, i);
    }
    assert_null(sp_names_find(&names, "host-5000"));
    const struct sp_name *taken =
        sp_names_add(&names, (struct sp_name){.name = "host-7", .kind = SP_NAME_GROUP});
    assert_non_null(taken);
    assert_int_equal(taken->index, 7);
    assert_int_equal(taken->kind, SP_NAME_HOST);
    assert_int_equal(names.n, N);
    sp_names_release(&names);
    assert_null(sp_names_find(&names, "host-1"));
}

static void no_memory_is_said(void **state)
{
    (void)state;
    struct sp_names names;
    sp_mem_fail_at(1, 0);
    assert_int_equal(sp_names_init(&names, 10), SP_E_NOMEM);
    sp_mem_fail_at(0, 0);
    sp_names_release(&names);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_names_are_found_again),
        cmocka_unit_test(no_memory_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
