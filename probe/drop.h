/* SPDX-License-Identifier: Apache-2.0
 *
 * Giving privileges up for good, and proving it (capabilities(7), credentials(7)). */
#ifndef SP_PROBE_DROP_H
#define SP_PROBE_DROP_H

#include "probe/base/rc.h"

/* Leaves root (to nobody) when it is root, empties every capability set and the bounding set,
 * forbids regaining by exec, then tries to get privileges back: success of any try is an error. */
enum sp_rc sp_drop_all(struct sp_diag *diag) SP_MUST_CHECK;
/* The proof alone: SP_OK when nothing can be had back. Tests call it in a process that kept its
 * privileges, too. */
enum sp_rc sp_drop_prove(struct sp_diag *diag) SP_MUST_CHECK;

#endif
