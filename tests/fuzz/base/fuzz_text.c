/* SPDX-License-Identifier: Apache-2.0
 *
 * Every text parser of probe/base on arbitrary bytes, with what must hold of whatever they accept:
 * it prints, and reads back as the same value. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "probe/base/addr.h"
#include "probe/base/args.h"
#include "probe/base/mem.h"
#include "probe/base/proto.h"
#include "probe/base/str.h"

#define MAX_ARGV 32

struct values {
    unsigned flags, choice;
    const char *text;
    struct sp_args_list list;
    uint64_t number, time_ms;
};

static const char *const choices[] = {"quick", "standard", NULL};

static const struct sp_opt opts[] = {
    {.name = "flag",
     .letter = 'f',
     .kind = SP_OPT_FLAG,
     .help = "a",
     .offset = offsetof(struct values, flags)},
    {.name = "text",
     .letter = 't',
     .kind = SP_OPT_STRING,
     .metavar = "T",
     .help = "a",
     .offset = offsetof(struct values, text)},
    {.name = "list",
     .letter = 'l',
     .kind = SP_OPT_LIST,
     .metavar = "L",
     .help = "a",
     .offset = offsetof(struct values, list)},
    {.name = "number",
     .letter = 'n',
     .kind = SP_OPT_UINT,
     .metavar = "N",
     .help = "a",
     .max = 9,
     .offset = offsetof(struct values, number)},
    {.name = "time",
     .letter = 'd',
     .kind = SP_OPT_DURATION,
     .metavar = "D",
     .help = "a",
     .offset = offsetof(struct values, time_ms)},
    {.name = "choice",
     .letter = 'c',
     .kind = SP_OPT_CHOICE,
     .metavar = "C",
     .help = "a",
     .choices = choices,
     .offset = offsetof(struct values, choice)},
};

static void require(int holds)
{
    if (!holds) {
        abort();
    }
}

static void try_addresses(const char *text)
{
    struct sp_addr addr;
    struct sp_addr addr_again;
    char addr_out[SP_ADDR_STRLEN];
    if (sp_addr_parse(text, &addr) == SP_OK) {
        require(sp_addr_parse(sp_addr_str(&addr, addr_out), &addr_again) == SP_OK);
        require(sp_addr_eq(&addr, &addr_again));
        (void)sp_addr_is_special(&addr);
    }
    struct sp_prefix prefix;
    struct sp_prefix prefix_again;
    char prefix_out[SP_PREFIX_STRLEN];
    if (sp_prefix_parse(text, &prefix) == SP_OK) {
        require(sp_prefix_parse(sp_prefix_str(&prefix, prefix_out), &prefix_again) == SP_OK);
        require(prefix.len == prefix_again.len && sp_prefix_has(&prefix, &prefix.addr));
    }
}

static void try_ports(const char *text)
{
    struct sp_portspec spec;
    struct sp_portspec again;
    struct sp_diag diag;
    char out[SP_PORTSPEC_STRLEN];
    if (sp_portspec_parse(text, &spec, &diag) == SP_OK) {
        require(spec.lo <= spec.hi);
        require(sp_portspec_parse(sp_portspec_str(&spec, out), &again, &diag) == SP_OK);
        require(memcmp(&spec, &again, sizeof(spec)) == 0);
    } else {
        require(diag.text[0] != '\0');
    }
}

/* The bytes are the words of a command line, split at NULs. */
static void try_args(char *text, size_t len)
{
    static char program[] = "fuzz";
    const struct sp_cmdline cmd = {.name = "fuzz",
                                   .usage = "[X]...",
                                   .summary = "Fuzzes.",
                                   .opts = opts,
                                   .nopts = SP_ARRAY_LEN(opts),
                                   .positional = "X",
                                   .max_positional = 8,
                                   .stop_at_positional = len % 2 == 0};
    char *argv[MAX_ARGV] = {program};
    int argc = 1;
    for (size_t at = 0; at < len && argc < MAX_ARGV; at += strlen(text + at) + 1) {
        argv[argc++] = text + at;
    }
    struct values into = {0};
    struct sp_args args;
    struct sp_diag diag = {0};
    if (sp_args_parse(&cmd, argc, argv, &into, &args, &diag) == SP_OK) {
        require((args.help || args.count <= 8) && into.number <= 9 && into.choice < 2);
        sp_args_release(&cmd, &into, &args);
    } else {
        require(diag.text[0] != '\0');
    }
    require(into.list.items == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = sp_calloc(size + 1, 1);
    if (!text) {
        return 0;
    }
    if (size) {
        memcpy(text, data, size);
    }
    uint64_t value = 0;
    (void)sp_parse_uint(text, UINT64_MAX, &value);
    (void)sp_parse_duration_ms(text, &value);
    (void)sp_utf8_valid(text, size);
    try_addresses(text);
    try_ports(text);
    try_args(text, size);
    sp_free(text);
    return 0;
}
