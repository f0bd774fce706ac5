/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/ask.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "probe/base/clock.h"
#include "probe/base/cursor.h"
#include "probe/base/proto.h"
#include "probe/tcpsock.h"

#define SP_ASK_MAGIC 0x5350736bU

void sp_ask_encode(const struct sp_ask *ask, uint8_t out[static SP_ASK_BYTES])
{
    struct sp_wr wr;
    memset(out, 0, SP_ASK_BYTES);
    sp_wr_init(&wr, out, SP_ASK_BYTES);
    sp_wr_u32(&wr, SP_ASK_MAGIC);
    sp_wr_u8(&wr, ask->proto);
    sp_wr_u8(&wr, ask->addr.family);
    sp_wr_u16(&wr, ask->port);
    sp_wr_u32(&wr, ask->iface);
    sp_wr_bytes(&wr, ask->addr.bytes, sizeof(ask->addr.bytes));
}

bool sp_ask_decode(const uint8_t *bytes, size_t len, struct sp_ask *ret_ask)
{
    struct sp_ask ask = {0};
    struct sp_rd rd;
    sp_rd_init(&rd, bytes, len);
    uint32_t magic = sp_rd_u32(&rd);
    ask.proto = sp_rd_u8(&rd);
    ask.addr.family = sp_rd_u8(&rd);
    ask.port = sp_rd_u16(&rd);
    ask.iface = sp_rd_u32(&rd);
    sp_rd_bytes(&rd, ask.addr.bytes, sizeof(ask.addr.bytes));
    uint32_t rest = sp_rd_u32(&rd);
    if (rd.bad || sp_rd_left(&rd) != 0 || magic != SP_ASK_MAGIC || rest != 0 ||
        ask.proto != SP_PROTO_TCP || ask.port == 0) {
        return false;
    }
    if (ask.addr.family != SP_FAMILY_IPV4 && ask.addr.family != SP_FAMILY_IPV6) {
        return false;
    }
    uint8_t used = 0;
    uint8_t unused = 0;
    size_t n = sp_addr_len(&ask.addr);
    for (size_t i = 0; i < sizeof(ask.addr.bytes); i++) {
        if (i < n) {
            used |= ask.addr.bytes[i];
        } else {
            unused |= ask.addr.bytes[i];
        }
    }
    if (used == 0 || unused != 0) {
        return false;
    }
    *ret_ask = ask;
    return true;
}

/* One message of four bytes, with a descriptor or without. */
static bool answer(int to, uint32_t err, int fd)
{
    char space[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8)));
    struct iovec iov = {&err, sizeof(err)};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    if (err == 0) {
        memset(space, 0, sizeof(space));
        msg.msg_control = space;
        msg.msg_controllen = sizeof(space);
        struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(c), &fd, sizeof(fd));
    }
    return sendmsg(to, &msg, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)sizeof(err);
}

/* A bucket that is as full as the time since it was last empty. */
static bool may(struct sp_ask_limit *limit)
{
    uint64_t now = sp_mono_us();
    uint64_t burst = (uint64_t)SP_ASK_BURST * SP_ASK_EVERY;
    uint64_t oldest = now > burst ? now - burst : 0;
    if (limit->spent_us < oldest) {
        limit->spent_us = oldest;
    }
    if (limit->spent_us + SP_ASK_EVERY > now) {
        return false;
    }
    limit->spent_us += SP_ASK_EVERY;
    return true;
}

bool sp_ask_serve(int fd, bool is_permitted, struct sp_ask_limit *limit)
{
    uint8_t bytes[SP_ASK_BYTES + 1]; /* one more: a longer message is not cut to a right one */
    struct sp_ask ask;
    ssize_t n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
    if (n < 0) {
        return errno == EAGAIN || errno == EINTR;
    }
    if (n == 0) {
        return false;
    }
    int err = EINVAL;
    int listener = -1;
    if (sp_ask_decode(bytes, (size_t)n, &ask)) {
        err = !is_permitted ? EPERM
              : !may(limit)
                  ? EAGAIN
                  : sp_tcp_listen(&ask.addr, ask.port, ask.iface, SP_TCP_STANDIN, &listener);
    }
    bool ok = answer(fd, (uint32_t)err, listener);
    if (listener >= 0) {
        (void)close(listener);
    }
    return ok;
}

static int receive(int fd, int *ret_fd)
{
    uint32_t err = 0;
    char space[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8)));
    struct iovec iov = {&err, sizeof(err)};
    struct msghdr msg = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof(space)};
    if (recvmsg(fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) != (ssize_t)sizeof(err)) {
        return EACCES;
    }
    const struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
    if (err != 0) {
        return (int)(err & 0x7fff);
    }
    if (!c || c->cmsg_type != SCM_RIGHTS) {
        return EACCES;
    }
    memcpy(ret_fd, CMSG_DATA(c), sizeof(*ret_fd));
    return 0;
}

int sp_ask_parent(int fd, const struct sp_ask *ask, int *ret_fd)
{
    uint8_t bytes[SP_ASK_BYTES];
    uint8_t peek;
    int late = -1;
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    /* An answer that came after its question was given up. */
    while (recv(fd, &peek, sizeof(peek), MSG_DONTWAIT | MSG_PEEK) > 0) {
        if (receive(fd, &late) == 0) {
            (void)close(late);
        }
    }
    sp_ask_encode(ask, bytes);
    if (send(fd, bytes, sizeof(bytes), MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)sizeof(bytes) ||
        poll(&wait, 1, 1000) != 1) {
        return EACCES;
    }
    return receive(fd, ret_fd);
}
