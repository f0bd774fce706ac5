/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/techniques/technique.h"

static const struct sp_technique *const table[] = {
#define SP_ENTRY(name, hazard, families, proto, verdict, packets, summary) &sp_tech_##name,
#include "probe/techniques/registry.def"
#undef SP_ENTRY
};

const struct sp_technique *sp_technique_code(size_t index)
{
    return index < SP_ARRAY_LEN(table) ? table[index] : NULL;
}
