/* SPDX-License-Identifier: Apache-2.0
 *
 * In a named network namespace of this machine, as `ip netns` makes them (ip-netns(8):
 * /run/netns/NAME). */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "controller/spawn.h"

static enum sp_rc start(const struct sp_host *host, char *const *argv,
                        const struct sp_deploy_help *help, struct sp_deployed *ret_deployed,
                        struct sp_diag *diag)
{
    (void)help;
    char path[300];
    const char *name = host->via_name ? host->via_name : host->name;
    if (strchr(name, '/') || strcmp(name, "..") == 0 || strlen(name) > 255) {
        return sp_fail(diag, SP_E_INVALID, host->name,
                       "'%s' is not the name of a network namespace", name);
    }
    (void)snprintf(path, sizeof(path), "/run/netns/%s", name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return errno == ENOENT
                   ? sp_fail(diag, SP_E_NOTFOUND, host->name,
                             "there is no network namespace '%s' (see: ip netns list)", name)
                   : sp_fail_errno(diag, host->name, "cannot open %s", path);
    }
    enum sp_rc rc = sp_spawn(argv, fd, ret_deployed, diag);
    (void)close(fd);
    return rc;
}

const struct sp_deployer sp_dep_netns = {
    .name = "netns",
    .summary = "in a named network namespace of this machine",
    .start = start,
};
