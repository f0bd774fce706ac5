/* SPDX-License-Identifier: Apache-2.0
 *
 * Evidence that somebody else hands over. The first byte chooses: a manifest, a manifest whose
 * chain is made right so that only its content is wrong, a signature, a file of packets, or one
 * line of JSON. Whatever comes is read, or refused with words; what was never signed is never taken
 * for whole; a verdict that does not follow is never passed. */
#include <stdlib.h>
#include <string.h>

#include "probe/base/mem.h"
#include "reports/manifest_check.h"
#include "topologies/loader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char topology[] =
    "segproof: 1\nname: fuzz\nnetworks:\n"
    "  left:  { kind: subnet, cidr: [10.60.1.0/24] }\n"
    "  right: { kind: subnet, cidr: [10.60.2.0/24] }\n"
    "hosts:\n"
    "  a: { network: left, address: [10.60.1.11], probe: { via: netns, name: a } }\n"
    "  b: { network: right, address: [10.60.2.12], probe: { via: netns, name: b } }\n"
    "policies:\n"
    "  - { name: ok, from: a, to: b, allow: [tcp/80, udp/80] }\n";

static void must(bool good)
{
    if (!good) {
        abort();
    }
}

static void check(const char *text, size_t len, const struct sp_model *model,
                  struct sp_policy *policy)
{
    struct sp_check check;
    const struct sp_seal seal = {.lines = UINT32_MAX};
    must(sp_check_init(&check, model, policy) == SP_OK);
    must(sp_check_manifest(&check, text, len) == SP_OK);
    must(check.ndifferences <= SP_DIFFERENCES_MAX && check.ndifferences <= check.all_differences);
    for (size_t i = 0; i < check.ndifferences; i++) {
        must(check.differences[i].text[0] != '\0' && check.differences[i].line <= check.lines);
    }
    if (check.all_differences == 0) {
        must(check.is_ended && check.of[SP_LINE_RUN] == 1 && check.of[SP_LINE_END] == 1);
        must(check.judged == check.of[SP_LINE_TEST]);
        must(check.nfindings == check.of[SP_LINE_FINDING]);
    }
    for (size_t k = 0; k < check.nfindings; k++) {
        size_t n = 0;
        const struct sp_proof_flow *flows = sp_check_flows(&check, k, &n);
        for (size_t i = 0; i < n; i++) {
            must(flows[i].finding == k);
        }
    }
    sp_check_seal(&check, &seal);
    must(check.all_differences > 0);
    sp_check_release(&check);
}

/* Lines as they are, but for what begins with '{': that gets its number and the hash before it. */
static void add_chained(struct sp_buf *out, const char *at, size_t len)
{
    char prev[SP_SHA256_STRLEN] = SP_MANIFEST_NO_PREV;
    for (unsigned n = 1; len > 0; n++) {
        const char *end = memchr(at, '\n', len);
        size_t size = end ? (size_t)(end - at) : len;
        size_t start = out->len;
        if (size > 1 && at[0] == '{') {
            sp_buf_fmt(out, "{\"n\":%u,\"prev\":\"%s\",", n, prev);
            sp_buf_add(out, at + 1, size - 1);
        } else {
            sp_buf_add(out, at, size);
        }
        must(sp_sha256(out->data + start, out->len - start, prev) == SP_OK);
        sp_buf_char(out, '\n');
        at += size + (end != NULL);
        len -= size + (end != NULL);
    }
}

static void check_seal(const char *text, size_t len)
{
    struct sp_seal seal;
    struct sp_diag diag = {0};
    struct sp_key *key = NULL;
    enum sp_rc rc = sp_seal_parse(text, len, &seal, &diag);
    must((rc == SP_OK) == (diag.text[0] == '\0'));
    must(sp_key_new(&key) == SP_OK);
    must(rc != SP_OK || sp_seal_verify(&seal, key) == SP_E_DENIED);
    sp_key_free(key);
}

static void check_line(const char *text, size_t len)
{
    struct sp_jline *line = sp_calloc(1, sizeof(*line));
    struct sp_diag diag = {0};
    must(line != NULL);
    if (sp_jline_parse(line, text, len, &diag) == SP_OK) {
        for (size_t i = 0; i < line->n; i++) {
            const struct sp_jfield *field = &line->fields[i];
            must(sp_jline_has(line, field->key));
            must(field->kind != SP_JSTRING || strlen(field->text) <= len);
        }
        sp_jline_end(line);
        must(line->is_bad == (line->n > 0));
    } else {
        must(diag.text[0] != '\0');
    }
    sp_free(line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct sp_model *model;
    static struct sp_policy *policy;
    struct sp_packets packets;
    struct sp_diag diag = {0};
    struct sp_buf text;
    if (!model) {
        struct sp_problems problems = {0};
        must(sp_topology_load_text("fuzz", topology, sizeof(topology) - 1, &model, &problems) ==
             SP_OK);
        must(sp_policy_new(model, &policy) == SP_OK);
        sp_problems_release(&problems);
    }
    if (size == 0) {
        return 0;
    }
    const char *rest = (const char *)data + 1;
    switch (data[0] % 5) {
    case 0:
        check(rest, size - 1, model, policy);
        check(rest, size - 1, NULL, NULL);
        break;
    case 1:
        sp_buf_init(&text, 16U << 20);
        add_chained(&text, rest, size - 1);
        must(text.rc == SP_OK || size > 65536);
        check(sp_buf_text(&text), text.len, model, policy);
        sp_buf_release(&text);
        break;
    case 2:
        check_seal(rest, size - 1);
        break;
    case 3:
        must((sp_packets_read(data + 1, size - 1, NULL, NULL, NULL, 0, &packets, &diag) == SP_OK) ==
             (diag.text[0] == '\0'));
        break;
    default:
        check_line(rest, size - 1);
        break;
    }
    return 0;
}
