/* SPDX-License-Identifier: Apache-2.0
 *
 * Opening without the privilege, or without descriptors left, says so and leaves nothing open. */
#include <dirent.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "probe/packet/capture.h"
#include "probe/packet/hostsock.h"
#include "probe/packet/inject.h"
#include "tests/support/sp_cmocka.h"

static size_t open_descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    size_t n = 0;
    assert_non_null(dir);
    while (readdir(dir)) {
        n++;
    }
    (void)closedir(dir);
    return n;
}

/* Switches the effective capabilities off and on again; the permitted ones stay. */
static bool effective(bool on)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2];
    if (syscall(SYS_capget, &head, data) != 0) {
        return false;
    }
    for (int i = 0; i < 2; i++) {
        data[i].effective = on ? data[i].permitted : 0;
    }
    return syscall(SYS_capset, &head, data) == 0;
}

static void opens(enum sp_rc want)
{
    struct sp_capture *capture = NULL;
    struct sp_injector *injector = NULL;
    struct sp_hostsock socks[SP_HOSTSOCKS];
    const struct sp_netinfo none = {0};
    struct sp_diag diag = {0};
    size_t before = open_descriptors();
    assert_int_equal(sp_capture_open(1U << 20, &capture, &diag), want);
    assert_null(capture);
    assert_true(diag.text[0] != '\0');
    memset(&diag, 0, sizeof(diag));
    assert_int_equal(sp_hostsocks_open(socks, &diag), want);
    assert_true(diag.text[0] != '\0');
    for (int i = 0; i < SP_HOSTSOCKS; i++) {
        assert_int_equal(socks[i].fd, -1);
    }
    memset(&diag, 0, sizeof(diag));
    assert_int_equal(sp_injector_open(&none, true, &injector, &diag), want);
    assert_null(injector);
    assert_true(diag.text[0] != '\0');
    assert_int_equal(open_descriptors(), before);
}

static void without_privilege(void **state)
{
    (void)state;
    if (!effective(false)) {
        skip();
    }
    opens(SP_E_DENIED);
    assert_true(effective(true));
}

static void without_descriptors(void **state)
{
    (void)state;
    struct rlimit old;
    struct sp_diag diag = {0};
    if (geteuid() != 0) {
        skip();
    }
    int last = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    const struct rlimit low = {.rlim_cur = (rlim_t)last, .rlim_max = old.rlim_max};
    (void)close(last);
    int hold = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    int asked = sp_netlink_open(&diag);
    int monitor = sp_netlink_monitor(&diag);
    struct sp_hostsock socks[SP_HOSTSOCKS];
    enum sp_rc rc = sp_hostsocks_open(socks, &diag);
    uint64_t softnet = sp_softnet_drops();
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    (void)close(hold);
    assert_int_equal(asked, -1);
    assert_int_equal(monitor, -1);
    assert_int_equal(rc, SP_E_SYSTEM);
    assert_true(diag.text[0] != '\0');
    assert_true(softnet == UINT64_MAX); /* unknown is not none */
}

/* A socket that is none of ours: unknown, never zero drops. */
static void drops_of_a_broken_socket(void **state)
{
    (void)state;
    struct sp_hostsock socks[SP_HOSTSOCKS];
    int file = open("/dev/null", O_RDONLY | O_CLOEXEC);
    for (int i = 0; i < SP_HOSTSOCKS; i++) {
        socks[i] = (struct sp_hostsock){.fd = i == 3 ? file : -1, .family = SP_FAMILY_IPV4};
    }
    assert_true(sp_hostsocks_drops(socks) == UINT64_MAX);
    struct sp_diag diag = {0};
    assert_int_equal(sp_hostsocks_filter(socks, true, &diag), SP_E_SYSTEM);
    assert_true(diag.text[0] != '\0');
    sp_hostsocks_close(socks);
}

static void a_broken_netlink_socket(void **state)
{
    (void)state;
    struct sp_netinfo info;
    struct sp_route route;
    struct sp_diag diag = {0};
    uint8_t mac[6];
    struct sp_addr addr;
    int file = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_int_equal(sp_addr_parse("10.0.0.1", &addr), SP_OK);
    assert_int_equal(sp_netinfo_read(file, &info, &diag), SP_E_SYSTEM);
    assert_int_equal(sp_route_get(file, NULL, &addr, &route, &diag), SP_E_SYSTEM);
    assert_int_equal(sp_neighbour_get(file, 1, &addr, mac, &diag), SP_E_SYSTEM);
    assert_false(sp_netlink_changed(file));
    (void)close(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_privilege),
        cmocka_unit_test(without_descriptors),
        cmocka_unit_test(drops_of_a_broken_socket),
        cmocka_unit_test(a_broken_netlink_socket),
    };
    return cmocka_run_group_tests_name("denied", tests, NULL, NULL);
}
