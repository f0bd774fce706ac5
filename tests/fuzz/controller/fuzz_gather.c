/* SPDX-License-Identifier: Apache-2.0
 *
 * Packets handed over by hostile probes. The first byte of each step chooses the host, the rest is
 * a record as it would come from the wire. Whatever comes: no question is answered twice, no packet
 * is longer than a probe can have kept, and what is stored is exactly what its parts said. */
#include <stdlib.h>
#include <string.h>

#include "controller/gather.h"

#define HOSTS 3U
#define TESTS 4U
#define WANTS 12U
#define STEP  (1 + SP_RECORD_BYTES)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool good)
{
    if (!good) {
        abort();
    }
}

static void look(const struct sp_evidence *evidence, size_t from, const struct sp_rec_packet *last)
{
    for (size_t i = from; i < evidence->nrows; i++) {
        const struct sp_evidence_packet *p = &evidence->rows[i].packet;
        must(p->len > 0 && p->len <= SP_KEPT_MAX_BYTES && p->wire_len >= p->len);
        must(p->test < TESTS && p->host < HOSTS && p->role < SP_KEPT_END);
        must(evidence->rows[i].bytes + p->len <= evidence->bytes.len);
        size_t tail = p->len - last->offset;
        must(memcmp(evidence->bytes.data + evidence->rows[i].bytes + last->offset, last->bytes,
                    tail) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sp_evidence *evidence = NULL;
    struct sp_gather gather;
    must(sp_evidence_new(TESTS, &evidence) == SP_OK);
    must(sp_gather_init(&gather, HOSTS, evidence) == SP_OK);
    sp_gather_begin(&gather, 1, 0);
    for (uint32_t i = 0; i < WANTS; i++) {
        const struct sp_want want = {.host = i % HOSTS,
                                     .test = i % TESTS,
                                     .block = (uint16_t)(i / HOSTS),
                                     .port = 1,
                                     .is_control = (i & 1) != 0};
        sp_gather_add(&gather, &want);
    }
    sp_gather_ask(&gather);
    for (size_t at = 0; at + STEP <= size; at += STEP) {
        struct sp_record record;
        size_t open = gather.open;
        size_t before = evidence->nrows;
        uint32_t host = data[at] % (HOSTS + 1);
        if (data[at] > 250) {
            sp_gather_give_up(&gather, host);
            must(gather.open <= open);
        } else if (sp_record_decode(data + at + 1, &record, NULL) == SP_OK) {
            sp_gather_take(&gather, host, &record, "eth0");
            must(gather.open <= open && open - gather.open <= 1);
            must(evidence->nrows <= before + 1);
            look(evidence, before, &record.u.packet);
        }
        must(evidence->nrows <= WANTS * SP_GATHER_MAX_PER_WANT);
    }
    sp_gather_release(&gather);
    sp_evidence_free(evidence);
    return 0;
}
