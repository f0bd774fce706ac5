/* SPDX-License-Identifier: Apache-2.0
 *
 * One name asked of name servers, over UDP (a truncated answer is fetched over TCP, as every
 * resolver does) or over TCP alone. Servers are tried in turn; the whole takes two steps at most.
 */
#ifndef SP_PROBE_CALLER_LOOKUP_H
#define SP_PROBE_CALLER_LOOKUP_H

#include "probe/caller/dns.h"

struct event_base;
struct event;

#define SP_LOOKUP_SERVERS 4U
#define SP_LOOKUP_TRIES   4U /* packets, over all servers */

enum sp_lookup_state {
    SP_LOOKUP_RUNNING,
    SP_LOOKUP_ANSWERED, /* answer is filled; its rcode tells more */
    SP_LOOKUP_SILENT,   /* nobody answered in time */
    SP_LOOKUP_REFUSED,  /* the server's host, or something before it, refuses packets */
    SP_LOOKUP_BROKEN,   /* what came was no answer */
    SP_LOOKUP_LOCAL,    /* no packet could be sent: no server known, no route */
    SP_LOOKUP_STATE_COUNT
};

struct sp_lookup {
    /* set by whoever starts it */
    struct event_base *base;
    const char *name; /* normal; borrowed */
    uint16_t type;
    bool is_tcp;
    struct sp_addr servers[SP_LOOKUP_SERVERS];
    size_t nservers;
    uint32_t step_ms;
    void (*done)(struct sp_lookup *lookup, void *arg);
    void *arg;
    /* the result */
    enum sp_lookup_state state;
    struct sp_dns_answer answer;
    size_t server; /* that answered, or was asked last */
    bool is_over_tcp;
    bool is_own_server; /* the server is this host: its answer proves nothing about the network */
    int error;          /* errno where REFUSED or LOCAL */
    /* private */
    int fd;
    struct event *event;
    uint64_t until_us; /* of this try */
    unsigned tries, strays;
    uint16_t id;
    uint8_t out[SP_DNS_QUESTION_MAX + 2];
    size_t out_len, out_at;
    uint8_t *in; /* 65537 bytes */
    size_t in_len;
};

/* done is called once, later or within this call. */
void sp_lookup_start(struct sp_lookup *lookup);
void sp_lookup_release(struct sp_lookup *lookup); /* ends it without a word, too */
const char *sp_lookup_state_str(unsigned state);  /* "answered"; NULL past the last */

/* The name servers of a host (resolv.conf(5)) from the text of its file. */
size_t sp_lookup_servers(const char *text, size_t len,
                         struct sp_addr out[static SP_LOOKUP_SERVERS]);

#endif
