/* SPDX-License-Identifier: Apache-2.0
 *
 * The judge (design section 7). Pure and total: every input gives one verdict, and nothing is kept.
 * The rows are tried in the table's order; what the table leaves open is decided against "holds".
 */
#include "reports/verdict.h"

#include "probe/base/attr.h"

/* ------------------------------------------------------------------ verdicts, made by hand */

static struct sp_judgement say(enum sp_verdict verdict, uint8_t row, enum sp_by by)
{
    return (struct sp_judgement){.verdict = verdict, .row = row, .by = by, .noted = verdict};
}

static struct sp_judgement unclear(uint8_t row, enum sp_unsound reason)
{
    struct sp_judgement judged = say(SP_VERDICT_INCONCLUSIVE, row, SP_BY_NOBODY);
    judged.reason = reason;
    return judged;
}

/* ------------------------------------------------------------------ what the packets say */

/* Row 3: why an absence proves nothing here, or SP_SOUND. */
static enum sp_unsound soundness(const struct sp_seen *seen)
{
    if (seen->unsound != SP_SOUND) {
        return seen->unsound < SP_UNSOUND_COUNT ? seen->unsound : SP_UNSOUND_NO_CONTROL;
    }
    if (!seen->capture_lossless) {
        return SP_UNSOUND_CAPTURE_DROPS;
    }
    if (seen->attempts == 0 && !seen->sender_policy) {
        return SP_UNSOUND_NOT_SENT;
    }
    return SP_SOUND;
}

/* Reasons that lie with the sender: the only ones that matter when there is no receiver to hear. */
static enum sp_unsound sender_soundness(const struct sp_seen *seen)
{
    static const enum sp_unsound mine[] = {SP_UNSOUND_SENDER_LOST, SP_UNSOUND_SENDER_ARM,
                                           SP_UNSOUND_NO_ROUTE,    SP_UNSOUND_NOT_SENT,
                                           SP_UNSOUND_INTERRUPTED, SP_UNSOUND_NOT_SWEPT};
    for (size_t i = 0; i < SP_ARRAY_LEN(mine); i++) {
        if (seen->unsound == mine[i]) {
            return mine[i];
        }
    }
    if (seen->attempts == 0) {
        return seen->sender_policy ? SP_UNSOUND_SENDER_POLICY : SP_UNSOUND_NOT_SENT;
    }
    return SP_SOUND;
}

/* An answer that only somebody who took the flow gives. */
static bool serves(uint8_t answer)
{
    return answer == SP_ANSWER_SYN_ACK || answer == SP_ANSWER_DATA || answer == SP_ANSWER_ECHO;
}

static bool refuses(uint8_t answer)
{
    return answer == SP_ANSWER_RST || answer == SP_ANSWER_UNREACHABLE;
}

/* Signs that the receiver has the packet although neither witness saw it arrive: its own crafted
 * reply, an answer seen leaving it, or an answer that nobody can name. */
static bool contradicts(const struct sp_seen *seen)
{
    bool nameless = seen->answered > 0 && !serves(seen->answer) && !refuses(seen->answer);
    return seen->answer == SP_ANSWER_CRAFTED || seen->answer_left > 0 || nameless ||
           seen->answer > SP_ANSWER_UNREACHABLE;
}

static bool sent_nothing_by_policy(const struct sp_seen *seen)
{
    return seen->sender_policy && seen->attempts == 0;
}

/* ------------------------------------------------------------------ denied, rows 1 to 7 */

/* Rows 6 and 7: nothing arrived at the witness of the layer, and no service answered. */
static struct sp_judgement judge_absence(const struct sp_case *what, const struct sp_seen *seen)
{
    /* Only reached with layer host: at the network layer a packet at the NIC was row 1. */
    bool at_nic = seen->nic > 0 || seen->rewritten > 0;
    bool host_says = at_nic && seen->answer == SP_ANSWER_UNREACHABLE &&
                     seen->answerer == SP_ANSWERER_DESTINATION;
    if (!at_nic && contradicts(seen)) {
        return unclear(6, SP_UNSOUND_CONTRADICTION);
    }
    if (refuses(seen->answer) && !host_says) {
        if (seen->answerer == SP_ANSWERER_BEFORE || what->reject_declared) {
            return say(SP_VERDICT_HOLDS, 6, SP_BY_ANSWERER);
        }
        return unclear(6, SP_UNSOUND_ANSWERER);
    }
    return say(SP_VERDICT_HOLDS, 7, at_nic ? SP_BY_RECEIVER : SP_BY_PATH);
}

/* Rows 1 and 2, for every denied flow: an arrival needs no control. False when there is none. */
static bool judge_arrival(const struct sp_case *what, const struct sp_seen *seen,
                          struct sp_judgement *ret)
{
    bool host_layer = what->layer == SP_LAYER_HOST;
    /* What the host let in has crossed the network too, even if the capture missed it. */
    if (seen->host > 0 || (!host_layer && (seen->nic > 0 || seen->rewritten > 0))) {
        *ret = say(SP_VERDICT_LEAK, 1, SP_BY_NOBODY);
        return true;
    }
    if (seen->elsewhere > 0) {
        *ret = say(SP_VERDICT_LEAK, 2, SP_BY_NOBODY);
        return true;
    }
    return false;
}

/* A balancer's address: nobody behind it got anything (rows 1 and 2). Who serves there, leaks: the
 * address itself must take nothing. A refusal is as good as silence, whoever it comes from. */
static struct sp_judgement judge_balanced_deny(const struct sp_seen *seen)
{
    if (serves(seen->answer)) {
        return say(SP_VERDICT_LEAK, SP_ROW_ONE_SIDED_LEAK, SP_BY_NOBODY);
    }
    enum sp_unsound reason = soundness(seen);
    if (reason != SP_SOUND) {
        return unclear(3, reason);
    }
    if (sent_nothing_by_policy(seen)) {
        return unclear(4, SP_UNSOUND_SENDER_POLICY);
    }
    if (contradicts(seen)) {
        return unclear(6, SP_UNSOUND_CONTRADICTION);
    }
    /* A backend without a probe may have got it, and may be who refuses it. */
    if (seen->backends_blind > 0) {
        return say(SP_VERDICT_NOT_OBSERVABLE, SP_ROW_ONE_SIDED_DENIED, SP_BY_NOBODY);
    }
    return refuses(seen->answer) ? say(SP_VERDICT_HOLDS, 6, SP_BY_ANSWERER)
                                 : say(SP_VERDICT_HOLDS, 7, SP_BY_PATH);
}

static struct sp_judgement judge_deny(const struct sp_case *what, const struct sp_seen *seen)
{
    if (what->balanced) {
        return judge_balanced_deny(seen);
    }
    enum sp_unsound reason = soundness(seen);
    if (reason != SP_SOUND) {
        return unclear(3, reason);
    }
    if (sent_nothing_by_policy(seen)) {
        if (seen->answer != SP_ANSWER_NONE || seen->nic > 0 || contradicts(seen)) {
            return unclear(4, SP_UNSOUND_CONTRADICTION);
        }
        return what->layer == SP_LAYER_HOST ? say(SP_VERDICT_HOLDS, 4, SP_BY_SENDER)
                                            : unclear(4, SP_UNSOUND_SENDER_POLICY);
    }
    if (serves(seen->answer)) {
        return say(SP_VERDICT_PROXIED, 5, SP_BY_ANSWERER);
    }
    return judge_absence(what, seen);
}

/* ------------------------------------------------------------------ allowed, rows 8 to 14 */

/* Rows 13 and 14: works of n attempts were delivered and answered. */
static struct sp_judgement judge_share(uint16_t works, const struct sp_seen *seen,
                                       uint8_t whole_row, enum sp_unsound reason)
{
    struct sp_judgement judged = say(SP_VERDICT_HOLDS, whole_row, SP_BY_NOBODY);
    if (works >= seen->attempts) {
        return judged;
    }
    if (reason != SP_SOUND) {
        return unclear(3, reason);
    }
    if (seen->loss_confirmed) {
        return say(SP_VERDICT_PARTIAL, 13, SP_BY_PATH);
    }
    if (2U * works < seen->attempts) {
        return unclear(13, SP_UNSOUND_LOSS);
    }
    judged.lossy = true;
    return judged;
}

/* Rows 9 to 11: the receiver's host did not get it. */
static struct sp_judgement judge_undelivered(const struct sp_case *what, const struct sp_seen *seen,
                                             enum sp_unsound reason)
{
    bool served = serves(seen->answer);
    if (served && what->proxy_declared && seen->attempts > 0) {
        return judge_share(seen->answered, seen, 9, reason);
    }
    if (reason != SP_SOUND) {
        return unclear(3, reason);
    }
    if (sent_nothing_by_policy(seen)) {
        return say(SP_VERDICT_BLOCKED, 10, SP_BY_SENDER);
    }
    /* The handshake crosses, the data does not. */
    if (seen->opened > 0) {
        return seen->nic > 0 ? say(SP_VERDICT_HOST_FILTERED, 11, SP_BY_RECEIVER)
                             : say(SP_VERDICT_BLOCKED, 10, SP_BY_PATH);
    }
    if (seen->nic == 0 && contradicts(seen)) {
        return unclear(10, SP_UNSOUND_CONTRADICTION);
    }
    /* Also with a packet at the NIC: a service that answers is not filtered away. */
    if (served) {
        return say(SP_VERDICT_PROXIED, 9, SP_BY_ANSWERER);
    }
    if (seen->nic > 0) {
        return say(SP_VERDICT_HOST_FILTERED, 11, SP_BY_RECEIVER);
    }
    return say(SP_VERDICT_BLOCKED, 10, refuses(seen->answer) ? SP_BY_ANSWERER : SP_BY_PATH);
}

/* Rows 12 to 14: at least one attempt passed the receiver's INPUT rules. */
static struct sp_judgement judge_delivered(const struct sp_seen *seen, enum sp_unsound reason)
{
    /* A refusal from the path is no answer of the receiver. */
    bool foreign = refuses(seen->answer) && seen->answerer == SP_ANSWERER_BEFORE;
    uint16_t answered = foreign ? 0 : seen->answered;
    if (seen->attempts == 0) {
        return unclear(3, reason != SP_SOUND ? reason : SP_UNSOUND_NOT_SENT);
    }
    if (answered == 0) {
        if (reason != SP_SOUND) {
            return unclear(3, reason);
        }
        enum sp_by by = foreign                  ? SP_BY_ANSWERER
                        : seen->answer_left == 0 ? SP_BY_RECEIVER
                                                 : SP_BY_PATH;
        return say(SP_VERDICT_RETURN_BLOCKED, 12, by);
    }
    /* With an unsound capture every answer still proves its own delivery. */
    uint16_t works = answered;
    if (reason == SP_SOUND && seen->host < works) {
        works = seen->host;
    }
    return judge_share(works, seen, 14, reason);
}

static uint16_t less(uint16_t from, uint16_t by)
{
    return (uint16_t)(from > by ? from - by : 0);
}

/* What the backends' probes received of the flows to a balancer (design section 7). */
static struct sp_judgement judge_balanced_allow(const struct sp_seen *seen, enum sp_unsound reason)
{
    /* Served, and by nobody of the declared ones. */
    if (seen->foreign > 0 && seen->backends_blind == 0 && reason == SP_SOUND) {
        return say(SP_VERDICT_MISDELIVERED, 8, SP_BY_NOBODY);
    }
    if (seen->host == 0) {
        if (seen->foreign > 0 && seen->backends_blind > 0) {
            return unclear(9, SP_UNSOUND_SILENT);
        }
        if (reason != SP_SOUND) {
            return unclear(3, reason);
        }
        if (sent_nothing_by_policy(seen)) {
            return say(SP_VERDICT_BLOCKED, 10, SP_BY_SENDER);
        }
        if (seen->nic > 0) {
            return say(SP_VERDICT_HOST_FILTERED, 11, SP_BY_RECEIVER);
        }
        /* The address answers, and no backend gets it: the balancer has nobody to pass it on to. */
        bool answered = seen->opened == 0 && (serves(seen->answer) || refuses(seen->answer));
        return say(SP_VERDICT_BLOCKED, 10, answered ? SP_BY_ANSWERER : SP_BY_PATH);
    }
    struct sp_seen of_probes = *seen; /* flows to backends without a probe were seen by nobody */
    if (seen->backends_blind > 0) {
        of_probes.attempts = less(seen->attempts, seen->foreign);
        of_probes.answered = less(seen->answered, seen->foreign);
    }
    struct sp_judgement judged = judge_delivered(&of_probes, reason);
    bool whole = judged.verdict == SP_VERDICT_HOLDS || judged.verdict == SP_VERDICT_PARTIAL;
    if (whole && seen->backends_reached < seen->backends) {
        if (reason != SP_SOUND) {
            return unclear(3, reason);
        }
        return seen->loss_confirmed ? say(SP_VERDICT_PARTIAL, 13, SP_BY_PATH)
                                    : unclear(13, SP_UNSOUND_LOSS);
    }
    return judged;
}

static struct sp_judgement judge_allow(const struct sp_case *what, const struct sp_seen *seen)
{
    enum sp_unsound reason = soundness(seen);
    if (seen->elsewhere > 0 || seen->rewritten > 0) {
        return say(SP_VERDICT_MISDELIVERED, 8, SP_BY_NOBODY);
    }
    if (what->balanced) {
        return judge_balanced_allow(seen, reason);
    }
    return seen->host == 0 ? judge_undelivered(what, seen, reason) : judge_delivered(seen, reason);
}

/* ------------------------------------------------------------------ targets without a probe */

static struct sp_judgement judge_one_sided_deny(const struct sp_seen *seen)
{
    if (serves(seen->answer)) {
        return seen->answerer == SP_ANSWERER_DESTINATION
                   ? say(SP_VERDICT_LEAK, SP_ROW_ONE_SIDED_LEAK, SP_BY_NOBODY)
                   : say(SP_VERDICT_PROXIED, SP_ROW_ONE_SIDED_PROXIED, SP_BY_ANSWERER);
    }
    enum sp_unsound reason = sender_soundness(seen);
    if (reason != SP_SOUND) {
        return unclear(3, reason);
    }
    /* A refusal by the target itself shows that the flow reached its host; one that nobody can
     * place may show the same. Neither is silence. */
    if (refuses(seen->answer) && seen->answerer != SP_ANSWERER_BEFORE) {
        return unclear(SP_ROW_ONE_SIDED_DENIED, SP_UNSOUND_ANSWERER);
    }
    if (!refuses(seen->answer) && contradicts(seen)) {
        return unclear(SP_ROW_ONE_SIDED_DENIED, SP_UNSOUND_CONTRADICTION);
    }
    return say(SP_VERDICT_NOT_OBSERVABLE, SP_ROW_ONE_SIDED_DENIED, SP_BY_NOBODY);
}

static struct sp_judgement judge_one_sided_allow(const struct sp_case *what,
                                                 const struct sp_seen *seen)
{
    if (seen->elsewhere > 0) {
        return say(SP_VERDICT_MISDELIVERED, 8, SP_BY_NOBODY);
    }
    enum sp_unsound reason = sender_soundness(seen);
    if (serves(seen->answer) && seen->attempts > 0) {
        if (seen->answerer == SP_ANSWERER_BEFORE && !what->proxy_declared) {
            return say(SP_VERDICT_PROXIED, SP_ROW_ONE_SIDED_PROXIED, SP_BY_ANSWERER);
        }
        return judge_share(seen->answered, seen, SP_ROW_ONE_SIDED_ALLOWED, reason);
    }
    if (reason != SP_SOUND) {
        return unclear(3, reason);
    }
    /* An RST from the target says "service closed". An ICMP error may as well be its firewall's. */
    if (seen->answer == SP_ANSWER_RST && seen->answerer == SP_ANSWERER_DESTINATION) {
        return judge_share(seen->answered, seen, SP_ROW_ONE_SIDED_ALLOWED, reason);
    }
    return unclear(SP_ROW_ONE_SIDED_SILENT,
                   refuses(seen->answer) ? SP_UNSOUND_ANSWERER : SP_UNSOUND_SILENT);
}

/* ------------------------------------------------------------------ all together */

struct sp_judgement sp_judge(const struct sp_case *what, const struct sp_seen *seen)
{
    struct sp_judgement judged;
    if (what->expect != SP_EXPECT_ALLOW && what->expect != SP_EXPECT_PERMIT) {
        if (judge_arrival(what, seen, &judged)) {
            return judged;
        }
        return what->one_sided ? judge_one_sided_deny(seen) : judge_deny(what, seen);
    }
    judged = what->one_sided ? judge_one_sided_allow(what, seen) : judge_allow(what, seen);
    if (what->expect == SP_EXPECT_PERMIT && sp_verdict_is_finding(judged.verdict)) {
        judged.noted = judged.verdict;
        judged.verdict = SP_VERDICT_HOLDS;
        judged.is_note = true;
    }
    return judged;
}

bool sp_verdict_is_finding(enum sp_verdict verdict)
{
    return verdict >= SP_VERDICT_LEAK && verdict <= SP_VERDICT_PROXIED;
}

/* ------------------------------------------------------------------ words */

const char *sp_verdict_str(enum sp_verdict verdict)
{
    static const char *const names[SP_VERDICT_COUNT] = {
        "holds",   "leak",    "blocked",      "return_blocked", "host_filtered", "misdelivered",
        "partial", "proxied", "inconclusive", "not_observable", "not_tested",
    };
    return verdict < SP_VERDICT_COUNT ? names[verdict] : "unknown";
}

const char *sp_unsound_str(enum sp_unsound unsound)
{
    static const char *const clauses[SP_UNSOUND_COUNT] = {
        [SP_SOUND] = "sound",
        [SP_UNSOUND_SENDER_LOST] = "the sender's probe was lost during the test",
        [SP_UNSOUND_RECEIVER_LOST] = "the receiver's probe was lost during the test",
        [SP_UNSOUND_SENDER_ARM] = "the sender's probe refused the test",
        [SP_UNSOUND_RECEIVER_ARM] = "the receiver's probe refused the test",
        [SP_UNSOUND_NO_ROUTE] = "the sender could not send: no route, or its link is down",
        [SP_UNSOUND_NOT_SENT] = "the packet was not seen leaving the sender",
        [SP_UNSOUND_NO_CONTROL] = "no control packet worked between, around or beside the hosts",
        [SP_UNSOUND_CONTROL_LOST] = "a control packet next to an attempt was lost",
        [SP_UNSOUND_ATTEMPTS] = "too few attempts count for the loss that the controls saw",
        [SP_UNSOUND_CAPTURE_DROPS] = "the receiver's capture dropped packets",
        [SP_UNSOUND_INTERFACE] = "an interface of the receiver went down, changed or runs XDP",
        [SP_UNSOUND_UNTAGGED] = "packets without our tag arrived at the tested port",
        [SP_UNSOUND_INTERRUPTED] = "the run stopped before the test was finished",
        [SP_UNSOUND_NOW_AND_THEN] =
            "flows beside it leaked only now and then: a rate limit, or one path of several",
        [SP_UNSOUND_STATE_FULL] =
            "new flows are refused on the way while one that exists goes on: a state table is full",
        [SP_UNSOUND_NOT_SWEPT] = "the sweep did not get that far",
        [SP_UNSOUND_SENDER_POLICY] =
            "the sender's own firewall dropped it, so the network was not tested",
        [SP_UNSOUND_ANSWERER] = "it was refused by an RST or ICMP error, and nothing shows by whom",
        [SP_UNSOUND_CONTRADICTION] = "an answer shows that it got through, yet no arrival was seen",
        [SP_UNSOUND_SILENT] = "the target has no probe and did not answer",
        [SP_UNSOUND_LOSS] = "most packets were lost, and no second batch confirmed it",
        [SP_UNSOUND_STANDIN] = "a stand-in listener could not be opened at the receiver",
    };
    return unsound < SP_UNSOUND_COUNT ? clauses[unsound] : "unknown";
}

const char *sp_grade_str(uint8_t grade)
{
    static const char *const names[] = {"none", "self", "split", "pair"};
    return grade < SP_ARRAY_LEN(names) ? names[grade] : "unknown";
}

const char *sp_by_str(uint8_t by)
{
    static const char *const names[] = {"nobody", "path", "receiver", "sender", "answerer"};
    return by < SP_ARRAY_LEN(names) ? names[by] : "unknown";
}

const char *sp_proxy_str(uint8_t proxy)
{
    static const char *const names[SP_PROXY_COUNT] = {
        [SP_PROXY_SYN] = "syn_proxy", [SP_PROXY_OTHER] = "proxy"};
    return proxy < SP_PROXY_COUNT ? names[proxy] : NULL;
}
