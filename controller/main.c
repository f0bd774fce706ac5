/* SPDX-License-Identifier: Apache-2.0
 *
 * Finds the command and runs it. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "controller/commands/cmd.h"

/* A program started without its standard descriptors would open others under their numbers. */
static void keep_standard_descriptors(void)
{
    for (int fd = 0; fd <= 2; fd++) {
        if (fcntl(fd, F_GETFD) < 0) {
            (void)open("/dev/null", O_RDONLY); /* a report written there must fail, not vanish */
        }
    }
}

int main(int argc, char **argv)
{
    keep_standard_descriptors();
    const struct sigaction ignore = {.sa_handler = SIG_IGN};
    (void)sigaction(SIGPIPE, &ignore, NULL);
    if (argc < 2) {
        (void)fputs("segproof: name a command: check, plan, verify or another\n"
                    "Try 'segproof --help'.\n",
                    stderr);
        return SP_EXIT_USAGE;
    }
    const char *name = argv[1];
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
        name = "help";
    } else if (strcmp(name, "--version") == 0) {
        name = "version";
    }
    const struct sp_command *command = sp_command_find(name);
    if (!command && name[0] == '-') {
        (void)fprintf(stderr,
                      "segproof: '%s' stands before the command: write the command first, as in "
                      "'segproof check shop.yaml --json'\nTry 'segproof --help'.\n",
                      name);
        return SP_EXIT_USAGE;
    }
    if (!command) {
        const char *near = sp_args_suggest(name, sp_command_count(), sp_command_name_at, NULL);
        (void)fprintf(stderr, "segproof: there is no command '%s'%s%s%s\nTry 'segproof --help'.\n",
                      name, near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
        return SP_EXIT_USAGE;
    }
    return command->run(argc - 1, argv + 1);
}
