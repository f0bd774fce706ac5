/* SPDX-License-Identifier: Apache-2.0
 *
 * A probe that was carried to its host for one run removes itself before it does anything else, so
 * that nothing is left however the run ends. */
#ifndef SP_PROBE_REMOVE_SELF_H
#define SP_PROBE_REMOVE_SELF_H

#include "probe/base/rc.h"

/* The folder of a program that may remove itself begins with this. */
#define SP_CARRIED_PREFIX "segproof."

/* exe: a link to the running program, /proc/self/exe but for tests. Removes the file it names, if
 * that is still the same file and its folder is a carried one, and the folder, if nothing else is
 * in it. Anything else is refused. The program goes on: its file lives as long as it runs. */
enum sp_rc sp_remove_self(const char *exe, struct sp_diag *diag) SP_MUST_CHECK;

#endif
