/* SPDX-License-Identifier: Apache-2.0
 *
 * The probes of a run: started in parallel, watched, stopped. A host that fails is named with its
 * reason and the rest goes on. One session per host: the stream of records and what the probe said
 * of its host. */
#ifndef SP_CONTROLLER_FLEET_H
#define SP_CONTROLLER_FLEET_H

#include <stdbool.h>
#include <sys/types.h>

#include "probe/base/rc.h"
#include "probe/link/stream.h"
#include "topologies/model.h"

/* A jump host counts them all: sshd turns some away above 10 (MaxStartups). */
#define SP_REMOTE_AT_ONCE 8U

struct event;
struct sp_deployer;
struct sp_image;

enum sp_probe_state {
    SP_PROBE_UNUSED, /* not needed by the plan */
    SP_PROBE_STARTING,
    SP_PROBE_READY,
    SP_PROBE_RESTARTING, /* its sensor is being started again */
    SP_PROBE_LOST
};

struct sp_listening {
    uint8_t proto;
    uint16_t port;
    struct sp_addr addr;
};

struct sp_session {
    uint32_t host;
    enum sp_probe_state state;
    uint32_t generation;
    char reason[480]; /* why it is lost; final after sp_fleet_settle */
    char version[24];
    const char *privilege; /* where its probe has CAP_NET_RAW from, as the deployer says; static;
                              NULL: segproof's own */
    struct sp_rec_own *own;
    size_t nown, cap_own;
    struct sp_rec_iface *ifaces;
    size_t nifaces, cap_ifaces;
    struct sp_listening *listeners;
    size_t nlisteners, cap_listeners;
    /* private */
    struct sp_fleet *fleet;
    struct sp_stream *stream;
    const struct sp_deployer *deployer;
    pid_t pid;
    int err_fd;
    struct event *err_event;
    char words[4096]; /* the last that came from err_fd */
    size_t nwords;
    struct sp_addr *targets; /* of a probe that waits for its turn to start */
    size_t ntargets;
    struct sp_addr *sources; /* that its probe may forge */
    size_t nsources, cap_sources;
    char **calls; /* options that let its probe hold conversations; whole, as they are given */
    size_t ncalls, cap_calls;
    bool is_queued;
    bool is_up;      /* the way to its host works */
    bool is_through; /* records come */
    bool is_dying;   /* its stream ended; what it says about that is still coming */
    bool was_ready;
    uint64_t deadline_us; /* STARTING: lost then; dying: not waited for any longer */
    char broken[120];     /* how its stream ended */
    char noise[82];       /* the last line that came in place of a probe */
};

/* Told about sessions while a batch runs; NULL members are skipped. */
struct sp_fleet_ops {
    void (*on_record)(struct sp_session *session, const struct sp_record *record, void *arg);
    /* The session became LOST, or READY or RESTARTING again. */
    void (*on_state)(struct sp_session *session, void *arg);
};

struct sp_fleet_options {
    const char *probe_path; /* NULL: beside segproof, or in its libexec folder */
    bool link_injection;
    uint64_t capture_buffer; /* 0 = the probe's default */
    const char *ssh_config;  /* NULL: ssh's own files */
    uint64_t timeout_ms;     /* for a probe to get ready */
    const volatile bool *stop_flag;
};

struct sp_fleet {
    const struct sp_model *model;
    struct event_base *base;
    struct sp_session *sessions; /* model->nhosts */
    struct sp_fleet_ops ops;
    void *ops_arg;
    struct sp_fleet_options options;
    char probe_path[4096];
    struct sp_image *image; /* of the probe, once a deployer has to carry it */
    struct event *heartbeat;
    uint32_t beats;
};

enum sp_rc sp_fleet_new(const struct sp_model *model, struct event_base *base,
                        const struct sp_fleet_options *options, struct sp_fleet **ret_fleet,
                        struct sp_diag *diag) SP_MUST_CHECK;
/* Stops what still runs (asks, waits a moment, kills the process group) and frees. */
void sp_fleet_free(struct sp_fleet *fleet);

/* Before the start of a host's probe: it may forge this source (class C only). */
enum sp_rc sp_fleet_allow_source(struct sp_fleet *fleet, uint32_t host,
                                 const struct sp_addr *source) SP_MUST_CHECK;
/* Before the start of a host's probe: it may connect there ("registry.example:443",
 * "[fd00::1]:443"), or look names up there. Already allowed is no error. */
enum sp_rc sp_fleet_allow_endpoint(struct sp_fleet *fleet, uint32_t host, const char *name,
                                   uint16_t port) SP_MUST_CHECK;
enum sp_rc sp_fleet_allow_nameserver(struct sp_fleet *fleet, uint32_t host,
                                     const struct sp_addr *server) SP_MUST_CHECK;

/* Starts the probe of a host; targets are the only addresses it may send to. A failure makes the
 * session LOST. Of probes that are carried to other machines, SP_REMOTE_AT_ONCE start at a time;
 * the others wait for their turn in sp_fleet_wait. */
void sp_fleet_start(struct sp_fleet *fleet, uint32_t host, const struct sp_addr *targets,
                    size_t ntargets);
/* Runs the loop until every started probe is READY or LOST, at most timeout_ms; late ones become
 * LOST. A probe that is carried to another machine has timeout_ms of the options from its own start
 * to its connection, and then as long again and what the upload takes. */
void sp_fleet_wait(struct sp_fleet *fleet, uint64_t timeout_ms);
/* Runs the loop until the reason of every lost session is final: a moment at most. */
void sp_fleet_settle(struct sp_fleet *fleet);
void sp_fleet_send(struct sp_session *session, const struct sp_record *record);
/* Gives a session up and kills its processes. */
void sp_fleet_lose(struct sp_session *session, const char *fmt, ...) SP_PRINTF(2, 3);
/* Gives up one that answers no more; what names the order. */
void sp_fleet_lose_silent(struct sp_session *session, const char *what);
bool sp_session_listens(const struct sp_session *session, uint8_t proto, uint16_t port,
                        const struct sp_addr *addr);
/* On the same link as one of its addresses? */
bool sp_session_is_on_link(const struct sp_session *session, const struct sp_addr *addr);

#endif
