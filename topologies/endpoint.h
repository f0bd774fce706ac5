/* SPDX-License-Identifier: Apache-2.0
 *
 * An endpoint: a name or address outside the tested flows that hosts must reach, or must not: an
 * image registry, a key store, a relay. Its ports are TCP; a port-less or UDP one cannot be
 * declared. */
#ifndef SP_TOPOLOGIES_ENDPOINT_H
#define SP_TOPOLOGIES_ENDPOINT_H

#include "probe/base/hostname.h"
#include "topologies/model.h"

#define SP_ENDPOINT_DEFAULT_STEP_MS 5000U
#define SP_ENDPOINT_STATUS_DEFAULT  200U

struct sp_endpoint {
    char *name;
    struct sp_pos pos;
    char *host;            /* a normal name, or an address as it is printed */
    struct sp_addr addr;   /* of a host that is an address; else family NONE */
    struct sp_addr *addrs; /* declared beside the name; may be empty */
    size_t naddrs;
    uint16_t *ports; /* at least one */
    size_t nports;
    struct sp_bits from; /* hosts that must reach it, or must not */
    bool is_closed;      /* must not be reached */
    char *why;           /* may be NULL */
    uint64_t step_ms;
    /* TLS */
    bool is_tls;
    bool is_clear_allowed; /* an answer to a request in clear is no finding */
    char *sni;             /* NULL = the host's name */
    char **alpn;           /* that are offered; one of them must be chosen; may be empty */
    size_t nalpn;
    char *ca;     /* a file as it is written; NULL = the trust store of the probe's host */
    char *issuer; /* must be part of the issuer's name; NULL = not declared */
    uint32_t min_days;
    /* HTTP */
    char *path; /* NULL = no request is made */
    uint16_t *status;
    size_t nstatus;
    char **redirects; /* normal names that an answer may lead to */
    size_t nredirects;
    /* DNS */
    struct sp_addr *servers; /* empty = those of the probe's host */
    size_t nservers;
    bool by_udp, by_tcp;
};

void sp_endpoint_release(struct sp_endpoint *endpoint);

#endif
