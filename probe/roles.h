/* SPDX-License-Identifier: Apache-2.0
 *
 * The processes of a probe.
 *   parent  starts and supervises the others, parses nothing from any network; opens the sockets of
 *           stand-ins on low ports for the sensor, and never reads from them;
 *   sensor  opens its packet handles, drops every privilege, then crafts and captures;
 *   link    has no privilege and no raw socket; talks to the controller and passes checked records
 *           on;
 *   caller  holds ordinary conversations with endpoints: the least trusted, for it parses what
 *           strangers send. No privilege; started when the link first asks for it, ends with it.
 * Parent and link share a control socket over which the parent hands the link the stream to each
 * new sensor, and to the caller (caller/relay.h). */
#ifndef SP_PROBE_ROLES_H
#define SP_PROBE_ROLES_H

#include "probe/base/rc.h"
#include "probe/caller/bounds.h"
#include "probe/engine.h"

/* The descriptor number that a child finds its channel at. */
#define SP_ROLE_FD 3
/* The sensor's second one: to the parent, for stand-ins on ports that need a privilege (ask.h). */
#define SP_ASK_FD  4

/* Exit codes of a sensor. */
#define SP_EXIT_RESTART  75 /* an interface or address changed: start me again */
#define SP_EXIT_HOPELESS 77 /* no privilege, no capture: starting again would not help */

struct sp_probe_options {
    bool is_stdio;
    bool remove_self;
    uint64_t silence_limit_ms; /* 0: the controller may be silent for ever */
    const char *role;          /* NULL = parent */
    unsigned generation;       /* of the sensor; 0 is the first */
    struct sp_bounds bounds;   /* targets etc. borrowed from the command line */
    const struct sp_call_bounds *calls;
    size_t capture_buffer;
};

int sp_role_parent(const struct sp_probe_options *options, char **argv);
int sp_role_sensor(const struct sp_probe_options *options);
int sp_role_link(const struct sp_probe_options *options);
int sp_role_caller(const struct sp_probe_options *options);

#endif
