/* SPDX-License-Identifier: Apache-2.0
 *
 * The published schema is what the table says. To make it anew after a change of the table, run
 * this test with SP_UPDATE_GOLDEN=1 in the environment. */
#include <stdio.h>

#include "tests/unit/topologies/topo.h"
#include "topologies/field.h"
#include "topologies/schema.h"

#define SCHEMA "topologies/schema/topology.schema.json"

static void published_schema_is_current(void **state)
{
    (void)state;
    struct sp_buf made, published;
    struct sp_problems problems = {0};
    sp_buf_init(&made, 1U << 20);
    sp_topology_schema(&made);
    assert_int_equal(made.rc, SP_OK);
    if (getenv("SP_UPDATE_GOLDEN")) {
        FILE *f = fopen(SCHEMA, "w");
        assert_non_null(f);
        assert_int_equal(fwrite(made.data, 1, made.len, f), made.len);
        assert_int_equal(fclose(f), 0);
    }
    assert_int_equal(sp_topology_read(SCHEMA, &published, &problems, NULL), SP_OK);
    assert_string_equal(sp_buf_text(&published), sp_buf_text(&made));
    sp_buf_release(&published);
    sp_buf_release(&made);
}

static void it_is_json(void **state)
{
    (void)state;
    struct sp_buf made;
    struct sp_doc doc;
    struct sp_problems problems = {0};
    sp_buf_init(&made, 1U << 20);
    sp_topology_schema(&made);
    assert_int_equal(sp_doc_parse(sp_buf_text(&made), made.len, &doc, &problems), SP_OK);
    assert_int_equal(problems.n, 0);
    const struct sp_node *properties = sp_node_get(doc.root, "properties");
    assert_non_null(properties);
    for (const struct sp_field *f = sp_topology_shape.fields; f->name; f++) {
        const struct sp_node *property = sp_node_get(properties, f->name);
        assert_non_null(property);
        assert_string_equal(sp_node_get(property, "description")->text, f->help);
    }
    sp_doc_release(&doc);
    sp_buf_release(&made);
}

static void no_memory_is_kept_in_the_buffer(void **state)
{
    (void)state;
    struct sp_buf made;
    sp_buf_init(&made, 1U << 20);
    sp_mem_fail_at(3, 0);
    sp_topology_schema(&made);
    sp_mem_fail_at(0, 0);
    assert_int_equal(made.rc, SP_E_NOMEM);
    sp_buf_release(&made);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_schema_is_current),
        cmocka_unit_test(it_is_json),
        cmocka_unit_test(no_memory_is_kept_in_the_buffer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
