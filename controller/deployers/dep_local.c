/* SPDX-License-Identifier: Apache-2.0
 *
 * On the machine where segproof itself runs. */
#include "controller/spawn.h"

static enum sp_rc start(const struct sp_host *host, char *const *argv,
                        const struct sp_deploy_help *help, struct sp_deployed *ret_deployed,
                        struct sp_diag *diag)
{
    (void)help;
    (void)host;
    return sp_spawn(argv, -1, ret_deployed, diag);
}

const struct sp_deployer sp_dep_local = {
    .name = "local",
    .summary = "on this machine",
    .start = start,
};
