/* SPDX-License-Identifier: Apache-2.0
 *
 * What is declared of nodes (`nodes:`): floors and allow-lists for a role, a host, or whatever a
 * selector names. An entry is a list of lines, one for each key, whose words stand as they were
 * written; they are of good form once the topology is loaded.
 *
 * Where several entries speak of one thing on one host, the nearest counts: the host's own, then
 * its role's, then those of other selectors (all of them), then `any`. */
#ifndef SP_TOPOLOGIES_FLOOR_H
#define SP_TOPOLOGIES_FLOOR_H

#include "topologies/model.h"

enum sp_floor_check {
    SP_FLOOR_KERNEL,
    SP_FLOOR_OS,
    SP_FLOOR_FIPS,
    SP_FLOOR_LOCKDOWN,
    SP_FLOOR_LSM,
    SP_FLOOR_LSM_LABEL,
    SP_FLOOR_MITIGATIONS,
    SP_FLOOR_VIRTUALISATION,
    SP_FLOOR_MEMORY,
    SP_FLOOR_CPUS,
    SP_FLOOR_DISK_ENCRYPTION,
    SP_FLOOR_LISTENERS,
    SP_FLOOR_SSHD,
    SP_FLOOR_RP_FILTER,
    SP_FLOOR_FORWARDING,
    SP_FLOOR_CONNTRACK,
    SP_FLOOR_PORT_RANGE,
    SP_FLOOR_PUBLIC_ADDRESS,
    SP_FLOOR_ZONE,
    SP_FLOOR_MODULES,
    SP_FLOOR_DRIFT,
    SP_FLOOR_KUBE_BENCH,
    SP_FLOOR_COUNT
};

/* How near an entry is to a host. */
enum sp_floor_level { SP_LEVEL_ANY, SP_LEVEL_SELECTOR, SP_LEVEL_ROLE, SP_LEVEL_HOST };

struct sp_floor_line {
    uint8_t check; /* enum sp_floor_check */
    struct sp_pos pos;
    char **words; /* of kube_bench: the file, then the items that may fail */
    size_t nwords;
};

struct sp_floor {
    char *name; /* the key: "node", "web-1", "label:app=web" */
    struct sp_pos pos;
    uint8_t level; /* enum sp_floor_level */
    struct sp_bits hosts;
    struct sp_floor_line *lines;
    size_t nlines;
};

void sp_floor_release(struct sp_floor *floor);
/* The key in the topology, "conntrack_free"; NULL past the last. */
const char *sp_floor_key(unsigned check);
/* The line of a floor about that, or NULL. */
const struct sp_floor_line *sp_floor_find(const struct sp_floor *floor, unsigned check);
/* Does this floor's line about that count for this host, or is there a nearer one? */
bool sp_floor_counts(const struct sp_model *model, const struct sp_floor *floor, unsigned check,
                     uint32_t host);

/* Is a release ("5.15.0-91-generic") at least a version ("5.15")? Numbers are compared one by one;
 * a release candidate is older than its release. */
bool sp_version_at_least(const char *have, const char *want);
/* Is it one of what is declared: ">=5.15", or exactly that release? */
bool sp_version_fits(const char *have, const char *declared);
/* "4GiB", "512MiB", "16GB", a number of bytes. */
enum sp_rc sp_size_parse(const char *text, uint64_t *ret_bytes) SP_MUST_CHECK;
/* "20%" */
enum sp_rc sp_percent_parse(const char *text, unsigned *ret_percent) SP_MUST_CHECK;
/* "32768-60999" */
enum sp_rc sp_range_parse(const char *text, uint16_t *ret_low, uint16_t *ret_high) SP_MUST_CHECK;

#endif
