/* SPDX-License-Identifier: Apache-2.0
 *
 * What comes before a probe: bytes that are sent first, noise that is skipped, the marker by which
 * the records begin. */
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "probe/link/stream.h"
#include "tests/support/sp_cmocka.h"

#define MARKER "segproof-0123456789abcdef "

struct shy {
    struct sp_stream *stream;
    uint32_t pids[8]; /* of the ARM records, the batch number */
    size_t n, ended;
    char reason[256];
    bool is_clean;
    bool free_at_end;
    char texts[4][64];
    size_t ntexts;
    bool free_in_marker;
};

static struct event_base *base;

static void on_record(struct sp_stream *stream, const struct sp_record *record, void *arg)
{
    struct shy *s = arg;
    assert_ptr_equal(stream, s->stream);
    assert_int_equal(record->type, SP_REC_ARM);
    s->pids[s->n++ % 8] = record->u.arm.batch;
}

static void on_end(struct sp_stream *stream, const char *reason, void *arg)
{
    struct shy *s = arg;
    s->ended++;
    s->is_clean = reason == NULL;
    (void)snprintf(s->reason, sizeof(s->reason), "%s", reason ? reason : "");
    if (s->free_at_end) {
        sp_stream_free(stream);
        s->stream = NULL;
    }
}

static bool on_marker(struct sp_stream *stream, const char *text, void *arg)
{
    struct shy *s = arg;
    assert_ptr_equal(stream, s->stream);
    (void)snprintf(s->texts[s->ntexts++ % 4], sizeof(s->texts[0]), "%s", text);
    if (s->free_in_marker) {
        sp_stream_free(stream);
        s->stream = NULL;
        return false;
    }
    return strncmp(text, "run", 3) == 0;
}

static const struct sp_stream_ops shy_ops = {
    .on_record = on_record, .on_end = on_end, .on_marker = on_marker};

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

static int open_shy(struct shy *s)
{
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    assert_int_equal(sp_stream_new(base, ends[0], ends[0], &shy_ops, s, &s->stream), SP_OK);
    sp_stream_expect(s->stream, MARKER);
    return ends[1];
}

static void say(int fd, const char *text)
{
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

/* However noise, markers and records are cut, nothing of them is mixed up. */
static void noise_markers_records(void **state)
{
    (void)state;
    static const char before[] =
        "Welcome\nsegproof-0123 \n\nno end of line" MARKER "up\nmore\n" MARKER "run root login\n";
    size_t len = sizeof(before) - 1;
    for (size_t cut = 0; cut <= len; cut++) {
        struct shy s = {0};
        int fd = open_shy(&s);
        if (cut > 0) {
            assert_int_equal(write(fd, before, cut), (ssize_t)cut);
            turn(3);
        }
        assert_int_equal(s.n, 0);
        assert_int_equal(write(fd, before + cut, len - cut), (ssize_t)(len - cut));
        put(fd, 4, 0, 50);
        turn(3);
        assert_int_equal(s.ntexts, 2);
        assert_string_equal(s.texts[0], "up");
        assert_string_equal(s.texts[1], "run root login");
        put(fd, 4, 50, SP_RECORD_BYTES);
        put(fd, 5, 0, SP_RECORD_BYTES);
        turn(3);
        assert_int_equal(s.n, 2);
        assert_int_equal(s.pids[1], 5);
        (void)close(fd);
        turn(5);
        assert_int_equal(s.ended, 1);
        assert_true(s.is_clean);
        sp_stream_free(s.stream);
    }
}

/* A marker that comes after the records have begun is not looked for; a stranger's is noise. */
static void only_the_right_marker(void **state)
{
    (void)state;
    struct shy s = {0};
    int fd = open_shy(&s);
    say(fd, "segproof-0123456789abcdeX run\n");
    say(fd,
        MARKER "this line is far too long to be one of ours, and so it is skipped with all that "
               "is in it: 0123456789012345678901234567890123456789012345678901234567890123\n");
    put(fd, 1, 0, SP_RECORD_BYTES);
    turn(5);
    assert_int_equal(s.ntexts, 0);
    assert_int_equal(s.n, 0);
    say(fd, MARKER "run\n");
    put(fd, 2, 0, SP_RECORD_BYTES);
    turn(5);
    assert_int_equal(s.n, 1);
    assert_int_equal(s.pids[0], 2);
    say(fd, MARKER "run\n");
    for (size_t i = 0; i < SP_RECORD_BYTES; i++) {
        say(fd, "x");
    }
    turn(5);
    assert_int_equal(s.ntexts, 1);
    assert_false(s.is_clean); /* bytes that are no record */
    sp_stream_free(s.stream);
    (void)close(fd);
}

static void the_noise_is_told(void **state)
{
    (void)state;
    for (int free_at_end = 0; free_at_end < 2; free_at_end++) {
        struct shy s = {.free_at_end = free_at_end};
        int fd = open_shy(&s);
        say(fd, "first\r\nThis account is currently not \x1b[31mavailable.\r\n");
        if (!free_at_end) {
            turn(5);
        }
        (void)close(fd);
        turn(5);
        assert_int_equal(s.ended, 1);
        assert_true(s.is_clean);
        if (!free_at_end) {
            assert_string_equal(sp_stream_noise(s.stream),
                                "This account is currently not ?[31mavailable.");
            sp_stream_free(s.stream);
        }
    }
}

static void too_much_noise(void **state)
{
    (void)state;
    for (int free_at_end = 0; free_at_end < 2; free_at_end++) {
        struct shy s = {.free_at_end = free_at_end};
        int fd = open_shy(&s);
        assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
        for (size_t sent = 0; sent < SP_STREAM_NOISE_MAX && !s.ended; sent += 64) {
            say(fd, "0123456789012345678901234567890123456789012345678901234567890123");
            turn(1);
        }
        assert_int_equal(s.ended, 0); /* so much is allowed */
        say(fd, "01234567890123456789012345678901234567890123456789012345678901\n");
        say(fd, MARKER "run\n");
        turn(5);
        assert_int_equal(s.ended, 1);
        assert_int_equal(s.ntexts, 0);
        if (!free_at_end) {
            assert_non_null(strstr(s.reason, "64 KiB"));
            sp_stream_free(s.stream);
        }
        (void)close(fd);
    }
}

static void freed_in_the_marker(void **state)
{
    (void)state;
    struct shy s = {.free_in_marker = true};
    int fd = open_shy(&s);
    say(fd, MARKER "run\n");
    put(fd, 1, 0, SP_RECORD_BYTES);
    turn(5);
    assert_int_equal(s.ntexts, 1);
    assert_int_equal(s.n, 0);
    (void)close(fd);
    turn(5);
    assert_int_equal(s.ended, 0);
}

/* A peer that takes no more of what is sent first still says why. */
static void a_peer_that_hangs_up_in_the_lead(void **state)
{
    (void)state;
    static uint8_t body[4U << 20];
    struct shy s = {0};
    int fd = open_shy(&s);
    assert_int_equal(sp_stream_send_bytes(s.stream, "lead", 4, body, sizeof(body)), SP_OK);
    assert_int_equal(sp_stream_waiting(s.stream), sizeof(body) + 4);
    turn(3);
    say(fd, "go away\n");
    (void)close(fd);
    turn(20);
    assert_int_equal(s.ended, 1);
    assert_string_equal(sp_stream_noise(s.stream), "go away");
    sp_stream_free(s.stream);
}

/* The bytes come in order, before any record, and the body is shared without a copy. */
static void lead_and_body(void **state)
{
    (void)state;
    static uint8_t body[1U << 20];
    struct shy s[3] = {0};
    int fds[3];
    for (size_t i = 0; i < sizeof(body); i++) {
        body[i] = (uint8_t)(i * 7 >> 3);
    }
    for (size_t k = 0; k < 3; k++) {
        fds[k] = open_shy(&s[k]);
        assert_int_equal(fcntl(fds[k], F_SETFL, O_NONBLOCK), 0);
        assert_int_equal(sp_stream_send_bytes(s[k].stream, "lead", 4, body, sizeof(body)), SP_OK);
        const struct sp_record r = arm((uint32_t)k);
        sp_stream_send(s[k].stream, &r);
    }
    static uint8_t got[sizeof(body) + 4 + SP_RECORD_BYTES];
    for (size_t k = 0; k < 3; k++) {
        size_t n = 0;
        for (int i = 0; i < 20000 && n < sizeof(got); i++) {
            ssize_t more = read(fds[k], got + n, sizeof(got) - n);
            n += more > 0 ? (size_t)more : 0;
            turn(1);
        }
        struct sp_record r;
        assert_int_equal(n, sizeof(got));
        assert_memory_equal(got, "lead", 4);
        assert_memory_equal(got + 4, body, sizeof(body));
        assert_int_equal(sp_record_decode(got + 4 + sizeof(body), &r, NULL), SP_OK);
        assert_int_equal(r.u.arm.batch, k);
        sp_stream_free(s[k].stream);
        (void)close(fds[k]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(noise_markers_records), cmocka_unit_test(only_the_right_marker),
        cmocka_unit_test(the_noise_is_told),     cmocka_unit_test(too_much_noise),
        cmocka_unit_test(freed_in_the_marker),   cmocka_unit_test(a_peer_that_hangs_up_in_the_lead),
        cmocka_unit_test(lead_and_body),
    };
    return cmocka_run_group_tests_name("stream_marker", tests, set_up, tear_down);
}
