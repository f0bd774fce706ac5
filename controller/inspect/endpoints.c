/* SPDX-License-Identifier: Apache-2.0
 *
 * Endpoints: the probes of the hosts that must reach them, or must not, look at them as any program
 * there would. First the open ones; then the hosts that their answers may lead to; then the closed
 * ones, between two proofs that the host reaches somebody. */
#include <stdio.h>
#include <string.h>

#include "controller/ask.h"
#include "controller/inspect/endpoint_ask.h"
#include "controller/inspect/endpoint_judge.h"
#include "controller/inspect/inspect.h"
#include "controller/round.h"
#include "probe/base/clock.h"
#include "probe/base/mem.h"

#define AT_ONCE    6U   /* questions to one host */
#define CHUNK      128U /* questions whose answers are held at a time */
/* Of an answer: what the caller takes at most (SP_CALL_STEPS), and a little. */
#define STEPS      28U
#define SPARE_MS   5000U
#define HTTPS_PORT 443U

struct item {
    struct sp_endpoint *own; /* of a redirect: made for it; NULL = declared */
    const struct sp_endpoint *endpoint;
    uint32_t host;
    uint16_t port;
    bool is_first;
    char *text;
    size_t len;
};

/* What a host reached: asked again after the closed ones. */
struct reached {
    const struct sp_endpoint *endpoint; /* NULL = nobody yet */
    uint16_t port;
    char words[SP_ADDR_STRLEN + 32]; /* of a control that was there afterwards, too; "" = none */
};

struct looking {
    const struct sp_inspect *inspect;
    struct sp_run_state *run;
    struct sp_endpoint_seen *seen; /* one at a time: it is large */
    struct reached *reached;       /* by host */
    struct item *items;            /* of this chunk */
    size_t nitems, cap_items;
    struct item *follow; /* redirects, for later */
    size_t nfollow, cap_follow;
    enum sp_rc rc;
};

static bool looks(const struct sp_inspect *inspect, const struct sp_endpoint *e, uint32_t host)
{
    return sp_bits_get(&e->from, host) && sp_inspect_is_from(inspect, host);
}

/* --to names hosts and balancers: an endpoint is none of them. */
static bool is_selected(const struct sp_inspect *inspect, const struct sp_endpoint *e)
{
    return inspect->to.nbits == 0 && e->from.nbits > 0;
}

static void want(const struct sp_inspect *inspect, const struct sp_model *model,
                 struct sp_bits *hosts)
{
    for (size_t i = 0; i < model->nendpoints; i++) {
        const struct sp_endpoint *e = &model->endpoints[i];
        for (uint32_t h = 0; is_selected(inspect, e) && h < model->nhosts; h++) {
            if (model->hosts[h].via && looks(inspect, e, h)) {
                sp_bits_set(hosts, h);
            }
        }
    }
}

static enum sp_rc allow_one(struct sp_fleet *fleet, const struct sp_endpoint *e, uint32_t host)
{
    char text[SP_ADDR_STRLEN];
    enum sp_rc rc = SP_OK;
    for (size_t p = 0; p < e->nports && rc == SP_OK; p++) {
        rc = sp_fleet_allow_endpoint(fleet, host, e->host, e->ports[p]);
        for (size_t i = 0; i < e->naddrs && rc == SP_OK; i++) {
            rc = sp_fleet_allow_endpoint(fleet, host, sp_addr_str(&e->addrs[i], text), e->ports[p]);
        }
        for (size_t i = 0; i < e->nredirects && rc == SP_OK; i++) {
            rc = sp_fleet_allow_endpoint(fleet, host, e->redirects[i], e->ports[p]);
        }
    }
    for (size_t i = 0; i < e->nredirects && rc == SP_OK; i++) {
        rc = sp_fleet_allow_endpoint(fleet, host, e->redirects[i], HTTPS_PORT);
    }
    for (size_t i = 0; i < e->nservers && rc == SP_OK; i++) {
        rc = sp_fleet_allow_nameserver(fleet, host, &e->servers[i]);
    }
    return rc;
}

static enum sp_rc allow(const struct sp_inspect *inspect, struct sp_fleet *fleet)
{
    const struct sp_model *model = fleet->model;
    enum sp_rc rc = SP_OK;
    for (size_t i = 0; i < model->nendpoints; i++) {
        const struct sp_endpoint *e = &model->endpoints[i];
        for (uint32_t h = 0; is_selected(inspect, e) && h < model->nhosts && rc == SP_OK; h++) {
            if (model->hosts[h].via && looks(inspect, e, h)) {
                rc = allow_one(fleet, e, h);
            }
        }
    }
    return rc;
}

/* ---- judging ---- */

static void judge(struct looking *l, const struct item *item, const char *trouble)
{
    const struct sp_model *model = l->run->model;
    const char *control = l->reached[item->host].words;
    char own[SP_ADDR_STRLEN + 32] = "";
    bool is_unprobed = !model->hosts[item->host].via;
    if (item->endpoint->is_closed && l->seen->is_read &&
        sp_endpoint_control(l->seen, own, sizeof(own))) {
        control = own;
    }
    const struct sp_endpoint_case what = {.model = model,
                                          .endpoint = item->endpoint,
                                          .host = item->host,
                                          .port = item->port,
                                          .now_s = sp_wall_s(),
                                          .is_first = item->is_first,
                                          .control = control[0] ? control : NULL,
                                          .trouble = trouble,
                                          .is_unprobed = is_unprobed};
    if (l->rc == SP_OK) {
        l->rc = sp_endpoint_judge(&what, l->seen, &l->inspect->result->claims);
    }
}

static const char *told_trouble(const struct sp_question *question)
{
    static const char *const words[] = {[SP_TOLD_NONE] = "the probe did not answer in time",
                                        [SP_TOLD_LOST] = "the probe of the host was lost",
                                        [SP_TOLD_BAD] = "what the probe told was broken",
                                        [SP_TOLD_WHOLE] = NULL};
    return words[question->state];
}

/* Reads an answer into l->seen; false: there is none. */
static bool read_answer(struct looking *l, const struct sp_question *question)
{
    *l->seen = (struct sp_endpoint_seen){0};
    if (question->state == SP_TOLD_WHOLE && l->rc == SP_OK) {
        l->rc = sp_endpoint_read(sp_buf_text(&question->answer), question->answer.len, l->seen);
    }
    return l->seen->is_read;
}

/* ---- redirects ---- */

static struct sp_endpoint *make_follow(const struct sp_endpoint *e, size_t redirect,
                                       const struct sp_redirect *to)
{
    struct sp_endpoint *own = sp_calloc(1, sizeof(*own));
    if (!own) {
        return NULL;
    }
    *own = (struct sp_endpoint){.name = e->name,
                                .pos = e->pos,
                                .host = e->redirects[redirect],
                                .from = e->from,
                                .step_ms = e->step_ms,
                                .is_tls = to->is_tls,
                                .is_clear_allowed = true,
                                .ca = e->ca,
                                .min_days = e->min_days,
                                .servers = e->servers,
                                .nservers = e->nservers,
                                .by_udp = e->by_udp,
                                .by_tcp = e->by_tcp};
    own->path = to->path[0] ? sp_strdup(to->path) : NULL;
    if (to->path[0] && !own->path) {
        sp_free(own);
        return NULL;
    }
    return own;
}

static bool is_followed(const struct looking *l, const struct item *item, const char *host)
{
    for (size_t i = 0; i < l->nfollow; i++) {
        if (l->follow[i].host == item->host &&
            l->follow[i].endpoint->name == item->endpoint->name &&
            strcmp(l->follow[i].endpoint->host, host) == 0) {
            return true;
        }
    }
    return false;
}

/* Each declared host that an answer may lead to is looked at, and asked for what an answer led to.
 */
static void note_redirects(struct looking *l, const struct item *item)
{
    const struct sp_endpoint *e = item->endpoint;
    for (size_t r = 0; r < e->nredirects && l->rc == SP_OK && !item->own; r++) {
        struct sp_redirect to = {.port = HTTPS_PORT, .is_tls = true};
        for (size_t i = 0; i < l->seen->ntalks; i++) {
            struct sp_redirect one;
            if (sp_redirect_parse(l->seen->talks[i].location, &one) &&
                strcmp(one.host, e->redirects[r]) == 0 && one.is_tls &&
                (one.port == HTTPS_PORT || one.port == item->port)) {
                to = one;
            }
        }
        if (is_followed(l, item, e->redirects[r])) {
            continue;
        }
        struct sp_endpoint *own = make_follow(e, r, &to);
        if (!own ||
            sp_grow((void **)&l->follow, l->nfollow, &l->cap_follow, sizeof(*l->follow)) != 0) {
            if (own) {
                sp_free(own->path);
            }
            sp_free(own);
            l->rc = SP_E_NOMEM;
            return;
        }
        l->follow[l->nfollow++] = (struct item){
            .own = own, .endpoint = own, .host = item->host, .port = to.port, .is_first = true};
    }
}

static void release_item(struct item *item)
{
    if (item->own) {
        sp_free(item->own->path);
        sp_free(item->own);
    }
    sp_free(item->text);
}

/* ---- asking ---- */

static void note_reached(struct looking *l, const struct item *item)
{
    struct reached *reached = &l->reached[item->host];
    for (size_t i = 0; i < l->seen->ntalks && !reached->endpoint; i++) {
        if (sp_seen_is_reached(&l->seen->talks[i]) && !item->own) {
            reached->endpoint = item->endpoint;
            reached->port = item->port;
        }
    }
}

/* After closed endpoints were tried: does the host still reach what it reached before? */
static void ask_controls(struct looking *l)
{
    const struct sp_model *model = l->run->model;
    struct sp_question *questions = sp_calloc(model->nhosts, sizeof(*questions));
    struct sp_buf *texts = sp_calloc(model->nhosts, sizeof(*texts));
    size_t n = 0;
    for (uint32_t h = 0; questions && texts && h < model->nhosts; h++) {
        bool is_needed = false;
        for (size_t i = 0; i < l->nitems; i++) {
            is_needed = is_needed || l->items[i].host == h;
        }
        if (!is_needed || !l->reached[h].endpoint) {
            continue;
        }
        struct sp_endpoint plain = *l->reached[h].endpoint;
        plain.is_tls = false;
        plain.path = NULL;
        sp_buf_init(&texts[n], SP_MESSAGE_MAX);
        sp_endpoint_ask(&plain, l->reached[h].port, NULL, 0, &texts[n]);
        questions[n] = (struct sp_question){.host = h,
                                            .topic = SP_TOPIC_CALL,
                                            .text = sp_buf_text(&texts[n]),
                                            .len = texts[n].len,
                                            .timeout_ms = plain.step_ms * STEPS + SPARE_MS};
        l->rc = texts[n].rc != SP_OK ? SP_E_NOMEM : l->rc;
        n++;
    }
    l->rc = questions && texts ? l->rc : SP_E_NOMEM;
    l->rc = l->rc == SP_OK ? sp_ask_all(l->run->fleet, questions, n, AT_ONCE) : l->rc;
    for (size_t i = 0; i < n; i++) {
        struct reached *reached = &l->reached[questions[i].host];
        reached->words[0] = '\0';
        if (read_answer(l, &questions[i])) {
            for (size_t t = 0; t < l->seen->ntalks; t++) {
                char text[SP_ADDR_STRLEN];
                if (sp_seen_is_reached(&l->seen->talks[t])) {
                    (void)snprintf(reached->words, sizeof(reached->words), "%s before and after",
                                   sp_addr_str(&l->seen->talks[t].addr, text));
                }
            }
        }
        sp_buf_release(&texts[i]);
    }
    sp_questions_release(questions, n);
    sp_free(questions);
    sp_free(texts);
}

/* Asks the items of this chunk, judges the answers, and empties it. */
static void flush(struct looking *l, bool is_closed)
{
    struct sp_question *questions = sp_calloc(l->nitems, sizeof(*questions));
    l->rc = questions ? l->rc : SP_E_NOMEM;
    for (size_t i = 0; questions && i < l->nitems; i++) {
        const struct item *item = &l->items[i];
        questions[i] =
            (struct sp_question){.host = item->host,
                                 .topic = SP_TOPIC_CALL,
                                 .text = item->text,
                                 .len = item->len,
                                 .timeout_ms = item->endpoint->step_ms * STEPS + SPARE_MS};
    }
    bool is_asked = l->rc == SP_OK && l->nitems > 0;
    if (is_asked) {
        l->rc = sp_ask_all(l->run->fleet, questions, l->nitems, AT_ONCE);
        if (is_closed && l->rc == SP_OK) {
            ask_controls(l);
        }
    }
    for (size_t i = 0; is_asked && i < l->nitems; i++) {
        const struct item *item = &l->items[i];
        bool is_read = read_answer(l, &questions[i]);
        judge(l, item, told_trouble(&questions[i]));
        if (is_read && !is_closed) {
            note_reached(l, item);
            note_redirects(l, item);
        }
    }
    if (is_asked) {
        sp_questions_release(questions, l->nitems);
    }
    for (size_t i = 0; i < l->nitems; i++) {
        release_item(&l->items[i]);
    }
    l->nitems = 0;
    sp_free(questions);
}

/* Adds one question, or the claims of one that cannot be asked. Takes what the item owns. */
static void add(struct looking *l, struct item item, bool is_closed)
{
    const struct sp_host *host = &l->run->model->hosts[item.host];
    struct sp_diag diag = {0};
    struct sp_buf ca;
    struct sp_buf text;
    sp_buf_init(&ca, SP_CA_MAX_BYTES + 8192);
    sp_buf_init(&text, SP_MESSAGE_MAX);
    const char *trouble = NULL;
    if (!host->via) {
        trouble = "the host has no probe";
    } else if (l->run->fleet->sessions[item.host].state != SP_PROBE_READY) {
        trouble = "the probe of the host is not there";
    } else if (sp_endpoint_read_ca(l->run->model, item.endpoint, &ca, &diag) != SP_OK) {
        trouble = diag.text[0] ? diag.text : "out of memory";
    } else {
        sp_endpoint_ask(item.endpoint, item.port, sp_buf_text(&ca), ca.len, &text);
        l->rc = text.rc == SP_E_NOMEM ? SP_E_NOMEM : l->rc;
        trouble = text.rc == SP_E_LIMIT ? "the question is too long: the file of the CA is" : NULL;
    }
    sp_buf_release(&ca);
    item.len = text.len;
    item.text = trouble || text.rc != SP_OK ? NULL : sp_buf_take(&text);
    sp_buf_release(&text);
    if (trouble) {
        *l->seen = (struct sp_endpoint_seen){0};
        judge(l, &item, trouble);
    }
    if (trouble || l->rc != SP_OK || !item.text ||
        sp_grow((void **)&l->items, l->nitems, &l->cap_items, sizeof(*l->items)) != 0) {
        l->rc = trouble || l->rc != SP_OK ? l->rc : SP_E_NOMEM;
        release_item(&item);
        return;
    }
    l->items[l->nitems++] = item;
    if (l->nitems == CHUNK) {
        flush(l, is_closed);
    }
}

static void look_at_all(struct looking *l, bool is_closed)
{
    const struct sp_model *model = l->run->model;
    for (size_t i = 0; i < model->nendpoints; i++) {
        const struct sp_endpoint *e = &model->endpoints[i];
        if (!is_selected(l->inspect, e) || e->is_closed != is_closed) {
            continue;
        }
        for (size_t p = 0; p < e->nports; p++) {
            for (uint32_t h = 0; h < model->nhosts && l->rc == SP_OK; h++) {
                if (looks(l->inspect, e, h)) {
                    const struct item item = {
                        .endpoint = e, .host = h, .port = e->ports[p], .is_first = p == 0};
                    add(l, item, is_closed);
                }
            }
        }
    }
    flush(l, is_closed);
}

static void look_at_redirects(struct looking *l)
{
    struct item *follow = l->follow;
    size_t n = l->nfollow;
    l->follow = NULL;
    l->nfollow = l->cap_follow = 0;
    for (size_t i = 0; i < n; i++) {
        if (l->rc == SP_OK) {
            add(l, follow[i], false);
        } else {
            release_item(&follow[i]);
        }
    }
    flush(l, false);
    sp_free(follow);
}

static enum sp_rc look(const struct sp_inspect *inspect, struct sp_run_state *run,
                       struct sp_diag *diag)
{
    struct looking l = {.inspect = inspect, .run = run};
    if (run->model->nendpoints == 0) {
        return SP_OK;
    }
    l.seen = sp_calloc(1, sizeof(*l.seen));
    l.reached = sp_calloc(run->model->nhosts, sizeof(*l.reached));
    l.rc = l.seen && l.reached ? SP_OK : SP_E_NOMEM;
    if (l.rc == SP_OK) {
        look_at_all(&l, false);
        look_at_redirects(&l);
        look_at_all(&l, true);
    }
    for (size_t i = 0; i < l.nfollow; i++) {
        release_item(&l.follow[i]);
    }
    sp_free(l.follow);
    sp_free(l.items);
    sp_free(l.seen);
    sp_free(l.reached);
    return l.rc == SP_OK ? SP_OK : sp_fail(diag, l.rc, "endpoints", "%s", sp_rc_str(l.rc));
}

const struct sp_inspector sp_inspect_endpoints = {.want = want, .allow = allow, .look = look};
