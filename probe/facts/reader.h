/* SPDX-License-Identifier: Apache-2.0
 *
 * What all facts are read and told with: bounded reading below a root folder, and the lines of an
 * answer. Private to probe/facts. */
#ifndef SP_FACTS_READER_H
#define SP_FACTS_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "probe/base/attr.h"
#include "probe/base/buf.h"

#define SP_FACT_PATH       1024U /* bytes of a path, with its root and NUL */
#define SP_FACT_LINE_MAX   4096U /* bytes of a file that holds one line */
#define SP_FACT_VALUE_MAX  200U  /* bytes told of one value */
#define SP_FACT_LIST_BYTES 6000U /* told of one list */
#define SP_FACT_NAMES_MAX  4096U /* entries read of one folder */

struct sp_fact_reader {
    const char *root;
    struct sp_buf *out;
    struct sp_buf text; /* of the file that was read last; private */
    char reason[96];    /* why the last file could not be read */
    size_t began;       /* where in out the values of the current fact begin */
    bool is_cut;        /* the current list is full */
    const char *question;
    size_t question_len;
};

/* The whole file, without what white space it ends with; NULL: reason tells. Only regular files;
 * a file larger than max_bytes, or with a NUL byte in it, is none. The text is the caller's until
 * the next read, and may be changed. */
char *sp_fact_read(struct sp_fact_reader *reader, const char *path, size_t max_bytes);
/* The same of one line: more than one is odd. */
char *sp_fact_read_line(struct sp_fact_reader *reader, const char *path);
/* A decimal number, maybe in white space. */
bool sp_fact_read_number(struct sp_fact_reader *reader, const char *path, uint64_t *ret_value);
bool sp_fact_exists(const struct sp_fact_reader *reader, const char *path);
/* Calls fn with the names in a folder, in the order of the alphabet; fn returns false to stop.
 * False: the folder cannot be read (reason tells), or holds more than SP_FACT_NAMES_MAX. */
bool sp_fact_each_name(struct sp_fact_reader *reader, const char *path,
                       bool (*fn)(void *arg, const char *name), void *arg);
/* root + what fmt makes. False when that is too long. */
bool sp_fact_path(const struct sp_fact_reader *reader, char out[static SP_FACT_PATH],
                  const char *fmt, ...) SP_PRINTF(3, 4);

/* Cuts the next word off; NULL at the end. */
char *sp_fact_word(char **text);
/* Cuts the next line off; NULL at the end. */
char *sp_fact_next_line(char **text);

/* Telling. of may be NULL. */
void sp_fact_begin(struct sp_fact_reader *reader, const char *fact, const char *of,
                   const char *source);
/* False when the list is full: the rest is left out, and told to be. */
bool sp_fact_value(struct sp_fact_reader *reader, const char *value);
void sp_fact_cut(struct sp_fact_reader *reader); /* something of the list is missing */
void sp_fact_unknown(struct sp_fact_reader *reader, const char *fact, const char *of,
                     const char *source, const char *reason);
/* One value. */
void sp_fact_known(struct sp_fact_reader *reader, const char *fact, const char *of,
                   const char *source, const char *value);

/* The groups, one file each. path: the file of the registry's line. */
void sp_fact_line(struct sp_fact_reader *reader, const char *fact, const char *path);
void sp_fact_number(struct sp_fact_reader *reader, const char *fact, const char *path);
void sp_fact_os(struct sp_fact_reader *reader, const char *fact, const char *path);
void sp_fact_lockdown(struct sp_fact_reader *reader, const char *fact, const char *path);
void sp_fact_lsm(struct sp_fact_reader *reader, const char *fact, const char *path);
void sp_fact_label(struct sp_fact_reader *reader, const char *fact, const char *path);
void sp_fact_mitigations(struct sp_fact_reader *reader, const char *fact, const char *path);
void sp_fact_virtual(struct sp_fact_reader *reader, const char *fact, const char *path);
void sp_fact_memory(struct sp_fact_reader *reader, const char *fact, const char *path);
void sp_fact_cpus(struct sp_fact_reader *reader, const char *fact, const char *path);
void sp_fact_modules(struct sp_fact_reader *reader, const char *fact, const char *path);
void sp_fact_zone(struct sp_fact_reader *reader, const char *fact, const char *path);
void sp_fact_disks(struct sp_fact_reader *reader, const char *fact, const char *path);
void sp_fact_listeners(struct sp_fact_reader *reader, const char *fact, const char *path);
void sp_fact_sshd(struct sp_fact_reader *reader, const char *fact, const char *path);
void sp_fact_rp_filter(struct sp_fact_reader *reader, const char *fact, const char *path);
void sp_fact_forwarding(struct sp_fact_reader *reader, const char *fact, const char *path);
void sp_fact_conntrack(struct sp_fact_reader *reader, const char *fact, const char *path);
void sp_fact_port_range(struct sp_fact_reader *reader, const char *fact, const char *path);

#endif
