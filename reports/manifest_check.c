/* SPDX-License-Identifier: Apache-2.0
 *
 * The walk over a manifest: its chain, and the lines that hold facts. Verdicts: manifest_tests.c.
 */
#include "reports/manifest_check.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probe/base/hash.h"
#include "probe/base/mem.h"

static const struct sp_hash_key by_name = {0x736567706e616d65ULL, 0x732d6f662d746172ULL};

/* ---- differences ---- */

void sp_check_differ(struct sp_check *check, const char *file, size_t line, const char *field,
                     const char *fmt, ...)
{
    va_list ap;
    check->all_differences++;
    if (!check->differences) {
        check->differences = sp_calloc(SP_DIFFERENCES_MAX, sizeof(*check->differences));
    }
    if (!check->differences) {
        check->rc = SP_E_NOMEM;
        return;
    }
    if (check->ndifferences >= SP_DIFFERENCES_MAX) {
        return;
    }
    struct sp_difference *d = &check->differences[check->ndifferences++];
    d->line = line;
    (void)snprintf(d->file, sizeof(d->file), "%s", file);
    (void)snprintf(d->field, sizeof(d->field), "%s", field);
    va_start(ap, fmt);
    (void)vsnprintf(d->text, sizeof(d->text), fmt, ap);
    va_end(ap);
}

bool sp_check_fields(struct sp_check *check, struct sp_jline *line)
{
    sp_jline_end(line);
    if (line->is_bad) {
        check->is_unreadable = true;
        sp_check_differ(check, SP_MANIFEST_NAME, check->lines, line->diag.where, "%s",
                        line->diag.text);
    }
    return !line->is_bad;
}

enum sp_rc sp_check_init(struct sp_check *check, const struct sp_model *model,
                         struct sp_policy *policy)
{
    *check = (struct sp_check){.model = model, .policy = policy};
    sp_table_init(&check->targets);
    for (size_t i = 0; model && i < sp_model_ntargets(model) && check->rc == SP_OK; i++) {
        const char *name = sp_model_target_name(model, i);
        check->rc =
            sp_table_put(&check->targets, sp_siphash(&by_name, name, strlen(name)), (uint32_t)i);
    }
    return check->rc;
}

void sp_check_release(struct sp_check *check)
{
    sp_table_release(&check->targets);
    sp_free(check->findings);
    sp_free(check->flows);
    sp_free(check->files);
    sp_free(check->differences);
    *check = (struct sp_check){0};
}

/* ---- lines of facts ---- */

static void copy(struct sp_jline *line, const char *key, char *out, size_t size)
{
    const char *text = sp_jline_str(line, key);
    if (strlen(text) >= size) {
        sp_jline_refuse(line, key, "is too long");
    } else {
        (void)snprintf(out, size, "%s", text);
    }
}

/* These are told, and nothing follows from them. */
static void ask_texts(struct sp_jline *line, const char *const *keys, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        (void)sp_jline_opt_str(line, keys[i]);
    }
}

static void ask_numbers(struct sp_jline *line, const char *const *keys, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        (void)sp_jline_num(line, keys[i], UINT64_MAX);
    }
}

static void read_run(struct sp_jline *line, struct sp_check_run *run)
{
    static const char *const texts[] = {"topology_file", "depth", "seed", "inject",
                                        "from",          "to",    "only", "skip"};
    static const char *const numbers[] = {"attempts", "parts", "part"};
    if (strcmp(sp_jline_str(line, "format"), SP_MANIFEST_FORMAT) != 0) {
        sp_jline_refuse(line, "format",
                        "is not " SP_MANIFEST_FORMAT ": check it with the segproof that wrote it");
    }
    copy(line, "run", run->run_id, sizeof(run->run_id));
    copy(line, "version", run->version, sizeof(run->version));
    copy(line, "key", run->fingerprint, sizeof(run->fingerprint));
    copy(line, "topology_sha256", run->sha256, sizeof(run->sha256));
    (void)snprintf(run->topology, sizeof(run->topology), "%s", sp_jline_str(line, "topology"));
    run->started_s = sp_jline_num(line, "started", UINT32_MAX);
    run->finished_s = sp_jline_num(line, "finished", UINT32_MAX);
    run->interrupted = sp_jline_bool(line, "interrupted");
    (void)sp_jline_bool(line, "resumed");
    ask_texts(line, texts, SP_ARRAY_LEN(texts));
    ask_numbers(line, numbers, SP_ARRAY_LEN(numbers));
}

static void check_run(struct sp_check *check, struct sp_jline *line)
{
    read_run(line, &check->run);
    (void)sp_check_fields(check, line);
}

static void check_host(struct sp_check *check, struct sp_jline *line)
{
    static const char *const texts[] = {"version", "reason", "privilege", "interfaces"};
    const char *host = sp_jline_str(line, "host");
    if (!sp_jline_has(line, "ok")) {
        sp_jline_refuse(line, "ok", "is missing");
    }
    bool ok = sp_jline_bool(line, "ok");
    if (check->model && !line->is_bad && sp_model_find_host(check->model, host) == SP_NONE) {
        sp_jline_refuse(line, "host", "the topology has no host '%.60s'", host);
    }
    ask_texts(line, texts, SP_ARRAY_LEN(texts));
    check->sent += sp_jline_num(line, "sent", UINT64_MAX);
    check->captured += sp_jline_num(line, "captured", UINT64_MAX);
    check->drops += sp_jline_num(line, "drops", UINT64_MAX);
    check->counts.probes_failed += !ok;
    (void)sp_check_fields(check, line);
}

static void check_batch(struct sp_check *check, struct sp_jline *line)
{
    static const char *const numbers[] = {"batch", "fired_us",   "packets", "longest_gap_us",
                                          "hosts", "hosts_lost", "drops"};
    (void)sp_jline_str(line, "kind");
    ask_numbers(line, numbers, SP_ARRAY_LEN(numbers));
    uint64_t controls = sp_jline_num(line, "controls", UINT32_MAX);
    if (sp_jline_num(line, "controls_arrived", UINT32_MAX) > controls ||
        sp_jline_num(line, "controls_left", UINT32_MAX) > controls) {
        sp_jline_refuse(line, "controls", "more left or arrived than were ordered");
    }
    (void)sp_check_fields(check, line);
}

static void check_sweep(struct sp_check *check, struct sp_jline *line)
{
    static const char *const texts[] = {"from",  "to",       "src",      "dst",       "own",
                                        "grade", "src_seen", "protocol", "technique", "injected"};
    static const char *const numbers[] = {"passes",   "volleys",       "repeats",    "packets",
                                          "controls", "controls_lost", "pps_lowest", "pps_highest",
                                          "pilot",    "pilot_refused"};
    check->asked += sp_jline_num(line, "denied", UINT16_MAX + 1U);
    check->asked += sp_jline_num(line, "allowed", UINT16_MAX + 1U);
    ask_texts(line, texts, SP_ARRAY_LEN(texts));
    ask_numbers(line, numbers, SP_ARRAY_LEN(numbers));
    (void)sp_jline_bool(line, "is_run");
    (void)sp_jline_bool(line, "resumed");
    (void)sp_check_fields(check, line);
}

static void check_claim(struct sp_check *check, struct sp_jline *line)
{
    static const char *const texts[] = {"severity", "expected", "observed", "source", "cause"};
    const char *kind = sp_jline_str(line, "kind");
    const char *verdict = sp_jline_str(line, "verdict");
    const char *host = sp_jline_opt_str(line, "host");
    unsigned v = 0;
    unsigned k = 0;
    while (v < SP_CLAIM_VERDICT_COUNT && strcmp(verdict, sp_claim_verdict_str(v)) != 0) {
        v++;
    }
    while (k < SP_CLAIM_KIND_COUNT && strcmp(kind, sp_claim_kind_str(k)) != 0) {
        k++;
    }
    (void)sp_jline_str(line, "check");
    (void)sp_jline_str(line, "subject");
    (void)sp_jline_num(line, "line", UINT32_MAX);
    ask_texts(line, texts, SP_ARRAY_LEN(texts));
    if (!line->is_bad && v == SP_CLAIM_VERDICT_COUNT) {
        sp_jline_refuse(line, "verdict", "'%.40s' is none", verdict);
    }
    if (!line->is_bad && k == SP_CLAIM_KIND_COUNT) {
        sp_jline_refuse(line, "kind", "'%.40s' is none", kind);
    }
    if (check->model && !line->is_bad && host &&
        sp_model_find_host(check->model, host) == SP_NONE) {
        sp_jline_refuse(line, "host", "the topology has no host '%.60s'", host);
    }
    sp_counts_add_claim(&check->counts, v);
    (void)sp_check_fields(check, line);
}

static void check_file(struct sp_check *check, struct sp_jline *line)
{
    struct sp_check_file file = {.line = check->lines};
    copy(line, "name", file.file.name, sizeof(file.file.name));
    copy(line, "sha256", file.file.sha256, sizeof(file.file.sha256));
    file.file.bytes = sp_jline_num(line, "bytes", UINT64_MAX);
    file.file.packets = sp_jline_num(line, "packets", UINT64_MAX);
    if (!line->is_bad && !sp_manifest_is_file(file.file.name)) {
        sp_jline_refuse(line, "name", "is no name of a file of evidence");
    }
    for (size_t i = 0; i < check->nfiles && !line->is_bad; i++) {
        if (strcmp(check->files[i].file.name, file.file.name) == 0) {
            sp_jline_refuse(line, "name", "is listed in line %zu already", check->files[i].line);
        }
    }
    if (!sp_check_fields(check, line)) {
        return;
    }
    if (sp_grow((void **)&check->files, check->nfiles, &check->cap_files, sizeof(*check->files)) !=
        0) {
        check->rc = SP_E_NOMEM;
        return;
    }
    check->files[check->nfiles++] = file;
}

/* ---- the walk ---- */

static void read_line(struct sp_check *check, struct sp_jline *line, enum sp_line_type type)
{
    static void (*const readers[SP_LINE_COUNT])(struct sp_check *, struct sp_jline *) = {
        [SP_LINE_RUN] = check_run,
        [SP_LINE_HOST] = check_host,
        [SP_LINE_BATCH] = check_batch,
        [SP_LINE_SWEEP] = check_sweep,
        [SP_LINE_TEST] = sp_check_test,
        [SP_LINE_CLAIM] = check_claim,
        [SP_LINE_FINDING] = sp_check_finding,
        [SP_LINE_FILE] = check_file,
        [SP_LINE_END] = sp_check_end,
    };
    check->of[type]++;
    readers[type](check, line);
}

/* Number and hash of the line before; *next is the number that is expected. */
static void check_chain(struct sp_check *check, struct sp_jline *line, const char *before,
                        uint64_t *next)
{
    uint64_t n = sp_jline_num(line, "n", UINT32_MAX);
    const char *prev = sp_jline_str(line, "prev");
    if (!line->is_bad && n != *next) {
        sp_check_differ(check, SP_MANIFEST_NAME, check->lines, "n",
                        "is %llu, not %llu: lines were removed, added or moved here",
                        (unsigned long long)n, (unsigned long long)*next);
    } else if (!line->is_bad && strcmp(prev, before) != 0) {
        if (check->lines == 1) {
            sp_check_differ(check, SP_MANIFEST_NAME, 1, "prev", "no line stands before the first");
        } else {
            sp_check_differ(check, SP_MANIFEST_NAME, check->lines - 1, "",
                            "was changed: line %zu names another SHA-256 of it", check->lines);
        }
    }
    *next = line->is_bad ? *next + 1 : n + 1;
}

static bool find_type(struct sp_jline *line, unsigned *ret_type)
{
    const char *type = sp_jline_str(line, "type");
    for (unsigned i = 0; i < SP_LINE_COUNT; i++) {
        if (strcmp(type, sp_line_str(i)) == 0) {
            *ret_type = i;
            return true;
        }
    }
    sp_jline_refuse(line, "type", "'%.40s' is none that this version knows", type);
    return false;
}

/* One type follows the other; the first and the last stand alone. */
static void check_order(struct sp_check *check, struct sp_jline *line, unsigned type,
                        unsigned *last)
{
    bool good = check->lines == 1 ? type == SP_LINE_RUN
                                  : type >= *last && type != SP_LINE_RUN && !check->is_ended;
    if (!good) {
        sp_jline_refuse(line, "type", "a line of type %s may not stand here", sp_line_str(type));
    }
    *last = type > *last ? type : *last;
    check->is_ended = check->is_ended || type == SP_LINE_END;
}

static void walk(struct sp_check *check, struct sp_jline *line, const char *text, size_t len)
{
    char before[SP_SHA256_STRLEN] = SP_MANIFEST_NO_PREV;
    uint64_t next = 1;
    unsigned last = SP_LINE_RUN;
    for (size_t at = 0; at < len && check->rc == SP_OK;) {
        const char *end = memchr(text + at, '\n', len - at);
        size_t size = end ? (size_t)(end - (text + at)) : len - at;
        struct sp_diag diag;
        unsigned type = 0;
        check->lines++;
        if (!end) {
            sp_check_differ(check, SP_MANIFEST_NAME, check->lines, "", "is cut off");
        }
        if (sp_jline_parse(line, text + at, size, &diag) != SP_OK) {
            sp_check_differ(check, SP_MANIFEST_NAME, check->lines, "", "%s", diag.text);
            check->is_unreadable = true;
            next++;
        } else {
            check_chain(check, line, before, &next);
            if (find_type(line, &type)) {
                check_order(check, line, type, &last);
            }
            if (line->is_bad) {
                (void)sp_check_fields(check, line);
            } else {
                read_line(check, line, (enum sp_line_type)type);
            }
        }
        if (sp_sha256(text + at, size, before) != SP_OK) {
            check->rc = SP_E_NOMEM;
        }
        if (check->lines == 1) {
            memcpy(check->first, before, sizeof(before));
        }
        at += size + 1;
    }
    memcpy(check->last, before, sizeof(before));
}

/* What stands in one place only and is spoken of in another. */
static void check_whole(struct sp_check *check)
{
    if (!check->is_ended) {
        sp_check_differ(check, SP_MANIFEST_NAME, 0, "",
                        "it has no line of type end: it was cut off");
    }
    for (size_t i = 0; i < check->nfindings && !check->is_unreadable; i++) {
        if (check->findings[i].line == 0) {
            sp_check_differ(check, SP_MANIFEST_NAME, 0, "",
                            "tests speak of finding %zu, which has no line", i + 1);
        }
    }
    for (size_t i = 0; i < check->nfiles && !check->is_unreadable; i++) {
        const struct sp_check_file *file = &check->files[i];
        bool wanted = strcmp(file->file.name, SP_MANIFEST_TOPOLOGY) == 0 ||
                      strcmp(file->file.name, SP_MANIFEST_TRACE) == 0;
        for (size_t k = 0; k < check->nfindings && !wanted; k++) {
            wanted = strcmp(check->findings[k].evidence, file->file.name) == 0;
        }
        if (!wanted) {
            sp_check_differ(check, SP_MANIFEST_NAME, file->line, "name",
                            "is the evidence of no finding");
        }
    }
    for (size_t k = 0; k < check->nfindings && !check->is_unreadable; k++) {
        const struct sp_check_finding *finding = &check->findings[k];
        bool there = finding->evidence[0] == '\0';
        for (size_t i = 0; i < check->nfiles && !there; i++) {
            there = strcmp(finding->evidence, check->files[i].file.name) == 0;
        }
        if (!there) {
            sp_check_differ(check, SP_MANIFEST_NAME, finding->line, "evidence",
                            "%s is listed by no line of type file", finding->evidence);
        }
    }
}

static int by_finding(const void *pa, const void *pb)
{
    const struct sp_proof_flow *a = pa;
    const struct sp_proof_flow *b = pb;
    return a->finding != b->finding ? (a->finding < b->finding ? -1 : 1)
                                    : memcmp(a->addrs, b->addrs, sizeof(a->addrs));
}

static void sort_flows(struct sp_check *check)
{
    size_t n = 0;
    if (check->nflows > 0) {
        qsort(check->flows, check->nflows, sizeof(*check->flows), by_finding);
    }
    for (size_t i = 0; i < check->nflows; i++) {
        if (n == 0 || by_finding(&check->flows[n - 1], &check->flows[i]) != 0) {
            check->flows[n++] = check->flows[i];
        }
    }
    check->nflows = n;
}

const struct sp_proof_flow *sp_check_flows(const struct sp_check *check, size_t finding,
                                           size_t *ret_n)
{
    size_t lo = 0;
    size_t hi = check->nflows;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (check->flows[mid].finding < finding) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    for (hi = lo; hi < check->nflows && check->flows[hi].finding == finding;) {
        hi++;
    }
    *ret_n = hi - lo;
    return check->flows ? check->flows + lo : NULL;
}

enum sp_rc sp_check_manifest(struct sp_check *check, const char *text, size_t len)
{
    struct sp_jline *line = sp_calloc(1, sizeof(*line));
    if (!line) {
        return SP_E_NOMEM;
    }
    if (len > SP_MANIFEST_MAX_BYTES) {
        sp_check_differ(check, SP_MANIFEST_NAME, 0, "", "is larger than any that is written");
    } else {
        for (size_t i = 0; i < len; i++) {
            check->all_lines += text[i] == '\n';
        }
        walk(check, line, text, len);
        check_whole(check);
        sort_flows(check);
    }
    sp_free(line);
    return check->rc;
}

enum sp_rc sp_check_peek(const char *text, size_t len, struct sp_check_run *ret_run)
{
    const char *end = memchr(text, '\n', len);
    struct sp_jline *line = sp_calloc(1, sizeof(*line));
    *ret_run = (struct sp_check_run){0};
    enum sp_rc rc = !line  ? SP_E_NOMEM
                    : !end ? SP_E_INVALID
                           : sp_jline_parse(line, text, (size_t)(end - text), NULL);
    if (rc == SP_OK) {
        read_run(line, ret_run);
        rc = line->is_bad ? SP_E_INVALID : SP_OK;
    }
    sp_free(line);
    return rc == SP_E_LIMIT ? SP_E_INVALID : rc;
}

void sp_check_seal(struct sp_check *check, const struct sp_seal *seal)
{
    const char *wrong = NULL;
    if (seal->lines != check->lines) {
        sp_check_differ(check, SP_MANIFEST_NAME, 0, "", "has %zu lines, and %llu were signed",
                        check->lines, (unsigned long long)seal->lines);
    }
    if (strcmp(seal->header, check->first) != 0) {
        wrong = "its first line is not the one that was signed";
    } else if (strcmp(seal->chain, check->last) != 0) {
        wrong = "its last line is not the one that was signed: the chain is another one";
    }
    if (wrong) {
        sp_check_differ(check, SP_MANIFEST_NAME,
                        strcmp(seal->header, check->first) != 0 ? 1 : check->lines, "", "%s",
                        wrong);
    }
    if (strcmp(seal->run_id, check->run.run_id) != 0) {
        sp_check_differ(check, SP_MANIFEST_SIG, 2, "run", "is of run %s, and the manifest of %s",
                        seal->run_id, check->run.run_id);
    }
    if (strcmp(seal->fingerprint, check->run.fingerprint) != 0) {
        sp_check_differ(check, SP_MANIFEST_SIG, 3, "key",
                        "is another key than the manifest names in line 1");
    }
}
