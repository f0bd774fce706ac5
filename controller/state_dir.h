/* SPDX-License-Identifier: Apache-2.0
 *
 * Where segproof keeps what outlives a run: $XDG_STATE_HOME/segproof, ~/.local/state/segproof, or
 * /var/lib/segproof for root. */
#ifndef SP_CONTROLLER_STATE_DIR_H
#define SP_CONTROLLER_STATE_DIR_H

#include <stdbool.h>
#include <stddef.h>

/* The path of a name in the state folder; the folders before it are made when missing, for their
 * owner alone, and so is the name itself when it ends in '/' (which *out does not). False: there is
 * no such folder, or none can be made. */
bool sp_state_path(const char *name, char *out, size_t size);

#endif
