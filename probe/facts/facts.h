/* SPDX-License-Identifier: Apache-2.0
 *
 * What this host is, read without any privilege: answers to SP_TOPIC_FACTS.
 *
 * The question holds lines of fields (probe/wire/message.h): "disk" = a path whose file system is
 * asked for, "module" = a kernel module. Its answer is a list of facts, each a few lines:
 *
 *   fact=kernel                       what it is about; the names are in facts.c
 *   of=/var                           of which part, where there is more than one
 *   source=/proc/sys/kernel/osrelease where it was read
 *   value=6.1.0-18-amd64              known: once, or again for each item of a list
 *   cut=1                             the list is longer than this
 *   unknown=there is no such file     in place of values: why it is not known
 *
 * Files may be missing, odd, huge or endless: they are read up to a bound, and what cannot be read
 * is unknown. Nothing is written, run or asked over a network. */
#ifndef SP_PROBE_FACTS_H
#define SP_PROBE_FACTS_H

#include "probe/base/buf.h"

#define SP_FACTS_DISKS_MAX   16U /* paths answered of one question */
#define SP_FACTS_MODULES_MAX 32U

/* Appends the answer; out is made for SP_MESSAGE_MAX bytes, and out->rc tells whether all is there.
 * root: the folder that holds proc, sys and etc, "" for this host's own; for tests. */
void sp_facts_tell(const char *root, const char *question, size_t len, struct sp_buf *out);

#endif
