/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "controller/commands/cmd.h"

static const struct sp_command *const table[] = {
#define SP_ENTRY(name) &sp_cmd_##name,
#include "controller/commands/registry.def"
#undef SP_ENTRY
};

size_t sp_command_count(void)
{
    return SP_ARRAY_LEN(table);
}

const struct sp_command *sp_command_at(size_t index)
{
    return index < SP_ARRAY_LEN(table) ? table[index] : NULL;
}

const struct sp_command *sp_command_find(const char *name)
{
    for (size_t i = 0; i < SP_ARRAY_LEN(table); i++) {
        if (strcmp(table[i]->name, name) == 0) {
            return table[i];
        }
    }
    return NULL;
}

const char *sp_command_name_at(const void *unused, size_t index)
{
    (void)unused;
    return table[index]->name;
}
