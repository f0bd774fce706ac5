/* SPDX-License-Identifier: Apache-2.0
 *
 * A tagged datagram from another declared address of the sender's own subnet. Filters on the way
 * cannot know better, unless they bind addresses to ports of a switch or machines; what gets
 * through shows that a rule by source address protects against nobody in that subnet. */
#include "probe/techniques/spoof.h"

const struct sp_technique sp_tech_spoof_own = {
    .name = "spoof_own",
    SP_SPOOF_LIKE,
};
