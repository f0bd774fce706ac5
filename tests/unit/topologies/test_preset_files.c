/* SPDX-License-Identifier: Apache-2.0
 *
 * The contract of presets: every file that the build embeds is read without a word, says what its
 * file name says, uses roles that it has, gives a source on every line, and speaks in ports that
 * can be taken out of each other. */
#include "tests/unit/topologies/topo.h"
#include "topologies/build.h"
#include "topologies/preset.h"

#define MAX_PRESETS 64
#define MAX_LINES   512

static struct sp_preset *load(const char *name)
{
    struct sp_problems problems = {0};
    struct sp_preset *preset = NULL;
    size_t len = 0;
    const char *text = sp_preset_text(name, &len);
    assert_non_null(text);
    enum sp_rc rc = sp_preset_parse(text, len, &preset, &problems);
    for (size_t i = 0; i < problems.n; i++) {
        print_error("%s:%u: %s: %s\n", name, problems.at[i].pos.line, problems.at[i].pointer,
                    problems.at[i].text);
    }
    assert_int_equal(rc, SP_OK);
    assert_int_equal(problems.n, 0);
    sp_problems_release(&problems);
    return preset;
}

static bool has_role(const struct sp_preset *preset, const char *role)
{
    return sp_preset_find_role(preset, role) != SP_NONE;
}

static void good_ports(const struct sp_preset_flow *flow)
{
    assert_true(flow->nports > 0);
    for (size_t i = 0; i < flow->nports; i++) {
        const struct sp_portspec *spec = &flow->ports[i];
        assert_true(spec->proto < SP_PROTO_COUNT); /* "any" cannot be taken apart */
        assert_true(spec->lo <= spec->hi);
        assert_true(flow->kind == SP_PRESET_CLOSED || !spec->is_wild);
    }
}

static void good_flow(const struct sp_preset *preset, const struct sp_preset_flow *flow)
{
    for (const struct sp_node *i = sp_build_first(flow->from); i;
         i = sp_build_next(flow->from, i)) {
        bool is_others = strcmp(i->text, "others") == 0;
        assert_true(is_others ? flow->kind == SP_PRESET_CLOSED : has_role(preset, i->text));
    }
    for (const struct sp_node *i = sp_build_first(flow->to); i; i = sp_build_next(flow->to, i)) {
        assert_true(has_role(preset, i->text));
    }
    /* Read by people: a sentence, and a document that is more than one word or an address. */
    assert_true(strlen(flow->why) >= 15);
    assert_true(strlen(flow->source) >= 15);
    assert_true(strchr(flow->source, ' ') || strchr(flow->source, '/'));
    good_ports(flow);
}

static void test_files(void **state)
{
    (void)state;
    const char *seen[MAX_LINES];
    struct sp_preset *presets[MAX_PRESETS];
    size_t nseen = 0, n = 0;
    for (; sp_preset_name_at(n); n++) {
        struct sp_preset *preset = presets[n] = load(sp_preset_name_at(n));
        assert_string_equal(preset->name, sp_preset_name_at(n));
        assert_true(n == 0 || strcmp(presets[n - 1]->name, preset->name) < 0);
        assert_true(strlen(preset->summary) >= 15);
        for (size_t f = 0; f < preset->nflows; f++) {
            good_flow(preset, &preset->flows[f]);
            for (size_t k = 0; k < nseen; k++) { /* `without` names lines without their preset */
                assert_string_not_equal(seen[k], preset->flows[f].name);
            }
            assert_true(nseen < MAX_LINES);
            seen[nseen++] = preset->flows[f].name;
        }
        for (size_t r = 0; r < preset->nroles; r++) {
            const struct sp_preset_role *role = &preset->roles[r];
            assert_string_not_equal(role->name, "others");
            assert_true(sp_build_count(role->hosts) > 0);
        }
        for (size_t i = 0; i < preset->nreserved; i++) {
            assert_true(strlen(preset->reserved[i].source) >= 15);
        }
        for (size_t i = 0; i < preset->nrepositories; i++) {
            assert_true(strlen(preset->repositories[i].source) >= 15);
        }
    }
    assert_int_equal(n, sp_preset_count());
    assert_true(n >= 7 && nseen >= 60);
    for (size_t i = 0; i < n; i++) {
        sp_preset_free(presets[i]);
    }
}

/* A role is one thing: what stands in two files must say the same. */
static void test_roles_agree(void **state)
{
    (void)state;
    for (size_t a = 0; a < sp_preset_count(); a++) {
        struct sp_preset *one = load(sp_preset_name_at(a));
        for (size_t b = a + 1; b < sp_preset_count(); b++) {
            struct sp_preset *two = load(sp_preset_name_at(b));
            for (size_t r = 0; r < one->nroles; r++) {
                const struct sp_preset_role *x = &one->roles[r];
                uint32_t at = sp_preset_find_role(two, x->name);
                const struct sp_preset_role *y = at == SP_NONE ? x : &two->roles[at];
                const struct sp_node *i = sp_build_first(x->hosts);
                const struct sp_node *k = sp_build_first(y->hosts);
                assert_string_equal(x->help, y->help);
                assert_string_equal(x->or_else ? x->or_else : "", y->or_else ? y->or_else : "");
                assert_int_equal(sp_build_count(x->hosts), sp_build_count(y->hosts));
                for (; i && k; i = sp_build_next(x->hosts, i), k = sp_build_next(y->hosts, k)) {
                    assert_string_equal(i->text, k->text);
                }
            }
            sp_preset_free(two);
        }
        sp_preset_free(one);
    }
}

/* `else` and `with` name what there is, and end. */
static void test_references(void **state)
{
    (void)state;
    for (size_t a = 0; a < sp_preset_count(); a++) {
        struct sp_preset *one = load(sp_preset_name_at(a));
        for (const struct sp_node *i = sp_build_first(one->with); i;
             i = sp_build_next(one->with, i)) {
            size_t len = 0;
            assert_non_null(sp_preset_text(i->text, &len));
        }
        for (size_t r = 0; r < one->nroles; r++) {
            unsigned steps = 0;
            for (const char *to = one->roles[r].or_else; to; steps++) {
                uint32_t at = sp_preset_find_role(one, to);
                assert_true(at != SP_NONE && steps < 2); /* build_roles.c goes two steps */
                to = one->roles[at].or_else;
            }
        }
        sp_preset_free(one);
    }
}

static void wrong(const char *text, const char *words)
{
    struct sp_problems problems = {0};
    struct sp_preset *preset = NULL;
    assert_int_equal(sp_preset_parse(text, strlen(text), &preset, &problems), SP_E_INVALID);
    assert_null(preset);
    bool found = false;
    for (size_t i = 0; i < problems.n; i++) {
        found = found || strstr(problems.at[i].text, words);
    }
    assert_true(found);
    sp_problems_release(&problems);
}

/* The reader refuses what the files must not have. */
static void test_refused(void **state)
{
    (void)state;
#define HEAD "preset: 1\nname: x\nsummary: a b c\nroles: { a: { help: h, hosts: a } }\nflows:\n"
    wrong("", "empty");
    wrong("[", "");
    wrong(HEAD "  - { name: l, from: a, to: a, open: tcp/1, why: w }\n", "source");
    wrong(HEAD "  - { name: l, from: a, to: a, open: tcp/1, source: s }\n", "why");
    wrong(HEAD "  - { name: l, from: a, to: a, why: w, source: s }\n", "exactly one");
    wrong(HEAD "  - { name: l, from: a, to: a, open: tcp/1, may: tcp/2, why: w, source: s }\n",
          "exactly one");
    wrong(HEAD "  - { name: l, from: a, to: a, open: tcp/99999, why: w, source: s }\n", "99999");
    wrong(HEAD "  - { name: l, from: a, to: a, open: tcp/1, scope: near, why: w, source: s }\n",
          "near");
    wrong("preset: 2\nname: x\nsummary: s\nroles: {}\nflows: []\n", "");
    struct sp_preset *preset = NULL;
    assert_int_equal(sp_preset_new("no-such", &preset), SP_E_NOTFOUND);
    sp_preset_free(NULL);
}

static void test_memory(void **state)
{
    (void)state;
    enum sp_rc rc = SP_E_NOMEM;
    for (size_t n = 1; rc != SP_OK; n++) {
        struct sp_preset *preset = NULL;
        (void)sp_mem_fail_at(n, 0);
        rc = sp_preset_new("gloo-mesh", &preset);
        (void)sp_mem_fail_at(0, 0);
        assert_true(rc == SP_OK || rc == SP_E_NOMEM);
        assert_true((rc == SP_OK) == (preset != NULL));
        sp_preset_free(preset);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files),      cmocka_unit_test(test_roles_agree),
        cmocka_unit_test(test_references), cmocka_unit_test(test_refused),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
