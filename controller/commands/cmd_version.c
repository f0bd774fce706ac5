/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "controller/commands/cmd.h"
#include "probe/wire/record.h"

struct options {
    struct sp_common common;
};

static const struct sp_cmdline cmdline = {
    .name = "segproof version",
    .usage = "[OPTION]...",
    .summary = "Prints the version, and the protocol it speaks with its probes.",
    .common = sp_common_opts,
    .ncommon = SP_ARRAY_LEN(sp_common_opts),
    .examples = "  segproof version\n",
};

static int run(int argc, char **argv)
{
    struct options options = {0};
    struct sp_args args;
    int code = sp_cmd_parse(&cmdline, argc, argv, &options, &args);
    if (code >= 0) {
        return code;
    }
    if (options.common.json) {
        (void)printf("{\"version\":\"%s\",\"protocol\":%u}\n", SP_VERSION, SP_WIRE_VERSION);
    } else {
        (void)printf("segproof %s (probe protocol %u)\n", SP_VERSION, SP_WIRE_VERSION);
    }
    sp_args_release(&cmdline, &options, &args);
    return fflush(stdout) == 0 ? SP_EXIT_HOLDS : SP_EXIT_USAGE;
}

const struct sp_command sp_cmd_version = {
    .name = "version", .brief = "prints the version", .cmdline = &cmdline, .run = run};
