/* SPDX-License-Identifier: Apache-2.0
 *
 * The sockets of stand-in listeners: they answer for a service that is not there yet, to whoever
 * carries a tag, and to nobody else. Whoever says anything else, or nothing for SP_STANDIN_US, is
 * closed without a byte; whoever closes (a health check) is closed too. Whom a conversation with a
 * pause was agreed with may be silent for so long, and is answered again. Nothing outlives
 * sp_standins_close(). */
#ifndef SP_PROBE_STANDIN_H
#define SP_PROBE_STANDIN_H

#include "probe/engine.h"

#define SP_STANDIN_CONNECTIONS 64U
#define SP_STANDIN_US          2000000U

struct event_base;
struct sp_standins;

struct sp_standin_ops {
    /* What to do with the first bytes of a connection, as sp_engine_stand_heard(). */
    enum sp_stand_act (*heard)(void *arg, const uint8_t *bytes, size_t len,
                               uint8_t reply[static SP_FORM_MAX], size_t *ret_reply_len,
                               uint32_t *ret_stay_ms);
};

/* ask_fd: to the parent, for ports this process has no privilege for; -1 = there is none. */
enum sp_rc sp_standins_new(struct event_base *base, int ask_fd, const struct sp_standin_ops *ops,
                           void *arg, struct sp_standins **ret_standins) SP_MUST_CHECK;
/* 0 or errno. One that is away comes back. */
int sp_standins_open(struct sp_standins *standins, const struct sp_addr *addr, uint16_t port,
                     uint32_t iface);
/* Closes one and its connections; is_silent: the port is kept, and whoever comes gets no answer. */
void sp_standins_away(struct sp_standins *standins, const struct sp_addr *addr, uint16_t port,
                      bool is_silent);
/* Closes every listener and every connection. */
void sp_standins_close(struct sp_standins *standins);
void sp_standins_free(struct sp_standins *standins);

#endif
