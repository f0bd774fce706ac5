/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/drop.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SP_NOBODY 65534U

static int capset_empty(void)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {{0}, {0}};
    return (int)syscall(SYS_capset, &head, data);
}

enum sp_rc sp_drop_prove(struct sp_diag *diag)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {{0}, {0}};
    if (syscall(SYS_capget, &head, data) != 0 || data[0].effective || data[0].permitted ||
        data[0].inheritable || data[1].effective || data[1].permitted || data[1].inheritable) {
        return sp_fail(diag, SP_E_DENIED, "privileges", "capabilities are left");
    }
    int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_TCP);
    if (fd >= 0) {
        (void)close(fd);
        return sp_fail(diag, SP_E_DENIED, "privileges", "a raw socket could still be opened");
    }
    fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    if (fd >= 0) {
        (void)close(fd);
        return sp_fail(diag, SP_E_DENIED, "privileges", "a packet socket could still be opened");
    }
    if (geteuid() == 0 || setresuid(0, 0, 0) == 0) {
        return sp_fail(diag, SP_E_DENIED, "privileges", "root could be had back");
    }
    if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1) {
        return sp_fail(diag, SP_E_DENIED, "privileges", "an exec could give privileges back");
    }
    return SP_OK;
}

enum sp_rc sp_drop_all(struct sp_diag *diag)
{
    for (int cap = 0; cap <= 63; cap++) {
        /* EINVAL: past the last capability. EPERM: a file capability alone cannot shrink its
         * bounding set; no_new_privs below closes that way. */
        if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) != 0 && errno != EINVAL && errno != EPERM) {
            return sp_fail_errno(diag, "privileges", "cannot shrink the bounding set");
        }
    }
    if (geteuid() == 0 || getuid() == 0) {
        if (setgroups(0, NULL) != 0 || setresgid(SP_NOBODY, SP_NOBODY, SP_NOBODY) != 0 ||
            setresuid(SP_NOBODY, SP_NOBODY, SP_NOBODY) != 0) {
            return sp_fail_errno(diag, "privileges", "cannot leave root");
        }
    }
    if (capset_empty() != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        return sp_fail_errno(diag, "privileges", "cannot drop the capabilities");
    }
    return sp_drop_prove(diag);
}
