/* SPDX-License-Identifier: Apache-2.0
 *
 * Why ssh, or what it ran, ended: one line that says what to do, from what was written to standard
 * error. */
#ifndef SP_CONTROLLER_SSH_REASON_H
#define SP_CONTROLLER_SSH_REASON_H

#include "controller/deployers/deployer.h"

void sp_ssh_reason(const struct sp_host *host, const struct sp_ended *ended, char *out,
                   size_t size);

#endif
