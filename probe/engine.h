/* SPDX-License-Identifier: Apache-2.0
 *
 * The engine of the sensor: takes orders, sends shots on time, keeps what the witnesses saw of the
 * current batch, and tells it. It has no socket of its own: everything it does to the world goes
 * through struct sp_engine_io, so the tests drive it with packets from memory.
 *
 * A batch: BATCH (keys), BLOCKs, ARM -> REFUSED*, ARMED; SHOTs, FIRE -> DONE; COLLECT -> SEEN*,
 * COLLECTED; then, for evidence, any number of WANT -> PACKET*, WANTED. */
#ifndef SP_PROBE_ENGINE_H
#define SP_PROBE_ENGINE_H

#include "probe/base/table.h"
#include "probe/packet/burst.h"
#include "probe/packet/capture.h"
#include "probe/packet/netlink.h"
#include "probe/packet/packet.h"
#include "probe/packet/tagform.h"
#include "probe/techniques/technique.h"
#include "probe/wire/record.h"

#define SP_ENGINE_MAX_SHOTS    1048576U
#define SP_ENGINE_MAX_BLOCKS   65536U
#define SP_ENGINE_MAX_UNTAGGED 2048U
#define SP_ENGINE_MAX_DIALOGS  512U /* conversations at the same time */
#define SP_ENGINE_MAX_STANDINS 128U

/* What bounds the probe; set where it is deployed, the controller cannot raise it (design section
 * 10). */
struct sp_bounds {
    const struct sp_prefix *targets; /* borrowed; only these may be sent to */
    size_t ntargets;
    const struct sp_prefix *sources; /* borrowed; with class C: only these may be forged */
    size_t nsources;
    uint32_t max_pps;
    char hazard;           /* highest class permitted */
    bool link_injection;   /* may packets go past the host's own OUTPUT policy? */
    const char *interface; /* borrowed; count only what this interface sees; NULL = all */
};

struct sp_counters {
    uint64_t captured, capture_drops, softnet_drops; /* drops: UINT64_MAX = unknown */
};

struct sp_engine_io {
    void *arg;
    void (*tell)(void *arg, const struct sp_record *record);
    int (*send_raw)(void *arg, const struct sp_spec *spec, uint32_t iface);
    int (*send_link)(void *arg, const struct sp_spec *spec, uint32_t iface,
                     const uint8_t src_mac[static 6], const uint8_t dst_mac[static 6]);
    /* Of sweeps: see sp_inject_burst(). */
    int (*burst)(void *arg, const struct sp_burst_packet *const *packets, size_t n,
                 size_t *ret_sent);
    uint64_t (*tx_dropped)(void *arg, uint32_t iface); /* see sp_iface_tx_dropped() */
    bool (*can_link)(void *arg, uint32_t iface);
    enum sp_rc (*netinfo)(void *arg,
                          struct sp_netinfo *ret_info); /* read anew; the engine releases it */
    enum sp_rc (*route)(void *arg, const struct sp_addr *src, const struct sp_addr *dst,
                        struct sp_route *ret_route);
    enum sp_rc (*neighbour)(void *arg, uint32_t iface, const struct sp_addr *addr,
                            uint8_t ret_mac[static 6]);
    /* Capture and host witness filters. lo..hi: ports of this host to which conversations are
     * answered, so that every segment to them is wanted; 0, 0 = none. */
    enum sp_rc (*listen)(void *arg, bool on, uint16_t lo, uint16_t hi);
    /* Whether fragments are wanted from the next listen() on; NULL: they never are. */
    void (*want_pieces)(void *arg, bool wanted);
    /* Keeps this host's own stack from answering (with a RST) what comes to a TCP port of a
     * conversation, until released. 0 or errno: EADDRINUSE, EMFILE. Several may hold one port. */
    int (*hold)(void *arg, const struct sp_addr *addr, uint16_t port, uint32_t iface);
    void (*release)(void *arg, const struct sp_addr *addr, uint16_t port);
    struct sp_counters (*counters)(void *arg);
    /* Opens a stand-in listener; 0 or errno. unstand closes them all, and their connections. */
    int (*stand)(void *arg, const struct sp_addr *addr, uint16_t port, uint32_t iface);
    /* Closes one, with its connections; is_silent: nobody is told, and whoever comes gets no
     * answer. May be NULL. */
    void (*stand_away)(void *arg, const struct sp_addr *addr, uint16_t port, bool is_silent);
    void (*unstand)(void *arg);
};

struct sp_engine;

enum sp_rc sp_engine_new(const struct sp_engine_io *io, const struct sp_bounds *bounds,
                         uint32_t generation, struct sp_engine **ret_engine) SP_MUST_CHECK;
void sp_engine_free(struct sp_engine *engine);

/* One order. A record that makes no sense now is told as SP_REC_ERROR and changes nothing. */
void sp_engine_order(struct sp_engine *engine, const struct sp_record *record);
/* The two inbound witnesses. */
void sp_engine_captured(struct sp_engine *engine, const struct sp_captured *captured);
void sp_engine_host(struct sp_engine *engine, const struct sp_pkt *pkt, uint32_t iface);
/* What a stand-in does with the first bytes of a connection. */
enum sp_stand_act { SP_STAND_WAIT, SP_STAND_CLOSE, SP_STAND_REPLY };
/* *ret_stay_ms: how long the peer may be silent after that before he says more; 0 = he will not. */
enum sp_stand_act sp_engine_stand_heard(struct sp_engine *engine, const uint8_t *bytes, size_t len,
                                        uint8_t reply[static SP_FORM_MAX], size_t *ret_reply_len,
                                        uint32_t *ret_stay_ms);
/* Does what is due; returns microseconds until something is due again, UINT64_MAX when nothing is.
 */
uint64_t sp_engine_tick(struct sp_engine *engine);
bool sp_engine_is_armed(const struct sp_engine *engine);

#endif
