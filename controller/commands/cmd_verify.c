/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controller/commands/cmd.h"
#include "controller/commands/lasting.h"
#include "controller/evidence_dir.h"
#include "controller/inspect/inspect.h"
#include "controller/ledger.h"
#include "controller/progress.h"
#include "controller/run.h"
#include "controller/sign_key.h"
#include "probe/techniques/registry.h"
#include "reports/formats/format.h"
#include "reports/sink.h"

#define SP_REPORT_MAX_BYTES    (512U << 20)
/* What a sweep may bring while a probe is kept from reading for a moment. */
#define SP_SWEEP_CAPTURE_BYTES (8U << 20)

static const char *const inject_choices[] = {"auto", "raw", "link", NULL};
enum inject { INJECT_AUTO, INJECT_RAW, INJECT_LINK };

struct options {
    struct sp_common common;
    struct sp_selection selection;
    struct sp_args_list reports;
    const char *probe, *state, *evidence, *sign_key, *ssh_config;
    struct sp_key *key; /* that signs the evidence; owned */
    uint64_t timeout_ms, capture_buffer;
    struct sp_lasting_options lasting;
};

#define SP_AT(member) offsetof(struct options, member)
static const struct sp_opt opts[] = {
    SP_SELECTION_OPTS(struct options),
    {.name = "report",
     .letter = 'r',
     .kind = SP_OPT_LIST,
     .metavar = "FORMAT[=FILE]",
     .offset = SP_AT(reports),
     .help = "write a report ('segproof version -v' lists the formats); without a file or to -: on "
             "standard output, in place of the text"},
    {.name = "evidence",
     .kind = SP_OPT_STRING,
     .metavar = "DIR",
     .offset = SP_AT(evidence),
     .help = "write the packets of each finding, as both ends saw them, and a signed manifest of "
             "the run to DIR"},
    {.name = "sign-key",
     .kind = SP_OPT_STRING,
     .metavar = "FILE",
     .offset = SP_AT(sign_key),
     .help = "the private key (Ed25519, PEM) that signs the evidence (default: one that this "
             "installation makes for itself)"},
    {.name = "inject",
     .kind = SP_OPT_CHOICE,
     .metavar = "HOW",
     .choices = inject_choices,
     .offset = SP_AT(lasting.inject),
     .help = "raw: through the sender's own OUTPUT policy; link: past it; auto (default): raw, and "
             "link for the bulk of sweeps"},
    {.name = "attempts",
     .kind = SP_OPT_UINT,
     .metavar = "N",
     .min = 1,
     .max = 20,
     .offset = SP_AT(lasting.attempts),
     .help = "how often a denied flow is tried at least (default 2; 1 proves less)"},
    {.name = "rolling",
     .kind = SP_OPT_UINT,
     .metavar = "N",
     .min = SP_ROLLING_LEAST,
     .max = SP_ROLLING_MOST,
     .offset = SP_AT(lasting.rolling),
     .help = "sweep one of N parts of the denied ports; N runs cover them all"},
    {.name = "resume",
     .kind = SP_OPT_STRING,
     .metavar = "RUN",
     .offset = SP_AT(lasting.resume),
     .help = "go on with an exhaustive run that was interrupted"},
    {.name = "timeout",
     .kind = SP_OPT_DURATION,
     .metavar = "T",
     .min = 100,
     .offset = SP_AT(timeout_ms),
     .help = "how long probes may take to get ready (default 10s)"},
    {.name = "probe",
     .kind = SP_OPT_STRING,
     .metavar = "PATH",
     .offset = SP_AT(probe),
     .help = "the probe to start (default: segproof-probe beside segproof)"},
    {.name = "ssh-config",
     .kind = SP_OPT_STRING,
     .metavar = "FILE",
     .offset = SP_AT(ssh_config),
     .help = "the configuration file of ssh (ssh -F; default: ssh's own)"},
    {.name = "state",
     .kind = SP_OPT_STRING,
     .metavar = "FILE",
     .offset = SP_AT(state),
     .help =
         "where to remember which flows were sent lately (default: the state folder of the user)"},
    {.name = "capture-buffer",
     .kind = SP_OPT_UINT,
     .metavar = "BYTES",
     .min = 65536,
     .max = 1073741824,
     .offset = SP_AT(capture_buffer),
     .help = "size of each probe's capture ring (default 4194304, for sweeps 8388608)"},
};

static const struct sp_opt common[] = {SP_COMMON_OPTS(
    "the JSON report on standard output, in place of the text",
    "no progress, no warnings; nothing when everything holds, else a line per finding",
    "every stage with its time; every pair in the report, and what is behind each finding")};

static const struct sp_cmdline cmdline = {
    .name = "segproof verify",
    .usage = "TOPOLOGY [OPTION]...",
    .summary =
        "Starts the probes, sends and captures packets both ways, and says for every declared flow whether it holds. "
        "Exit status: 0 everything holds, 1 findings, 2 usage or topology error, 3 incomplete, 130 interrupted.",
    .opts = opts,
    .nopts = SP_ARRAY_LEN(opts),
    .common = common,
    .ncommon = SP_ARRAY_LEN(common),
    .positional = "TOPOLOGY",
    .min_positional = 1,
    .max_positional = 1,
    .examples = "  segproof verify shop.yaml\n"
                "  segproof verify shop.yaml --from web --to data --only tcp_syn\n"
                "  segproof verify shop.yaml --report json=run.json --report junit=run.xml\n"
                "  segproof verify gloo.yaml --report checklist\n"
                "  segproof verify shop.yaml --report json=run.json --evidence evidence-2026-11\n"
                "  segproof verify shop.yaml --rolling 7 --report json=night.json\n"
                "  segproof verify shop.yaml --resume 5f2c9a01d7e3b846\n",
};

static volatile bool stop_requested, pause_requested;

static void on_signal(int signo)
{
    (void)signo;
    stop_requested = true;
}

static void on_pause(int signo)
{
    (void)signo;
    pause_requested = !pause_requested;
}

static void catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    (void)sigaction(SIGHUP, &action, NULL);
    const struct sigaction pause = {.sa_handler = on_pause, .sa_flags = SA_RESTART};
    (void)sigaction(SIGUSR1, &pause, NULL);
    const struct sigaction ignore = {.sa_handler = SIG_IGN};
    (void)sigaction(SIGXFSZ, &ignore, NULL); /* a file that must not grow is an error like others */
}

/* Splits "json=run.json"; "checklist" alone is for standard output. NULL when the format does not
 * exist or no file is named behind the '='. */
static const struct sp_format *parse_report(const char *text, const char **ret_file)
{
    char name[32];
    const char *eq = strchr(text, '=');
    size_t len = eq ? (size_t)(eq - text) : strlen(text);
    if (len == 0 || len >= sizeof(name) || (eq && eq[1] == '\0')) {
        return NULL;
    }
    memcpy(name, text, len);
    name[len] = '\0';
    *ret_file = eq ? eq + 1 : "-";
    return sp_format_find(name);
}

/* Before anything is sent: a run of an hour must not end at a misspelt folder. */
static bool can_write(const char *file)
{
    char folder[4096];
    struct stat st;
    if (strcmp(file, "-") == 0) {
        return true;
    }
    bool exists = stat(file, &st) == 0;
    if (exists && !S_ISREG(st.st_mode)) { /* a device or a pipe is written into as it is */
        bool good = !S_ISDIR(st.st_mode) && access(file, W_OK) == 0;
        if (!good) {
            (void)fprintf(stderr, "segproof verify: --report: cannot write to '%s': %s\n", file,
                          strerrordesc_np(S_ISDIR(st.st_mode) ? EISDIR : errno));
        }
        return good;
    }
    (void)snprintf(folder, sizeof(folder), "%s", file);
    char *slash = strrchr(folder, '/');
    if (!slash) {
        (void)snprintf(folder, sizeof(folder), ".");
    } else {
        slash[slash == folder] = '\0';
    }
    if (access(folder, W_OK | X_OK) == 0) {
        return true;
    }
    (void)fprintf(stderr, "segproof verify: --report: cannot write to '%s': %s\n", folder,
                  strerrordesc_np(errno));
    return false;
}

static bool check_state(const struct options *options)
{
    struct sp_diag diag = {0};
    if (!options->state || sp_ledger_check(options->state, &diag) == SP_OK) {
        return true;
    }
    (void)fprintf(stderr, "segproof verify: --state: %s: %s\n", diag.where, diag.text);
    return false;
}

/* ssh would say so for each host. "none" is its word for no file at all. */
static bool check_ssh_config(const struct options *options)
{
    const char *file = options->ssh_config;
    if (!file || strcmp(file, "none") == 0 || access(file, R_OK) == 0) {
        return true;
    }
    (void)fprintf(stderr, "segproof verify: --ssh-config: cannot read '%s': %s\n", file,
                  strerrordesc_np(errno));
    return false;
}

static bool check_reports(const struct options *options)
{
    unsigned to_stdout = options->common.json > 0;
    for (size_t i = 0; i < options->reports.count; i++) {
        const char *file = NULL;
        if (!parse_report(options->reports.items[i], &file)) {
            (void)fprintf(
                stderr,
                "segproof verify: --report %s: write FORMAT or FORMAT=FILE with a format of:",
                options->reports.items[i]);
            for (size_t k = 0; k < sp_format_count(); k++) {
                (void)fprintf(stderr, " %s", sp_format_at(k)->name);
            }
            (void)fputc('\n', stderr);
            return false;
        }
        if (!can_write(file)) {
            return false;
        }
        to_stdout += strcmp(file, "-") == 0;
    }
    if (to_stdout > 1) {
        (void)sp_cmd_misuse(&cmdline, "two reports want standard output: give one of them a file, "
                                      "as in --report json=run.json");
    }
    return to_stdout <= 1;
}

static bool check_evidence(struct options *options)
{
    struct sp_diag diag = {0};
    const char *option = "evidence";
    if (!options->evidence) {
        if (options->sign_key) {
            (void)sp_cmd_misuse(&cmdline, "--sign-key signs evidence: give --evidence, too");
        }
        return !options->sign_key;
    }
    enum sp_rc rc = sp_evidence_dir_check(options->evidence, &diag);
    if (rc == SP_OK) {
        option = options->sign_key ? "sign-key" : option;
        rc = sp_sign_key_open(options->sign_key, &options->key, &diag);
    }
    if (rc != SP_OK) {
        (void)fprintf(stderr, "segproof verify: --%s: %s%s%s\n", option, diag.where,
                      diag.where[0] ? ": " : "", diag.text);
    }
    return rc == SP_OK;
}

static enum sp_rc write_report(const struct sp_summary *summary, const struct sp_format *format,
                               const struct sp_format_options *how, const char *file)
{
    struct sp_buf out;
    struct sp_diag diag = {0};
    sp_buf_init(&out, SP_REPORT_MAX_BYTES);
    enum sp_rc rc = format->render(summary, how, &out);
    if (rc == SP_OK) {
        rc = sp_sink_write_file(file, &out, &diag);
    }
    if (strcmp(file, "-") == 0 && diag.saved_errno == EPIPE) {
        rc = SP_OK; /* the reader has seen enough, and the exit code tells the verdict */
    }
    if (rc != SP_OK) {
        (void)fprintf(stderr, "segproof: the %s report could not be written: %s%s%s\n",
                      format->name, diag.where, diag.where[0] ? ": " : "",
                      diag.text[0] ? diag.text : sp_rc_str(rc));
    }
    sp_buf_release(&out);
    return rc;
}

/* Every report that was asked for, and the one for standard output unless a report already goes
 * there. */
static bool write_reports(const struct sp_summary *summary, const struct options *options)
{
    bool stdout_taken = false;
    bool good = true;
    struct sp_format_options how = {.verbosity =
                                        (int)options->common.verbose - (int)options->common.quiet};
    struct sp_format_options terminal = how; /* a format without a file is for who looks on */
    terminal.color = sp_cmd_color(&options->common, STDOUT_FILENO);
    terminal.width = sp_cmd_width(STDOUT_FILENO);
    terminal.ascii = isatty(STDOUT_FILENO) == 1 && !sp_cmd_utf8();
    for (size_t i = 0; i < options->reports.count; i++) {
        const char *file = NULL;
        const struct sp_format *format = parse_report(options->reports.items[i], &file);
        bool is_alone = strchr(options->reports.items[i], '=') == NULL;
        stdout_taken = stdout_taken || strcmp(file, "-") == 0;
        good = write_report(summary, format, is_alone ? &terminal : &how, file) == SP_OK && good;
    }
    bool is_mute =
        options->common.quiet && !options->common.json && summary->overall == SP_OVERALL_HOLDS;
    if (!stdout_taken && !is_mute) {
        const struct sp_format *format = sp_format_find(options->common.json ? "json" : "text");
        good = write_report(summary, format, &terminal, "-") == SP_OK && good;
    }
    return good;
}

/* Techniques with commas, as far as they fit. */
static const char *join(const struct sp_args_list *list, char *out, size_t size)
{
    size_t at = 0;
    for (size_t i = 0; i < list->count && at < size; i++) {
        int n = snprintf(out + at, size - at, "%s%s", i > 0 ? "," : "", list->items[i]);
        at += n > 0 ? (size_t)n : size;
    }
    return list->count > 0 ? out : NULL;
}

static enum sp_rc write_evidence(struct sp_summary *summary, const struct options *options,
                                 bool is_resumed, struct sp_diag *diag)
{
    char fingerprint[SP_FINGERPRINT_STRLEN];
    char only[1024];
    char skip[1024];
    struct sp_manifest_files files = {0};
    const struct sp_selection *selection = &options->selection;
    const struct sp_manifest_how how = {.from = selection->from,
                                        .to = selection->to,
                                        .only = join(&selection->only, only, sizeof(only)),
                                        .skip = join(&selection->skip, skip, sizeof(skip)),
                                        .inject = options->lasting.inject <= INJECT_LINK
                                                      ? inject_choices[options->lasting.inject]
                                                      : NULL,
                                        .is_resumed = is_resumed,
                                        .fingerprint = fingerprint};
    enum sp_rc rc = sp_key_fingerprint(options->key, fingerprint);
    if (rc != SP_OK) {
        return sp_fail(diag, rc, "key", "%s", sp_rc_str(rc));
    }
    rc = sp_evidence_dir_write(options->evidence, summary, &files, diag);
    if (rc == SP_OK) {
        rc = sp_evidence_dir_seal(options->evidence, summary, &how, options->key, &files, diag);
    }
    sp_manifest_files_release(&files);
    if (rc == SP_OK && !options->common.quiet) {
        (void)fprintf(stderr, "segproof: the evidence is signed with the key %s\n", fingerprint);
    }
    return rc;
}

/* *ret_written: every report that was asked for is there. */
static int report(const struct sp_result *result, const struct options *options, bool is_resumed,
                  bool *ret_written)
{
    struct sp_summary *summary = NULL;
    if (sp_summary_new(result, &summary) != SP_OK) {
        (void)fputs("segproof: out of memory\n", stderr);
        return SP_EXIT_USAGE;
    }
    int code = result->interrupted ? SP_EXIT_INTERRUPTED : summary->exit_code;
    struct sp_diag diag = {0};
    *ret_written = true;
    if (options->evidence && write_evidence(summary, options, is_resumed, &diag) != SP_OK) {
        (void)fprintf(stderr, "segproof: the evidence could not be written: %s: %s\n", diag.where,
                      diag.text);
        code = SP_EXIT_USAGE;
        *ret_written = false;
    }
    if (!write_reports(summary, options)) {
        *ret_written = false;
        code = SP_EXIT_USAGE; /* a run whose report is lost must not look like one that holds */
    }
    sp_summary_free(summary);
    return code;
}

/* May probes inject at the link layer? Everything, sweeps, or techniques that the sender's own
 * kernel would undo. */
static bool wants_link(const struct sp_plan *plan, unsigned inject)
{
    bool wanted = inject == INJECT_LINK || (inject == INJECT_AUTO && plan->nsweeps > 0);
    for (size_t i = 0; !wanted && i < plan->ntests; i++) {
        wanted = sp_technique_needs_link(plan->tests[i].technique);
    }
    return wanted;
}

static int measure(const struct sp_model *model, struct sp_policy *policy,
                   const struct sp_plan *plan, const struct options *options,
                   struct sp_lasting *lasting, struct sp_inspect *inspect,
                   const struct sp_bits *also)
{
    char state[4096];
    struct sp_progress progress;
    struct sp_result *result = NULL;
    struct sp_diag diag = {0};
    struct sp_run_options run = {
        .fleet = {.probe_path = options->probe,
                  .link_injection = wants_link(plan, options->lasting.inject),
                  .capture_buffer = options->capture_buffer ? options->capture_buffer
                                    : plan->nsweeps > 0     ? SP_SWEEP_CAPTURE_BYTES
                                                            : 0,
                  .ssh_config = options->ssh_config},
        .inject_link = options->lasting.inject == INJECT_LINK,
        .sweep_raw = options->lasting.inject == INJECT_RAW,
        .timeout_ms = options->timeout_ms,
        .run_id = lasting->run_id,
        .stop_flag = &stop_requested,
        .pause_flag = &pause_requested,
        .attempts_min = (unsigned)options->lasting.attempts,
        .journal = lasting->journal,
        .after = sp_inspect_run,
        .after_arg = inspect,
        .also = also,
        .progress = sp_progress_step,
        .progress_arg = &progress,
    };
    run.ledger_path = options->state                                 ? options->state
                      : sp_ledger_default_path(state, sizeof(state)) ? state
                                                                     : NULL;
    sp_progress_init(&progress, (int)options->common.verbose - (int)options->common.quiet);
    catch_signals();
    enum sp_rc rc = options->evidence ? sp_evidence_dir_make(options->evidence, &diag) : SP_OK;
    if (rc == SP_OK) {
        rc = sp_result_new(model, plan, &result);
    }
    if (rc == SP_OK && options->evidence) {
        rc = sp_evidence_new(plan->ntests, &result->evidence);
    }
    if (rc == SP_OK) {
        inspect->result = result;
        result->policy = policy;
        result->ssh_config = options->ssh_config;
        result->attempts_min = run.attempts_min;
        rc = sp_run(model, policy, plan, &run, result, &diag);
    }
    sp_progress_end(&progress);
    int code = SP_EXIT_USAGE;
    bool is_written = false;
    if (rc == SP_OK) {
        sp_lasting_record(lasting, result);
        code = report(result, options, lasting->is_resumed, &is_written);
    } else if (diag.text[0]) {
        sp_cmd_complain(&diag);
    } else {
        (void)fprintf(stderr, "segproof: %s\n", sp_rc_str(rc));
    }
    sp_lasting_end(lasting, model, is_written && !result->interrupted);
    sp_result_free(result);
    return code;
}

static int verify(const char *file, struct options *options)
{
    struct sp_policy *policy = NULL;
    struct sp_plan *plan = NULL;
    struct sp_lasting lasting = {0};
    struct sp_inspect inspect = {0};
    struct sp_bits also = {0};
    struct sp_model *model = sp_cmd_load(file, &options->common, NULL);
    bool is_quiet = options->common.quiet > 0;
    int code = SP_EXIT_USAGE;
    if (model &&
        sp_lasting_plan(&lasting, &options->lasting, &cmdline, model, is_quiet, &policy, &plan) &&
        sp_selection_inspect(model, &options->selection, &inspect) == SP_OK &&
        sp_inspect_wants(&inspect, model, &also) == SP_OK) {
        if (plan->ntests + plan->nsweeps + sp_bits_count(&also) > 0) {
            sp_lasting_begin(&lasting, &options->lasting, model, plan, is_quiet);
            code = measure(model, policy, plan, options, &lasting, &inspect, &also);
        } else {
            (void)fputs("segproof verify: there is nothing to test in this selection; 'segproof "
                        "plan' with the same options tells why\n",
                        stderr);
            code = SP_EXIT_INCOMPLETE;
        }
    }
    sp_bits_release(&also);
    sp_inspect_release(&inspect);
    sp_plan_free(plan);
    sp_policy_free(policy);
    sp_lasting_release(&lasting);
    sp_model_free(model);
    return code;
}

static int run(int argc, char **argv)
{
    struct options options = {
        .selection.depth = SP_UNCHOSEN, .lasting.inject = SP_UNCHOSEN, .timeout_ms = 10000};
    struct sp_args args;
    int code = sp_cmd_parse(&cmdline, argc, argv, &options, &args);
    if (code >= 0) {
        return code;
    }
    options.lasting.selection = &options.selection;
    bool good = check_reports(&options) && check_state(&options) && check_evidence(&options) &&
                check_ssh_config(&options);
    code = good ? verify(args.items[0], &options) : SP_EXIT_USAGE;
    sp_key_free(options.key);
    sp_args_release(&cmdline, &options, &args);
    return code;
}

const struct sp_command sp_cmd_verify = {.name = "verify",
                                         .brief =
                                             "measures whether the declared segmentation holds",
                                         .cmdline = &cmdline,
                                         .run = run};
