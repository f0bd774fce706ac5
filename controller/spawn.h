/* SPDX-License-Identifier: Apache-2.0
 *
 * Starting a program without a shell, in its own session, with its standard input and output on one
 * socket. */
#ifndef SP_CONTROLLER_SPAWN_H
#define SP_CONTROLLER_SPAWN_H

#include "controller/deployers/deployer.h"

/* netns_fd: the network namespace to start it in, -1 = ours. A failure of the child before its exec
 * (no such file, no permission to enter the namespace) is reported here, not as a program that ends
 * at once. */
enum sp_rc sp_spawn(char *const *argv, int netns_fd, struct sp_deployed *ret_deployed,
                    struct sp_diag *diag) SP_MUST_CHECK;

#endif
