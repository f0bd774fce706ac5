/* SPDX-License-Identifier: Apache-2.0
 *
 * How a probe gets onto a host: one file dep_x.c and one line in registry.def. A deployer starts
 * `segproof-probe --stdio` over a path that exists already and gives back its standard input and
 * output; nothing is left behind when it ends. One that carries the probe's file to another machine
 * says what to send first, and by which marker the probe's own output begins. */
#ifndef SP_CONTROLLER_DEPLOYER_H
#define SP_CONTROLLER_DEPLOYER_H

#include <stdbool.h>
#include <sys/types.h>

#include "controller/image.h"
#include "probe/base/rc.h"
#include "probe/link/stream.h"
#include "topologies/model.h"

/* What the fleet lends to deployers. */
struct sp_deploy_help {
    const struct sp_image *image; /* the probe's file; NULL unless the deployer carries it */
    const char *ssh_config;       /* NULL: ssh's own files */
    uint64_t timeout_ms;          /* for the probe to get ready */
};

struct sp_deployed {
    pid_t pid;  /* leads a process group of its own: everything it started ends with kill(-pid) */
    int io_fd;  /* a socket: records both ways; the caller closes it */
    int err_fd; /* what it writes to standard error; the caller closes it */
    /* Of a deployer that carries the probe, else NULL and "". */
    char *lead;      /* bytes to send first, the image after them; the caller frees them */
    size_t lead_len; /* of lead */
    char marker[SP_STREAM_MARKER_MAX + 1]; /* see sp_stream_expect; what stands behind it goes to
                                              on_marker */
};

/* How a deployer's program ended. */
struct sp_ended {
    const char *words; /* what it wrote to standard error, the last of it; never NULL */
    const char *noise; /* the last line that came in place of a probe; never NULL */
    int status;        /* of waitpid; -1: it had to be killed */
    bool was_ready;    /* the probe had been READY */
};

enum sp_marker {
    SP_MARKER_UNKNOWN,
    SP_MARKER_UP, /* the way to the host works; the probe is carried there */
    SP_MARKER_RUN /* records follow */
};

struct sp_deployer {
    const char *name;
    const char *summary;
    bool is_remote; /* carries the image over a connection that may be cut without a word */
    /* argv is the probe's command line (argv[0] its path). Returns as soon as it is started; SP_OK
     * with *ret_deployed filled, or the reason in diag. */
    enum sp_rc (*start)(const struct sp_host *host, char *const *argv,
                        const struct sp_deploy_help *help, struct sp_deployed *ret_deployed,
                        struct sp_diag *diag);
    /* What stood behind the marker; *ret_privilege is set (static text) with SP_MARKER_RUN. NULL
     * where there is no marker. */
    enum sp_marker (*on_marker)(const char *text, const char **ret_privilege);
    /* Why it ended, in one line with what to do. NULL: the first line of words. */
    void (*explain)(const struct sp_host *host, const struct sp_ended *ended, char *out,
                    size_t size);
};

#define SP_ENTRY(name) extern const struct sp_deployer sp_dep_##name;
#include "controller/deployers/registry.def"
#undef SP_ENTRY

size_t sp_deployer_count(void);
const struct sp_deployer *sp_deployer_at(size_t index); /* NULL past the end */
const struct sp_deployer *sp_deployer_find(const char *name);

#endif
