/* SPDX-License-Identifier: Apache-2.0
 *
 * A made-up host in a folder, and what the probe's facts say of it. */
#ifndef SP_TESTS_PROBE_FACTS_KIT_H
#define SP_TESTS_PROBE_FACTS_KIT_H

#include "probe/base/buf.h"

struct host {
    char root[64];      /* a folder of its own */
    struct sp_buf told; /* the last answer */
};

void host_init(struct host *host);
void host_release(struct host *host); /* removes the folder */
/* Writes a file below the root and makes its folders; path begins with '/'. */
void host_file(struct host *host, const char *path, const char *text);
void host_bytes(struct host *host, const char *path, const void *bytes, size_t len);
void host_folder(struct host *host, const char *path);
void host_link(struct host *host, const char *path, const char *to);
void host_remove(struct host *host, const char *path);
/* A host of which everything is known. */
void host_usual(struct host *host);

/* Asks; question may be NULL. */
void host_ask(struct host *host, const char *question);
/* The values of a fact joined by '|'; "?reason" when it is unknown; NULL when nothing is said. of
 * may be NULL. Valid until the next call. */
const char *host_fact(struct host *host, const char *fact, const char *of);

/* The fact is told, with these values. */
void host_tells(struct host *host, const char *fact, const char *of, const char *wanted);
/* It is told to be unknown, for a reason that holds these words. */
void host_lacks(struct host *host, const char *fact, const char *of, const char *words);

#endif
