/* SPDX-License-Identifier: Apache-2.0
 *
 * A tagged datagram from a declared address of another segment than the sender's (BCP 38, BCP 84):
 * whoever forwards it does not check on which side a source address belongs. */
#include "probe/techniques/spoof.h"

const struct sp_technique sp_tech_spoof_other = {
    .name = "spoof_other",
    SP_SPOOF_LIKE,
};
