/* SPDX-License-Identifier: Apache-2.0
 *
 * How a probe gets onto a host: one file dep_x.c and one line in registry.def. A deployer starts
 * `segproof-probe --stdio` over a path that exists already and gives back its standard input and
 * output; nothing is left behind when it ends. */
#ifndef SP_CONTROLLER_DEPLOYER_H
#define SP_CONTROLLER_DEPLOYER_H

#include <sys/types.h>

#include "probe/base/rc.h"
#include "topologies/model.h"

struct sp_deployed {
    pid_t pid;  /* leads a process group of its own: everything it started ends with kill(-pid) */
    int io_fd;  /* a socket: records both ways; the caller closes it */
    int err_fd; /* what it writes to standard error; the caller closes it */
};

struct sp_deployer {
    const char *name;
    const char *summary;
    /* argv is the probe's command line (argv[0] its path). Returns as soon as it is started; SP_OK
     * with *ret_deployed filled, or the reason in diag. */
    enum sp_rc (*start)(const struct sp_host *host, char *const *argv,
                        struct sp_deployed *ret_deployed, struct sp_diag *diag);
};

#define SP_ENTRY(name) extern const struct sp_deployer sp_dep_##name;
#include "controller/deployers/registry.def"
#undef SP_ENTRY

size_t sp_deployer_count(void);
const struct sp_deployer *sp_deployer_at(size_t index); /* NULL past the end */
const struct sp_deployer *sp_deployer_find(const char *name);

#endif
