/* SPDX-License-Identifier: Apache-2.0
 *
 * Results of kube-bench: an item that fails is a finding unless it is declared that it may; items
 * left to people (WARN) prove nothing either way and are a note. Where packets found a port open
 * that kube-bench passes because nothing is set, the packets count. */
#include <stdio.h>
#include <string.h>

#include "controller/inspect/kube_bench.h"
#include "controller/inspect/nodes.h"
#include "probe/base/mem.h"
#include "reports/summary.h"

#define TEXT_MAX   4096U
#define LISTED_MAX 30U

/* Beside the topology, unless it is a path from the root. */
static bool place(const struct sp_model *m, const char *file, char out[static 4096])
{
    const char *slash = m->file ? strrchr(m->file, '/') : NULL;
    int n = *file == '/' || !slash
                ? snprintf(out, 4096, "%s", file)
                : snprintf(out, 4096, "%.*s/%s", (int)(slash - m->file), m->file, file);
    return n > 0 && n < 4096;
}

/* Did a conversation begin, or a packet arrive that was answered, at that port of such a host? */
static const char *found_open(const struct sp_nodes *nodes, const struct sp_floor *floor,
                              uint16_t port)
{
    const struct sp_result *result = nodes->result;
    for (size_t i = 0; i < result->ntests; i++) {
        const struct sp_test *test = &result->tests[i];
        const struct sp_outcome *outcome = &result->outcomes[i];
        uint16_t high = test->port_hi > test->port ? test->port_hi : test->port;
        if (test->proto != SP_PROTO_TCP || port < test->port || port > high ||
            test->pair >= result->plan->npairs ||
            outcome->judged.verdict == SP_VERDICT_INCONCLUSIVE) {
            continue;
        }
        uint32_t to = result->plan->pairs[test->pair].to;
        bool answered = outcome->seen.answered > 0 && (outcome->seen.answer == SP_ANSWER_SYN_ACK ||
                                                       outcome->seen.answer == SP_ANSWER_DATA);
        if (answered && to < nodes->model->nhosts && sp_bits_get(&floor->hosts, to)) {
            return nodes->model->hosts[to].name;
        }
    }
    return NULL;
}

static bool is_allowed(const struct sp_floor_line *line, const char *number)
{
    for (size_t i = 1; i < line->nwords; i++) {
        if (strcmp(line->words[i], number) == 0) {
            return true;
        }
    }
    return false;
}

static void list(struct sp_buf *out, unsigned *n, const char *number)
{
    if ((*n)++ < LISTED_MAX) {
        sp_buf_fmt(out, "%s%s", *n > 1 ? ", " : "", number);
    } else if (*n == LISTED_MAX + 1) {
        sp_buf_str(out, ", ...");
    }
}

/* The items of one status, without those that are allowed. */
static unsigned list_items(const struct sp_kube_bench *bench, const struct sp_floor_line *line,
                           unsigned status, struct sp_buf *out)
{
    unsigned n = 0;
    for (size_t i = 0; i < bench->n; i++) {
        const struct sp_kube_item *item = &bench->items[i];
        if (item->status == status && !is_allowed(line, item->number)) {
            list(out, &n, item->number);
        }
    }
    return n;
}

static void judge_items(struct sp_nodes *nodes, const struct sp_floor *floor,
                        const struct sp_floor_line *line, const struct sp_kube_bench *bench,
                        struct sp_node_look *look)
{
    struct sp_buf failed;
    sp_buf_init(&failed, TEXT_MAX);
    unsigned n = list_items(bench, line, SP_KUBE_FAIL, &failed);
    sp_node_observe(look, "%zu passed, %zu failed%s%.400s%s, %zu left to people",
                    bench->count[SP_KUBE_PASS], bench->count[SP_KUBE_FAIL], n > 0 ? " (" : "",
                    n > 0 ? sp_buf_text(&failed) : "", n > 0 ? ")" : "",
                    bench->count[SP_KUBE_WARN] + bench->count[SP_KUBE_INFO]);
    if (failed.rc != SP_OK) {
        look->cause.rc = failed.rc;
    }
    sp_buf_release(&failed);
    if (n > 0) {
        sp_node_is(look, SP_CLAIM_FAILS);
        look->remedy = "do what kube-bench says of these items, or list them under allow";
    }
    for (size_t i = 0; i < bench->n; i++) {
        const struct sp_kube_item *item = &bench->items[i];
        uint16_t port = sp_kube_bench_port(item->number);
        const char *host = port > 0 ? found_open(nodes, floor, port) : NULL;
        if (!host || item->status == SP_KUBE_FAIL || is_allowed(line, item->number)) {
            continue;
        }
        sp_node_is(look, SP_CLAIM_FAILS);
        sp_node_because(look,
                        "kube-bench passes %s where nothing is set, but packets found tcp/%u of %s "
                        "open: the packets are the better evidence",
                        item->number, (unsigned)port, host);
        look->remedy = look->remedy ? look->remedy
                                    : "bind that port to loopback, or switch it off, in so many "
                                      "words";
    }
}

static enum sp_rc add(struct sp_nodes *nodes, const struct sp_floor *floor,
                      const struct sp_floor_line *line, const struct sp_node_look *look,
                      const char *expected)
{
    uint32_t target = sp_model_find_host(nodes->model, floor->name);
    const struct sp_claim claim = {.kind = SP_CLAIM_NODE,
                                   .verdict = look->verdict,
                                   .severity = sp_node_severity(SP_FLOOR_KUBE_BENCH),
                                   .host = SP_NONE,
                                   .target = floor->level == SP_LEVEL_HOST ? target : SP_NONE,
                                   .check = sp_node_check_name(SP_FLOOR_KUBE_BENCH),
                                   .subject = floor->name,
                                   .expected = expected,
                                   .observed =
                                       look->observed.len > 0 ? sp_buf_text(&look->observed) : NULL,
                                   .source = line->words[0],
                                   .cause = look->cause.len > 0 ? sp_buf_text(&look->cause) : NULL,
                                   .remedy = look->remedy,
                                   .pos = line->pos};
    if (look->observed.rc != SP_OK || look->cause.rc != SP_OK) {
        return SP_E_NOMEM;
    }
    return sp_claims_add(&nodes->result->claims, &claim);
}

/* What people have to look at themselves: told, and counted nowhere. */
static enum sp_rc note_rest(struct sp_nodes *nodes, const struct sp_floor *floor,
                            const struct sp_floor_line *line, const struct sp_kube_bench *bench)
{
    struct sp_node_look look = {.line = line};
    struct sp_buf items;
    sp_buf_init(&items, TEXT_MAX);
    sp_node_look_init(&look);
    look.verdict = SP_CLAIM_NOTE;
    unsigned n = list_items(bench, line, SP_KUBE_WARN, &items);
    sp_node_observe(&look, "left to people: %.500s", sp_buf_text(&items));
    enum sp_rc rc = items.rc;
    if (rc == SP_OK && n > 0) {
        rc = add(nodes, floor, line, &look, NULL);
    }
    sp_buf_release(&items);
    sp_node_look_release(&look);
    return rc;
}

static enum sp_rc judge(struct sp_nodes *nodes, const struct sp_floor *floor,
                        const struct sp_floor_line *line)
{
    char file[4096];
    char expected[600];
    struct sp_diag diag = {0};
    struct sp_kube_bench bench = {0};
    struct sp_node_look look = {.line = line};
    enum sp_rc rc = place(nodes->model, line->words[0], file)
                        ? sp_kube_bench_read_file(file, &bench, &diag)
                        : sp_fail(&diag, SP_E_INVALID, "kube_bench", "its path is too long");
    size_t at = (size_t)snprintf(expected, sizeof(expected), "no item of kube-bench fails");
    for (size_t i = 1; i < line->nwords && at < sizeof(expected); i++) {
        at += (size_t)snprintf(expected + at, sizeof(expected) - at, "%s%s",
                               i == 1 ? " but " : ", ", line->words[i]);
    }
    sp_node_look_init(&look);
    if (rc == SP_OK) {
        judge_items(nodes, floor, line, &bench, &look);
    } else if (rc != SP_E_NOMEM) {
        sp_node_is(&look, SP_CLAIM_UNKNOWN);
        sp_node_because(&look, "%s", diag.text);
        rc = SP_OK;
    }
    rc = rc == SP_OK ? add(nodes, floor, line, &look, expected) : rc;
    if (rc == SP_OK && bench.n > 0 && look.verdict != SP_CLAIM_UNKNOWN) {
        rc = note_rest(nodes, floor, line, &bench);
    }
    sp_node_look_release(&look);
    sp_kube_bench_release(&bench);
    return rc;
}

enum sp_rc sp_nodes_judge_bench(struct sp_nodes *nodes)
{
    enum sp_rc rc = SP_OK;
    for (size_t f = 0; f < nodes->model->nfloors && rc == SP_OK; f++) {
        const struct sp_floor *floor = &nodes->model->floors[f];
        const struct sp_floor_line *line = sp_floor_find(floor, SP_FLOOR_KUBE_BENCH);
        bool counts = false;
        for (uint32_t h = 0; line && h < nodes->model->nhosts; h++) {
            counts = counts || sp_nodes_counts(nodes, floor, SP_FLOOR_KUBE_BENCH, h);
        }
        rc = counts && line->nwords > 0 ? judge(nodes, floor, line) : SP_OK;
    }
    return rc;
}
