/* SPDX-License-Identifier: Apache-2.0
 *
 * Names and identities that several parts of a report must agree on. */
#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>

#include "probe/base/mem.h"
#include "probe/base/str.h"
#include "probe/techniques/registry.h"
#include "reports/group.h"

const char *sp_technique_name(uint8_t technique)
{
    const struct sp_technique_info *info = sp_technique_at(technique);
    return info ? info->name : "unknown";
}

const char *sp_rule_name(const struct sp_model *model, uint32_t rule, uint8_t expect)
{
    if (rule < model->nrules && model->rules[rule].name) {
        return model->rules[rule].name;
    }
    return expect == SP_EXPECT_PERMIT ? "within: open" : "default deny";
}

char *sp_rule_line(const struct sp_model *model, uint32_t rule)
{
    struct sp_buf buf;
    sp_buf_init(&buf, SP_PORTS_MAX_BYTES);
    sp_buf_str(&buf, model->file ? model->file : "-");
    if (rule < model->nrules && model->rules[rule].pos.line > 0) {
        sp_buf_fmt(&buf, ":%u", model->rules[rule].pos.line);
    }
    char *line = sp_buf_take(&buf);
    sp_buf_release(&buf);
    return line;
}

void sp_shell_word(struct sp_buf *out, const char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "_./:@%+=,-";
    if (word[0] != '\0' && word[strspn(word, plain)] == '\0') {
        sp_buf_str(out, word);
        return;
    }
    sp_buf_char(out, '\'');
    for (const char *p = word; *p; p++) {
        if (*p == '\'') {
            sp_buf_str(out, "'\\''");
        } else {
            sp_buf_char(out, *p);
        }
    }
    sp_buf_char(out, '\'');
}

enum sp_rc sp_finding_id(const struct sp_model *model, const struct sp_finding *finding,
                         const char *ninth, char out[static 17])
{
    unsigned char digest[SHA256_DIGEST_LENGTH];
    struct sp_buf buf;
    sp_buf_init(&buf, SP_PORTS_MAX_BYTES);
    const char *parts[] = {
        model->name ? model->name : "",
        sp_model_target_name(model, finding->from),
        sp_model_target_name(model, finding->to),
        sp_family_str(finding->family),
        sp_proto_str(finding->proto),
        sp_technique_name(finding->technique),
        sp_expect_str(finding->expect),
        finding->policy,
        ninth,
    };
    for (size_t i = 0; i < SP_ARRAY_LEN(parts); i++) {
        if (parts[i]) {
            sp_buf_str(&buf, parts[i]);
            sp_buf_char(&buf, '\n');
        }
    }
    enum sp_rc rc = buf.rc;
    if (rc == SP_OK) {
        (void)SHA256((const unsigned char *)sp_buf_text(&buf), buf.len, digest);
        sp_hex(digest, 8, out);
    }
    sp_buf_release(&buf);
    return rc;
}
