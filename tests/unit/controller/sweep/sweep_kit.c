/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/controller/sweep/sweep_kit.h"

#include "controller/sweep/drive.h"
#include "controller/sweep/heard.h"
#include "controller/sweep/volleys.h"
#include "probe/base/clock.h"
#include "probe/base/mem.h"
#include "probe/base/volley.h"
#include "tests/support/model_builder.h"
#include "tests/support/sp_cmocka.h"

#define TURNS   200000U
#define TURN_US 2000U
#define FIRE_US 1000000000U
#define ROOM    4U

/* The clock and the orders know of no world: there is one at a time. */
static struct sp_sk *now_running;

static uint64_t mono(void)
{
    return now_running->now_us;
}

/* The linker puts it in the place of sp_fleet_send (--wrap), by that name. */
void sp_sk_send(struct sp_session *session,
                const struct sp_record *record) __asm__("__wrap_sp_fleet_send");

void sp_sk_send(struct sp_session *session, const struct sp_record *record)
{
    struct sp_sk *sk = now_running;
    if (sk->norders < SP_SK_ORDERS) {
        sk->orders[sk->norders++] = (struct sp_sk_order){session->host, *record};
    }
}

static struct sp_model *make_model(uint32_t capacity)
{
    struct sp_model *model = sp_mb_new();
    (void)sp_mb_network(model, "left", NULL, SP_NET_VPC, "10.10.1.0/24");
    (void)sp_mb_network(model, "right", NULL, SP_NET_VPC, "10.10.2.0/24");
    (void)sp_mb_network(model, "third", NULL, SP_NET_VPC, "10.10.3.0/24");
    (void)sp_mb_host(model, "a", "left", "10.10.1.11", "netns");
    (void)sp_mb_host(model, "b", "right", "10.10.2.11", "netns");
    (void)sp_mb_host(model, "c", "third", "10.10.3.11", "netns");
    if (capacity > 0) {
        uint32_t point = sp_mb_enforcement(model, "fw", "left,right,third");
        model->enforcements[point].state_capacity = capacity;
        model->enforcements[point].syn_timeout_ms = 2000;
        model->enforcements[point].udp_timeout_ms = 2000;
    }
    (void)sp_mb_rule(model, SP_RULE_ALLOW, "web", "left", "right", "tcp/443,udp/53");
    (void)sp_mb_rule(model, SP_RULE_ALLOW, "time", "right", "third", "udp/123");
    return model;
}

struct sp_sk *sp_sk_start(uint32_t capacity)
{
    struct sp_sk *sk = sp_calloc(1, sizeof(*sk));
    assert_non_null(sk);
    now_running = sk;
    sk->now_us = FIRE_US;
    sp_clock_inject(mono, NULL);
    sk->model = make_model(capacity);
    const struct sp_plan_options options = {.depth = SP_DEPTH_EXHAUSTIVE, .seed = 7};
    assert_int_equal(sp_policy_new(sk->model, &sk->policy), SP_OK);
    assert_int_equal(sp_plan_new(sk->policy, sk->model, &options, &sk->plan, NULL), SP_OK);
    assert_int_equal(sp_result_new(sk->model, sk->plan, &sk->result), SP_OK);
    sk->fleet = (struct sp_fleet){.model = sk->model, .sessions = sk->sessions};
    for (uint32_t i = 0; i < SP_SK_HOSTS; i++) {
        sk->sessions[i] =
            (struct sp_session){.host = i, .state = SP_PROBE_READY, .fleet = &sk->fleet};
        sk->hosts[i].is_used = true;
    }
    sk->run = (struct sp_run_state){.model = sk->model,
                                    .policy = sk->policy,
                                    .plan = sk->plan,
                                    .fleet = &sk->fleet,
                                    .outcomes = sk->result->outcomes,
                                    .seed = 7};
    assert_int_equal(
        sp_ledger_open(NULL, sk->plan->sport_lo, sk->plan->sport_hi, 7, &sk->run.ledger), SP_OK);
    assert_int_equal(sp_lanes_build(sk->model, sk->plan, &sk->run.lanes), SP_OK);
    assert_int_equal(
        sp_scouts_build(sk->model, sk->plan, &sk->run.lanes, sk->result->outcomes, &sk->run.scouts),
        SP_OK);
    for (size_t i = 0; i < sk->run.scouts.n; i++) {
        struct sp_scouted *scouted = &sk->run.scouts.at[i];
        scouted->sent = scouted->nic = scouted->host = 2;
    }
    sk->batch = (struct sp_batch){
        .id = 5, .next_id = 1, .hosts = sk->hosts, .fleet = &sk->fleet, .fired_us = FIRE_US};
    assert_int_equal(sp_state_book_init(&sk->book, sk->model), SP_OK);
    sk->sb = (struct sp_sweep_batch){.run = &sk->run, .batch = &sk->batch, .book = &sk->book};
    assert_int_equal(sp_sweep_batch_init(&sk->sb, ROOM), SP_OK);
    return sk;
}

void sp_sk_end(struct sp_sk *sk)
{
    sp_sweep_batch_release(&sk->sb);
    sp_state_book_release(&sk->book);
    sp_scouts_release(&sk->run.scouts);
    sp_lanes_release(&sk->run.lanes);
    sp_ledger_free(sk->run.ledger);
    sp_result_free(sk->result);
    sp_plan_free(sk->plan);
    sp_policy_free(sk->policy);
    sp_mb_free(sk->model);
    sp_clock_inject(NULL, NULL);
    now_running = NULL;
    sp_free(sk);
}

uint32_t sp_sk_sweep(const struct sp_sk *sk, uint32_t from, uint32_t to, uint8_t proto)
{
    for (uint32_t i = 0; i < sk->plan->nsweeps; i++) {
        const struct sp_pair *pair = &sk->plan->pairs[sk->plan->sweeps[i].pair];
        if (pair->from == from && pair->to == to && sk->plan->sweeps[i].proto == proto) {
            return i;
        }
    }
    fail_msg("there is no such sweep");
    return SP_NONE;
}

static uint32_t ports_of(const struct sp_sk_wish *wish)
{
    return wish->ports ? wish->ports : 512;
}

void sp_sk_ports(const struct sp_sk_wish *wish, struct sp_portset *denied,
                 struct sp_portset *allowed)
{
    uint16_t last = (uint16_t)(SP_SK_LO + ports_of(wish) - 1);
    *denied = *allowed = (struct sp_portset){0};
    sp_portset_add_range(denied, SP_SK_LO, last);
    sp_portset_remove(denied, last);
    sp_portset_add(allowed, last);
}

struct sp_bundle *sp_sk_bundle(struct sp_sk *sk, struct sp_sk_wish wish)
{
    struct sp_portset denied;
    struct sp_portset allowed;
    wish.to = wish.from == wish.to ? SP_SK_B : wish.to;
    sp_sk_ports(&wish, &denied, &allowed);
    struct sp_bundle *bundle = sp_bundle_begin(&sk->sb, wish.from, wish.to);
    assert_non_null(bundle);
    for (unsigned i = 0; i < (wish.nlanes ? wish.nlanes : 1); i++) {
        uint8_t proto = i > 0 ? SP_PROTO_UDP : wish.first ? wish.first : SP_PROTO_TCP;
        assert_int_equal(sp_bundle_add(&sk->sb, bundle, sp_sk_sweep(sk, wish.from, wish.to, proto),
                                       &denied, &allowed, wish.passes ? wish.passes : 2, 0,
                                       wish.is_link),
                         SP_OK);
    }
    bundle->gap_us = wish.gap_us;
    assert_int_equal(sp_bundle_finish(&sk->sb, bundle, wish.ceiling ? wish.ceiling : 10000,
                                      wish.cell ? wish.cell : 64, wish.own_loss),
                     SP_OK);
    return bundle;
}

/* ---- what is told ---- */

void sp_sk_tell(struct sp_sk *sk, uint32_t host, struct sp_record record)
{
    sp_sweep_heard(&sk->sb, host, &record);
}

static void tell_beat(struct sp_sk *sk, const struct sp_guard_plan *guard, uint8_t kind,
                      uint32_t beat)
{
    uint32_t host = kind == SP_HEARD_LEFT || guard->flow.is_self ? guard->host : guard->flow.to;
    struct sp_record record = {.type = SP_REC_HEARD};
    record.u.heard = (struct sp_rec_heard){.batch = sk->batch.id,
                                           .block = guard->id,
                                           .kind = kind,
                                           .chunk = (uint16_t)(beat / SP_CHUNK_PORTS)};
    record.u.heard.bits[beat % SP_CHUNK_PORTS / 8] = (uint8_t)(1U << (beat % 8));
    sp_sk_tell(sk, host, record);
}

void sp_sk_beat(struct sp_sk *sk, const struct sp_guard_plan *guard, uint8_t kind, uint32_t first,
                uint32_t last)
{
    for (uint32_t beat = first; beat <= last; beat++) {
        tell_beat(sk, guard, kind, beat);
    }
}

void sp_sk_health(struct sp_sk *sk, uint32_t host)
{
    struct sp_record record = {.type = SP_REC_HEALTH};
    record.u.health = (struct sp_rec_health){
        .batch = sk->batch.id, .arrived = sk->arrived[host], .capture_drops = sk->drops[host]};
    sp_sk_tell(sk, host, record);
}

static void tell_beats(struct sp_sk *sk, const struct sp_bundle *bundle,
                       const struct sp_volley *volley, const struct sp_rec_volleyed *told)
{
    for (size_t i = 0; i < sk->sb.nguards; i++) {
        const struct sp_guard_plan *guard = &sk->sb.guards[i];
        uint32_t first = told->first_beat;
        uint32_t last = told->last_beat;
        if (guard->every_us > 0) {
            first = told->start_us > 300000 ? (told->start_us - 300000) / guard->every_us : 0;
            last = (told->end_us + 300000) / guard->every_us;
        } else if (guard->host != bundle->from) {
            continue;
        }
        for (uint32_t beat = first; beat <= last; beat++) {
            tell_beat(sk, guard, SP_HEARD_LEFT, beat);
            if (!sk->loses || !sk->loses(sk, volley, guard, beat)) {
                tell_beat(sk, guard, SP_HEARD_NIC, beat);
                tell_beat(sk, guard, SP_HEARD_HOST, beat);
            }
        }
    }
}

void sp_sk_deliver(struct sp_sk *sk, struct sp_bundle *bundle, uint32_t serial)
{
    struct sp_volley volley = bundle->volleys[serial - 1];
    uint32_t *beats = &sk->beats[bundle->from];
    uint32_t n = 2 * SP_GUARD_EDGE + volley.count / SP_GUARD_PACKETS;
    uint32_t start = (uint32_t)(sk->now_us - sk->batch.fired_us);
    struct sp_record record = {.type = SP_REC_VOLLEYED};
    struct sp_rec_volleyed *told = &record.u.volleyed;
    *told = (struct sp_rec_volleyed){
        .batch = sk->batch.id,
        .serial = serial,
        .sent = volley.count,
        .first_beat = *beats,
        .last_beat = *beats + n - 1,
        .start_us = start,
        .end_us = start + (uint32_t)((uint64_t)volley.count * 1000000 / volley.pps)};
    *beats += n;
    sk->now_us = sk->batch.fired_us + told->end_us;
    sk->arrived[bundle->to] += volley.count;
    if (sk->on_sent) {
        sk->on_sent(sk, bundle, &volley, told);
    }
    sp_sk_health(sk, bundle->to);
    sp_sk_tell(sk, bundle->from, record);
    tell_beats(sk, bundle, &volley, told);
}

static bool in_hole(struct sp_sk *sk, const struct sp_volley *volley,
                    const struct sp_guard_plan *guard, uint32_t beat)
{
    (void)volley;
    return (sk->hole.guard == SP_NONE || guard == &sk->sb.guards[sk->hole.guard]) &&
           beat >= sk->hole.from && beat <= sk->hole.to;
}

void sp_sk_lose(struct sp_sk *sk, uint32_t guard, uint32_t from, uint32_t to)
{
    sk->loses = in_hole;
    sk->hole.guard = guard;
    sk->hole.from = from;
    sk->hole.to = to;
}

void sp_sk_go(struct sp_sk *sk, struct sp_bundle *bundle, size_t first, uint32_t n)
{
    assert_true(sp_volley_send(&sk->sb, bundle, first, n));
    sp_sk_deliver(sk, bundle, (uint32_t)bundle->nvolleys);
    sk->now_us += 2000000;
    sp_volleys_judge(&sk->sb, bundle, sk->now_us);
    assert_true(bundle->volleys[bundle->nvolleys - 1].is_judged);
}

bool sp_sk_counts(const struct sp_bundle *bundle, size_t lane, size_t cell)
{
    return bundle->cells[cell].step[lane] > 0;
}

bool sp_sk_run(struct sp_sk *sk)
{
    for (unsigned turn = 0; turn < TURNS; turn++) {
        if (sp_sweep_drive(&sk->sb, sk->now_us) == UINT64_MAX) {
            return true;
        }
        bool any = false;
        for (size_t i = 0; i < sk->sb.nbundles; i++) {
            struct sp_bundle *bundle = &sk->sb.bundles[i];
            size_t n = bundle->nvolleys;
            if (n > 0 && !bundle->is_over && bundle->waiting > 0) {
                sp_sk_deliver(sk, bundle, bundle->volleys[n - bundle->waiting].serial);
                any = true;
            }
        }
        sk->now_us += any ? 0 : TURN_US;
    }
    return false;
}
