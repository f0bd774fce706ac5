/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "controller/commands/cmd.h"

static const char *name_at(const void *ctx, size_t i)
{
    (void)ctx;
    return sp_command_at(i)->name;
}

static void help(FILE *to)
{
    const struct sp_command *command;
    (void)fputs(
        "Usage: segproof COMMAND [ARGUMENT]... [OPTION]...\n"
        "Proves, with packets, that a network keeps the segmentation its owner declared.\n\nCommands:\n",
        to);
    for (size_t i = 0; (command = sp_command_at(i)) != NULL; i++) {
        (void)fprintf(to, "  %-9s %s\n", command->name, command->brief);
    }
    (void)fputs("\n'segproof COMMAND --help' tells its options, with examples.\n", to);
}

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
        help(stderr);
        return SP_EXIT_USAGE;
    }
    const char *name = argv[1];
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
        help(stdout);
        return fflush(stdout) == 0 ? SP_EXIT_HOLDS : SP_EXIT_USAGE;
    }
    const struct sp_command *command =
        sp_command_find(strcmp(name, "--version") == 0 ? "version" : name);
    if (!command) {
        const char *near = sp_args_suggest(name, sp_command_count(), name_at, NULL);
        (void)fprintf(stderr, "segproof: there is no command '%s'%s%s%s\nTry 'segproof --help'.\n",
                      name, near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
        return SP_EXIT_USAGE;
    }
    return command->run(argc - 1, argv + 1);
}
