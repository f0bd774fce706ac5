/* SPDX-License-Identifier: Apache-2.0
 *
 * The key that signs evidence: a file that the user names, or one that this installation makes for
 * itself on first use, in its state folder: evidence.key (mode 0600), and evidence.pub beside it
 * for whoever checks. */
#ifndef SP_CONTROLLER_SIGN_KEY_H
#define SP_CONTROLLER_SIGN_KEY_H

#include "reports/seal.h"

/* path NULL: this installation's own, made when it is missing. SP_E_DENIED: others may read it. */
enum sp_rc sp_sign_key_open(const char *path, struct sp_key **ret_key,
                            struct sp_diag *diag) SP_MUST_CHECK;
/* A public key in PEM. */
enum sp_rc sp_sign_key_public(const char *path, struct sp_key **ret_key,
                              struct sp_diag *diag) SP_MUST_CHECK;
/* The fingerprint of this installation's own key; false: it has none, or none that can be read. */
bool sp_sign_key_own(char out[static SP_FINGERPRINT_STRLEN]);

#endif
