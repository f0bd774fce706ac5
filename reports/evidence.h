/* SPDX-License-Identifier: Apache-2.0
 *
 * Packets that speak for or against what a test found, as the probes' captures saw them: the
 * material of the evidence files. The controller adds them by test; a file of one finding holds
 * those of its tests. Limits: SP_EVIDENCE_MAX_PACKETS and SP_EVIDENCE_MAX_BYTES in all; what is
 * over them is counted, not kept. */
#ifndef SP_REPORTS_EVIDENCE_H
#define SP_REPORTS_EVIDENCE_H

#include <stdbool.h>

#include "probe/base/buf.h"
#include "probe/wire/record.h"

#define SP_EVIDENCE_MAX_PACKETS    500000U
#define SP_EVIDENCE_MAX_BYTES      (64U << 20)
#define SP_EVIDENCE_FILE_MAX_BYTES (256U << 20)
#define SP_EVIDENCE_NAME_MAX       64U
#define SP_EVIDENCE_EXTENSION      ".pcapng"

struct sp_evidence_packet {
    uint64_t at_us; /* since 1970, by the controller's clock */
    uint32_t test;  /* index into result->tests */
    uint32_t host;  /* whose capture */
    uint32_t batch;
    uint16_t attempt; /* of that batch, from 1 */
    uint16_t len, wire_len;
    uint8_t role;    /* enum sp_kept_role */
    bool is_control; /* it was sent to show that the path and the captures work */
    bool by_link;    /* it was sent at the link layer, else as raw IP; of what it answers, or
                        what came of it, alike */
    char iface[16];
};

/* How one measurement went. */
struct sp_batch_note {
    uint32_t id;
    const char *kind;  /* "scout", "tests", "sweep"; static */
    uint64_t fired_us; /* since 1970, by the controller's clock; 0 = never fired */
    uint32_t shots;    /* packets that were ordered, without those of sweeps */
    uint32_t controls, controls_left, controls_arrived;
    uint32_t hosts, hosts_lost; /* that had part in it; whose part in it proves nothing */
    uint64_t drops;             /* of all captures and softnet queues */
    uint32_t longest_gap_us;    /* for which a probe did not look at its capture */
};

struct sp_evidence {
    struct sp_evidence_row {
        struct sp_evidence_packet packet;
        uint32_t bytes; /* where they begin in `bytes` */
        uint32_t next;  /* row of the same test, SP_NO_ROW */
    } * rows;
    size_t nrows, cap_rows;
    struct sp_buf bytes;
    uint32_t *first, *last; /* rows by test, SP_NO_ROW */
    size_t ntests, cap_tests;
    struct sp_batch_note *batches; /* owned */
    size_t nbatches, cap_batches;
    uint64_t lost; /* packets that a probe or this store had no room for */
};

enum sp_rc sp_evidence_new(size_t ntests, struct sp_evidence **ret_evidence) SP_MUST_CHECK;
/* Makes room for tests that are added to a result. */
enum sp_rc sp_evidence_grow(struct sp_evidence *evidence, size_t ntests) SP_MUST_CHECK;
void sp_evidence_free(struct sp_evidence *evidence);
/* Copies; what does not fit, and what has no sense (a test that is not there), counts as lost. */
void sp_evidence_add(struct sp_evidence *evidence, const struct sp_evidence_packet *packet,
                     const uint8_t *bytes);
/* Is there a packet of this test? evidence may be NULL. */
bool sp_evidence_has(const struct sp_evidence *evidence, uint32_t test);

/* "leak-1.pcapng": is this the name of an evidence file? */
bool sp_evidence_is_name(const char *name);

struct sp_summary;
struct sp_finding;
/* The file of one finding, as pcapng. SP_E_NOTFOUND when it has no packet. */
enum sp_rc sp_evidence_render(const struct sp_summary *summary, const struct sp_finding *finding,
                              struct sp_buf *out) SP_MUST_CHECK;

#endif
