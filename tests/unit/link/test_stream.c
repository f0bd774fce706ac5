/* SPDX-License-Identifier: Apache-2.0
 *
 * Records over a byte stream: whole, in order, however the bytes are cut; a clean end and a broken
 * one are told apart; a stream may be freed anywhere inside its callbacks. */
#include "probe/link/stream.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "probe/base/mem.h"
#include "tests/support/sp_cmocka.h"

struct end {
    struct sp_stream *stream;
    uint32_t pids[8192]; /* of the ARM records, the batch number */
    size_t n, ended, drained;
    char reason[256];
    bool is_clean;
    size_t free_at;     /* free the stream inside the callback of the n-th record */
    bool free_at_end;   /* free it inside on_end */
    size_t pause_at;    /* pause inside the callback of the n-th record */
    bool resume_inside; /* and resume there too */
};

static struct event_base *base;

static void on_record(struct sp_stream *stream, const struct sp_record *record, void *arg)
{
    struct end *e = arg;
    assert_ptr_equal(stream, e->stream);
    assert_int_equal(record->type, SP_REC_ARM);
    e->pids[e->n++] = record->u.arm.batch;
    if (e->n == e->free_at) {
        sp_stream_free(stream);
        e->stream = NULL;
    } else if (e->n == e->pause_at) {
        sp_stream_pause(stream, true);
        if (e->resume_inside) {
            sp_stream_pause(stream, false);
        }
    }
}

static void on_end(struct sp_stream *stream, const char *reason, void *arg)
{
    struct end *e = arg;
    e->ended++;
    e->is_clean = reason == NULL;
    (void)snprintf(e->reason, sizeof(e->reason), "%s", reason ? reason : "");
    if (e->free_at_end) {
        sp_stream_free(stream);
        e->stream = NULL;
    }
}

static void on_drained(struct sp_stream *stream, void *arg)
{
    struct end *e = arg;
    assert_ptr_equal(stream, e->stream);
    e->drained++;
}

static const struct sp_stream_ops ops = {
    .on_record = on_record, .on_end = on_end, .on_drained = on_drained};

static int set_up(void **state)
{
    (void)state;
    const struct sigaction ignore = {.sa_handler = SIG_IGN};
    (void)sigaction(SIGPIPE, &ignore, NULL);
    base = event_base_new();
    return base ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    event_base_free(base);
    return 0;
}

static void turn(int times)
{
    for (int i = 0; i < times; i++) {
        (void)event_base_loop(base, EVLOOP_NONBLOCK);
    }
}

/* Opens a stream on one end of a pair; gives the other end. */
static int open_one(struct end *e)
{
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    assert_int_equal(sp_stream_new(base, ends[0], ends[0], &ops, e, &e->stream), SP_OK);
    return ends[1];
}

static struct sp_record arm(uint32_t batch)
{
    struct sp_record r = {.type = SP_REC_ARM};
    r.u.arm.batch = batch;
    return r;
}

static void put(int fd, uint32_t batch, size_t from, size_t to)
{
    uint8_t bytes[SP_RECORD_BYTES];
    const struct sp_record r = arm(batch);
    sp_record_encode(&r, bytes);
    assert_int_equal(write(fd, bytes + from, to - from), (ssize_t)(to - from));
}

static void two_ends(void **state)
{
    (void)state;
    int ends[2];
    static struct end a;
    static struct end b;
    memset(&a, 0, sizeof(a));
    memset(&b, 0, sizeof(b));
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    assert_int_equal(sp_stream_new(base, ends[0], ends[0], &ops, &a, &a.stream), SP_OK);
    assert_int_equal(sp_stream_new(base, ends[1], ends[1], &ops, &b, &b.stream), SP_OK);
    for (uint32_t i = 0; i < 3000; i++) {
        struct sp_record r = arm(i);
        sp_stream_send(a.stream, &r);
        r = arm(i + 7);
        sp_stream_send(b.stream, &r);
    }
    turn(500);
    assert_int_equal(a.n, 3000);
    assert_int_equal(b.n, 3000);
    for (uint32_t i = 0; i < 3000; i++) {
        assert_int_equal(b.pids[i], i);
        assert_int_equal(a.pids[i], i + 7);
    }
    assert_int_equal(sp_stream_waiting(a.stream), 0);
    assert_true(a.drained > 0);
    sp_stream_free(a.stream);
    turn(10);
    assert_int_equal(b.ended, 1);
    assert_true(b.is_clean);
    sp_stream_free(b.stream);
    sp_stream_free(NULL);
}

static void any_cut_of_the_bytes(void **state)
{
    (void)state;
    for (size_t cut = 1; cut < SP_RECORD_BYTES; cut++) {
        struct end e = {0};
        int fd = open_one(&e);
        put(fd, 5, 0, cut);
        turn(3);
        assert_int_equal(e.n, 0);
        put(fd, 5, cut, SP_RECORD_BYTES);
        put(fd, 6, 0, SP_RECORD_BYTES);
        turn(3);
        assert_int_equal(e.n, 2);
        assert_int_equal(e.pids[0], 5);
        assert_int_equal(e.pids[1], 6);
        put(fd, 7, 0, cut); /* and the end comes inside a record */
        (void)close(fd);
        turn(5);
        assert_int_equal(e.ended, 1);
        assert_false(e.is_clean);
        assert_string_equal(e.reason, "the stream ended inside a record");
        assert_int_equal(e.n, 2);
        sp_stream_free(e.stream);
    }
}

static void the_last_record_before_the_end(void **state)
{
    (void)state;
    struct end e = {0};
    int fd = open_one(&e);
    put(fd, 1, 0, SP_RECORD_BYTES);
    (void)close(fd);
    turn(5);
    assert_int_equal(e.n, 1);
    assert_int_equal(e.ended, 1);
    assert_true(e.is_clean);
    sp_stream_free(e.stream);
}

static void bytes_that_are_no_record(void **state)
{
    (void)state;
    for (int free_at_end = 0; free_at_end < 2; free_at_end++) {
        struct end e = {.free_at_end = free_at_end};
        int fd = open_one(&e);
        uint8_t bad[SP_RECORD_BYTES] = {200};
        put(fd, 1, 0, SP_RECORD_BYTES);
        assert_int_equal(write(fd, bad, sizeof(bad)), (ssize_t)sizeof(bad));
        put(fd, 2, 0, SP_RECORD_BYTES); /* what comes after it is not looked at */
        turn(5);
        assert_int_equal(e.n, 1);
        assert_int_equal(e.ended, 1);
        assert_false(e.is_clean);
        assert_non_null(strstr(e.reason, "unknown record type 200"));
        if (!free_at_end) {
            put(fd, 3, 0, SP_RECORD_BYTES);
            turn(5);
            assert_int_equal(e.n, 1);
            assert_int_equal(e.ended, 1);
            sp_stream_pause(e.stream, false); /* a dead stream does not come back */
            turn(5);
            assert_int_equal(e.n, 1);
            sp_stream_free(e.stream);
        }
        (void)close(fd);
    }
}

static void freed_inside_a_callback(void **state)
{
    (void)state;
    for (size_t at = 1; at <= 3; at++) {
        struct end e = {.free_at = at};
        int fd = open_one(&e);
        for (uint32_t i = 0; i < 3; i++) {
            put(fd, i, 0, SP_RECORD_BYTES);
        }
        turn(5);
        assert_int_equal(e.n, at);
        assert_int_equal(e.ended, 0);
        (void)close(fd);
        turn(5);
        assert_int_equal(e.ended, 0);
    }
    struct end e = {.free_at_end = true};
    int fd = open_one(&e);
    (void)close(fd);
    turn(5);
    assert_int_equal(e.ended, 1);
}

/* A paused stream leaves the bytes in the kernel, and goes on where it was. */
static void paused_and_resumed(void **state)
{
    (void)state;
    struct end e = {0};
    int fd = open_one(&e);
    sp_stream_pause(e.stream, true);
    for (uint32_t i = 0; i < 10; i++) {
        put(fd, i, 0, SP_RECORD_BYTES);
    }
    turn(5);
    assert_int_equal(e.n, 0);
    sp_stream_pause(e.stream, false);
    turn(5);
    assert_int_equal(e.n, 10);
    sp_stream_free(e.stream);
    (void)close(fd);
}

/* Resuming from inside the stream's own callback neither loses nor reorders, and freeing it right
 * after is still safe. */
static void resumed_inside_its_own_callback(void **state)
{
    (void)state;
    struct end e = {.pause_at = 2, .resume_inside = true, .free_at = 4};
    int fd = open_one(&e);
    for (uint32_t i = 0; i < 6; i++) {
        put(fd, i, 0, SP_RECORD_BYTES);
    }
    turn(5);
    assert_int_equal(e.n, 4);
    for (uint32_t i = 0; i < 4; i++) {
        assert_int_equal(e.pids[i], i);
    }
    (void)close(fd);
}

/* A peer that does not read makes the bytes wait here, visibly; when it reads, they drain. */
static void a_peer_that_does_not_read(void **state)
{
    (void)state;
    struct end e = {0};
    int fd = open_one(&e);
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    while (sp_stream_waiting(e.stream) <= SP_STREAM_HIGH_WATER) {
        const struct sp_record r = arm(1);
        sp_stream_send(e.stream, &r);
    }
    turn(5);
    assert_true(sp_stream_waiting(e.stream) > SP_STREAM_HIGH_WATER / 2);
    assert_int_equal(e.drained, 0);
    for (int i = 0; i < 2000 && sp_stream_waiting(e.stream) > 0; i++) {
        static uint8_t sink[65536];
        (void)!read(fd, sink, sizeof(sink));
        turn(1);
    }
    assert_int_equal(sp_stream_waiting(e.stream), 0);
    assert_true(e.drained > 0);
    sp_stream_free(e.stream);
    (void)close(fd);
}

static void a_peer_that_is_gone(void **state)
{
    (void)state;
    struct end e = {0};
    int fd = open_one(&e);
    (void)close(fd);
    const struct sp_record r = arm(1);
    sp_stream_send(e.stream, &r);
    turn(10);
    assert_int_equal(e.ended, 1); /* once, whichever way it was noticed */
    sp_stream_send(e.stream, &r);
    turn(10);
    assert_int_equal(e.ended, 1);
    sp_stream_free(e.stream);
}

static void two_descriptors(void **state)
{
    (void)state;
    int in[2];
    int out[2];
    struct end e = {0};
    uint8_t bytes[SP_RECORD_BYTES];
    struct sp_record got;
    assert_int_equal(pipe(in), 0);
    assert_int_equal(pipe(out), 0);
    assert_int_equal(sp_stream_new(base, in[0], out[1], &ops, &e, &e.stream), SP_OK);
    put(in[1], 9, 0, SP_RECORD_BYTES);
    const struct sp_record r = arm(10);
    sp_stream_send(e.stream, &r);
    turn(5);
    assert_int_equal(e.n, 1);
    assert_int_equal(read(out[0], bytes, sizeof(bytes)), (ssize_t)sizeof(bytes));
    assert_int_equal(sp_record_decode(bytes, &got, NULL), SP_OK);
    assert_int_equal(got.u.arm.batch, 10);
    (void)close(in[1]);
    turn(5);
    assert_int_equal(e.ended, 1);
    assert_true(e.is_clean);
    sp_stream_free(e.stream);
    turn(2); /* libevent closes them in its loop */
    (void)close(out[0]);
    assert_int_equal(fcntl(in[0], F_GETFD), -1); /* it owned both */
    assert_int_equal(fcntl(out[1], F_GETFD), -1);
}

/* A failure to open closes what was taken. */
static void opening_fails(void **state)
{
    (void)state;
    for (int same = 0; same < 2; same++) {
        int in[2];
        int out[2];
        struct end e = {0};
        assert_int_equal(pipe(in), 0);
        assert_int_equal(pipe(out), 0);
        (void)sp_mem_fail_at(1, 0);
        assert_int_equal(sp_stream_new(base, in[0], same ? in[0] : out[1], &ops, &e, &e.stream),
                         SP_E_NOMEM);
        (void)sp_mem_fail_at(0, 0);
        assert_int_equal(fcntl(in[0], F_GETFD), -1);
        if (!same) {
            assert_int_equal(fcntl(out[1], F_GETFD), -1);
        } else {
            (void)close(out[1]);
        }
        (void)close(in[1]);
        (void)close(out[0]);
    }
    struct end e = {0};
    int pair[2];
    assert_int_equal(pipe(pair), 0);
    assert_int_not_equal(sp_stream_new(base, -1, pair[1], &ops, &e, &e.stream), SP_OK);
    assert_int_equal(fcntl(pair[1], F_GETFD), -1);
    assert_int_not_equal(sp_stream_new(base, pair[0], -1, &ops, &e, &e.stream), SP_OK);
    turn(2);
    assert_int_equal(fcntl(pair[0], F_GETFD), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_ends),
        cmocka_unit_test(any_cut_of_the_bytes),
        cmocka_unit_test(the_last_record_before_the_end),
        cmocka_unit_test(bytes_that_are_no_record),
        cmocka_unit_test(freed_inside_a_callback),
        cmocka_unit_test(paused_and_resumed),
        cmocka_unit_test(resumed_inside_its_own_callback),
        cmocka_unit_test(a_peer_that_does_not_read),
        cmocka_unit_test(a_peer_that_is_gone),
        cmocka_unit_test(two_descriptors),
        cmocka_unit_test(opening_fails),
    };
    return cmocka_run_group_tests_name("stream", tests, set_up, tear_down);
}
