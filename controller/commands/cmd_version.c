/* SPDX-License-Identifier: Apache-2.0
 *
 * `segproof version`: what this build is and what it can do. */
#include <cjson/cJSON.h>

#include "controller/commands/cmd.h"
#include "controller/deployers/deployer.h"
#include "probe/base/buf.h"
#include "probe/techniques/registry.h"
#include "probe/wire/record.h"
#include "reports/formats/format.h"

struct options {
    struct sp_common common;
};

static const struct sp_opt common[] = {
    SP_COMMON_OPTS("the same and what it can do, as JSON on one line", "the number alone",
                   "also its techniques, ways to start probes, and report formats")};

static const struct sp_cmdline cmdline = {
    .name = "segproof version",
    .usage = "[OPTION]...",
    .summary = "Prints the version, and the protocol it speaks with its probes.",
    .common = common,
    .ncommon = SP_ARRAY_LEN(common),
    .examples = "  segproof version\n"
                "  segproof version --json\n",
};

static const char *technique_at(size_t i)
{
    const struct sp_technique_info *info = sp_technique_at(i);
    return info ? info->name : NULL;
}

static const char *deployer_at(size_t i)
{
    const struct sp_deployer *deployer = sp_deployer_at(i);
    return deployer ? deployer->name : NULL;
}

static const char *format_at(size_t i)
{
    const struct sp_format *format = sp_format_at(i);
    return format ? format->name : NULL;
}

/* What this build can do: the registries. */
static const struct {
    const char *name, *words;
    const char *(*at)(size_t i); /* NULL past the end */
} abilities[] = {
    {"techniques", "techniques:      ", technique_at},
    {"deployers", "probes started:  ", deployer_at},
    {"formats", "report formats:  ", format_at},
};

static int print_json(void)
{
    cJSON *root = cJSON_CreateObject();
    (void)cJSON_AddStringToObject(root, "version", SP_VERSION);
    (void)cJSON_AddNumberToObject(root, "protocol", SP_WIRE_VERSION);
    for (size_t i = 0; i < SP_ARRAY_LEN(abilities); i++) {
        cJSON *list = cJSON_AddArrayToObject(root, abilities[i].name);
        const char *name;
        for (size_t k = 0; (name = abilities[i].at(k)) != NULL; k++) {
            (void)cJSON_AddItemToArray(list, cJSON_CreateString(name));
        }
    }
    return sp_cmd_print_json(root, true);
}

static int print_text(const struct sp_common *given)
{
    struct sp_buf out;
    sp_buf_init(&out, 64U << 10);
    if (given->quiet) {
        sp_buf_str(&out, SP_VERSION "\n");
    } else {
        sp_buf_fmt(&out, "segproof %s (probe protocol %u)\n", SP_VERSION, SP_WIRE_VERSION);
    }
    for (size_t i = 0; given->verbose && i < SP_ARRAY_LEN(abilities); i++) {
        const char *name;
        sp_buf_str(&out, abilities[i].words);
        for (size_t k = 0; (name = abilities[i].at(k)) != NULL; k++) {
            sp_buf_fmt(&out, "%s%s", k ? ", " : "", name);
        }
        sp_buf_char(&out, '\n');
    }
    int code = sp_cmd_print(&out);
    sp_buf_release(&out);
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
    code = options.common.json ? print_json() : print_text(&options.common);
    sp_args_release(&cmdline, &options, &args);
    return code;
}

const struct sp_command sp_cmd_version = {
    .name = "version", .brief = "prints the version", .cmdline = &cmdline, .run = run};
