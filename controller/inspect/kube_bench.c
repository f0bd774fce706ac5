/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/inspect/kube_bench.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "probe/base/buf.h"
#include "probe/base/mem.h"
#include "probe/base/str.h"
#include "topologies/node.h"

#define SP_KUBE_BENCH_MAX_ITEMS 10000U

uint16_t sp_kube_bench_port(const char *number)
{
    /* CIS Kubernetes: read-only port of the kubelet, metrics of kube-proxy, controller manager and
     * scheduler. */
    static const struct {
        const char *number;
        uint16_t port;
    } items[] = {{"4.2.4", 10255}, {"4.3.1", 10249}, {"1.3.7", 10257}, {"1.4.2", 10259}};
    for (size_t i = 0; i < SP_ARRAY_LEN(items); i++) {
        if (strcmp(items[i].number, number) == 0) {
            return items[i].port;
        }
    }
    return 0;
}

static const char *text_of(const struct sp_node *object, const char *key)
{
    const struct sp_node *node = sp_node_get(object, key);
    return node && node->kind == SP_NODE_SCALAR ? node->text : NULL;
}

static bool is_number(const char *text)
{
    size_t len = strlen(text);
    return len > 0 && len < SP_KUBE_BENCH_ITEM && strspn(text, "0123456789.") == len;
}

static enum sp_rc add_item(struct sp_kube_bench *bench, const struct sp_node *node,
                           struct sp_diag *diag)
{
    static const char *const words[] = {"PASS", "FAIL", "WARN", "INFO"};
    const char *number = node->kind == SP_NODE_MAPPING ? text_of(node, "test_number") : NULL;
    const char *status = number ? text_of(node, "status") : NULL;
    size_t s = 0;
    while (status && s < SP_ARRAY_LEN(words) && strcmp(status, words[s]) != 0) {
        s++;
    }
    if (!status || s == SP_ARRAY_LEN(words) || !is_number(number)) {
        return sp_fail(diag, SP_E_INVALID, "kube_bench",
                       "line %u: an item has no test_number, or a status that is not PASS, FAIL, "
                       "WARN or INFO",
                       (unsigned)node->pos.line);
    }
    if (bench->n == SP_KUBE_BENCH_MAX_ITEMS) {
        return sp_fail(diag, SP_E_LIMIT, "kube_bench", "there are more than %u items",
                       SP_KUBE_BENCH_MAX_ITEMS);
    }
    if (sp_grow((void **)&bench->items, bench->n, &bench->cap, sizeof(*bench->items)) != 0) {
        return sp_fail(diag, SP_E_NOMEM, "kube_bench", "out of memory");
    }
    struct sp_kube_item *item = &bench->items[bench->n++];
    *item = (struct sp_kube_item){.status = (uint8_t)s};
    memcpy(item->number, number, strlen(number) + 1);
    bench->count[s]++;
    return SP_OK;
}

static enum sp_rc wrong(const struct sp_node *node, struct sp_diag *diag, const char *what)
{
    return sp_fail(diag, SP_E_INVALID, "kube_bench", "line %u: %s", (unsigned)node->pos.line, what);
}

/* {"tests": [{"results": [item, ...]}, ...]} */
static enum sp_rc add_control(struct sp_kube_bench *bench, const struct sp_node *control,
                              struct sp_diag *diag)
{
    const struct sp_node *tests =
        control->kind == SP_NODE_MAPPING ? sp_node_get(control, "tests") : NULL;
    enum sp_rc rc = SP_OK;
    if (!tests || tests->kind != SP_NODE_SEQUENCE) {
        return wrong(control, diag, "there is no list of tests");
    }
    for (const struct sp_node *t = tests->first; t && rc == SP_OK; t = t->next) {
        const struct sp_node *results =
            t->kind == SP_NODE_MAPPING ? sp_node_get(t, "results") : NULL;
        if (!results || results->kind != SP_NODE_SEQUENCE) {
            return wrong(t, diag, "there is no list of results");
        }
        for (const struct sp_node *i = results->first; i && rc == SP_OK; i = i->next) {
            rc = add_item(bench, i, diag);
        }
    }
    return rc;
}

/* What the totals say must be what the items say. */
static enum sp_rc hold_totals(const struct sp_kube_bench *bench, const struct sp_node *totals,
                              struct sp_diag *diag)
{
    static const char *const keys[] = {"total_pass", "total_fail", "total_warn", "total_info"};
    for (size_t i = 0; totals && i < SP_ARRAY_LEN(keys); i++) {
        const char *text = totals->kind == SP_NODE_MAPPING ? text_of(totals, keys[i]) : NULL;
        uint64_t n = 0;
        if (text && (sp_parse_uint(text, SIZE_MAX, &n) != SP_OK || n != bench->count[i])) {
            return wrong(totals, diag, "the totals are not what the items add up to");
        }
    }
    return SP_OK;
}

/* Newer versions write one object with Controls and Totals, older ones a list of controls or one.
 */
static enum sp_rc take(struct sp_kube_bench *bench, const struct sp_node *root,
                       struct sp_diag *diag)
{
    const struct sp_node *controls =
        root->kind == SP_NODE_MAPPING ? sp_node_get(root, "Controls") : root;
    enum sp_rc rc = SP_OK;
    if (!controls) {
        rc = add_control(bench, root, diag);
        return rc == SP_OK ? hold_totals(bench, root, diag) : rc;
    }
    if (controls->kind != SP_NODE_SEQUENCE) {
        return wrong(controls, diag, "this is no list of controls");
    }
    for (const struct sp_node *c = controls->first; c && rc == SP_OK; c = c->next) {
        rc = add_control(bench, c, diag);
    }
    if (rc == SP_OK && root->kind == SP_NODE_MAPPING) {
        rc = hold_totals(bench, sp_node_get(root, "Totals"), diag);
    }
    return rc;
}

enum sp_rc sp_kube_bench_read(const char *text, size_t len, struct sp_kube_bench *bench,
                              struct sp_diag *diag)
{
    struct sp_doc doc = {0};
    struct sp_problems problems = {0};
    size_t blank = 0;
    while (blank < len && strchr(" \t\r\n", text[blank]) && text[blank]) {
        blank++;
    }
    if (blank == len || (text[blank] != '{' && text[blank] != '[')) {
        return sp_fail(diag, SP_E_INVALID, "kube_bench",
                       "this is no JSON: give what `kube-bench --json` wrote");
    }
    enum sp_rc rc = sp_doc_parse(text, len, &doc, &problems);
    if (rc == SP_OK && (problems.n > 0 || problems.nerrors > 0 || !doc.root)) {
        rc = problems.rc != SP_OK ? problems.rc : SP_E_INVALID;
    }
    if (rc == SP_OK) {
        rc = take(bench, doc.root, diag);
    } else if (rc == SP_E_INVALID && problems.n > 0) {
        (void)sp_fail(diag, rc, "kube_bench", "line %u: %s", (unsigned)problems.at[0].pos.line,
                      problems.at[0].text);
    } else {
        (void)sp_fail(diag, rc, "kube_bench", "%s", sp_rc_str(rc));
    }
    if (rc == SP_OK && bench->n == 0) {
        rc = sp_fail(diag, SP_E_INVALID, "kube_bench", "it holds no item at all");
    }
    sp_problems_release(&problems);
    sp_doc_release(&doc);
    return rc;
}

static enum sp_rc slurp(int fd, struct sp_buf *out, struct sp_diag *diag)
{
    char chunk[65536];
    for (;;) {
        ssize_t n = read(fd, chunk, sizeof(chunk));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return sp_fail_errno(diag, "kube_bench", "cannot read it");
        }
        if (n == 0) {
            return SP_OK;
        }
        sp_buf_add(out, chunk, (size_t)n);
        if (out->rc != SP_OK) {
            return sp_fail(diag, out->rc, "kube_bench",
                           out->rc == SP_E_NOMEM ? "out of memory"
                                                 : "the file is larger than 16 MiB");
        }
    }
}

enum sp_rc sp_kube_bench_read_file(const char *file, struct sp_kube_bench *bench,
                                   struct sp_diag *diag)
{
    struct sp_buf text;
    struct stat st;
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        return sp_fail_errno(diag, "kube_bench", "cannot open it");
    }
    sp_buf_init(&text, SP_KUBE_BENCH_MAX_BYTES);
    enum sp_rc rc = fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)
                        ? sp_fail(diag, SP_E_INVALID, "kube_bench", "it is no plain file")
                        : slurp(fd, &text, diag);
    (void)close(fd); /* only read: nothing can be lost */
    if (rc == SP_OK) {
        rc = sp_kube_bench_read(sp_buf_text(&text), text.len, bench, diag);
    }
    sp_buf_release(&text);
    return rc;
}

void sp_kube_bench_release(struct sp_kube_bench *bench)
{
    sp_free(bench->items);
    *bench = (struct sp_kube_bench){0};
}
