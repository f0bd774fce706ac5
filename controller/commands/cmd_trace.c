/* SPDX-License-Identifier: Apache-2.0
 *
 * `segproof trace`: one flow, hop by hop. The flow is tested as `verify` would, with its controls;
 * then it is followed (controller/trace/). */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "controller/commands/cmd.h"
#include "controller/evidence_dir.h"
#include "controller/ledger.h"
#include "controller/progress.h"
#include "controller/run.h"
#include "controller/sign_key.h"
#include "controller/trace/session.h"
#include "probe/base/hash.h"
#include "probe/base/mem.h"

static const char *const family_choices[] = {"both", "ipv4", "ipv6", NULL};

struct options {
    struct sp_common common;
    unsigned family;
    unsigned no_watch;
    unsigned rates;
    uint64_t idle_ms;
    uint64_t seed, timeout_ms;
    const char *evidence, *sign_key, *probe, *ssh_config, *state;
    struct sp_key *key; /* that signs the evidence; owned */
};

#define SP_AT(member) offsetof(struct options, member)
static const struct sp_opt opts[] = {
    {.name = "family",
     .kind = SP_OPT_CHOICE,
     .metavar = "FAMILY",
     .choices = family_choices,
     .offset = SP_AT(family),
     .help = "only that one (default both, where the two hosts share them)"},
    {.name = "no-watch",
     .kind = SP_OPT_FLAG,
     .offset = SP_AT(no_watch),
     .help = "start no probe on declared hosts that stand on the way"},
    {.name = "rates",
     .kind = SP_OPT_FLAG,
     .offset = SP_AT(rates),
     .help = "look for rate limits: trains of the flow up to max_rate (hazard: B; some 3 s)"},
    {.name = "idle",
     .kind = SP_OPT_DURATION,
     .metavar = "T",
     .min = 1000,
     .max = 3600000,
     .offset = SP_AT(idle_ms),
     .help = "look for state that is forgotten in silence of up to T (tcp; hazard: B; takes T)"},
    {.name = "evidence",
     .kind = SP_OPT_STRING,
     .metavar = "DIR",
     .offset = SP_AT(evidence),
     .help = "write the packets of a finding (pcapng), the trace and a signed manifest to DIR"},
    {.name = "sign-key",
     .kind = SP_OPT_STRING,
     .metavar = "FILE",
     .offset = SP_AT(sign_key),
     .help = "the private key (Ed25519, PEM) that signs the evidence (default: one that this "
             "installation makes on first use)"},
    {.name = "seed",
     .kind = SP_OPT_UINT,
     .metavar = "N",
     .min = 1,
     .offset = SP_AT(seed),
     .help = "choose the same source ports and order again (default random)"},
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
};

static const struct sp_opt common[] = {
    SP_COMMON_OPTS("the trace as JSON (segproof-trace/1)",
                   "no progress, no warnings; one line per family", "every stage with its time")};

static const struct sp_cmdline cmdline = {
    .name = "segproof trace",
    .usage = "TOPOLOGY FROM TO PORT [OPTION]...",
    .summary =
        "Follows one flow between two hosts with probes, hop by hop: where it was sent, seen, rewritten, answered and "
        "lost, the most likely cause, and what to change. PORT is tcp/22, udp/53, icmp/echo, or a service of one port. "
        "Exit status: 0 it is as declared, 1 it is not, 2 usage or topology error, 3 nothing was shown, 130 interrupted.",
    .opts = opts,
    .nopts = SP_ARRAY_LEN(opts),
    .common = common,
    .ncommon = SP_ARRAY_LEN(common),
    .positional = "TOPOLOGY FROM TO PORT",
    .min_positional = 4,
    .max_positional = 4,
    .examples = "  segproof trace shop.yaml web-1 db-1 tcp/5432\n"
                "  segproof trace shop.yaml web-1 db-1 udp/53 --family ipv6\n"
                "  segproof trace shop.yaml web-1 db-1 tcp/5432 --json --evidence why\n",
};

static volatile bool stop_requested;

static void on_signal(int signo)
{
    (void)signo;
    stop_requested = true;
}

static void catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    (void)sigaction(SIGHUP, &action, NULL);
}

/* ------------------------------------------------------------------ what is asked */

/* One host with a probe. */
static bool find_host(const struct sp_model *model, const char *text, const char *which,
                      uint32_t *ret_host)
{
    struct sp_bits bits = {0};
    struct sp_diag diag = {0};
    if (sp_select(model, text, &bits, &diag) != SP_OK) {
        sp_cmd_complain(&diag);
        return false;
    }
    size_t n = sp_bits_count(&bits);
    uint32_t at = 0;
    while (at < bits.nbits && !sp_bits_get(&bits, at)) {
        at++;
    }
    sp_bits_release(&bits);
    if (n != 1) {
        (void)fprintf(stderr,
                      "segproof trace: %s: '%s' selects %zu hosts, and a trace follows one flow: "
                      "name one host\n",
                      which, text, n);
    } else if (at >= model->nhosts) {
        (void)fprintf(stderr,
                      "segproof trace: %s: '%s' is a load balancer: trace to one of its backends, "
                      "or verify it\n",
                      which, text);
    } else if (!model->hosts[at].via) {
        (void)fprintf(stderr,
                      "segproof trace: %s: %s has no probe (probe: none), and a trace needs one at "
                      "both ends: verify tells what can be seen without it\n",
                      which, model->hosts[at].name);
    } else {
        *ret_host = at;
        return true;
    }
    return false;
}

static const struct sp_service *find_service(const struct sp_model *model, const char *text)
{
    for (size_t i = 0; i < model->nservices; i++) {
        if (strcmp(model->services[i].name, text) == 0) {
            return &model->services[i];
        }
    }
    return NULL;
}

static bool find_port(const struct sp_model *model, const char *text, struct sp_portspec *ret_spec)
{
    const struct sp_service *service = find_service(model, text);
    struct sp_diag diag = {0};
    if (service && service->nports != 1) {
        (void)fprintf(stderr,
                      "segproof trace: the service %s has %zu ports, and a trace follows one flow: "
                      "name one, as in tcp/443\n",
                      text, service->nports);
        return false;
    }
    if (service) {
        *ret_spec = service->ports[0];
    } else if (sp_portspec_parse(text, ret_spec, &diag) != SP_OK) {
        (void)fprintf(stderr, "segproof trace: %s%s%s\n", diag.where, diag.where[0] ? ": " : "",
                      diag.text);
        return false;
    }
    bool is_echo = (ret_spec->proto == SP_PROTO_ICMP && ret_spec->lo == SP_PORT_ICMP_ECHO) ||
                   (ret_spec->proto == SP_PROTO_ICMP6 && ret_spec->lo == SP_PORT_ICMP6_ECHO);
    bool has_port = ret_spec->proto == SP_PROTO_TCP || ret_spec->proto == SP_PROTO_UDP;
    if ((has_port || is_echo) && ret_spec->lo == ret_spec->hi) {
        return true;
    }
    (void)fprintf(
        stderr,
        "segproof trace: '%s' is not one flow that can be traced: name one port of tcp or "
        "udp (tcp/443), or icmp/echo or icmp6/echo\n",
        text);
    return false;
}

/* ------------------------------------------------------------------ the plan */

static bool has_allowed(const struct sp_plan *plan, uint8_t family)
{
    for (size_t i = 0; i < plan->ntests; i++) {
        const struct sp_test *test = &plan->tests[i];
        if (test->expect == SP_EXPECT_ALLOW && plan->pairs[test->pair].family == family) {
            return true;
        }
    }
    return false;
}

/* Some family has tests, and nothing between the two that can serve as a control. */
static bool lacks_control(const struct sp_plan *plan)
{
    for (size_t i = 0; i < plan->npairs; i++) {
        if (!has_allowed(plan, plan->pairs[i].family)) {
            return true;
        }
    }
    return plan->npairs == 0;
}

static enum sp_rc make_plan(const struct sp_model *model, struct sp_policy *policy,
                            struct sp_plan_focus *focus, uint64_t seed, struct sp_plan **ret_plan,
                            struct sp_diag *diag)
{
    struct sp_plan_options options = {.depth = SP_DEPTH_QUICK, .seed = seed, .focus = focus};
    while (options.seed == 0) {
        sp_random_bytes(&options.seed, sizeof(options.seed));
        options.seed >>= 11;
    }
    enum sp_rc rc = sp_plan_new(policy, model, &options, ret_plan, diag);
    if (rc != SP_OK || !lacks_control(*ret_plan)) {
        return rc;
    }
    sp_plan_free(*ret_plan);
    *ret_plan = NULL;
    focus->with_partners = true;
    return sp_plan_new(policy, model, &options, ret_plan, diag);
}

/* Why the plan has no test of the flow. */
static void tell_untested(const struct sp_plan *plan, const struct sp_model *model,
                          const struct sp_plan_focus *focus)
{
    const char *reason = "the two share no address of that family";
    for (size_t i = 0; i < plan->nskips; i++) {
        const struct sp_skip *skip = &plan->skips[i];
        bool fits = (skip->proto == focus->proto || skip->proto == SP_PROTO_COUNT) &&
                    (skip->family == 0 || focus->family == 0 || skip->family == focus->family);
        if (fits) {
            reason = skip->reason;
            break;
        }
    }
    (void)fprintf(stderr, "segproof trace: %s -> %s cannot be traced: %s\n",
                  model->hosts[focus->from].name, model->hosts[focus->to].name, reason);
}

/* ------------------------------------------------------------------ the report */

static int worse(int a, int b)
{
    static const int order[] = {1, 3, 0}; /* a finding, nothing shown, as declared */
    for (size_t i = 0; i < SP_ARRAY_LEN(order); i++) {
        if (a == order[i] || b == order[i]) {
            return order[i];
        }
    }
    return a;
}

static void print_traces(const struct sp_trace_session *session, const struct options *options,
                         struct sp_buf *out)
{
    const struct sp_trace_style style = {.color = sp_cmd_color(&options->common, STDOUT_FILENO),
                                         .ascii = isatty(STDOUT_FILENO) == 1 && !sp_cmd_utf8(),
                                         .width = sp_cmd_width(STDOUT_FILENO),
                                         .verbosity = (int)options->common.verbose -
                                                      (int)options->common.quiet};
    for (size_t i = 0; i < session->n; i++) {
        if (i > 0 && style.verbosity >= 0) {
            sp_buf_char(out, '\n');
        }
        sp_trace_print(&session->traced[i].trace, &style, out);
    }
}

static int report(const struct sp_trace_session *session, const struct sp_result *result,
                  const struct options *options)
{
    struct sp_buf out;
    enum sp_rc rc = SP_OK;
    int code = SP_EXIT_HOLDS;
    for (size_t i = 0; i < session->n; i++) {
        code = worse(code, sp_trace_exit(&session->traced[i].trace));
    }
    sp_buf_init(&out, SP_TRACE_MAX_BYTES);
    if (options->common.json) {
        rc = sp_trace_session_json(session, result, &out);
    } else {
        print_traces(session, options, &out);
    }
    if (rc == SP_E_NOMEM) {
        (void)fputs("segproof: out of memory\n", stderr);
    }
    code = rc != SP_E_NOMEM && sp_cmd_print(&out) == 0 ? code : SP_EXIT_USAGE;
    sp_buf_release(&out);
    return result->interrupted ? SP_EXIT_INTERRUPTED : code;
}

static int write_evidence(const struct sp_trace_session *session, const struct sp_result *result,
                          const struct options *options, int code)
{
    char fingerprint[SP_FINGERPRINT_STRLEN];
    struct sp_diag diag = {0};
    if (!options->evidence) {
        return code;
    }
    enum sp_rc rc =
        sp_trace_evidence(options->evidence, session, result, options->key, fingerprint, &diag);
    if (rc != SP_OK) {
        (void)fprintf(stderr, "segproof: the evidence could not be written: %s: %s\n", diag.where,
                      diag.text[0] ? diag.text : sp_rc_str(rc));
        return SP_EXIT_USAGE;
    }
    if (!options->common.quiet) {
        (void)fprintf(stderr, "segproof: the evidence is signed with the key %s\n", fingerprint);
    }
    return code;
}

/* ------------------------------------------------------------------ the run */

static enum sp_rc prepare(const struct sp_model *model, struct sp_policy *policy,
                          const struct sp_plan *plan, const struct options *options,
                          struct sp_result **ret_result, struct sp_diag *diag)
{
    enum sp_rc rc = options->evidence ? sp_evidence_dir_make(options->evidence, diag) : SP_OK;
    if (rc == SP_OK) {
        rc = sp_result_new(model, plan, ret_result);
    }
    if (rc == SP_OK) {
        rc = sp_evidence_new(plan->ntests, &(*ret_result)->evidence);
    }
    if (rc == SP_OK) {
        (*ret_result)->policy = policy;
        (*ret_result)->ssh_config = options->ssh_config;
    }
    return rc;
}

static int measure(const struct sp_model *model, struct sp_policy *policy,
                   const struct sp_plan *plan, struct sp_trace_session *session,
                   const struct options *options)
{
    char state[4096];
    struct sp_progress progress;
    struct sp_result *result = NULL;
    struct sp_diag diag = {0};
    struct sp_run_options run = {
        .fleet = {.probe_path = options->probe, .ssh_config = options->ssh_config},
        .timeout_ms = options->timeout_ms,
        .stop_flag = &stop_requested,
        .after = sp_trace_session_run,
        .after_arg = session,
        .progress = sp_progress_step,
        .progress_arg = &progress,
    };
    run.ledger_path = options->state                                 ? options->state
                      : sp_ledger_default_path(state, sizeof(state)) ? state
                                                                     : NULL;
    sp_progress_init(&progress, (int)options->common.verbose - (int)options->common.quiet);
    catch_signals();
    enum sp_rc rc = prepare(model, policy, plan, options, &result, &diag);
    if (rc == SP_OK) {
        rc = sp_trace_session_init(session, plan, model, result);
    }
    if (rc == SP_OK) {
        rc = sp_run(model, policy, plan, &run, result, &diag);
    }
    sp_progress_end(&progress);
    int code = SP_EXIT_USAGE;
    if (rc == SP_OK) {
        code = report(session, result, options);
        code = write_evidence(session, result, options, code);
    } else if (diag.text[0]) {
        sp_cmd_complain(&diag);
    } else {
        (void)fprintf(stderr, "segproof: %s\n", sp_rc_str(rc));
    }
    sp_trace_session_release(session);
    sp_result_free(result);
    return code;
}

static bool has_test(const struct sp_plan *plan, const struct sp_plan_focus *focus)
{
    for (size_t i = 0; i < plan->ntests; i++) {
        const struct sp_pair *pair = &plan->pairs[plan->tests[i].pair];
        uint8_t proto = plan->tests[i].proto;
        bool is_twin = focus->proto == SP_PROTO_ICMP && proto == SP_PROTO_ICMP6;
        if (pair->from == focus->from && pair->to == focus->to &&
            (is_twin || (proto == focus->proto && plan->tests[i].port == focus->port))) {
            return true;
        }
    }
    return false;
}

static int trace(const struct sp_args *args, const struct options *options)
{
    static const uint8_t families[] = {0, SP_FAMILY_IPV4, SP_FAMILY_IPV6};
    const struct sp_common calm = {.quiet = 1, .color = options->common.color};
    struct sp_model *model = sp_cmd_load(args->items[0], &calm, NULL);
    struct sp_plan_focus focus = {.family = families[options->family]};
    struct sp_portspec spec;
    struct sp_policy *policy = NULL;
    struct sp_plan *plan = NULL;
    struct sp_diag diag = {0};
    int code = SP_EXIT_USAGE;
    bool good = model && find_host(model, args->items[1], "FROM", &focus.from) &&
                find_host(model, args->items[2], "TO", &focus.to) &&
                find_port(model, args->items[3], &spec);
    if (good && focus.from == focus.to) {
        (void)fprintf(stderr, "segproof trace: FROM and TO are both %s: name two hosts\n",
                      model->hosts[focus.from].name);
        good = false;
    }
    if (good) {
        focus.proto = spec.proto;
        focus.port = spec.lo;
        enum sp_rc rc = sp_policy_new(model, &policy);
        if (rc == SP_OK) {
            rc = make_plan(model, policy, &focus, options->seed, &plan, &diag);
        }
        if (rc != SP_OK) {
            (void)snprintf(diag.where, sizeof(diag.where), "%s",
                           diag.where[0] ? diag.where : "plan");
            (void)snprintf(diag.text, sizeof(diag.text), "%s",
                           diag.text[0] ? diag.text : sp_rc_str(rc));
            sp_cmd_complain(&diag);
        } else if (!has_test(plan, &focus)) {
            tell_untested(plan, model, &focus);
        } else {
            struct sp_trace_session session = {.from = focus.from,
                                               .to = focus.to,
                                               .proto = focus.proto,
                                               .port = focus.port,
                                               .no_watchers = options->no_watch > 0,
                                               .with_rates = options->rates > 0,
                                               .idle_ms = (uint32_t)options->idle_ms};
            code = measure(model, policy, plan, &session, options);
        }
    }
    sp_plan_free(plan);
    sp_policy_free(policy);
    sp_model_free(model);
    return code;
}

static bool check(struct options *options)
{
    struct sp_diag diag = {0};
    const char *option = NULL;
    if (options->sign_key && !options->evidence) {
        (void)sp_cmd_misuse(&cmdline, "--sign-key signs evidence: give --evidence, too");
        return false;
    }
    if (options->state && sp_ledger_check(options->state, &diag) != SP_OK) {
        option = "--state";
    } else if (options->evidence && sp_evidence_dir_check(options->evidence, &diag) != SP_OK) {
        option = "--evidence";
    } else if (options->evidence &&
               sp_sign_key_open(options->sign_key, &options->key, &diag) != SP_OK) {
        option = options->sign_key ? "--sign-key" : "--evidence";
    } else if (options->ssh_config && strcmp(options->ssh_config, "none") != 0 &&
               access(options->ssh_config, R_OK) != 0) {
        option = "--ssh-config";
        (void)snprintf(diag.text, sizeof(diag.text), "cannot read '%.100s': %s",
                       options->ssh_config, strerrordesc_np(errno));
    }
    if (option) {
        (void)fprintf(stderr, "segproof trace: %s: %s%s%s\n", option, diag.where,
                      diag.where[0] ? ": " : "", diag.text);
    }
    return !option;
}

static int run(int argc, char **argv)
{
    struct options options = {.timeout_ms = 10000};
    struct sp_args args;
    int code = sp_cmd_parse(&cmdline, argc, argv, &options, &args);
    if (code >= 0) {
        return code;
    }
    code = check(&options) ? trace(&args, &options) : SP_EXIT_USAGE;
    sp_key_free(options.key);
    sp_args_release(&cmdline, &options, &args);
    return code;
}

const struct sp_command sp_cmd_trace = {.name = "trace",
                                        .brief = "follows one flow hop by hop, and says where it "
                                                 "ends and why",
                                        .cmdline = &cmdline,
                                        .run = run};
