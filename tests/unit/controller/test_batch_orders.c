/* SPDX-License-Identifier: Apache-2.0
 *
 * A batch as its probes hear it: one end of a socket pair is the session's stream, the other is
 * read here as a probe would. */
#include "controller/batch_orders.h"

#include <event2/event.h>
#include <string.h>
#include <sys/socket.h>

#include "probe/base/mem.h"
#include "probe/techniques/registry.h"
#include "tests/support/sp_cmocka.h"

#define HOSTS   4U
#define HEARD   64U
#define WEB_1   0U
#define WEB_2   1U
#define V6_ONLY 2U
#define CLIENT  3U
#define SHOP    HOSTS /* the balancer's target */

struct world {
    struct event_base *base;
    struct sp_model model;
    struct sp_host hosts[HOSTS];
    struct sp_addr addrs[HOSTS];
    char via[8];
    char source[16];
    struct sp_listener listener;
    uint32_t backends[3], receivers[3];
    struct sp_balancer balancer;
    struct sp_session sessions[HOSTS];
    struct sp_fleet fleet;
    struct sp_stream *ends[HOSTS];
    struct sp_host_batch host_batches[HOSTS];
    struct sp_batch batch;
    struct sp_block_plan blocks[4];
    struct sp_shot_seen shots[8];
    struct sp_record heard[HOSTS][HEARD];
    size_t nheard[HOSTS];
};

static struct world *w;

static void on_record(struct sp_stream *stream, const struct sp_record *record, void *arg)
{
    size_t host = (size_t)((struct sp_stream **)arg - w->ends);
    (void)stream;
    assert_true(w->nheard[host] < HEARD);
    w->heard[host][w->nheard[host]++] = *record;
}

static void on_end(struct sp_stream *stream, const char *reason, void *arg)
{
    (void)stream;
    (void)arg;
    fail_msg("the stream ended: %s", reason ? reason : "cleanly");
}

static const struct sp_stream_ops ops = {.on_record = on_record, .on_end = on_end};

static struct sp_addr ip(uint8_t last)
{
    const uint8_t bytes[4] = {10, 0, 0, last};
    return sp_addr_from_bytes(SP_FAMILY_IPV4, bytes);
}

static void connect_host(uint32_t h)
{
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    w->sessions[h].host = h;
    assert_int_equal(
        sp_stream_new(w->base, fds[0], fds[0], &ops, &w->ends[h], &w->sessions[h].stream), SP_OK);
    assert_int_equal(sp_stream_new(w->base, fds[1], fds[1], &ops, &w->ends[h], &w->ends[h]), SP_OK);
}

static int setup(void **state)
{
    (void)state;
    w = sp_calloc(1, sizeof(*w));
    assert_non_null(w);
    w->base = event_base_new();
    assert_non_null(w->base);
    (void)memcpy(w->via, "local", 6);
    for (uint32_t h = 0; h < HOSTS; h++) {
        const uint8_t bytes[16] = {0xfd, [15] = 3};
        w->addrs[h] =
            h == V6_ONLY ? sp_addr_from_bytes(SP_FAMILY_IPV6, bytes) : ip((uint8_t)(h + 1));
        w->hosts[h] =
            (struct sp_host){.via = w->via, .addrs = &w->addrs[h], .naddrs = 1, .network = SP_NONE};
        w->host_batches[h].is_used = true;
        connect_host(h);
    }
    w->backends[1] = w->receivers[1] = WEB_2;
    w->backends[2] = w->receivers[2] = V6_ONLY;
    w->listener = (struct sp_listener){.port = {.proto = SP_PROTO_TCP, .lo = 443, .hi = 443},
                                       .backends = w->backends,
                                       .nbackends = 3,
                                       .backend_port = 8443,
                                       .source = w->source};
    (void)memcpy(w->source, "preserved", 10);
    w->balancer = (struct sp_balancer){
        .listeners = &w->listener, .nlisteners = 1, .receivers = w->receivers, .nreceivers = 3};
    w->model = (struct sp_model){
        .hosts = w->hosts, .nhosts = HOSTS, .balancers = &w->balancer, .nbalancers = 1};
    w->fleet = (struct sp_fleet){.model = &w->model, .sessions = w->sessions};
    w->batch = (struct sp_batch){.fleet = &w->fleet,
                                 .id = 7,
                                 .blocks = w->blocks,
                                 .shots = w->shots,
                                 .hosts = w->host_batches};
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    for (uint32_t h = 0; h < HOSTS; h++) {
        sp_stream_free(w->sessions[h].stream);
        sp_stream_free(w->ends[h]);
    }
    event_base_free(w->base);
    sp_free(w);
    return 0;
}

/* A conversation (or a plain SYN) from the client to a target, with shots on these two ports. */
static void add_block(uint32_t to, bool talks, uint16_t port_a, uint16_t port_b)
{
    const struct sp_technique_info *info = sp_technique_find(talks ? "tcp_handshake" : "tcp_syn");
    assert_non_null(info);
    uint32_t row = (uint32_t)w->batch.nblocks++;
    w->blocks[row] = (struct sp_block_plan){.from = CLIENT,
                                            .to = to,
                                            .src = w->addrs[CLIENT],
                                            .dst = ip(99),
                                            .src_seen = w->addrs[CLIENT],
                                            .own = to < HOSTS ? w->addrs[to] : ip(99),
                                            .technique = (uint8_t)sp_technique_index(info),
                                            .attempts = 2,
                                            .first = (uint16_t)(row * 2),
                                            .talks = talks};
    const uint16_t ports[] = {port_a, port_b};
    for (uint16_t i = 0; i < 2; i++) {
        w->shots[w->batch.nshots] = (struct sp_shot_seen){.block = row,
                                                          .attempt = i,
                                                          .port = ports[i],
                                                          .sport = (uint16_t)(40000 + i),
                                                          .at_us = 1000U - 500U * i};
        w->batch.nshots++;
    }
}

static void listen_on(uint32_t host, struct sp_listening *listening, uint16_t port)
{
    *listening = (struct sp_listening){.proto = SP_PROTO_TCP, .port = port, .addr = w->addrs[host]};
    w->sessions[host].listeners = listening;
    w->sessions[host].nlisteners = 1;
}

static void hear(void)
{
    (void)memset(w->nheard, 0, sizeof(w->nheard));
    for (int i = 0; i < 10; i++) {
        (void)event_base_loop(w->base, EVLOOP_NONBLOCK);
    }
}

static void set_up(uint32_t host)
{
    const struct sp_rec_batch head = {.batch = 7};
    assert_int_equal(sp_batch_send_setup(&w->batch, host, &head), SP_OK);
    hear();
}

static size_t count(uint32_t host, uint8_t type)
{
    size_t n = 0;
    for (size_t i = 0; i < w->nheard[host]; i++) {
        n += w->heard[host][i].type == type;
    }
    return n;
}

static const struct sp_record *first(uint32_t host, uint8_t type)
{
    for (size_t i = 0; i < w->nheard[host]; i++) {
        if (w->heard[host][i].type == type) {
            return &w->heard[host][i];
        }
    }
    fail_msg("no record of type %u", type);
    return NULL;
}

static void backends_get_their_own_address(void **state)
{
    (void)state;
    add_block(SHOP, true, 443, 443);
    set_up(WEB_2);
    assert_int_equal(w->heard[WEB_2][0].type, SP_REC_BATCH);
    assert_int_equal(w->heard[WEB_2][w->nheard[WEB_2] - 1].type, SP_REC_ARM);
    assert_int_equal(count(WEB_2, SP_REC_BLOCK), 1);
    const struct sp_rec_block *block = &first(WEB_2, SP_REC_BLOCK)->u.block;
    assert_true(sp_addr_eq(&block->dst, &w->addrs[WEB_2])); /* not the balancer's */
    assert_int_equal(block->flags, SP_BLOCK_RECEIVER);
    assert_string_equal((const char *)block->technique, "tcp_handshake");
    set_up(CLIENT);
    const struct sp_addr vip = ip(99);
    block = &first(CLIENT, SP_REC_BLOCK)->u.block;
    assert_true(sp_addr_eq(&block->dst, &vip));
    assert_int_equal(block->flags, SP_BLOCK_SENDER);
    assert_int_equal(count(CLIENT, SP_REC_STANDIN), 0);
    set_up(V6_ONLY); /* a backend without an address of the family takes no part */
    assert_int_equal(count(V6_ONLY, SP_REC_BLOCK), 0);
    assert_int_equal(count(V6_ONLY, SP_REC_STANDIN), 0);
    (void)memcpy(w->source, "rewritten", 10); /* but a proxy may reach it */
    set_up(V6_ONLY);
    assert_true(sp_addr_eq(&first(V6_ONLY, SP_REC_BLOCK)->u.block.dst, &w->addrs[V6_ONLY]));
    assert_true(sp_addr_eq(&first(V6_ONLY, SP_REC_STANDIN)->u.standin.addr, &w->addrs[V6_ONLY]));
}

/* Somebody else may have taken the port: what would go there is not even ordered. */
/* Right behind their block, for who sends alone. */
static void outer_packets_are_for_the_sender(void **state)
{
    (void)state;
    add_block(WEB_2, false, 22, 23);
    struct sp_block_plan *block = &w->blocks[0];
    block->nouters = 2;
    block->outers[0] = (struct sp_plan_outer){.src = ip(4), .dst = ip(2), .vni = 1};
    block->outers[1] = (struct sp_plan_outer){.src = ip(4), .dst = ip(9), .vni = 77, .mac = 5};
    set_up(WEB_2);
    assert_int_equal(count(WEB_2, SP_REC_BLOCK), 1);
    assert_int_equal(count(WEB_2, SP_REC_OUTER), 0);
    set_up(CLIENT);
    assert_int_equal(count(CLIENT, SP_REC_OUTER), 2);
    const struct sp_record *at = first(CLIENT, SP_REC_BLOCK);
    for (size_t i = 0; i < 2; i++) {
        const struct sp_rec_outer *outer = &at[i + 1].u.outer;
        assert_int_equal(at[i + 1].type, SP_REC_OUTER);
        assert_int_equal(outer->block, at->u.block.block);
        assert_int_equal(outer->batch, 7);
        assert_true(sp_addr_eq(&outer->src, &block->outers[i].src));
        assert_true(sp_addr_eq(&outer->dst, &block->outers[i].dst));
        assert_true(outer->vni == block->outers[i].vni && outer->mac == block->outers[i].mac);
    }
}

static void nothing_is_sent_without_a_standin(void **state)
{
    (void)state;
    add_block(SHOP, true, 443, 443);
    w->shots[1].no_standin = true;
    assert_int_equal(sp_batch_send_shots(&w->batch), SP_OK);
    hear();
    assert_int_equal(count(CLIENT, SP_REC_SHOT), 1);
}

static void standins_are_asked_for_once_per_place(void **state)
{
    (void)state;
    add_block(SHOP, true, 443, 443);
    add_block(SHOP, true, 443, 443);
    set_up(WEB_1);
    assert_int_equal(count(WEB_1, SP_REC_STANDIN), 1);
    const struct sp_rec_standin *standin = &first(WEB_1, SP_REC_STANDIN)->u.standin;
    assert_int_equal(standin->batch, 7);
    assert_int_equal(standin->proto, SP_PROTO_TCP);
    assert_int_equal(standin->port, 8443); /* the backend's port */
    assert_true(sp_addr_eq(&standin->addr, &w->addrs[WEB_1]));
    add_block(WEB_1, true, 80, 81); /* two places more */
    set_up(WEB_1);
    assert_int_equal(count(WEB_1, SP_REC_STANDIN), 3);
}

static void services_and_plain_packets_need_none(void **state)
{
    (void)state;
    struct sp_listening listening;
    add_block(SHOP, true, 443, 443);
    listen_on(WEB_1, &listening, 8443);
    set_up(WEB_1);
    assert_int_equal(count(WEB_1, SP_REC_STANDIN), 0); /* the service takes it */
    assert_int_equal(count(WEB_1, SP_REC_BLOCK), 1);
    set_up(WEB_2);
    assert_int_equal(count(WEB_2, SP_REC_STANDIN), 1);
    w->batch.nblocks = 0;
    w->batch.nshots = 0;
    add_block(SHOP, false, 22, 23);
    set_up(WEB_2);
    assert_int_equal(count(WEB_2, SP_REC_STANDIN), 0);
    assert_int_equal(count(WEB_2, SP_REC_BLOCK), 1); /* who looks whether it leaks */
}

static void shots_go_to_their_sender_in_order(void **state)
{
    (void)state;
    add_block(SHOP, true, 443, 443);
    assert_int_equal(sp_batch_send_shots(&w->batch), SP_OK);
    hear();
    assert_int_equal(count(CLIENT, SP_REC_SHOT), 2);
    assert_int_equal(count(WEB_1, SP_REC_SHOT), 0);
    assert_int_equal(w->heard[CLIENT][0].u.shot.at_us, 500);
    assert_int_equal(w->heard[CLIENT][1].u.shot.at_us, 1000);
    assert_int_equal(w->heard[CLIENT][0].u.shot.block, 1);  /* its second attempt */
    assert_int_equal(w->heard[CLIENT][0].u.shot.port, 443); /* the balancer's */
}

static void orders_reach_who_takes_part(void **state)
{
    (void)state;
    static const uint8_t types[] = {SP_REC_FIRE, SP_REC_COLLECT};
    w->host_batches[WEB_2].is_lost = true;
    w->host_batches[V6_ONLY].is_used = false;
    for (size_t i = 0; i < SP_ARRAY_LEN(types); i++) {
        sp_batch_send_all(&w->batch, types[i]);
        hear();
        assert_int_equal(count(WEB_1, types[i]), 1);
        assert_int_equal(count(WEB_2, types[i]), 0);
        assert_int_equal(count(V6_ONLY, types[i]), 0);
        assert_int_equal(count(CLIENT, types[i]), 1);
    }
    assert_int_equal(first(WEB_1, SP_REC_COLLECT)->u.collect.batch, 7);
}

static void who_receives_and_where(void **state)
{
    (void)state;
    add_block(SHOP, true, 443, 22);
    add_block(WEB_1, false, 443, 22);
    assert_true(sp_batch_receives(&w->batch, &w->blocks[0], WEB_1));
    assert_true(sp_batch_receives(&w->batch, &w->blocks[0], V6_ONLY));
    assert_false(sp_batch_receives(&w->batch, &w->blocks[0], CLIENT));
    assert_true(sp_batch_receives(&w->batch, &w->blocks[1], WEB_1));
    assert_false(sp_batch_receives(&w->batch, &w->blocks[1], WEB_2));
    assert_int_equal(sp_batch_port_at(&w->batch, &w->shots[0]), 8443);
    assert_int_equal(sp_batch_port_at(&w->batch, &w->shots[1]), 22);  /* no listener */
    assert_int_equal(sp_batch_port_at(&w->batch, &w->shots[2]), 443); /* a host */
}

static void out_of_memory_is_told(void **state)
{
    (void)state;
    const struct sp_rec_batch head = {.batch = 7};
    add_block(SHOP, true, 443, 443);
    (void)sp_mem_fail_at(1, 1);
    enum sp_rc shots = sp_batch_send_shots(&w->batch);
    enum sp_rc setup_rc = sp_batch_send_setup(&w->batch, WEB_1, &head);
    (void)sp_mem_fail_at(0, 0);
    assert_int_equal(shots, SP_E_NOMEM);
    assert_int_equal(setup_rc, SP_E_NOMEM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(backends_get_their_own_address, setup, teardown),
        cmocka_unit_test_setup_teardown(outer_packets_are_for_the_sender, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_is_sent_without_a_standin, setup, teardown),
        cmocka_unit_test_setup_teardown(standins_are_asked_for_once_per_place, setup, teardown),
        cmocka_unit_test_setup_teardown(services_and_plain_packets_need_none, setup, teardown),
        cmocka_unit_test_setup_teardown(shots_go_to_their_sender_in_order, setup, teardown),
        cmocka_unit_test_setup_teardown(orders_reach_who_takes_part, setup, teardown),
        cmocka_unit_test_setup_teardown(who_receives_and_where, setup, teardown),
        cmocka_unit_test_setup_teardown(out_of_memory_is_told, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
