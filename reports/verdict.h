/* SPDX-License-Identifier: Apache-2.0
 *
 * The judge: what was declared and what both ends saw -> one verdict. A pure, total function; the
 * rows are those of design section 7, first match wins. Proof of arrival needs no control; proof of
 * absence does. */
#ifndef SP_REPORTS_VERDICT_H
#define SP_REPORTS_VERDICT_H

#include <stdbool.h>
#include <stdint.h>

#include "probe/base/addr.h"
#include "probe/base/answer.h"
#include "topologies/model.h"
#include "topologies/policy.h"

enum sp_verdict {
    SP_VERDICT_HOLDS,
    SP_VERDICT_LEAK,
    SP_VERDICT_BLOCKED,
    SP_VERDICT_RETURN_BLOCKED,
    SP_VERDICT_HOST_FILTERED,
    SP_VERDICT_MISDELIVERED,
    SP_VERDICT_PARTIAL,
    SP_VERDICT_PROXIED,
    SP_VERDICT_INCONCLUSIVE,
    SP_VERDICT_NOT_OBSERVABLE,
    SP_VERDICT_NOT_TESTED,
    SP_VERDICT_COUNT
};

/* Why no conclusion can be drawn (row 3). */
enum sp_unsound {
    SP_SOUND,
    SP_UNSOUND_SENDER_LOST,   /* the sender's probe failed, was killed, froze or restarted */
    SP_UNSOUND_RECEIVER_LOST, /* the same at the receiver */
    SP_UNSOUND_SENDER_ARM,    /* the sender refused: address not its own, not permitted */
    SP_UNSOUND_RECEIVER_ARM,  /* the receiver refused: it does not own the address, capture not
                                 working */
    SP_UNSOUND_NO_ROUTE,      /* the sender could not send: no route, link down */
    SP_UNSOUND_NOT_SENT,      /* the packet was not seen leaving the sender */
    SP_UNSOUND_NO_CONTROL,    /* no control flow worked between, around or beside the two hosts */
    SP_UNSOUND_CONTROL_LOST,  /* a control next to an attempt was lost */
    SP_UNSOUND_ATTEMPTS,      /* too few attempts count for the loss that the controls saw */
    SP_UNSOUND_CAPTURE_DROPS, /* the receiver's capture or its softnet queue dropped packets */
    SP_UNSOUND_INTERFACE, /* an interface of the receiver went down or changed, or has XDP attached
                           */
    SP_UNSOUND_UNTAGGED,  /* packets without our tag arrived at the tested port in the window */
    SP_UNSOUND_INTERRUPTED,  /* the run was stopped before the test was finished */
    SP_UNSOUND_NOW_AND_THEN, /* flows beside it leaked only now and then */
    SP_UNSOUND_STATE_FULL,   /* new flows are refused on the way, one that exists goes on */
    SP_UNSOUND_NOT_SWEPT,    /* the sweep ended before it */
    /* Found by the judge, not by who measured: */
    SP_UNSOUND_SENDER_POLICY, /* the sender's own policy dropped it: the network was not tested */
    SP_UNSOUND_ANSWERER,      /* an RST or ICMP error came back and nothing places who sent it */
    SP_UNSOUND_CONTRADICTION, /* an answer shows that the flow crossed, yet no arrival was seen */
    SP_UNSOUND_SILENT,        /* an allowed flow to a target without a probe, and no answer */
    SP_UNSOUND_LOSS,          /* most of an allowed flow was lost, in one batch only */
    SP_UNSOUND_STANDIN,       /* a stand-in listener could not be opened (told by who measured) */
    SP_UNSOUND_COUNT
};

/* How good the control was that a verdict rests on (design section 6). */
enum sp_grade { SP_GRADE_NONE, SP_GRADE_SELF, SP_GRADE_SPLIT, SP_GRADE_PAIR };

/* Where the answer came from, by address and TTL. */
enum sp_answerer { SP_ANSWERER_UNKNOWN, SP_ANSWERER_DESTINATION, SP_ANSWERER_BEFORE };

/* Who answered SYNs on the path in the name of the destination. */
enum sp_proxy {
    SP_PROXY_NONE,  /* nobody, or nobody knows */
    SP_PROXY_SYN,   /* a SYN proxy: passes on a connection once it is completed, if at all */
    SP_PROXY_OTHER, /* somebody else: a relay, a firewall, a tarpit */
    SP_PROXY_COUNT
};

/* All attempts of one test put together. */
struct sp_seen {
    enum sp_unsound unsound;
    bool sender_policy; /* the sender's own OUTPUT policy refused it (EPERM) and no attempt left */
    bool capture_lossless;    /* false: an absence at the receiver proves nothing (kept apart from
                                 unsound) */
    uint16_t attempts;        /* that count: seen leaving the sender */
    uint16_t nic;             /* attempts that arrived at the receiver's capture */
    uint16_t host;            /* attempts that passed the receiver's INPUT rules */
    uint16_t opened;          /* conversations of which only the SYN did; nic and host: the data */
    uint16_t answer_left;     /* attempts whose answer was seen leaving the receiver */
    uint16_t answered;        /* attempts whose answer reached the sender */
    uint16_t elsewhere;       /* attempts that arrived at another probe */
    uint32_t elsewhere_host;  /* that host, SP_NONE */
    uint16_t rewritten;       /* arrivals whose addresses or ports differ from what was declared */
    struct sp_tuple captured; /* how the first such arrival came, here or elsewhere */
    uint8_t answer;           /* enum sp_answer: the best kind seen */
    uint8_t answer_code;      /* ICMP code of SP_ANSWER_UNREACHABLE */
    uint8_t answerer;         /* enum sp_answerer */
    struct sp_addr answerer_addr;
    /* A flow to a balancer: its backends with a probe, those of them that got a flow, those without
     * a probe (of a denied flow: of any listener), and flows that somebody served whom no probe
     * saw.
     */
    uint16_t backends, backends_reached, backends_blind, foreign;
    uint8_t proxy;       /* enum sp_proxy: found by holding conversations with who answered */
    bool loss_confirmed; /* an allowed flow lost packets in two batches, above the limit */
};

struct sp_case {
    uint8_t expect; /* enum sp_expect */
    uint8_t layer;  /* enum sp_layer */
    bool reject_declared;
    bool proxy_declared; /* a proxy or l7 balancer stands on the path by declaration */
    bool one_sided;      /* the receiver has no probe */
    bool balanced;       /* the receiver is a balancer's address */
};

/* Who stopped it, for holds and blocked. */
enum sp_by { SP_BY_NOBODY, SP_BY_PATH, SP_BY_RECEIVER, SP_BY_SENDER, SP_BY_ANSWERER };

/* Rows for targets without a probe follow the 14 of the table. */
#define SP_ROW_ONE_SIDED_LEAK    15 /* denied, answered, and the answer comes from the target */
#define SP_ROW_ONE_SIDED_PROXIED 16 /* answered, but not shown to come from the target */
#define SP_ROW_ONE_SIDED_DENIED  17 /* denied and silent */
#define SP_ROW_ONE_SIDED_ALLOWED 18 /* allowed and answered */
#define SP_ROW_ONE_SIDED_SILENT  19 /* allowed and silent */

struct sp_judgement {
    enum sp_verdict verdict;
    uint8_t row; /* 1..14 of design section 7, or SP_ROW_ONE_SIDED_* */
    enum sp_by by;
    bool is_note;           /* a permit whose flow does not work: told, not a finding */
    bool lossy;             /* holds, though some packets of an allowed flow were lost */
    enum sp_verdict noted;  /* what a note would have been; else the verdict itself */
    enum sp_unsound reason; /* why it is inconclusive; else SP_SOUND */
};

/* An expectation that is neither allow nor permit counts as deny. A false "holds" is the one
 * mistake it must not make, so whatever contradicts itself is inconclusive. */
struct sp_judgement sp_judge(const struct sp_case *what, const struct sp_seen *seen);

bool sp_verdict_is_finding(enum sp_verdict verdict);
const char *sp_verdict_str(enum sp_verdict verdict); /* "return_blocked" */
const char *sp_unsound_str(enum sp_unsound unsound); /* a clause for people */
const char *sp_grade_str(uint8_t grade);             /* "pair" */
const char *sp_by_str(uint8_t by);                   /* "path" */
const char *sp_proxy_str(uint8_t proxy);             /* "syn_proxy"; NULL for none */

#endif
