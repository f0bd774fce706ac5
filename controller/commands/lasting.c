/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/commands/lasting.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probe/base/buf.h"
#include "probe/base/hash.h"
#include "probe/base/mem.h"
#include "reports/group.h"

static const char no_folder[] = "there is no folder to keep it in: set XDG_STATE_HOME or HOME";

/* ---- options ---- */

/* What was given beside --resume though it is the run's own; NULL when nothing was. */
static const char *contradiction(const struct sp_lasting_options *options)
{
    const struct sp_selection *s = options->selection;
    return s->depth != SP_UNCHOSEN          ? "depth"
           : s->from                        ? "from"
           : s->to                          ? "to"
           : s->only.count                  ? "only"
           : s->skip.count                  ? "skip"
           : s->seed                        ? "seed"
           : options->rolling               ? "rolling"
           : options->attempts              ? "attempts"
           : options->inject != SP_UNCHOSEN ? "inject"
                                            : NULL;
}

/* The selection as the journal has it; borrows from it. */
static bool resume(struct sp_lasting *lasting, struct sp_lasting_options *options,
                   const struct sp_cmdline *cmdline, const struct sp_model *model,
                   struct sp_selection *selection)
{
    char folder[4096];
    struct sp_diag diag = {0};
    const char *given = contradiction(options);
    if (given) {
        (void)sp_cmd_misuse(cmdline,
                            "--resume goes on as the run was begun: leave --%s out, or start a new "
                            "run without --resume",
                            given);
        return false;
    }
    if (!sp_journal_default_folder(folder, sizeof(folder))) {
        (void)fprintf(stderr, "%s: --resume: %s\n", cmdline->name, no_folder);
        return false;
    }
    if (sp_journal_open(folder, options->resume, model, &lasting->journal, &diag) != SP_OK) {
        (void)fprintf(stderr, "%s: --resume: %s: %s\n", cmdline->name, diag.where, diag.text);
        return false;
    }
    const struct sp_journal_head *head = sp_journal_head(lasting->journal);
    lasting->names = sp_calloc(head->nonly + head->nskip, sizeof(*lasting->names));
    if (!lasting->names) {
        (void)fprintf(stderr, "%s: %s\n", cmdline->name, sp_rc_str(SP_E_NOMEM));
        return false;
    }
    for (size_t i = 0; i < head->nonly + head->nskip; i++) {
        lasting->names[i] = i < head->nonly ? head->only[i] : head->skip[i - head->nonly];
    }
    lasting->is_resumed = true;
    lasting->run_id = strtoull(head->run_id, NULL, 16);
    options->rolling = head->rolling;
    options->attempts = head->attempts_min;
    options->inject = head->inject;
    *selection =
        (struct sp_selection){.from = head->from,
                              .to = head->to,
                              .only = {.items = lasting->names, .count = head->nonly},
                              .skip = {.items = lasting->names + head->nonly, .count = head->nskip},
                              .depth = head->depth,
                              .seed = head->seed,
                              .slice = head->slice};
    return true;
}

bool sp_lasting_depth(const struct sp_cmdline *cmdline, uint64_t rolling, unsigned *depth)
{
    if (rolling && *depth != SP_UNCHOSEN && *depth != SP_DEPTH_EXHAUSTIVE) {
        (void)sp_cmd_misuse(cmdline, "--rolling sweeps a part of all ports: leave --depth %s out",
                            sp_depth_str((enum sp_depth) * depth));
        return false;
    }
    if (*depth == SP_UNCHOSEN) {
        *depth = rolling ? SP_DEPTH_EXHAUSTIVE : SP_DEPTH_STANDARD;
    }
    return true;
}

/* ---- the plan ---- */

/* The part of this run: the plan of all ports tells what there is to cover. */
static bool take_part(struct sp_lasting *lasting, const struct sp_lasting_options *options,
                      const struct sp_cmdline *cmdline, const struct sp_model *model, bool is_quiet,
                      struct sp_selection *selection)
{
    char folder[4096];
    struct sp_policy *policy = NULL;
    struct sp_plan *whole = NULL;
    struct sp_diag diag = {0};
    const struct sp_slice begun = selection->slice;
    const struct sp_rolling_what what = {.parts = (uint32_t)options->rolling,
                                         .from = selection->from,
                                         .to = selection->to,
                                         .only = selection->only.items,
                                         .skip = selection->skip.items,
                                         .nonly = selection->only.count,
                                         .nskip = selection->skip.count};
    selection->slice = (struct sp_slice){0};
    if (!sp_rolling_default_folder(folder, sizeof(folder))) {
        (void)fprintf(stderr, "%s: --rolling: %s\n", cmdline->name, no_folder);
        return false;
    }
    if (sp_selection_plan(model, selection, &policy, &whole) != SP_OK) {
        return false;
    }
    enum sp_rc rc = SP_OK;
    if (whole->nsweeps == 0) {
        rc = sp_fail(&diag, SP_E_INVALID, "--rolling",
                     "nothing is swept in this selection; 'segproof plan --depth exhaustive' tells "
                     "why");
    } else {
        rc = sp_rolling_open(folder, &what, model, policy, whole, &lasting->rolling, &diag);
    }
    if (rc == SP_OK && lasting->is_resumed) {
        rc = sp_rolling_resume(lasting->rolling, &begun, &diag);
    }
    sp_plan_free(whole);
    sp_policy_free(policy);
    if (rc != SP_OK) {
        (void)fprintf(stderr, "%s: %s: %s\n", cmdline->name, diag.where, diag.text);
        return false;
    }
    selection->slice = lasting->is_resumed ? begun : sp_rolling_next(lasting->rolling);
    const char *news = sp_rolling_news(lasting->rolling);
    if (news[0] && !is_quiet) {
        (void)fprintf(stderr, "segproof: --rolling: %s\n", news);
    }
    return true;
}

bool sp_lasting_plan(struct sp_lasting *lasting, struct sp_lasting_options *options,
                     const struct sp_cmdline *cmdline, const struct sp_model *model, bool is_quiet,
                     struct sp_policy **ret_policy, struct sp_plan **ret_plan)
{
    struct sp_selection selection;
    struct sp_diag diag = {0};
    if (options->resume) {
        if (!resume(lasting, options, cmdline, model, &selection)) {
            return false;
        }
    } else if (sp_lasting_depth(cmdline, options->rolling, &options->selection->depth)) {
        options->inject = options->inject == SP_UNCHOSEN ? 0 : options->inject;
        selection = *options->selection;
    } else {
        return false;
    }
    if (options->rolling && !take_part(lasting, options, cmdline, model, is_quiet, &selection)) {
        return false;
    }
    if (sp_selection_plan(model, &selection, ret_policy, ret_plan) != SP_OK) {
        return false;
    }
    if (lasting->is_resumed && sp_journal_match(lasting->journal, *ret_plan, &diag) != SP_OK) {
        (void)fprintf(stderr, "%s: --resume: %s: %s\n", cmdline->name, diag.where, diag.text);
        return false;
    }
    return true;
}

/* ---- the run ---- */

void sp_lasting_begin(struct sp_lasting *lasting, const struct sp_lasting_options *options,
                      const struct sp_model *model, const struct sp_plan *plan, bool is_quiet)
{
    char folder[4096];
    struct sp_diag diag = {0};
    const struct sp_selection *s = options->selection;
    if (lasting->is_resumed || plan->nsweeps == 0) {
        return;
    }
    while (lasting->run_id == 0) {
        sp_random_bytes(&lasting->run_id, sizeof(lasting->run_id));
    }
    char run_id[17];
    (void)snprintf(run_id, sizeof(run_id), "%016" PRIx64, lasting->run_id);
    const struct sp_journal_how how = {.run_id = run_id,
                                       .attempts_min = (uint8_t)options->attempts,
                                       .inject = (uint8_t)options->inject,
                                       .from = s->from,
                                       .to = s->to,
                                       .only = s->only.items,
                                       .skip = s->skip.items,
                                       .nonly = s->only.count,
                                       .nskip = s->skip.count};
    enum sp_rc rc = SP_OK;
    if (!sp_journal_default_folder(folder, sizeof(folder))) {
        rc = sp_fail(&diag, SP_E_NOTFOUND, "journal", "%s", no_folder);
    } else {
        sp_journal_prune(folder);
        rc = sp_journal_create(folder, &how, model, plan, &lasting->journal, &diag);
    }
    if (rc != SP_OK && !is_quiet) {
        (void)fprintf(stderr, "segproof: warning: %s: %s; this run cannot be resumed\n", diag.where,
                      diag.text);
    }
}

void sp_lasting_record(struct sp_lasting *lasting, struct sp_result *result)
{
    struct sp_diag diag = {0};
    if (!lasting->rolling) {
        return;
    }
    enum sp_rc rc = sp_rolling_record(lasting->rolling, result);
    if (rc == SP_OK) {
        rc = sp_rolling_save(lasting->rolling, &diag);
    } else {
        rc = sp_fail(&diag, rc, "--rolling", "%s", sp_rc_str(rc));
    }
    result->rolling = sp_rolling_status(lasting->rolling);
    if (rc != SP_OK) {
        (void)fprintf(stderr, "segproof: %s: %s; the next run will sweep this part again\n",
                      diag.where, diag.text);
    }
}

static void tell_how(const struct sp_lasting *lasting, const struct sp_model *model)
{
    const struct sp_journal_head *head = sp_journal_head(lasting->journal);
    const char *file = model->file ? model->file : "-";
    struct sp_buf line;
    sp_buf_init(&line, 16384);
    sp_buf_str(&line, "segproof verify ");
    sp_buf_str(&line, file[0] == '-' && file[1] ? "./" : "");
    sp_shell_word(&line, file);
    sp_buf_fmt(&line, " --resume %s", head->run_id);
    (void)fprintf(stderr, "segproof: %zu of %u sweeps are finished; to go on from there: %s\n",
                  sp_journal_count(lasting->journal), (unsigned)head->nsweeps, sp_buf_text(&line));
    sp_buf_release(&line);
}

void sp_lasting_end(struct sp_lasting *lasting, const struct sp_model *model, bool is_done)
{
    if (lasting->journal && is_done) {
        sp_journal_finish(lasting->journal);
    } else if (lasting->journal) {
        tell_how(lasting, model);
    }
}

void sp_lasting_release(struct sp_lasting *lasting)
{
    sp_journal_free(lasting->journal);
    sp_rolling_free(lasting->rolling);
    sp_free(lasting->names);
    *lasting = (struct sp_lasting){0};
}
