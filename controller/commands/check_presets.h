/* SPDX-License-Identifier: Apache-2.0
 *
 * What `segproof check` tells about presets: those there are, one of them, those a topology uses.
 */
#ifndef SP_CONTROLLER_CHECK_PRESETS_H
#define SP_CONTROLLER_CHECK_PRESETS_H

#include "controller/commands/cmd.h"

struct cJSON;

/* Lists the presets of this build. Returns the exit code. */
int sp_check_list_presets(const struct sp_common *common);
/* Prints the file of one; told when there is none of that name. Returns the exit code. */
int sp_check_print_preset(const struct sp_cmdline *cmdline, const char *name);
/* Adds "presets" and "roles" for a topology that uses some. */
void sp_check_add_presets(struct cJSON *to, const struct sp_model *model);

#endif
