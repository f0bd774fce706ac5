/* SPDX-License-Identifier: Apache-2.0 */
#include <cjson/cJSON.h>
#include <stdio.h>

#include "tests/unit/topologies/topo.h"
#include "topologies/node.h"

struct parsed {
    enum sp_rc rc;
    struct sp_doc doc;
    struct sp_problems problems;
};

static struct parsed parse_n(const char *text, size_t len)
{
    struct parsed p = {0};
    p.rc = sp_doc_parse(text, len, &p.doc, &p.problems);
    return p;
}

static struct parsed parse(const char *text)
{
    return parse_n(text, strlen(text));
}

static void release(struct parsed *p)
{
    sp_doc_release(&p->doc);
    sp_problems_release(&p->problems);
}

static void expect_error(const char *text, uint32_t line, uint32_t col, const char *words)
{
    struct parsed p = parse(text);
    if (p.problems.nerrors == 0 || !strstr(p.problems.at[0].text, words) ||
        p.problems.at[0].pos.line != line || p.problems.at[0].pos.col != col) {
        print_error("%s\n-> %s at %u:%u\n", text,
                    p.problems.nerrors ? p.problems.at[0].text : "no error",
                    p.problems.nerrors ? p.problems.at[0].pos.line : 0,
                    p.problems.nerrors ? p.problems.at[0].pos.col : 0);
        fail();
    }
    release(&p);
}

static void expect_at(const struct sp_node *node, uint32_t line, uint32_t col)
{
    assert_non_null(node);
    assert_int_equal(node->pos.line, line);
    assert_int_equal(node->pos.col, col);
}

static void both_formats_give_one_tree(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "a:\n  - x\n  - 'y'\nb: { c: 1 }\n",
        "{\"a\":\n [\"x\", \"y\"],\n\"b\": {\"c\": 1}}",
    };
    for (size_t i = 0; i < SP_ARRAY_LEN(texts); i++) {
        struct parsed p = parse(texts[i]);
        char pointer[SP_NODE_POINTER_LEN];
        assert_int_equal(p.rc, SP_OK);
        assert_int_equal(p.problems.n, 0);
        const struct sp_node *root = p.doc.root;
        assert_int_equal(root->kind, SP_NODE_MAPPING);
        assert_int_equal(root->n, 2);
        const struct sp_node *a = sp_node_get(root, "a");
        assert_int_equal(a->kind, SP_NODE_SEQUENCE);
        assert_int_equal(a->n, 2);
        assert_string_equal(a->first->text, "x");
        assert_string_equal(a->first->next->text, "y");
        assert_int_equal(a->first->next->style, SP_STYLE_QUOTED);
        assert_string_equal(sp_node_pointer(a->first->next, pointer), "/a/1");
        const struct sp_node *c = sp_node_get(sp_node_get(root, "b"), "c");
        assert_string_equal(c->text, "1");
        assert_int_equal(c->style, i == 0 ? SP_STYLE_PLAIN : SP_STYLE_LITERAL);
        assert_string_equal(sp_node_pointer(c, pointer), "/b/c");
        assert_string_equal(sp_node_pointer(root, pointer), "");
        assert_null(sp_node_get(root, "c"));
        assert_null(sp_node_get(a, "c"));
        assert_true(sp_node_has(root, "b"));
        release(&p);
    }
}

static void positions_count_characters(void **state)
{
    (void)state;
    struct parsed p = parse("\xef\xbb\xbf"
                            "a: x\n\xc3\xa9: [ \xe6\xbc\xa2, y ]\n");
    const struct sp_node *a = p.doc.root->first;
    expect_at(a, 1, 4);
    assert_int_equal(a->key_pos.col, 1);
    expect_at(a->next->first, 2, 6);
    expect_at(a->next->first->next, 2, 9);
    release(&p);
    p = parse("{\"\xc3\xa9\":\r\n[\"\xe6\xbc\xa2\", 2],\r\"z\": 3}");
    a = p.doc.root->first;
    assert_int_equal(a->key_pos.col, 2);
    expect_at(a->first, 2, 2);
    expect_at(a->first->next, 2, 7);
    expect_at(a->next, 3, 6);
    release(&p);
}

static void nothing_is_null(void **state)
{
    (void)state;
    struct parsed p = parse("a: ~\nb: null\nc:\nd: ''\ne: no\nf: []\ng: NULL");
    static const bool is_null[] = {true, true, true, false, false, false, true};
    size_t i = 0;
    for (const struct sp_node *n = p.doc.root->first; n; n = n->next) {
        assert_int_equal(sp_node_is_null(n), is_null[i++]);
    }
    release(&p);
    p = parse("[null, \"null\", false]");
    assert_true(sp_node_is_null(p.doc.root->first));
    assert_false(sp_node_is_null(p.doc.root->first->next));
    assert_false(sp_node_is_null(p.doc.root->last));
    release(&p);
}

static void pointers_are_escaped_and_bounded(void **state)
{
    (void)state;
    struct parsed p = parse("\"a/b~c\":\n  - x\n");
    char pointer[SP_NODE_POINTER_LEN];
    assert_string_equal(sp_node_pointer(p.doc.root->first->first, pointer), "/a~1b~0c/0");
    release(&p);
    char text[1400];
    memset(text, '/', sizeof(text));
    text[0] = '"';
    memcpy(text + 700, "\": [x]", 7);
    p = parse(text); /* longer than a pointer may be: the end is kept */
    assert_int_equal(p.rc, SP_OK);
    assert_string_equal(sp_node_pointer(p.doc.root->first->first, pointer), "/0");
    release(&p);
}

static void what_yaml_leaves_open_is_refused(void **state)
{
    (void)state;
    expect_error("a: &x 1\n", 1, 4, "anchors");
    expect_error("a: &x [1]\n", 1, 4, "anchors");
    expect_error("a: &x {b: 1}\n", 1, 4, "anchors");
    expect_error("a: *x\n", 1, 4, "aliases");
    expect_error("*x : 1\n", 1, 1, "aliases");
    expect_error("a: !!str 1\n", 1, 4, "tags");
    expect_error("a: !x {b: 1}\n", 1, 4, "tags");
    expect_error("a: ! [b]\n", 1, 4, "tags");
    expect_error("<<: {a: b}\n", 1, 1, "merge keys");
    expect_error("a: 1\n---\nb: 2\n", 2, 1, "second document");
    expect_error("a: 1\nb: 2\na: 3\n", 3, 1, "key 'a' was already given on line 1");
    expect_error("? [a]\n: 1\n", 1, 3, "a key must be a plain word");
    expect_error("? {a: b}\n: 1\n", 1, 3, "a key must be a plain word");
    expect_error("a: \"x\\0y\"\n", 1, 4, "NUL");
    expect_error("a: [1\n", 2, 1, "this is not YAML");
    expect_error("a: 'x\n", 2, 1, "this is not YAML");
    expect_error("a:\n\tb: 1\n", 2, 1, "a tab cannot indent");
    expect_error("a: b: c\n", 1, 5, "this is not YAML");
    expect_error("a: x\nb: \xff\n", 2, 4, "not YAML in UTF-8");
    expect_error("a: \x01\n", 1, 4, "not YAML in UTF-8");
}

static void large_mappings_find_duplicates_too(void **state)
{
    (void)state;
    char text[2000];
    size_t n = 0;
    for (int i = 0; i < 100; i++) {
        n += (size_t)snprintf(text + n, sizeof(text) - n, "k%d: %d\n", i, i);
    }
    (void)snprintf(text + n, sizeof(text) - n, "k42: x\nk42: y\n");
    struct parsed p = parse(text);
    assert_int_equal(p.problems.nerrors, 2);
    assert_string_equal(p.problems.at[0].text, "the key 'k42' was already given on line 43");
    assert_string_equal(p.problems.at[1].text, "the key 'k42' was already given on line 43");
    assert_string_equal(sp_node_get(p.doc.root, "k42")->text, "42");
    release(&p);
}

static void nesting_has_an_end(void **state)
{
    (void)state;
    char text[4000];
    for (unsigned depth = 30; depth <= 40; depth++) {
        for (int i = 0; i < 3; i++) { /* JSON, YAML flow, YAML blocks */
            struct sp_buf b;
            sp_buf_init(&b, sizeof(text));
            sp_buf_str(&b, i == 1 ? "--- " : "");
            for (unsigned d = 0; d < depth; d++) {
                sp_buf_str(&b, i == 2 ? "- " : "[");
            }
            for (unsigned d = 0; d < depth; d++) {
                sp_buf_str(&b, i == 2 ? (d == 0 ? "x" : "") : "]");
            }
            struct parsed p = parse(sp_buf_text(&b));
            assert_int_equal(p.rc, depth <= SP_TOPOLOGY_MAX_DEPTH ? SP_OK : SP_E_INVALID);
            if (p.rc != SP_OK) {
                assert_non_null(strstr(p.problems.at[0].text, "deeper than 32"));
            }
            release(&p);
            sp_buf_release(&b);
        }
    }
}

static void values_have_a_number(void **state)
{
    (void)state;
    static const char *const parts[] = {"- []\n", "[],"};
    for (size_t i = 0; i < SP_ARRAY_LEN(parts); i++) {
        struct sp_buf b;
        sp_buf_init(&b, 16U << 20);
        sp_buf_str(&b, i == 1 ? "[" : "");
        for (size_t n = 0; n <= SP_DOC_MAX_NODES; n++) {
            sp_buf_str(&b, parts[i]);
        }
        struct parsed p = parse(sp_buf_text(&b));
        assert_int_equal(p.rc, SP_E_INVALID);
        assert_non_null(strstr(p.problems.at[0].text, "too many values"));
        release(&p);
        sp_buf_release(&b);
    }
}

static void json_is_strict(void **state)
{
    (void)state;
    expect_error("{\"a\": 1,}", 1, 9, "a key in double quotes");
    expect_error("{a: 1}", 1, 2, "a key in double quotes");
    expect_error("{\"a\" 1}", 1, 6, "a ':'");
    expect_error("{\"a\": 1 \"b\": 2}", 1, 9, "',' or the closing }");
    expect_error("[1 2]", 1, 4, "',' or the closing ]");
    expect_error("[1,]", 1, 4, "a value was expected");
    expect_error("[01]", 1, 2, "a value was expected");
    expect_error("[1.]", 1, 2, "a value was expected");
    expect_error("[1e]", 1, 2, "a value was expected");
    expect_error("[-]", 1, 2, "a value was expected");
    expect_error("[+1]", 1, 2, "a value was expected");
    expect_error("[nan]", 1, 2, "a value was expected");
    expect_error("['x']", 1, 2, "a value was expected");
    expect_error("[\"x", 1, 2, "no closing");
    expect_error("[\"x\n\"]", 1, 4, "raw control character");
    expect_error("[\"\\x\"]", 1, 3, "unknown escape");
    expect_error("[\"\\", 1, 3, "unknown escape");
    expect_error("[\"\\u12\"]", 1, 3, "four hexadecimal digits");
    expect_error("[\"\\u12g4\"]", 1, 3, "four hexadecimal digits");
    expect_error("[\"\\u0000\"]", 1, 3, "NUL");
    expect_error("[\"\\ud800\"]", 1, 3, "surrogate");
    expect_error("[\"\\ud800\\u0041\"]", 1, 3, "surrogate");
    expect_error("[\"\\udc00\"]", 1, 3, "surrogate");
    expect_error("[\"\xff\"]", 1, 3, "not UTF-8");
    expect_error("[1] x", 1, 5, "after the end");
    expect_error("[1", 1, 3, "ends in the middle");
    expect_error("[1,", 1, 4, "ends in the middle");
    expect_error("{", 1, 2, "ends in the middle");
    expect_error("{\"a\":", 1, 6, "ends in the middle");
    expect_error("{\"a\": 1, \"\\u0061\": 2}", 1, 10, "already given");
}

/* Whether our tree says what cJSON's says. */
static bool same(const struct sp_node *node, const cJSON *json)
{
    if (cJSON_IsString(json)) {
        return node->style == SP_STYLE_QUOTED && strcmp(node->text, json->valuestring) == 0;
    }
    if (cJSON_IsNumber(json)) {
        return node->style == SP_STYLE_LITERAL && strtod(node->text, NULL) == json->valuedouble;
    }
    if (cJSON_IsBool(json)) {
        return strcmp(node->text, cJSON_IsTrue(json) ? "true" : "false") == 0;
    }
    if (cJSON_IsNull(json)) {
        return sp_node_is_null(node);
    }
    const struct sp_node *child = node->first;
    for (const cJSON *item = json->child; item; item = item->next, child = child->next) {
        if (!child || (item->string && strcmp(item->string, child->key) != 0) ||
            !same(child, item)) {
            return false;
        }
    }
    return !child && node->kind == (cJSON_IsObject(json) ? SP_NODE_MAPPING : SP_NODE_SEQUENCE);
}

static void json_agrees_with_cjson(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{}",
        "[]",
        " [ ] ",
        "[{}, [], {\"a\": []}]",
        "[1, -1, 0, -0, 1.5, 1e3, 1E+3, 1e-3, 0.25e2, 65535]",
        "[true, false, null, \"true\"]",
        "[\"\", \"a\", \"\\\"\\\\\\/\\b\\f\\n\\r\\t\", \"\\u0041\\u00e9\\u6f22\\ud83d\\ude00\"]",
        "{\"\\u006e\": \"\xc3\xa9\xe6\xbc\xa2\xf0\x9f\x98\x80\"}",
        "{\"a\":{\"b\":{\"c\":[1,[2,[3,[]]]]}}}\r\n\t",
    };
    for (size_t i = 0; i < SP_ARRAY_LEN(texts); i++) {
        struct parsed p = parse(texts[i]);
        cJSON *json = cJSON_Parse(texts[i]);
        assert_int_equal(p.rc, SP_OK);
        assert_int_equal(p.problems.n, 0);
        assert_non_null(json);
        assert_true(same(p.doc.root, json));
        cJSON_Delete(json);
        release(&p);
    }
}

static void plain_yaml_words_stay_text(void **state)
{
    (void)state;
    struct parsed p = parse("[no, 0777, 22:22, 2027-06-30, 1e3, .nan]"); /* JSON? not quite */
    assert_int_equal(p.rc, SP_E_INVALID);
    release(&p);
    p = parse("- no\n- 0777\n- 22:22\n- 2027-06-30\n- |\n  block\n- a\n  b\n");
    static const char *const texts[] = {"no", "0777", "22:22", "2027-06-30", "block\n", "a b"};
    size_t i = 0;
    for (const struct sp_node *n = p.doc.root->first; n; n = n->next) {
        assert_string_equal(n->text, texts[i++]);
        assert_int_equal(n->style, i == 5 ? SP_STYLE_QUOTED : SP_STYLE_PLAIN);
    }
    release(&p);
}

static void an_empty_document_has_no_root(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "\n\n", "# only a comment\n", "\xef\xbb\xbf"};
    for (size_t i = 0; i < SP_ARRAY_LEN(texts); i++) {
        struct parsed p = parse(texts[i]);
        assert_int_equal(p.rc, SP_OK);
        assert_null(p.doc.root);
        release(&p);
    }
    struct parsed p = parse_n("a\0: b", 5); /* a NUL is not the end */
    assert_int_equal(p.rc, SP_E_INVALID);
    release(&p);
}

static void big_texts_share_the_arena(void **state)
{
    (void)state;
    struct sp_buf b;
    sp_buf_init(&b, 1U << 20);
    for (int i = 0; i < 20; i++) {
        sp_buf_fmt(&b, "k%d: ", i);
        for (int k = 0; k < (i % 3 == 0 ? 30000 : 10); k++) {
            sp_buf_char(&b, (char)('a' + i));
        }
        sp_buf_char(&b, '\n');
    }
    struct parsed p = parse(sp_buf_text(&b));
    assert_int_equal(p.rc, SP_OK);
    int i = 0;
    for (const struct sp_node *n = p.doc.root->first; n; n = n->next, i++) {
        assert_int_equal(strlen(n->text), i % 3 == 0 ? 30000 : 10);
        assert_int_equal(n->text[9], 'a' + i);
    }
    release(&p);
    sp_buf_release(&b);
}

static void every_failing_allocation_is_survived(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "a: [x, {b: c}]\nk0: 0\nk1: 1\nk2: 2\nk3: 3\nk4: 4\nk5: 5\nk6: 6\nk7: 7\nk7: 8\n",
        "{\"a\": [\"x\", {\"b\": \"c\"}], \"a\": 2}",
        "a: &x *y",
    };
    for (size_t i = 0; i < SP_ARRAY_LEN(texts); i++) {
        for (size_t n = 1;; n++) {
            sp_mem_fail_at(n, 0);
            struct parsed p = parse(texts[i]);
            size_t asked = sp_mem_fail_at(0, 0);
            assert_true(asked < n || p.rc == SP_E_NOMEM || p.problems.rc == SP_E_NOMEM);
            release(&p);
            if (asked < n) {
                break;
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_formats_give_one_tree),
        cmocka_unit_test(positions_count_characters),
        cmocka_unit_test(nothing_is_null),
        cmocka_unit_test(pointers_are_escaped_and_bounded),
        cmocka_unit_test(what_yaml_leaves_open_is_refused),
        cmocka_unit_test(large_mappings_find_duplicates_too),
        cmocka_unit_test(nesting_has_an_end),
        cmocka_unit_test(values_have_a_number),
        cmocka_unit_test(json_is_strict),
        cmocka_unit_test(json_agrees_with_cjson),
        cmocka_unit_test(plain_yaml_words_stay_text),
        cmocka_unit_test(an_empty_document_has_no_root),
        cmocka_unit_test(big_texts_share_the_arena),
        cmocka_unit_test(every_failing_allocation_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
