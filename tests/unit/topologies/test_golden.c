/* SPDX-License-Identifier: Apache-2.0
 *
 * What people see: for every topology in tests/golden/topologies and in topologies/examples, the
 * printed messages and the model must be as in the file of the same name with .txt behind it in
 * tests/golden/topologies. To accept a change, run this test with SP_UPDATE_GOLDEN=1 in the
 * environment and read the difference. */
#include <dirent.h>
#include <stdio.h>

#include "tests/unit/topologies/topo.h"

#define GOLDEN   "tests/golden/topologies/"
#define EXAMPLES "topologies/examples/"

static void put_set(struct sp_buf *out, const struct sp_model *m, const char *word,
                    const struct sp_bits *bits)
{
    sp_buf_fmt(out, " %s", word);
    for (size_t i = 0; i < sp_model_ntargets(m); i++) {
        if (sp_bits_get(bits, i)) {
            sp_buf_fmt(out, " %s", sp_model_target_name(m, i));
        }
    }
}

static void put_ports(struct sp_buf *out, const struct sp_portspec *ports, size_t n)
{
    char text[SP_PORTSPEC_STRLEN];
    for (size_t i = 0; i < n; i++) {
        sp_buf_fmt(out, " %s", sp_portspec_str(&ports[i], text));
    }
}

static void put_addrs(struct sp_buf *out, const struct sp_addr *addrs, size_t n)
{
    char text[SP_ADDR_STRLEN];
    for (size_t i = 0; i < n; i++) {
        sp_buf_fmt(out, " %s", sp_addr_str(&addrs[i], text));
    }
}

static const char *or_dash(const char *text)
{
    return text ? text : "-";
}

static void put_nodes(struct sp_buf *out, const struct sp_model *m)
{
    static const char *const kinds[] = {"vpc", "subnet", "external"};
    char text[SP_PREFIX_STRLEN];
    for (size_t i = 0; i < m->nnetworks; i++) {
        const struct sp_network *n = &m->networks[i];
        sp_buf_fmt(out, "network %s line %u %s in %s hazard %c rate %u within %d owner %s zone %s",
                   n->name, n->pos.line, kinds[n->kind],
                   n->parent == SP_NONE ? "-" : m->networks[n->parent].name,
                   n->hazard ? n->hazard : '-', n->max_rate, (int)n->within, or_dash(n->owner),
                   or_dash(n->zone));
        for (size_t c = 0; c < n->ncidrs; c++) {
            sp_buf_fmt(out, " %s", sp_prefix_str(&n->cidrs[c], text));
        }
        sp_buf_char(out, '\n');
    }
    for (size_t i = 0; i < m->nhosts; i++) {
        const struct sp_host *h = &m->hosts[i];
        sp_buf_fmt(out, "host %s line %u in %s role %s via %s name %s target %s become %s", h->name,
                   h->pos.line, m->networks[h->network].name, or_dash(h->role), or_dash(h->via),
                   or_dash(h->via_name), or_dash(h->target), or_dash(h->become));
        put_addrs(out, h->addrs, h->naddrs);
        for (size_t l = 0; l < h->nlabels; l++) {
            sp_buf_fmt(out, " %s=%s", h->labels[l].key, h->labels[l].value);
        }
        sp_buf_char(out, '\n');
    }
}

static void put_rules(struct sp_buf *out, const struct sp_model *m)
{
    static const char *const kinds[] = {"deny", "allow", "permit", "isolation"};
    for (size_t i = 0; i < m->ngroups; i++) {
        sp_buf_fmt(out, "group %s", m->groups[i].name);
        put_set(out, m, "=", &m->groups[i].targets);
        sp_buf_char(out, '\n');
    }
    for (size_t i = 0; i < m->nservices; i++) {
        sp_buf_fmt(out, "service %s data %d", m->services[i].name, (int)m->services[i].data_ok);
        put_ports(out, m->services[i].ports, m->services[i].nports);
        sp_buf_char(out, '\n');
    }
    for (size_t i = 0; i < m->nrules; i++) {
        const struct sp_rule *r = &m->rules[i];
        sp_buf_fmt(out, "rule %s line %u %s", r->name, r->pos.line, kinds[r->kind]);
        put_ports(out, r->ports, r->nports);
        put_set(out, m, "from", &r->from);
        put_set(out, m, "to", &r->to);
        sp_buf_fmt(out, " why %s expires %s\n", or_dash(r->why), or_dash(r->expires));
    }
    for (size_t i = 0; i < m->nbalancers; i++) {
        const struct sp_balancer *b = &m->balancers[i];
        sp_buf_fmt(out, "balancer %s", b->name);
        put_addrs(out, b->addrs, b->naddrs);
        put_set(out, m, "from", &b->from);
        for (size_t l = 0; l < b->nlisteners; l++) {
            put_ports(out, &b->listeners[l].port, 1);
            sp_buf_fmt(out, " -> %u %s %s %s", b->listeners[l].backend_port, b->listeners[l].mode,
                       b->listeners[l].source, b->listeners[l].proxy_protocol);
            for (size_t k = 0; k < b->listeners[l].nbackends; k++) {
                sp_buf_fmt(out, " %s", m->hosts[b->listeners[l].backends[k]].name);
            }
        }
        sp_buf_char(out, '\n');
    }
    for (size_t i = 0; i < m->nenforcements; i++) {
        const struct sp_enforcement *e = &m->enforcements[i];
        sp_buf_fmt(out, "enforcement %s between", e->name);
        for (size_t k = 0; k < e->nbetween; k++) {
            sp_buf_fmt(out, " %s", m->networks[e->between[k]].name);
        }
        sp_buf_fmt(out, " layer %d action %d capacity %u rate %u paths %u\n", (int)e->layer,
                   (int)e->action, e->state_capacity, e->max_rate, e->paths);
    }
    sp_buf_fmt(out, "limits rate %u hazard %c loss %.3f\n", m->limits.max_rate, m->limits.hazard,
               m->limits.loss);
}

static void compare(const char *name, struct sp_buf *seen)
{
    char path[512];
    struct sp_buf golden;
    struct sp_problems none = {0};
    struct sp_diag diag = {0};
    (void)snprintf(path, sizeof(path), GOLDEN "%s.txt", name);
    if (getenv("SP_UPDATE_GOLDEN")) {
        FILE *f = fopen(path, "w");
        assert_non_null(f);
        assert_int_equal(fwrite(seen->data, 1, seen->len, f), seen->len);
        assert_int_equal(fclose(f), 0);
    }
    if (sp_topology_read(path, &golden, &none, &diag) != SP_OK) {
        fail_msg("%s: %s", path, diag.text);
    }
    if (strcmp(sp_buf_text(&golden), sp_buf_text(seen)) != 0) {
        print_error("%s is not what was printed:\n%s", path, sp_buf_text(seen));
        fail();
    }
    sp_buf_release(&golden);
}

static void check_file(const char *folder, const char *name)
{
    char path[512];
    struct sp_buf text, seen;
    struct topo t = {0};
    (void)snprintf(path, sizeof(path), "%s%s", folder, name);
    assert_int_equal(sp_topology_read(path, &text, &t.problems, NULL), SP_OK);
    t.rc = sp_topology_load_text(name, sp_buf_text(&text), text.len, &t.model, &t.problems);
    sp_buf_init(&seen, 1U << 22);
    for (size_t i = 0; i < t.problems.n; i++) {
        sp_problem_print(&t.problems.at[i], name, sp_buf_text(&text), text.len, false, &seen);
    }
    sp_buf_fmt(&seen, "%s: %zu errors, %zu warnings\n", sp_rc_str(t.rc), t.problems.nerrors,
               t.problems.nwarnings);
    if (t.model) {
        put_nodes(&seen, t.model);
        put_rules(&seen, t.model);
    }
    compare(name, &seen);
    sp_buf_release(&seen);
    sp_buf_release(&text);
    topo_release(&t);
}

static size_t check_folder(const char *folder)
{
    size_t n = 0;
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    const struct dirent *entry;
    while ((entry = readdir(dir)) != NULL) {
        size_t len = strlen(entry->d_name);
        if (len > 5 && (strcmp(entry->d_name + len - 5, ".yaml") == 0 ||
                        strcmp(entry->d_name + len - 5, ".json") == 0)) {
            check_file(folder, entry->d_name);
            n++;
        }
    }
    assert_int_equal(closedir(dir), 0);
    return n;
}

static void messages_are_as_agreed(void **state)
{
    (void)state;
    sp_clock_inject(NULL, topo_wall_s);
    assert_true(check_folder(GOLDEN) >= 10);
}

static void examples_are_as_agreed(void **state)
{
    (void)state;
    sp_clock_inject(NULL, topo_wall_s);
    assert_true(check_folder(EXAMPLES) >= 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_are_as_agreed),
        cmocka_unit_test(examples_are_as_agreed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
