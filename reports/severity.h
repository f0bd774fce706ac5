/* SPDX-License-Identifier: Apache-2.0
 *
 * How bad a finding is: a pure, total table over what is exposed, in which direction and how. No
 * clock, no result, no allocation; sp_risk_of() gathers its input. */
#ifndef SP_REPORTS_SEVERITY_H
#define SP_REPORTS_SEVERITY_H

#include "reports/summary.h"

/* Which way a flow crosses the declared segments, the harmless first. */
enum sp_direction {
    SP_DIRECTION_OUTWARD, /* into an external network */
    SP_DIRECTION_LATERAL, /* within a VPC, between subnets of none, to a load balancer from inside
                           */
    SP_DIRECTION_ACROSS,  /* out of a VPC, or into it */
    SP_DIRECTION_INWARD,  /* out of an external network into any other */
};

/* What stands behind the ports. */
enum sp_exposed {
    SP_EXPOSED_ECHO,     /* ICMP: shows that a host is there */
    SP_EXPOSED_ORDINARY, /* a service that nothing is known of */
    SP_EXPOSED_RISKY,    /* on topologies/risk.def: administration, databases, files */
};

struct sp_risk {
    uint8_t verdict;   /* enum sp_verdict: of a finding, or what a note would be */
    uint8_t direction; /* enum sp_direction */
    uint8_t exposed;   /* enum sp_exposed, the worst of its ports */
    bool is_isolated;  /* denied by an isolation, not by a rule or by default */
    bool is_bypass;    /* asked with a bypass technique */
    bool plain_holds;  /* the plain packet does not get through: the bypass is the finding */
    bool is_service;   /* allowed for a declared service or a load balancer's listener */
    bool is_stranger;  /* clients reach who was never declared to serve them */
    bool is_missed;    /* a declared backend gets nothing */
    uint32_t ports;    /* how many failed */
};

/* More ports than this are a range left open. */
#define SP_RISK_MANY_PORTS 1024U
/* A cause that exposes more hosts than this is one step worse than its worst finding. */
#define SP_RISK_MANY_HOSTS 8U

enum sp_severity sp_risk_severity(const struct sp_risk *risk);
/* A cause's: of its worst finding and how many hosts it is about. */
enum sp_severity sp_risk_scope(enum sp_severity worst, size_t hosts);

enum sp_direction sp_risk_direction(const struct sp_model *model, uint32_t from, uint32_t to);
/* Is a port of the list between these two? */
bool sp_risk_has_port(uint8_t proto, uint16_t lo, uint16_t hi);
/* The input for n tests of one finding that begins to be filled; n > 0. */
struct sp_risk sp_risk_of(const struct sp_result *result, const struct sp_finding *finding,
                          const struct sp_entry *tests, size_t n);

#endif
