/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "probe/base/args.h"
#include "probe/base/mem.h"
#include "probe/packet/capture.h"
#include "probe/roles.h"

static const char *const hazards[] = {"A", "B", "C", NULL};

struct options {
    unsigned is_stdio, is_version, is_list, link, remove_self;
    const char *role;
    const char *interface;
    struct sp_args_list targets, sources, endpoints, servers;
    uint64_t max_pps, generation, capture_buffer, silence_ms;
    unsigned hazard;
};

static const struct sp_opt opts[] = {
    {.name = "stdio",
     .kind = SP_OPT_FLAG,
     .offset = offsetof(struct options, is_stdio),
     .help = "take orders from standard input and tell observations on standard output"},
    {.name = "allow-target",
     .kind = SP_OPT_LIST,
     .metavar = "CIDR",
     .offset = offsetof(struct options, targets),
     .help = "packets may be sent there; may be repeated; without it nothing is ever sent"},
    {.name = "allow-source",
     .kind = SP_OPT_LIST,
     .metavar = "CIDR",
     .offset = offsetof(struct options, sources),
     .help = "with --hazard C: this source may be forged; may be repeated; without it none is"},
    {.name = "allow-endpoint",
     .kind = SP_OPT_LIST,
     .metavar = "NAME:PORT",
     .offset = offsetof(struct options, endpoints),
     .help = "an ordinary connection may be made there; may be repeated; without it none is"},
    {.name = "allow-nameserver",
     .kind = SP_OPT_LIST,
     .metavar = "ADDRESS",
     .offset = offsetof(struct options, servers),
     .help = "names may be looked up there, beside this host's own name servers; may be repeated"},
    {.name = "max-pps",
     .kind = SP_OPT_UINT,
     .metavar = "N",
     .min = 1,
     .max = 10000000,
     .offset = offsetof(struct options, max_pps),
     .help = "never send more packets a second (default 5000)"},
    {.name = "hazard",
     .kind = SP_OPT_CHOICE,
     .metavar = "CLASS",
     .choices = hazards,
     .offset = offsetof(struct options, hazard),
     .help = "highest hazard class of techniques that may run"},
    {.name = "interface",
     .kind = SP_OPT_STRING,
     .metavar = "NAME",
     .offset = offsetof(struct options, interface),
     .help = "count only what this interface sees (default: every interface)"},
    {.name = "link-injection",
     .kind = SP_OPT_FLAG,
     .offset = offsetof(struct options, link),
     .help = "permit packets past the host's own OUTPUT policy"},
    {.name = "capture-buffer",
     .kind = SP_OPT_UINT,
     .metavar = "BYTES",
     .min = 65536,
     .max = 1073741824,
     .offset = offsetof(struct options, capture_buffer),
     .help = "size of the capture ring (default 4194304)"},
    {.name = "silence-limit",
     .kind = SP_OPT_DURATION,
     .metavar = "T",
     .min = 1000,
     .offset = offsetof(struct options, silence_ms),
     .help = "end when nothing is heard from the controller for that long (default: never)"},
    {.name = "remove-self",
     .kind = SP_OPT_FLAG,
     .offset = offsetof(struct options, remove_self),
     .help =
         "first remove this program's own file and its folder, which must be called segproof.*"},
    {.name = "list",
     .kind = SP_OPT_FLAG,
     .offset = offsetof(struct options, is_list),
     .help = "list the techniques and exit"},
    {.name = "version",
     .kind = SP_OPT_FLAG,
     .offset = offsetof(struct options, is_version),
     .help = "print the version and exit"},
    {.name = "role",
     .kind = SP_OPT_STRING,
     .metavar = "ROLE",
     .offset = offsetof(struct options, role),
     .help = "internal: which of the probe's processes this is"},
    {.name = "generation",
     .kind = SP_OPT_UINT,
     .metavar = "N",
     .max = 1000000,
     .offset = offsetof(struct options, generation),
     .help = "internal: how often the sensor was started"},
};

static const struct sp_cmdline cmd = {
    .name = "segproof-probe",
    .usage = "--stdio --allow-target CIDR [OPTION]...",
    .summary =
        "The probe of segproof: crafts packets for declared targets and tells what arrives. A controller "
        "starts it (segproof verify); it needs CAP_NET_RAW to start and keeps no privilege.",
    .opts = opts,
    .nopts = SP_ARRAY_LEN(opts),
    .examples = "  segproof-probe --list\n"
                "  segproof-probe --stdio --allow-target 10.10.2.11 --max-pps 1000\n",
};

static void list_techniques(void)
{
    const struct sp_technique_info *info;
    for (size_t i = 0; (info = sp_technique_at(i)) != NULL; i++) {
        (void)printf("%-12s class %c  %s\n", info->name, info->hazard, info->summary);
    }
}

/* The prefixes of one option, freed by the caller; NULL: told why, and *ret_code is how to end. */
static struct sp_prefix *parse_prefixes(const struct sp_args_list *list, const char *option,
                                        int *ret_code)
{
    struct sp_prefix *prefixes = sp_calloc(list->count + 1, sizeof(*prefixes));
    *ret_code = 1;
    for (size_t i = 0; prefixes && i < list->count; i++) {
        if (sp_prefix_parse(list->items[i], &prefixes[i]) != SP_OK) {
            (void)fprintf(stderr, "segproof-probe: --%s: '%s' is not an address or CIDR\n", option,
                          list->items[i]);
            sp_free(prefixes);
            *ret_code = 2;
            return NULL;
        }
    }
    return prefixes;
}

static bool parse_calls(const struct options *options, struct sp_call_bounds *calls, int *ret_code)
{
    calls->endpoints = sp_calloc(options->endpoints.count + 1, sizeof(*calls->endpoints));
    calls->servers = sp_calloc(options->servers.count + 1, sizeof(*calls->servers));
    *ret_code = 1;
    if (!calls->endpoints || !calls->servers) {
        return false;
    }
    for (size_t i = 0; i < options->endpoints.count; i++) {
        if (sp_call_endpoint_parse(options->endpoints.items[i], &calls->endpoints[i]) != SP_OK) {
            (void)fprintf(stderr,
                          "segproof-probe: --allow-endpoint: '%s' is not a name or address with a "
                          "port, such as registry.example:443\n",
                          options->endpoints.items[i]);
            *ret_code = 2;
            return false;
        }
    }
    for (size_t i = 0; i < options->servers.count; i++) {
        if (sp_addr_parse(options->servers.items[i], &calls->servers[i]) != SP_OK) {
            (void)fprintf(stderr, "segproof-probe: --allow-nameserver: '%s' is not an address\n",
                          options->servers.items[i]);
            *ret_code = 2;
            return false;
        }
    }
    calls->n = options->endpoints.count;
    calls->nservers = options->servers.count;
    return true;
}

static int start_role(const struct sp_probe_options *probe, char **argv)
{
    static const struct {
        const char *role, *title;
        int (*run)(const struct sp_probe_options *options);
    } roles[] = {{"sensor", "segproof-sensor", sp_role_sensor},
                 {"link", "segproof-link", sp_role_link},
                 {"caller", "segproof-caller", sp_role_caller}};
    if (!probe->role) {
        return sp_role_parent(probe, argv);
    }
    for (size_t i = 0; i < SP_ARRAY_LEN(roles); i++) {
        if (strcmp(probe->role, roles[i].role) == 0) {
            (void)prctl(PR_SET_NAME, roles[i].title);
            return roles[i].run(probe);
        }
    }
    (void)fprintf(stderr, "segproof-probe: there is no role '%s'\n", probe->role);
    return 2;
}

static int run(const struct options *options, char **argv)
{
    int code = 0;
    struct sp_call_bounds calls = {0};
    struct sp_prefix *targets = parse_prefixes(&options->targets, "allow-target", &code);
    struct sp_prefix *sources =
        targets ? parse_prefixes(&options->sources, "allow-source", &code) : NULL;
    if (!sources || !parse_calls(options, &calls, &code)) {
        sp_free(targets);
        sp_free(sources);
        sp_free(calls.endpoints);
        sp_free(calls.servers);
        return code;
    }
    const struct sp_probe_options probe = {
        .is_stdio = options->is_stdio > 0,
        .remove_self = options->remove_self > 0,
        .silence_limit_ms = options->silence_ms,
        .role = options->role,
        .generation = (unsigned)options->generation,
        .capture_buffer = (size_t)options->capture_buffer,
        .calls = &calls,
        .bounds = {.targets = targets,
                   .ntargets = options->targets.count,
                   .sources = sources,
                   .nsources = options->sources.count,
                   .max_pps = (uint32_t)options->max_pps,
                   .hazard = hazards[options->hazard][0],
                   .link_injection = options->link > 0,
                   .interface = options->interface},
    };
    code = start_role(&probe, argv);
    sp_free(targets);
    sp_free(sources);
    sp_free(calls.endpoints);
    sp_free(calls.servers);
    return code;
}

int main(int argc, char **argv)
{
    struct options options = {.max_pps = 5000, .capture_buffer = SP_CAPTURE_BUFFER};
    struct sp_args args;
    struct sp_diag diag;
    const struct rlimit no_core = {0, 0};
    (void)setrlimit(RLIMIT_CORE, &no_core); /* a core would hold keys and captured packets */
    const struct sigaction ignore = {.sa_handler = SIG_IGN};
    (void)sigaction(SIGPIPE, &ignore, NULL);
    if (sp_args_parse(&cmd, argc, argv, &options, &args, &diag) != SP_OK) {
        (void)fprintf(stderr, "segproof-probe: %s\n", diag.text);
        return 2;
    }
    int code = 2;
    if (args.help) {
        struct sp_buf text;
        sp_buf_init(&text, 65536);
        sp_args_help(&cmd, &text);
        (void)fputs(sp_buf_text(&text), stdout);
        sp_buf_release(&text);
        code = 0;
    } else if (options.is_version) {
        (void)puts("segproof-probe " SP_VERSION);
        code = 0;
    } else if (options.is_list) {
        list_techniques();
        code = 0;
    } else if (!options.is_stdio) {
        (void)fputs(
            "segproof-probe: nothing to do: give --stdio (a controller does), --list or --help\n",
            stderr);
    } else {
        code = run(&options, argv);
    }
    sp_args_release(&cmd, &options, &args);
    return code;
}
