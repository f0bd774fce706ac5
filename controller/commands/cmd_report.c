/* SPDX-License-Identifier: Apache-2.0
 *
 * What is left of a run, looked at again: whether its evidence is still what was written, and
 * whether its verdicts follow from it. */
#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "controller/commands/cmd.h"
#include "controller/evidence_check.h"
#include "probe/base/buf.h"
#include "reports/escape.h"

struct options {
    struct sp_common common;
    const char *evidence, *key;
};

#define SP_AT(member) offsetof(struct options, member)
static const struct sp_opt opts[] = {
    {.name = "check-evidence",
     .kind = SP_OPT_STRING,
     .metavar = "DIR",
     .offset = SP_AT(evidence),
     .help = "check what 'verify --evidence DIR' has written: its signature, every line and file, "
             "and every verdict anew from what was seen"},
    {.name = "key",
     .kind = SP_OPT_STRING,
     .metavar = "KEY",
     .offset = SP_AT(key),
     .help = "the public key (PEM) that must have signed, or its fingerprint, SHA256:... (default: "
             "the key of this installation)"},
};

static const struct sp_opt common[] = {SP_COMMON_OPTS(
    "what was checked and what differs, as JSON on one line",
    "nothing when everything matches, else a line per difference",
    "how many lines of each kind the manifest has, and how the verdicts turned out")};

static const struct sp_cmdline cmdline = {
    .name = "segproof report",
    .usage = "[OPTION]...",
    .summary = "Checks the evidence of a run. Exit status: 0 everything matches, 1 something does "
               "not, 2 nothing could be checked, 3 everything matches, but nothing vouches for the "
               "key that signed.",
    .opts = opts,
    .nopts = SP_ARRAY_LEN(opts),
    .common = common,
    .ncommon = SP_ARRAY_LEN(common),
    .examples = "  segproof report --check-evidence 2026-11\n"
                "  segproof report --check-evidence 2026-11 --key evidence.pub\n"
                "  segproof report --check-evidence 2026-11 --json\n"};

static int exit_code(const struct sp_evidence_check *checked)
{
    return checked->check.all_differences > 0  ? SP_EXIT_FINDINGS
           : checked->trust <= SP_TRUST_FOLDER ? SP_EXIT_INCOMPLETE
                                               : SP_EXIT_HOLDS;
}

static const char *trust_str(enum sp_trust trust)
{
    static const char *const names[] = {"none", "folder", "own", "given"};
    return names[trust];
}

static const char *verdict_str(const struct sp_evidence_check *checked)
{
    int code = exit_code(checked);
    return code == SP_EXIT_HOLDS ? "matches" : code == SP_EXIT_FINDINGS ? "differs" : "unvouched";
}

/* ---- for programs ---- */

static void add_differences(cJSON *root, const struct sp_check *check)
{
    cJSON *list = cJSON_AddArrayToObject(root, "differences");
    for (size_t i = 0; i < check->ndifferences; i++) {
        const struct sp_difference *d = &check->differences[i];
        struct sp_buf text;
        cJSON *one = cJSON_CreateObject();
        sp_buf_init(&text, 4096);
        sp_escape_utf8(&text, d->text);
        (void)cJSON_AddStringToObject(one, "file", d->file);
        if (d->line > 0) {
            (void)cJSON_AddNumberToObject(one, "line", (double)d->line);
        }
        (void)cJSON_AddStringToObject(one, "field", d->field);
        (void)cJSON_AddStringToObject(one, "text", sp_buf_text(&text));
        (void)cJSON_AddItemToArray(list, one);
        sp_buf_release(&text);
    }
    (void)cJSON_AddNumberToObject(root, "differences_in_all", (double)check->all_differences);
}

static int print_json(const struct sp_evidence_check *checked, const char *dir)
{
    const struct sp_check *check = &checked->check;
    cJSON *root = cJSON_CreateObject();
    (void)cJSON_AddStringToObject(root, "format", "segproof-evidence-check/1");
    (void)cJSON_AddStringToObject(root, "evidence", dir);
    (void)cJSON_AddStringToObject(root, "verdict", verdict_str(checked));
    cJSON *key = cJSON_AddObjectToObject(root, "key");
    if (checked->fingerprint[0]) {
        (void)cJSON_AddStringToObject(key, "fingerprint", checked->fingerprint);
    } else {
        (void)cJSON_AddNullToObject(key, "fingerprint");
    }
    (void)cJSON_AddStringToObject(key, "vouched_by", trust_str(checked->trust));
    cJSON *run = cJSON_AddObjectToObject(root, "run");
    (void)cJSON_AddStringToObject(run, "id", check->run.run_id);
    (void)cJSON_AddStringToObject(run, "topology", check->run.topology);
    (void)cJSON_AddStringToObject(run, "version", check->run.version);
    (void)cJSON_AddStringToObject(run, "verdict", sp_overall_str(check->overall));
    cJSON *counts = cJSON_AddObjectToObject(root, "checked");
    (void)cJSON_AddNumberToObject(counts, "lines", (double)check->lines);
    (void)cJSON_AddNumberToObject(counts, "verdicts", (double)check->judged);
    (void)cJSON_AddNumberToObject(counts, "files", (double)check->nfiles);
    (void)cJSON_AddNumberToObject(counts, "packets", (double)checked->packets);
    (void)cJSON_AddBoolToObject(counts, "topology", checked->policy != NULL);
    add_differences(root, check);
    return sp_cmd_print_json(root, true);
}

/* ---- for people ---- */

static const char *plural(uint64_t n)
{
    return n == 1 ? "" : "s";
}

static void add_difference(struct sp_buf *out, const struct sp_difference *d)
{
    sp_escape_terminal(out, d->file);
    if (d->line > 0) {
        sp_buf_fmt(out, ":%zu", d->line);
    }
    sp_buf_str(out, ": ");
    if (d->field[0]) {
        sp_escape_terminal(out, d->field);
        sp_buf_char(out, ' ');
    }
    sp_escape_terminal(out, d->text);
    sp_buf_char(out, '\n');
}

static void add_title(struct sp_buf *out, const struct sp_evidence_check *checked, const char *dir,
                      bool color)
{
    const struct sp_check *check = &checked->check;
    int code = exit_code(checked);
    const char *paint = !color                     ? ""
                        : code == SP_EXIT_FINDINGS ? "\033[1;31m"
                        : code == SP_EXIT_HOLDS    ? "\033[1;32m"
                                                   : "\033[1;33m";
    sp_buf_str(out, paint);
    sp_escape_terminal(out, dir);
    if (code == SP_EXIT_FINDINGS) {
        sp_buf_fmt(out, ": the evidence does not match: %llu difference%s",
                   (unsigned long long)check->all_differences, plural(check->all_differences));
    } else if (code == SP_EXIT_HOLDS) {
        sp_buf_str(out, ": the evidence is as it was written");
    } else {
        sp_buf_str(out,
                   ": the evidence fits together, but nothing vouches for the key that signed");
    }
    sp_buf_fmt(out, "%s\n", color ? "\033[0m" : "");
}

static void add_run(struct sp_buf *out, const struct sp_check_run *run)
{
    struct tm tm;
    char when[32] = "?";
    time_t started = (time_t)run->started_s;
    if (gmtime_r(&started, &tm)) {
        (void)strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S UTC", &tm);
    }
    sp_buf_str(out, "  run        ");
    sp_escape_terminal(out, run->run_id);
    sp_buf_str(out, ", ");
    sp_escape_terminal(out, run->topology);
    sp_buf_fmt(out, ", %s, segproof ", when);
    sp_escape_terminal(out, run->version);
    sp_buf_char(out, '\n');
}

static void add_key(struct sp_buf *out, const struct sp_evidence_check *checked)
{
    static const char *const who[] = {
        [SP_TRUST_NONE] = "",
        [SP_TRUST_FOLDER] =
            ("the key came with the evidence, so anybody can have made both; compare it\n"
             "             with what the run printed, or give --key"),
        [SP_TRUST_OWN] = "the key of this installation",
        [SP_TRUST_GIVEN] = "the key that was given",
    };
    if (checked->fingerprint[0]) {
        sp_buf_fmt(out, "  signature  by %s\n             %s\n", checked->fingerprint,
                   who[checked->trust]);
    } else {
        sp_buf_str(out, "  signature  fits no key\n");
    }
}

static void add_checked(struct sp_buf *out, const struct sp_evidence_check *checked, bool verbose)
{
    const struct sp_check *check = &checked->check;
    sp_buf_fmt(out, "  manifest   %zu line%s", check->lines, plural(check->lines));
    for (unsigned i = 0; verbose && i < SP_LINE_COUNT; i++) {
        sp_buf_fmt(out, "%s%llu %s", i == 0 ? ": " : ", ", (unsigned long long)check->of[i],
                   sp_line_str(i));
    }
    sp_buf_fmt(out, "\n  verdicts   %llu, each judged anew from what was seen%s\n",
               (unsigned long long)check->judged,
               checked->policy ? " and held against the topology" : "");
    if (verbose) {
        const struct sp_counts *counts = &check->counts;
        sp_buf_fmt(out,
                   "             in ports: %llu hold, %llu failed, %llu inconclusive, %llu not "
                   "observable, %llu not tested\n",
                   (unsigned long long)counts->holds, (unsigned long long)counts->failed,
                   (unsigned long long)counts->inconclusive,
                   (unsigned long long)counts->not_observable,
                   (unsigned long long)counts->not_tested);
    }
    sp_buf_fmt(out, "  files      %zu, with %llu packet%s of %zu finding%s\n", check->nfiles,
               (unsigned long long)checked->packets, plural(checked->packets), check->nfindings,
               plural(check->nfindings));
}

static int print_text(const struct sp_evidence_check *checked, const char *dir,
                      const struct sp_common *given)
{
    const struct sp_check *check = &checked->check;
    struct sp_buf out;
    sp_buf_init(&out, 1U << 20);
    if (!given->quiet || exit_code(checked) != SP_EXIT_HOLDS) {
        add_title(&out, checked, dir, sp_cmd_color(given, STDOUT_FILENO));
    }
    if (!given->quiet) {
        add_run(&out, &check->run);
        add_key(&out, checked);
        add_checked(&out, checked, given->verbose > 0);
        sp_buf_str(&out, check->ndifferences > 0 ? "\n" : "");
    }
    for (size_t i = 0; i < check->ndifferences; i++) {
        add_difference(&out, &check->differences[i]);
    }
    if (check->all_differences > check->ndifferences) {
        sp_buf_fmt(&out, "and %llu more\n",
                   (unsigned long long)(check->all_differences - check->ndifferences));
    }
    if (check->ndifferences > 0 && !given->quiet && check->run.version[0] &&
        strcmp(check->run.version, SP_VERSION) != 0) {
        sp_buf_str(&out, "segproof " SP_VERSION " checks what ");
        sp_escape_terminal(&out, check->run.version);
        sp_buf_str(&out, " wrote: it may judge in another way\n");
    }
    int code = sp_cmd_print(&out);
    sp_buf_release(&out);
    return code;
}

static int check(const struct options *options)
{
    struct sp_evidence_check checked;
    struct sp_diag diag = {0};
    int code = SP_EXIT_USAGE;
    enum sp_rc rc = sp_evidence_check(options->evidence, options->key, &checked, &diag);
    if (rc == SP_OK) {
        code = options->common.json ? print_json(&checked, options->evidence)
                                    : print_text(&checked, options->evidence, &options->common);
        code = code == 0 ? exit_code(&checked) : code;
    } else if (diag.text[0]) {
        sp_cmd_complain(&diag);
    } else {
        (void)fprintf(stderr, "segproof: %s\n", sp_rc_str(rc));
    }
    sp_evidence_check_release(&checked);
    return code;
}

static int run(int argc, char **argv)
{
    struct options options = {0};
    struct sp_args args;
    int code = sp_cmd_parse(&cmdline, argc, argv, &options, &args);
    if (code >= 0) {
        return code;
    }
    code = options.evidence ? check(&options)
                            : sp_cmd_misuse(&cmdline, "say what to do: --check-evidence DIR");
    sp_args_release(&cmdline, &options, &args);
    return code;
}

const struct sp_command sp_cmd_report = {
    .name = "report", .brief = "checks the evidence of a run", .cmdline = &cmdline, .run = run};
