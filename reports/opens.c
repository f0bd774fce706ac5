/* SPDX-License-Identifier: Apache-2.0
 *
 * What a run leaves open: tests without a conclusion, by the host at fault or by pair, and what was
 * not tested at all, by reason. */
#include <stdlib.h>
#include <string.h>

#include "probe/base/mem.h"
#include "reports/group.h"

uint32_t sp_open_culprit(enum sp_unsound reason, uint32_t from, uint32_t to)
{
    switch (reason) {
    case SP_UNSOUND_SENDER_LOST:
    case SP_UNSOUND_SENDER_ARM:
    case SP_UNSOUND_NO_ROUTE:
        return from;
    case SP_UNSOUND_RECEIVER_LOST:
    case SP_UNSOUND_RECEIVER_ARM:
    case SP_UNSOUND_CAPTURE_DROPS:
    case SP_UNSOUND_INTERFACE:
    case SP_UNSOUND_STANDIN:
        return to;
    case SP_SOUND:
    case SP_UNSOUND_NOT_SENT:
    case SP_UNSOUND_NO_CONTROL:
    case SP_UNSOUND_CONTROL_LOST:
    case SP_UNSOUND_ATTEMPTS:
    case SP_UNSOUND_UNTAGGED:
    case SP_UNSOUND_INTERRUPTED:
    case SP_UNSOUND_NOW_AND_THEN:
    case SP_UNSOUND_STATE_FULL:
    case SP_UNSOUND_NOT_SWEPT:
    case SP_UNSOUND_SENDER_POLICY:
    case SP_UNSOUND_ANSWERER:
    case SP_UNSOUND_CONTRADICTION:
    case SP_UNSOUND_SILENT:
    case SP_UNSOUND_LOSS:
    case SP_UNSOUND_COUNT:
        break;
    }
    return SP_NONE;
}

/* An entry with its reason; host SP_NONE sorts last, and what nobody came to behind that. */
struct cause {
    struct sp_entry entry;
    enum sp_unsound reason;
    uint32_t host;
    bool unfinished, never_ready;
};

static int cmp_group(const struct cause *a, const struct cause *b)
{
    SP_CMP(a->unfinished, b->unfinished);
    if (a->unfinished) {
        return 0;
    }
    SP_CMP(a->host, b->host);
    if (a->host != SP_NONE) {
        SP_CMP(a->reason, b->reason);
        return 0;
    }
    SP_CMP(a->entry.from, b->entry.from);
    SP_CMP(a->entry.to, b->entry.to);
    SP_CMP(a->entry.family, b->entry.family);
    SP_CMP(a->entry.proto, b->entry.proto);
    SP_CMP(a->entry.technique, b->entry.technique);
    SP_CMP(a->reason, b->reason);
    return 0;
}

static int cmp_cause(const void *pa, const void *pb)
{
    const struct cause *a = pa;
    const struct cause *b = pb;
    int order = cmp_group(a, b);
    if (order == 0) {
        SP_CMP(a->entry.port, b->entry.port);
        SP_CMP(a->entry.test, b->entry.test);
    }
    return order;
}

static enum sp_unsound reason_of(const struct sp_outcome *outcome)
{
    enum sp_unsound reason = outcome->judged.reason;
    if (reason == SP_SOUND) {
        reason = outcome->seen.unsound;
    }
    return reason > SP_SOUND && reason < SP_UNSOUND_COUNT ? reason : SP_UNSOUND_NO_CONTROL;
}

/* Its probe never said which version it is: then the host has none, whichever end it is. */
static bool is_never_ready(const struct sp_result *result, uint32_t host)
{
    return host < result->model->nhosts && !result->hosts[host].ok &&
           result->hosts[host].reason[0] != '\0' && result->hosts[host].version[0] == '\0';
}

static struct cause cause_of(const struct sp_result *result, const struct sp_entry *entry)
{
    enum sp_unsound reason = reason_of(&result->outcomes[entry->test]);
    struct cause cause = {.entry = *entry,
                          .reason = reason,
                          .host = sp_open_culprit(reason, entry->from, entry->to),
                          .unfinished = reason == SP_UNSOUND_INTERRUPTED ||
                                        (reason == SP_UNSOUND_NOT_SWEPT && result->interrupted)};
    bool is_lost = reason == SP_UNSOUND_SENDER_LOST || reason == SP_UNSOUND_RECEIVER_LOST;
    if (is_lost && is_never_ready(result, cause.host)) {
        cause.reason = SP_UNSOUND_SENDER_LOST; /* one line for both directions */
        cause.never_ready = true;
    }
    return cause;
}

static char *ports_of(const struct cause *run, size_t n, enum sp_rc *rc)
{
    struct sp_entry *entries = sp_calloc(n, sizeof(*entries));
    struct sp_buf buf;
    if (!entries) {
        *rc = SP_E_NOMEM;
        return NULL;
    }
    for (size_t i = 0; i < n; i++) {
        entries[i] = run[i].entry;
    }
    sp_buf_init(&buf, SP_PORTS_MAX_BYTES);
    sp_ports_of(&buf, entries, n, NULL, NULL);
    *rc = buf.rc;
    char *text = sp_buf_take(&buf);
    *rc = *rc == SP_OK && !text ? SP_E_NOMEM : *rc;
    sp_buf_release(&buf);
    sp_free(entries);
    return text;
}

static enum sp_rc add_open(struct sp_summary *summary, const struct cause *run, size_t n,
                           size_t *cap)
{
    const struct sp_result *result = summary->result;
    enum sp_rc rc = SP_OK;
    if (sp_grow((void **)&summary->open, summary->nopen, cap, sizeof(*summary->open)) != 0) {
        return SP_E_NOMEM;
    }
    struct sp_open *open = &summary->open[summary->nopen++];
    *open = (struct sp_open){.reason = run[0].reason,
                             .host = run[0].host,
                             .from = run[0].entry.from,
                             .to = run[0].entry.to,
                             .family = run[0].entry.family,
                             .proto = run[0].entry.proto,
                             .technique = run[0].entry.technique,
                             .never_ready = run[0].never_ready};
    for (size_t i = 0; i < n; i++) {
        open->tests += sp_entry_checks(&run[i].entry);
    }
    if (run[0].unfinished) {
        open->from = open->to = SP_NONE;
    } else if (open->host == SP_NONE) {
        open->ports = ports_of(run, n, &rc);
    } else if (open->host < result->model->nhosts && result->hosts[open->host].reason[0]) {
        open->detail = result->hosts[open->host].reason;
    }
    return rc;
}

/* What the result does not even speak of. */
static enum sp_rc add_unswept(struct sp_summary *summary, size_t *cap)
{
    if (summary->counts.unswept == 0) {
        return SP_OK;
    }
    if (sp_grow((void **)&summary->open, summary->nopen, cap, sizeof(*summary->open)) != 0) {
        return SP_E_NOMEM;
    }
    summary->open[summary->nopen++] = (struct sp_open){.reason = SP_UNSOUND_NOT_SWEPT,
                                                       .host = SP_NONE,
                                                       .from = SP_NONE,
                                                       .to = SP_NONE,
                                                       .tests = summary->counts.unswept};
    return SP_OK;
}

enum sp_rc sp_group_open(struct sp_summary *summary)
{
    enum sp_rc rc = SP_OK;
    size_t cap = 0;
    size_t n = 0;
    size_t most = 0;
    for (size_t i = 0; i < summary->nentries; i++) {
        most += summary->entries[i].verdict == SP_VERDICT_INCONCLUSIVE;
    }
    struct cause *causes = sp_calloc(most, sizeof(*causes));
    if (!causes) {
        return SP_E_NOMEM;
    }
    for (size_t i = 0; i < summary->nentries; i++) {
        const struct sp_entry *e = &summary->entries[i];
        if (e->verdict == SP_VERDICT_INCONCLUSIVE) {
            causes[n++] = cause_of(summary->result, e);
        }
    }
    qsort(causes, n, sizeof(*causes), cmp_cause);
    for (size_t i = 0, end; i < n && rc == SP_OK; i = end) {
        for (end = i + 1; end < n && cmp_group(&causes[i], &causes[end]) == 0;) {
            end++;
        }
        rc = add_open(summary, causes + i, end - i, &cap);
    }
    sp_free(causes);
    return rc == SP_OK ? add_unswept(summary, &cap) : rc;
}

/* ------------------------------------------------------------------ not tested */

/* The line of this reason, made when it is new; NULL when memory is out. Reasons are few. */
static struct sp_untested *line_of(struct sp_summary *summary, const char *reason, size_t *cap)
{
    for (size_t i = 0; i < summary->nuntested; i++) {
        if (summary->untested[i].host == SP_NONE &&
            strcmp(summary->untested[i].reason, reason) == 0) {
            return &summary->untested[i];
        }
    }
    if (sp_grow((void **)&summary->untested, summary->nuntested, cap, sizeof(*summary->untested)) !=
        0) {
        return NULL;
    }
    struct sp_untested *line = &summary->untested[summary->nuntested++];
    *line = (struct sp_untested){.reason = reason, .host = SP_NONE};
    return line;
}

static enum sp_rc add_silent_targets(struct sp_summary *summary, size_t *cap)
{
    size_t ntargets = sp_model_ntargets(summary->result->model);
    uint64_t *silent = sp_calloc(ntargets, sizeof(*silent));
    enum sp_rc rc = silent ? SP_OK : SP_E_NOMEM;
    for (size_t i = 0; i < summary->nentries && rc == SP_OK; i++) {
        if (summary->entries[i].verdict == SP_VERDICT_NOT_OBSERVABLE) {
            silent[summary->entries[i].to] += sp_entry_checks(&summary->entries[i]);
        }
    }
    for (size_t i = 0; i < ntargets && rc == SP_OK; i++) {
        if (silent[i] == 0) {
            continue;
        }
        if (sp_grow((void **)&summary->untested, summary->nuntested, cap,
                    sizeof(*summary->untested)) != 0) {
            rc = SP_E_NOMEM;
            break;
        }
        summary->untested[summary->nuntested++] =
            (struct sp_untested){.reason = "it has no probe, and silence proves nothing",
                                 .host = (uint32_t)i,
                                 .tests = silent[i]};
    }
    sp_free(silent);
    return rc;
}

enum sp_rc sp_group_untested(struct sp_summary *summary)
{
    const struct sp_result *result = summary->result;
    size_t cap = 0;
    for (size_t i = 0; i < summary->nentries; i++) {
        const struct sp_entry *e = &summary->entries[i];
        if (e->verdict == SP_VERDICT_NOT_TESTED) {
            const char *reason = result->outcomes[e->test].not_tested;
            struct sp_untested *line = line_of(summary, reason ? reason : "no reason given", &cap);
            if (!line) {
                return SP_E_NOMEM;
            }
            line->tests += sp_entry_checks(e);
        }
    }
    for (size_t i = 0; i < result->plan->nskips; i++) {
        const struct sp_skip *skip = &result->plan->skips[i];
        struct sp_untested *line =
            line_of(summary, skip->reason ? skip->reason : "no reason given", &cap);
        if (!line) {
            return SP_E_NOMEM;
        }
        if (skip->is_ports) {
            line->ports += skip->points;
        } else if (skip->is_tests) {
            line->tests += skip->points;
        } else if (skip->proto >= SP_PROTO_COUNT) {
            line->pairs += skip->points;
        } else {
            line->intervals += skip->points;
        }
    }
    return add_silent_targets(summary, &cap);
}
