/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/packet/inject.h"

#include <errno.h>
#include <libnet.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <string.h>
#include <time.h>

#include "probe/base/mem.h"

struct link_handle {
    uint32_t iface;
    libnet_t *l;
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

/* libnet's link socket is bound to every protocol and nobody reads it; a filter keeps it from
 * filling. */
static void mute(int fd)
{
    struct sock_filter drop[] = {BPF_STMT(BPF_RET | BPF_K, 0)};
    const struct sock_fprog program = {1, drop};
    (void)setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
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
        libnet_t *l = open_context(LIBNET_LINK, iface->name, &rc, diag);
        if (!l) {
            return rc;
        }
        mute(libnet_getfd(l));
        injector->links[injector->nlinks++] = (struct link_handle){iface->index, l};
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
        int probe6 = socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
        if (probe6 >= 0) {
            (void)close(probe6);
            injector->raw6 = open_context(LIBNET_RAW6, NULL, &rc, diag);
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
        libnet_destroy(injector->links[i].l);
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
    bool v4 = spec->dst.family == SP_FAMILY_IPV4;
    libnet_t *l = v4 ? injector->raw4 : injector->raw6;
    if (!l) {
        return EAFNOSUPPORT;
    }
    if (sp_spec_build(l, spec, NULL, NULL, &built, NULL) != SP_OK) {
        return EINVAL;
    }
    memset(&to, 0, sizeof(to));
    if (v4) {
        struct sockaddr_in *sin = (struct sockaddr_in *)&to;
        sin->sin_family = AF_INET;
        memcpy(&sin->sin_addr, spec->dst.bytes, 4);
        len = sizeof(*sin);
    } else {
        struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)&to;
        sin6->sin6_family = AF_INET6;
        memcpy(&sin6->sin6_addr, spec->dst.bytes, 16);
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
    to.sll_protocol = htons(spec->dst.family == SP_FAMILY_IPV4 ? 0x0800 : 0x86dd);
    memcpy(to.sll_addr, dst_mac, 6);
    int err = send_bytes(libnet_getfd(l), &built, (struct sockaddr *)&to, sizeof(to));
    sp_built_free(&built);
    return err;
}
