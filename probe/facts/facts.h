/* SPDX-License-Identifier: Apache-2.0
 *
 * What this host is, read without any privilege: answers to SP_TOPIC_FACTS. */
#ifndef SP_PROBE_FACTS_H
#define SP_PROBE_FACTS_H

#include "probe/base/buf.h"

/* Appends lines of fields (probe/wire/message.h). */
void sp_facts_tell(struct sp_buf *out);

#endif
