/* SPDX-License-Identifier: Apache-2.0
 *
 * The command that tests something again: everything that decides which ports are tested and how is
 * in it. The ports of an interval are chosen by the seed and the depth, and a sweep chooses its
 * injection itself. */
#include <inttypes.h>

#include "reports/group.h"

/* Some numbers, each once, in the order in which they came. */
struct names {
    uint32_t at[SP_REPEAT_MAX_NAMES];
    size_t n;
    bool is_full; /* there are more */
};

static void add(struct names *names, uint32_t number)
{
    for (size_t i = 0; i < names->n; i++) {
        if (names->at[i] == number) {
            return;
        }
    }
    if (names->n == SP_ARRAY_LEN(names->at)) {
        names->is_full = true;
        return;
    }
    names->at[names->n++] = number;
}

struct asked {
    struct names from, to, techniques;
    enum sp_depth depth;
    bool by_link;
};

static struct asked ask(const struct sp_finding *findings, const uint32_t *picked, size_t n)
{
    struct asked asked = {.depth = (enum sp_depth)findings[picked[0]].depth,
                          .by_link = findings[picked[0]].by_link};
    for (size_t i = 0; i < n; i++) {
        const struct sp_finding *finding = &findings[picked[i]];
        add(&asked.from, finding->from);
        add(&asked.to, finding->to);
        add(&asked.techniques, finding->technique);
        if (finding->depth > asked.depth) {
            asked.depth = (enum sp_depth)finding->depth;
        }
        asked.by_link = asked.by_link && finding->by_link;
    }
    return asked;
}

static void add_targets(struct sp_buf *buf, const struct sp_model *model, const char *option,
                        const struct names *names)
{
    struct sp_buf list;
    sp_buf_init(&list, SP_PORTS_MAX_BYTES);
    for (size_t i = 0; i < names->n; i++) {
        sp_buf_str(&list, i > 0 ? "," : "");
        sp_buf_str(&list, sp_model_target_name(model, names->at[i]));
    }
    sp_buf_str(buf, option);
    sp_shell_word(buf, sp_buf_text(&list));
    if (list.rc != SP_OK && buf->rc == SP_OK) {
        buf->rc = list.rc;
    }
    sp_buf_release(&list);
}

char *sp_repeat_of(const struct sp_result *result, const struct sp_finding *findings,
                   const uint32_t *picked, size_t n)
{
    const struct sp_model *model = result->model;
    const struct sp_plan *plan = result->plan;
    struct asked asked = ask(findings, picked, n);
    if (asked.from.is_full || asked.to.is_full || asked.techniques.is_full) {
        asked = ask(findings, picked, 1);
    }
    struct sp_buf buf;
    sp_buf_init(&buf, SP_PORTS_MAX_BYTES);
    sp_buf_str(&buf, "segproof verify ");
    const char *file = model->file ? model->file : "-";
    if (file[0] == '-' && file[1] != '\0') {
        sp_buf_str(&buf, "./");
    }
    sp_shell_word(&buf, file);
    add_targets(&buf, model, " --from ", &asked.from);
    add_targets(&buf, model, " --to ", &asked.to);
    for (size_t i = 0; i < asked.techniques.n; i++) {
        sp_buf_str(&buf, " --only ");
        sp_shell_word(&buf, sp_technique_name((uint8_t)asked.techniques.at[i]));
    }
    if (asked.depth != SP_DEPTH_STANDARD) {
        sp_buf_fmt(&buf, " --depth %s", sp_depth_str(asked.depth));
    }
    sp_buf_str(&buf, asked.by_link ? " --inject link" : "");
    if (result->ssh_config) {
        sp_buf_str(&buf, " --ssh-config ");
        sp_shell_word(&buf, result->ssh_config);
    }
    if (plan->seed != 0) { /* which the command line does not take */
        sp_buf_fmt(&buf, " --seed %" PRIu64, plan->seed);
    }
    char *text = sp_buf_take(&buf);
    sp_buf_release(&buf);
    return text;
}
