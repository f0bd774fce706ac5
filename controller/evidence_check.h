/* SPDX-License-Identifier: Apache-2.0
 *
 * Is a folder of evidence what a run has written? Signature, chain, every file, every verdict; see
 * reports/manifest_check.h. Whatever is in the folder is untrusted. */
#ifndef SP_CONTROLLER_EVIDENCE_CHECK_H
#define SP_CONTROLLER_EVIDENCE_CHECK_H

#include "reports/manifest_check.h"

/* Who vouches for the key. */
enum sp_trust {
    SP_TRUST_NONE,   /* the signature does not fit any key at hand */
    SP_TRUST_FOLDER, /* the key came with the evidence: anybody can have made both */
    SP_TRUST_OWN,    /* it is this installation's */
    SP_TRUST_GIVEN   /* it was given */
};

struct sp_evidence_check {
    struct sp_check check;
    char fingerprint[SP_FINGERPRINT_STRLEN]; /* of the key that signed; "" = not known */
    enum sp_trust trust;
    uint64_t packets; /* that were read */
    struct sp_model *model;
    struct sp_policy *policy;
};

/* key: a public key's file or its fingerprint, or NULL. Fails when there is nothing to check: no
 * such folder, no evidence in it, a key that cannot be read. Released in any case. */
enum sp_rc sp_evidence_check(const char *dir, const char *key, struct sp_evidence_check *ret_check,
                             struct sp_diag *diag) SP_MUST_CHECK;
void sp_evidence_check_release(struct sp_evidence_check *check);

#endif
