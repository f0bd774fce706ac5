/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/packet/inject.h"

#include <errno.h>
#include <libnet.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <string.h>
#include <time.h>

#include "probe/base/attr.h"
#include "probe/base/mem.h"

/* What no frame carries here. */
#define SP_ETHERTYPE_NOBODY 0x88b5U

struct link_handle {
    uint32_t iface;
    libnet_t *l;
    libnet_t *bulk4, *bulk6; /* for bursts: past the queueing discipline and our own capture */
};

struct sp_injector {
    libnet_t *raw4;
    libnet_t *raw6; /* NULL when the host has no IPv6 */
    struct link_handle *links;
    size_t nlinks;
};

/* libnet loses the errno of what failed. */
static bool may_open_raw(void)
{
    int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
    if (fd < 0) {
        return errno != EPERM && errno != EACCES;
    }
    (void)close(fd);
    return true;
}

static libnet_t *open_context(int type, const char *device, enum sp_rc *ret_rc,
                              struct sp_diag *diag)
{
    char errbuf[LIBNET_ERRBUF_SIZE] = "";
    libnet_t *l = libnet_init(type, device, errbuf);
    if (!l) {
        *ret_rc = sp_fail(diag, may_open_raw() ? SP_E_SYSTEM : SP_E_DENIED, "injection",
                          "cannot open: %.200s", errbuf);
        return NULL;
    }
    (void)fcntl(libnet_getfd(l), F_SETFD, FD_CLOEXEC);
    return l;
}

/* libnet's link socket hears every protocol on every interface and nobody reads it: each packet of
 * this host, in or out, would be shown to it. It is bound to one interface and one protocol, and a
 * filter keeps it from filling. What a single packet goes out as is said with it: its protocol here
 * is nobody's (IEEE 802 local experimental). In bursts that would cost a thirtieth of the rate:
 * what they go out as is what their socket is bound to. */
static int mute(int fd, uint32_t iface, uint16_t protocol)
{
    struct sock_filter drop[] = {BPF_STMT(BPF_RET | BPF_K, 0)};
    const struct sock_fprog program = {1, drop};
    const struct sockaddr_ll nobody = {
        .sll_family = AF_PACKET, .sll_protocol = htons(protocol), .sll_ifindex = (int)iface};
    (void)setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
    return bind(fd, (const struct sockaddr *)&nobody, sizeof(nobody));
}

static libnet_t *open_link(const struct sp_iface *iface, uint16_t protocol, enum sp_rc *ret_rc,
                           struct sp_diag *diag)
{
    bool is_bulk = protocol != SP_ETHERTYPE_NOBODY;
    int on = 1;
    libnet_t *l = open_context(LIBNET_LINK, iface->name, ret_rc, diag);
    if (l && (mute(libnet_getfd(l), iface->index, protocol) != 0 ||
              (is_bulk && setsockopt(libnet_getfd(l), SOL_PACKET, PACKET_QDISC_BYPASS, &on,
                                     sizeof(on)) != 0))) {
        *ret_rc = sp_fail_errno(diag, "injection", "cannot set a link handle up");
        libnet_destroy(l);
        return NULL;
    }
    return l;
}

/* libnet raises the send buffer as far as it may. As large as any other it holds a sender back
 * before the queues behind it overflow; and what they drop all the same is told (ENOBUFS), which
 * RECVERR asks for. Nothing else comes by it: no ICMP error is for a socket of protocol 255. */
static void tame(int fd, bool is_ipv4)
{
    int size = 0;
    int on = 1;
    socklen_t len = sizeof(size);
    int plain = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (plain >= 0 && getsockopt(plain, SOL_SOCKET, SO_SNDBUF, &size, &len) == 0) {
        size /= 2; /* the kernel doubles what it is told */
        (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    }
    if (plain >= 0) {
        (void)close(plain);
    }
    (void)setsockopt(fd, is_ipv4 ? IPPROTO_IP : IPPROTO_IPV6, is_ipv4 ? IP_RECVERR : IPV6_RECVERR,
                     &on, sizeof(on));
}

static enum sp_rc open_links(struct sp_injector *injector, const struct sp_netinfo *info,
                             struct sp_diag *diag)
{
    injector->links = sp_calloc(info->nifaces, sizeof(*injector->links));
    if (!injector->links) {
        return sp_fail(diag, SP_E_NOMEM, "injection", "out of memory");
    }
    for (size_t i = 0; i < info->nifaces; i++) {
        const struct sp_iface *iface = &info->ifaces[i];
        enum sp_rc rc = SP_OK;
        if (!iface->is_up || !iface->is_ethernet) {
            continue;
        }
        struct link_handle *link = &injector->links[injector->nlinks++];
        link->iface = iface->index;
        link->l = open_link(iface, SP_ETHERTYPE_NOBODY, &rc, diag);
        link->bulk4 = link->l ? open_link(iface, ETH_P_IP, &rc, diag) : NULL;
        link->bulk6 = link->bulk4 ? open_link(iface, ETH_P_IPV6, &rc, diag) : NULL;
        if (!link->bulk6) {
            return rc;
        }
    }
    return SP_OK;
}

enum sp_rc sp_injector_open(const struct sp_netinfo *info, bool with_link,
                            struct sp_injector **ret_injector, struct sp_diag *diag)
{
    enum sp_rc rc = SP_OK;
    struct sp_injector *injector = sp_calloc(1, sizeof(*injector));
    if (!injector) {
        return sp_fail(diag, SP_E_NOMEM, "injection", "out of memory");
    }
    injector->raw4 = open_context(LIBNET_RAW4, NULL, &rc, diag);
    if (injector->raw4) {
        tame(libnet_getfd(injector->raw4), true);
        int probe6 = socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
        if (probe6 >= 0) {
            (void)close(probe6);
            injector->raw6 = open_context(LIBNET_RAW6, NULL, &rc, diag);
            if (injector->raw6) {
                tame(libnet_getfd(injector->raw6), false);
            }
        }
    }
    if (rc == SP_OK && with_link) {
        rc = open_links(injector, info, diag);
    }
    if (rc != SP_OK) {
        sp_injector_free(injector);
        return rc;
    }
    *ret_injector = injector;
    return SP_OK;
}

void sp_injector_free(struct sp_injector *injector)
{
    if (!injector) {
        return;
    }
    if (injector->raw4) {
        libnet_destroy(injector->raw4);
    }
    if (injector->raw6) {
        libnet_destroy(injector->raw6);
    }
    for (size_t i = 0; i < injector->nlinks; i++) {
        libnet_t *const handles[] = {injector->links[i].l, injector->links[i].bulk4,
                                     injector->links[i].bulk6};
        for (size_t k = 0; k < SP_ARRAY_LEN(handles) && handles[k]; k++) {
            libnet_destroy(handles[k]);
        }
    }
    sp_free(injector->links);
    sp_free(injector);
}

static libnet_t *find_link(const struct sp_injector *injector, uint32_t iface)
{
    for (size_t i = 0; i < injector->nlinks; i++) {
        if (injector->links[i].iface == iface) {
            return injector->links[i].l;
        }
    }
    return NULL;
}

bool sp_injector_has_link(const struct sp_injector *injector, uint32_t iface)
{
    return find_link(injector, iface) != NULL;
}

int sp_injector_burst_fd(const struct sp_injector *injector, bool is_link, uint8_t family,
                         uint32_t iface)
{
    bool is_v4 = family == SP_FAMILY_IPV4;
    libnet_t *l = is_link ? NULL : is_v4 ? injector->raw4 : injector->raw6;
    for (size_t i = 0; is_link && i < injector->nlinks; i++) {
        if (injector->links[i].iface == iface) {
            l = is_v4 ? injector->links[i].bulk4 : injector->links[i].bulk6;
        }
    }
    return l ? libnet_getfd(l) : -1;
}

/* A full send queue is waited out for a moment; every other refusal is the caller's to know. */
static int send_bytes(int fd, const struct sp_built *built, const struct sockaddr *to,
                      socklen_t len)
{
    for (int i = 0; i < 50; i++) {
        if (sendto(fd, built->bytes, built->len, MSG_DONTWAIT, to, len) >= 0) {
            return 0;
        }
        if (errno != EAGAIN && errno != ENOBUFS && errno != EINTR) {
            return errno;
        }
        struct timespec pause = {.tv_nsec = 200000};
        (void)nanosleep(&pause, NULL);
    }
    return errno;
}

int sp_inject_raw(struct sp_injector *injector, const struct sp_spec *spec, uint32_t iface)
{
    struct sp_built built;
    struct sockaddr_storage to;
    socklen_t len;
    const struct sp_addr *dst = sp_spec_to(spec);
    bool v4 = dst->family == SP_FAMILY_IPV4;
    libnet_t *l = v4 ? injector->raw4 : injector->raw6;
    /* libnet builds a packet of the context's own family only: what is inside may be another. */
    libnet_t *builder = spec->dst.family == SP_FAMILY_IPV4 ? injector->raw4 : injector->raw6;
    if (!l || !builder) {
        return EAFNOSUPPORT;
    }
    if (sp_spec_build(builder, spec, NULL, NULL, &built, NULL) != SP_OK) {
        return EINVAL;
    }
    memset(&to, 0, sizeof(to));
    if (v4) {
        struct sockaddr_in *sin = (struct sockaddr_in *)&to;
        sin->sin_family = AF_INET;
        memcpy(&sin->sin_addr, dst->bytes, 4);
        len = sizeof(*sin);
    } else {
        struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)&to;
        sin6->sin6_family = AF_INET6;
        memcpy(&sin6->sin6_addr, dst->bytes, 16);
        sin6->sin6_scope_id = IN6_IS_ADDR_LINKLOCAL(&sin6->sin6_addr) ? iface : 0;
        len = sizeof(*sin6);
    }
    int err = send_bytes(libnet_getfd(l), &built, (struct sockaddr *)&to, len);
    sp_built_free(&built);
    return err;
}

int sp_inject_link(struct sp_injector *injector, const struct sp_spec *spec, uint32_t iface,
                   const uint8_t src_mac[static 6], const uint8_t dst_mac[static 6])
{
    struct sp_built built;
    libnet_t *l = find_link(injector, iface);
    if (!l) {
        return ENODEV;
    }
    if (sp_spec_build(l, spec, src_mac, dst_mac, &built, NULL) != SP_OK) {
        return EINVAL;
    }
    struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_ifindex = (int)iface, .sll_halen = 6};
    to.sll_protocol = htons(sp_spec_to(spec)->family == SP_FAMILY_IPV4 ? 0x0800 : 0x86dd);
    memcpy(to.sll_addr, dst_mac, 6);
    int err = send_bytes(libnet_getfd(l), &built, (struct sockaddr *)&to, sizeof(to));
    sp_built_free(&built);
    return err;
}
