/* SPDX-License-Identifier: Apache-2.0
 *
 * The structs that a manifest holds, as tables: one table writes, reads and compares, so that the
 * three cannot drift apart. Names of fields and values are part of the format: never rename one. */
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "reports/formats/json_out.h"
#include "reports/manifest.h"

/* ---- values ---- */

/* Reasons have clauses for people (sp_unsound_str), which may be worded anew; these may not. */
static const char *const unsounds[SP_UNSOUND_COUNT] = {
    [SP_SOUND] = "sound",
    [SP_UNSOUND_SENDER_LOST] = "sender_lost",
    [SP_UNSOUND_RECEIVER_LOST] = "receiver_lost",
    [SP_UNSOUND_SENDER_ARM] = "sender_refused",
    [SP_UNSOUND_RECEIVER_ARM] = "receiver_refused",
    [SP_UNSOUND_NO_ROUTE] = "no_route",
    [SP_UNSOUND_NOT_SENT] = "not_sent",
    [SP_UNSOUND_NO_CONTROL] = "no_control",
    [SP_UNSOUND_CONTROL_LOST] = "control_lost",
    [SP_UNSOUND_ATTEMPTS] = "too_few_attempts",
    [SP_UNSOUND_CAPTURE_DROPS] = "capture_drops",
    [SP_UNSOUND_INTERFACE] = "interface",
    [SP_UNSOUND_UNTAGGED] = "untagged",
    [SP_UNSOUND_INTERRUPTED] = "interrupted",
    [SP_UNSOUND_NOW_AND_THEN] = "now_and_then",
    [SP_UNSOUND_STATE_FULL] = "state_full",
    [SP_UNSOUND_NOT_SWEPT] = "not_swept",
    [SP_UNSOUND_SENDER_POLICY] = "sender_policy",
    [SP_UNSOUND_ANSWERER] = "answerer_unknown",
    [SP_UNSOUND_CONTRADICTION] = "contradiction",
    [SP_UNSOUND_SILENT] = "silent",
    [SP_UNSOUND_LOSS] = "loss",
    [SP_UNSOUND_STANDIN] = "standin",
};

static const char *of(const char *const *names, size_t n, unsigned value)
{
    return value < n ? names[value] : NULL;
}

const char *sp_named_str(enum sp_naming naming, unsigned value)
{
    static const char *const layers[] = {"network", "host"};
    static const char *const answerers[] = {"unknown", "destination", "before"};
    static const char *const proxies[] = {"none", "syn_proxy", "proxy"};
    uint8_t small = (uint8_t)value;
    if (value > UINT8_MAX) {
        return NULL;
    }
    switch (naming) {
    case SP_NAMED_VERDICT:
        return value < SP_VERDICT_COUNT ? sp_verdict_str((enum sp_verdict)value) : NULL;
    case SP_NAMED_UNSOUND:
        return of(unsounds, SP_ARRAY_LEN(unsounds), value);
    case SP_NAMED_EXPECT:
        return value <= SP_EXPECT_PERMIT ? sp_expect_str(small) : NULL;
    case SP_NAMED_LAYER:
        return of(layers, SP_ARRAY_LEN(layers), value);
    case SP_NAMED_ANSWER:
        return value < SP_ANSWER_END ? sp_answer_str(small) : NULL;
    case SP_NAMED_ANSWERER:
        return of(answerers, SP_ARRAY_LEN(answerers), value);
    case SP_NAMED_PROXY:
        return of(proxies, SP_ARRAY_LEN(proxies), value);
    case SP_NAMED_BY:
        return value <= SP_BY_ANSWERER ? sp_by_str(small) : NULL;
    case SP_NAMED_GRADE:
        return value <= SP_GRADE_PAIR ? sp_grade_str(small) : NULL;
    case SP_NAMED_PROTO:
        return value < SP_PROTO_COUNT ? sp_proto_str(small) : NULL;
    case SP_NAMED_WHY:
        return strcmp(sp_why_str(small), "?") != 0 ? sp_why_str(small) : NULL;
    case SP_NAMED_NUMBER:
    case SP_NAMED_BOOL:
    case SP_NAMED_COUNT:
        break;
    }
    return NULL;
}

bool sp_named_find(enum sp_naming naming, const char *name, unsigned *ret_value)
{
    const char *has;
    for (unsigned value = 0; (has = sp_named_str(naming, value)) != NULL; value++) {
        if (strcmp(has, name) == 0) {
            *ret_value = value;
            return true;
        }
    }
    return false;
}

/* ---- fields ---- */

struct field {
    const char *key;
    size_t offset;
    uint8_t size; /* 1, 2, 4 or 8 bytes */
    uint8_t naming;
    bool is_always; /* written also when it is 0 */
};

/* clang-format off */
#define F(type, member, name, kind, always) \
    {name, offsetof(struct type, member), sizeof(((struct type *)0)->member), kind, always}

static const struct field cases[] = {
    F(sp_case, expect, "expect", SP_NAMED_EXPECT, true),
    F(sp_case, layer, "layer", SP_NAMED_LAYER, true),
    F(sp_case, reject_declared, "reject_declared", SP_NAMED_BOOL, false),
    F(sp_case, proxy_declared, "proxy_declared", SP_NAMED_BOOL, false),
    F(sp_case, one_sided, "one_sided", SP_NAMED_BOOL, false),
    F(sp_case, balanced, "balanced", SP_NAMED_BOOL, false),
};

static const struct field seens[] = {
    F(sp_seen, unsound, "unsound", SP_NAMED_UNSOUND, true),
    F(sp_seen, sender_policy, "sender_policy", SP_NAMED_BOOL, false),
    F(sp_seen, capture_lossless, "capture_lossless", SP_NAMED_BOOL, false),
    F(sp_seen, attempts, "attempts", SP_NAMED_NUMBER, true),
    F(sp_seen, nic, "nic", SP_NAMED_NUMBER, true),
    F(sp_seen, host, "host", SP_NAMED_NUMBER, true),
    F(sp_seen, opened, "opened", SP_NAMED_NUMBER, false),
    F(sp_seen, answer_left, "answer_left", SP_NAMED_NUMBER, false),
    F(sp_seen, answered, "answered", SP_NAMED_NUMBER, false),
    F(sp_seen, elsewhere, "elsewhere", SP_NAMED_NUMBER, false),
    F(sp_seen, rewritten, "rewritten", SP_NAMED_NUMBER, false),
    F(sp_seen, answer, "answer", SP_NAMED_ANSWER, false),
    F(sp_seen, answer_code, "answer_code", SP_NAMED_NUMBER, false),
    F(sp_seen, answerer, "answerer", SP_NAMED_ANSWERER, false),
    F(sp_seen, backends, "backends", SP_NAMED_NUMBER, false),
    F(sp_seen, backends_reached, "backends_reached", SP_NAMED_NUMBER, false),
    F(sp_seen, backends_blind, "backends_blind", SP_NAMED_NUMBER, false),
    F(sp_seen, foreign, "foreign", SP_NAMED_NUMBER, false),
    F(sp_seen, proxy, "proxy", SP_NAMED_PROXY, false),
    F(sp_seen, loss_confirmed, "loss_confirmed", SP_NAMED_BOOL, false),
};

static const struct field judgements[] = {
    F(sp_judgement, verdict, "verdict", SP_NAMED_VERDICT, true),
    F(sp_judgement, row, "row", SP_NAMED_NUMBER, false),
    F(sp_judgement, by, "by", SP_NAMED_BY, false),
    F(sp_judgement, is_note, "is_note", SP_NAMED_BOOL, false),
    F(sp_judgement, lossy, "lossy", SP_NAMED_BOOL, false),
    F(sp_judgement, noted, "noted", SP_NAMED_VERDICT, false),
    F(sp_judgement, reason, "reason", SP_NAMED_UNSOUND, false),
};

static const struct field counts[] = {
    F(sp_counts, checks, "checks", SP_NAMED_NUMBER, true),
    F(sp_counts, holds, "holds", SP_NAMED_NUMBER, true),
    F(sp_counts, failed, "failed", SP_NAMED_NUMBER, true),
    F(sp_counts, inconclusive, "inconclusive", SP_NAMED_NUMBER, true),
    F(sp_counts, not_observable, "not_observable", SP_NAMED_NUMBER, false),
    F(sp_counts, not_tested, "not_tested", SP_NAMED_NUMBER, false),
    F(sp_counts, notes, "notes", SP_NAMED_NUMBER, false),
    F(sp_counts, lossy, "lossy", SP_NAMED_NUMBER, false),
    F(sp_counts, by_syn_proxy, "by_syn_proxy", SP_NAMED_NUMBER, false),
    F(sp_counts, by_grade[SP_GRADE_NONE], "by_none", SP_NAMED_NUMBER, false),
    F(sp_counts, by_grade[SP_GRADE_SELF], "by_self", SP_NAMED_NUMBER, false),
    F(sp_counts, by_grade[SP_GRADE_SPLIT], "by_split", SP_NAMED_NUMBER, false),
    F(sp_counts, by_grade[SP_GRADE_PAIR], "by_pair", SP_NAMED_NUMBER, false),
    F(sp_counts, by_arrival, "by_arrival", SP_NAMED_NUMBER, false),
    F(sp_counts, on_one_attempt, "on_one_attempt", SP_NAMED_NUMBER, false),
    F(sp_counts, unswept, "unswept", SP_NAMED_NUMBER, false),
    F(sp_counts, probes_failed, "probes_failed", SP_NAMED_NUMBER, false),
    F(sp_counts, claims_held, "claims_held", SP_NAMED_NUMBER, false),
    F(sp_counts, claims_failed, "claims_failed", SP_NAMED_NUMBER, false),
    F(sp_counts, claims_unknown, "claims_unknown", SP_NAMED_NUMBER, false),
    F(sp_counts, claims_not_observable, "claims_not_observable", SP_NAMED_NUMBER, false),
};
#undef F
/* clang-format on */

static const struct {
    const struct field *at;
    size_t n;
} sets[SP_SET_COUNT] = {
    [SP_SET_CASE] = {cases, SP_ARRAY_LEN(cases)},
    [SP_SET_SEEN] = {seens, SP_ARRAY_LEN(seens)},
    [SP_SET_JUDGED] = {judgements, SP_ARRAY_LEN(judgements)},
    [SP_SET_COUNTS] = {counts, SP_ARRAY_LEN(counts)},
};

const char *sp_line_str(unsigned type)
{
    static const char *const names[SP_LINE_COUNT] = {"run",   "host",    "batch", "sweep", "test",
                                                     "claim", "finding", "file",  "end"};
    return of(names, SP_ARRAY_LEN(names), type);
}

static uint64_t get(const struct field *field, const void *base)
{
    const uint8_t *at = (const uint8_t *)base + field->offset;
    uint16_t v16;
    uint32_t v32;
    uint64_t v64;
    switch (field->size) {
    case 1:
        return *at;
    case 2:
        memcpy(&v16, at, sizeof(v16));
        return v16;
    case 4:
        memcpy(&v32, at, sizeof(v32));
        return v32;
    default:
        memcpy(&v64, at, sizeof(v64));
        return v64;
    }
}

static void set(const struct field *field, void *base, uint64_t value)
{
    uint8_t *at = (uint8_t *)base + field->offset;
    const uint8_t v8 = (uint8_t)value;
    const uint16_t v16 = (uint16_t)value;
    const uint32_t v32 = (uint32_t)value;
    switch (field->size) {
    case 1:
        memcpy(at, &v8, sizeof(v8));
        return;
    case 2:
        memcpy(at, &v16, sizeof(v16));
        return;
    case 4:
        memcpy(at, &v32, sizeof(v32));
        return;
    default:
        memcpy(at, &value, sizeof(value));
        return;
    }
}

void sp_set_write(enum sp_field_set which, const void *base, struct sp_json *json)
{
    for (size_t i = 0; i < sets[which].n; i++) {
        const struct field *field = &sets[which].at[i];
        uint64_t value = get(field, base);
        if (value == 0 && !field->is_always) {
            continue;
        }
        if (field->naming == SP_NAMED_NUMBER) {
            sp_json_u64(json, field->key, value);
        } else if (field->naming == SP_NAMED_BOOL) {
            sp_json_bool(json, field->key, value != 0);
        } else {
            const char *name = sp_named_str((enum sp_naming)field->naming, (unsigned)value);
            sp_json_str(json, field->key, name ? name : "unknown");
        }
    }
}

static uint64_t max_of(const struct field *field)
{
    return field->size >= 8 ? UINT64_MAX : (UINT64_C(1) << 8 * field->size) - 1;
}

static uint64_t read_named(struct sp_jline *line, const char *key, const struct field *field)
{
    unsigned value = 0;
    const char *name = field->is_always ? sp_jline_str(line, key) : sp_jline_opt_str(line, key);
    if (name && !line->is_bad && !sp_named_find((enum sp_naming)field->naming, name, &value)) {
        sp_jline_refuse(line, key, "'%.40s' is none that this version knows", name);
    }
    return value;
}

void sp_set_read(enum sp_field_set which, struct sp_jline *line, const char *outer, void *base)
{
    for (size_t i = 0; i < sets[which].n; i++) {
        const struct field *field = &sets[which].at[i];
        char key[2 * SP_JLINE_KEY_MAX + 2];
        (void)snprintf(key, sizeof(key), "%s%s%s", outer, outer[0] ? "." : "", field->key);
        if (field->is_always && !sp_jline_has(line, key)) {
            sp_jline_refuse(line, key, "is missing");
        }
        uint64_t value = field->naming == SP_NAMED_NUMBER ? sp_jline_num(line, key, max_of(field))
                         : field->naming == SP_NAMED_BOOL ? (uint64_t)sp_jline_bool(line, key)
                                                          : read_named(line, key, field);
        set(field, base, value);
    }
}

static void show(const struct field *field, uint64_t value, char out[static SP_SET_TEXT])
{
    const char *name = field->naming == SP_NAMED_BOOL
                           ? (value ? "true" : "false")
                           : sp_named_str((enum sp_naming)field->naming, (unsigned)value);
    if (name) {
        (void)snprintf(out, SP_SET_TEXT, "%s", name);
    } else {
        (void)snprintf(out, SP_SET_TEXT, "%" PRIu64, value);
    }
}

bool sp_set_differs(enum sp_field_set which, const void *a, const void *b, const char **ret_key,
                    char a_text[static SP_SET_TEXT], char b_text[static SP_SET_TEXT])
{
    for (size_t i = 0; i < sets[which].n; i++) {
        const struct field *field = &sets[which].at[i];
        uint64_t in_a = get(field, a);
        uint64_t in_b = get(field, b);
        if (in_a != in_b) {
            *ret_key = field->key;
            show(field, in_a, a_text);
            show(field, in_b, b_text);
            return true;
        }
    }
    return false;
}
