/* SPDX-License-Identifier: Apache-2.0
 *
 * The ledger: which conversations segproof itself has sent, in this run and in earlier ones, so
 * that state that our own packets left in a firewall never opens what we then test. It gives out
 * source ports: a conversation is never repeated, and never the reverse of one, while a firewall
 * may still remember it. */
#ifndef SP_CONTROLLER_LEDGER_H
#define SP_CONTROLLER_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "probe/base/addr.h"
#include "probe/base/rc.h"

/* The longest default timeout of half-open or unanswered state among the firewalls in techniques.md
 * T21 (Linux SYN_SENT 120 s, unacknowledged 300 s, UDP stream 120 s, AWS UDP 180 s). */
#define SP_LEDGER_MEMORY_S 300U

struct sp_ledger;

/* path: where earlier runs are kept, NULL = nowhere. A missing or unreadable file is an empty
 * ledger. */
enum sp_rc sp_ledger_open(const char *path, uint16_t sport_lo, uint16_t sport_hi, uint64_t seed,
                          struct sp_ledger **ret_ledger) SP_MUST_CHECK;
void sp_ledger_free(struct sp_ledger *ledger);
/* Refuses a file that holds something else, which saving would destroy. What is absent, empty or
 * unreadable is accepted, and so is a ledger of any version, whole or not. */
enum sp_rc sp_ledger_check(const char *path, struct sp_diag *diag) SP_MUST_CHECK;

/* A source port for src -> dst:dport, noted as used; never the reverse of a conversation. A denied
 * flow must_be_fresh; an allowed one (a control, say) may be repeated when fresh ports have become
 * rare, since state that it left opens nothing that is not open anyway. 0 when there is none (or
 * memory is out). */
uint16_t sp_ledger_take(struct sp_ledger *ledger, const struct sp_addr *src,
                        const struct sp_addr *dst, uint8_t proto, uint16_t dport,
                        bool must_be_fresh);
/* Notes a flow whose source port is given; returns that port, 0 when memory is out. Who sends it
 * has asked sp_ledger_opens() before. */
uint16_t sp_ledger_note(struct sp_ledger *ledger, const struct sp_addr *src,
                        const struct sp_addr *dst, uint8_t proto, uint16_t sport,
                        uint16_t dport) SP_MUST_CHECK;
/* Was the reverse of this flow sent, so that a firewall may let it pass as an answer? */
bool sp_ledger_opens(const struct sp_ledger *ledger, const struct sp_addr *src,
                     const struct sp_addr *dst, uint8_t proto, uint16_t sport, uint16_t dport);
/* Wanted: n neighbouring ports of lo .. hi. */
struct sp_sports {
    uint16_t lo, hi, n;
};
/* n neighbouring source ports of lo .. hi for a sweep src -> dst: *ret_first .. *ret_first + n - 1.
 * Ports that no sweep of this pair and protocol used, in this run or in one that is remembered;
 * where there are none, those used longest ago (*ret_is_fresh is false: a firewall may remember
 * them). They are noted as used, and sp_ledger_take keeps away from them: of a packet that the
 * sweep sends it makes neither another one nor the reverse. Save the ledger before the packets go
 * out: who is killed then has sent them. False: lo .. hi is too narrow, or memory is out. */
bool sp_ledger_take_sports(struct sp_ledger *ledger, const struct sp_addr *src,
                           const struct sp_addr *dst, uint8_t proto, struct sp_sports range,
                           uint16_t *ret_first, bool *ret_is_fresh);
/* Writes what later runs must know; whole or not at all. */
enum sp_rc sp_ledger_save(const struct sp_ledger *ledger, struct sp_diag *diag) SP_MUST_CHECK;
/* $XDG_STATE_HOME/segproof, ~/.local/state/segproof, or /var/lib/segproof for root; made when
 * missing. false: none. */
bool sp_ledger_default_path(char *out, size_t size);

#endif
