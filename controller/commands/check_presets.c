/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/commands/check_presets.h"

#include <cjson/cJSON.h>

#include "probe/base/buf.h"
#include "topologies/build.h"
#include "topologies/preset.h"

#define MAX_BYTES (1U << 20)

static cJSON *words_json(const struct sp_node *list)
{
    cJSON *words = cJSON_CreateArray();
    for (const struct sp_node *i = sp_build_first(list); i; i = sp_build_next(list, i)) {
        (void)cJSON_AddItemToArray(words, cJSON_CreateString(i->text));
    }
    return words;
}

static cJSON *summary_json(const struct sp_preset *preset)
{
    cJSON *one = cJSON_CreateObject();
    (void)cJSON_AddStringToObject(one, "name", preset->name);
    (void)cJSON_AddStringToObject(one, "summary", preset->summary);
    (void)cJSON_AddItemToObject(one, "with", words_json(preset->with));
    cJSON *roles = cJSON_AddObjectToObject(one, "roles");
    for (size_t r = 0; r < preset->nroles; r++) {
        (void)cJSON_AddStringToObject(roles, preset->roles[r].name, preset->roles[r].help);
    }
    (void)cJSON_AddNumberToObject(one, "lines", (double)preset->nflows);
    return one;
}

static void add_summary(const struct sp_preset *preset, struct sp_buf *out)
{
    sp_buf_fmt(out, "%s: %s\n  %zu lines", preset->name, preset->summary, preset->nflows);
    for (const struct sp_node *i = sp_build_first(preset->with); i;
         i = sp_build_next(preset->with, i)) {
        sp_buf_fmt(out, "%s%s", i == sp_build_first(preset->with) ? ", with those of " : ", ",
                   i->text);
    }
    sp_buf_str(out, "; roles:");
    for (size_t r = 0; r < preset->nroles; r++) {
        sp_buf_fmt(out, "%s %s%s", r ? "," : "", preset->roles[r].name,
                   preset->roles[r].is_needed ? " (needed)" : "");
    }
    sp_buf_char(out, '\n');
}

int sp_check_list_presets(const struct sp_common *common)
{
    struct sp_buf out;
    const char *name;
    cJSON *list = common->json ? cJSON_CreateArray() : NULL;
    enum sp_rc rc = SP_OK;
    sp_buf_init(&out, MAX_BYTES);
    for (size_t i = 0; rc == SP_OK && (name = sp_preset_name_at(i)) != NULL; i++) {
        struct sp_preset *preset = NULL;
        rc = sp_preset_new(name, &preset);
        if (rc == SP_OK && list) {
            (void)cJSON_AddItemToArray(list, summary_json(preset));
        } else if (rc == SP_OK && common->quiet) {
            sp_buf_fmt(&out, "%s\n", name);
        } else if (rc == SP_OK) {
            add_summary(preset, &out);
        }
        sp_preset_free(preset);
    }
    out.rc = rc == SP_OK ? out.rc : rc;
    int code = list ? sp_cmd_print_json(list, false) : sp_cmd_print(&out);
    sp_buf_release(&out);
    return code;
}

static const char *name_at(const void *unused, size_t index)
{
    (void)unused;
    return sp_preset_name_at(index);
}

int sp_check_print_preset(const struct sp_cmdline *cmdline, const char *name)
{
    struct sp_buf out;
    size_t len = 0;
    const char *text = sp_preset_text(name, &len);
    if (!text) {
        const char *near = sp_args_suggest(name, sp_preset_count(), name_at, NULL);
        return sp_cmd_misuse(cmdline, "there is no preset '%s'%s%s%s", name,
                             near ? "; did you mean '" : "; --presets lists them", near ? near : "",
                             near ? "'?" : "");
    }
    sp_buf_init(&out, MAX_BYTES);
    sp_buf_add(&out, text, len);
    int code = sp_cmd_print(&out);
    sp_buf_release(&out);
    return code;
}

/* ------------------------------------------------------------------ of a topology */

static const char *scope_word(enum sp_preset_scope scope)
{
    static const char *const words[] = {[SP_SCOPE_ALL] = "all",
                                        [SP_SCOPE_SAME_CLUSTER] = "same-cluster",
                                        [SP_SCOPE_OTHER_CLUSTERS] = "other-clusters"};
    return words[scope];
}

static cJSON *flow_json(const struct sp_use *use, size_t index)
{
    const struct sp_preset_flow *flow = &use->preset->flows[index];
    char text[SP_PORTSPEC_STRLEN];
    cJSON *one = cJSON_CreateObject();
    (void)cJSON_AddStringToObject(one, "name", flow->name);
    (void)cJSON_AddStringToObject(one, "expected", sp_preset_kind_str(flow->kind));
    (void)cJSON_AddItemToObject(one, "from", words_json(flow->from));
    (void)cJSON_AddItemToObject(one, "to", words_json(flow->to));
    cJSON *ports = cJSON_AddArrayToObject(one, "ports");
    for (size_t i = 0; i < flow->nports; i++) {
        (void)cJSON_AddItemToArray(ports,
                                   cJSON_CreateString(sp_portspec_str(&flow->ports[i], text)));
    }
    (void)cJSON_AddStringToObject(one, "scope", scope_word(flow->scope));
    (void)cJSON_AddStringToObject(one, "why", flow->why);
    (void)cJSON_AddStringToObject(one, "source", flow->source);
    (void)cJSON_AddBoolToObject(one, "covered", use->flows[index].state == SP_USE_COVERED);
    (void)cJSON_AddNumberToObject(one, "rules", (double)use->flows[index].nrules);
    if (use->flows[index].state != SP_USE_COVERED) {
        struct sp_buf reason;
        sp_buf_init(&reason, 4096);
        sp_use_state_print(use, index, &reason);
        (void)cJSON_AddStringToObject(one, "reason", sp_buf_text(&reason));
        sp_buf_release(&reason);
    }
    return one;
}

static void add_use(cJSON *presets, const struct sp_use *use)
{
    cJSON *one = summary_json(use->preset);
    cJSON_DeleteItemFromObject(one, "lines");
    cJSON_DeleteItemFromObject(one, "roles");
    (void)cJSON_AddNumberToObject(one, "line", use->pos.line);
    (void)cJSON_AddBoolToObject(one, "named", use->is_named);
    cJSON *flows = cJSON_AddArrayToObject(one, "flows");
    for (size_t f = 0; f < use->preset->nflows; f++) {
        (void)cJSON_AddItemToArray(flows, flow_json(use, f));
    }
    cJSON *repositories = cJSON_AddArrayToObject(one, "repositories");
    for (size_t i = 0; i < use->preset->nrepositories; i++) {
        cJSON *host = cJSON_CreateObject();
        (void)cJSON_AddStringToObject(host, "host", use->preset->repositories[i].host);
        (void)cJSON_AddStringToObject(host, "why", use->preset->repositories[i].why);
        (void)cJSON_AddStringToObject(host, "source", use->preset->repositories[i].source);
        (void)cJSON_AddItemToArray(repositories, host);
    }
    (void)cJSON_AddItemToArray(presets, one);
}

void sp_check_add_presets(cJSON *to, const struct sp_model *m)
{
    if (!m->uses) {
        return;
    }
    cJSON *presets = cJSON_AddArrayToObject(to, "presets");
    for (size_t u = 0; u < m->uses->n; u++) {
        add_use(presets, &m->uses->at[u]);
    }
    cJSON *roles = cJSON_AddObjectToObject(to, "roles");
    for (size_t r = 0; r < m->uses->nroles; r++) {
        const struct sp_use_role *role = &m->uses->roles[r];
        cJSON *hosts = cJSON_AddArrayToObject(roles, role->name);
        for (size_t t = 0; t < role->targets.nbits; t++) {
            if (sp_bits_get(&role->targets, t)) {
                (void)cJSON_AddItemToArray(hosts, cJSON_CreateString(sp_model_target_name(m, t)));
            }
        }
    }
}
