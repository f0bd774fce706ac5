/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of the keys of a preset file, and the embedded files; private to preset.c. */
#ifndef SP_TOPOLOGIES_PRESET_FIELDS_H
#define SP_TOPOLOGIES_PRESET_FIELDS_H

#include "topologies/field.h"

extern const struct sp_shape sp_preset_shape;

/* Made by CMake from presets/: one per line of registry.def. */
struct sp_preset_file {
    const char *name;
    const unsigned char *bytes;
    size_t len;
};

#define SP_ENTRY(name) extern const struct sp_preset_file sp_preset_file_##name;
#include "topologies/presets/registry.def"
#undef SP_ENTRY

#endif
