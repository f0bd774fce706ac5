/* SPDX-License-Identifier: Apache-2.0
 *
 * Disk encryption: from a path to the devices below it, through everything that may lie between,
 * on hosts made of files and links. */
#include <stdio.h>
#include <string.h>

#include "probe/base/mem.h"
#include "tests/support/sp_cmocka.h"
#include "tests/unit/probe/facts_kit.h"

static int set_up(void **state)
{
    struct host *host = sp_calloc(1, sizeof(*host));
    assert_non_null(host);
    host_init(host);
    host_folder(host, "/var/lib");
    *state = host;
    return 0;
}

static int tear_down(void **state)
{
    host_release(*state);
    sp_free(*state);
    return 0;
}

/* A device as the kernel shows it: its folder, and the two lists that lead there. parent: "" or the
 * disk it is a part of. */
static void device(struct host *host, const char *number, const char *name, const char *parent)
{
    char path[256];
    char to[256];
    const char *between = *parent ? "/" : "";
    (void)snprintf(path, sizeof(path), "/sys/devices/x/block/%s%s%s/dev", parent, between, name);
    host_file(host, path, number);
    if (*parent) {
        (void)snprintf(path, sizeof(path), "/sys/devices/x/block/%s/%s/partition", parent, name);
        host_file(host, path, "1\n");
    }
    (void)snprintf(path, sizeof(path), "/sys/dev/block/%s", number);
    (void)snprintf(to, sizeof(to), "../../devices/x/block/%s%s%s", parent, between, name);
    host_link(host, path, to);
    (void)snprintf(path, sizeof(path), "/sys/class/block/%s", name);
    host_link(host, path, to);
}

static void mapped(struct host *host, const char *number, const char *name, const char *uuid,
                   const char *label)
{
    char path[256];
    device(host, number, name, "");
    (void)snprintf(path, sizeof(path), "/sys/devices/x/block/%s/dm/uuid", name);
    host_file(host, path, uuid);
    (void)snprintf(path, sizeof(path), "/sys/devices/x/block/%s/dm/name", name);
    host_file(host, path, label);
}

static void lies_on(struct host *host, const char *name, const char *below)
{
    char path[256];
    char to[256];
    (void)snprintf(path, sizeof(path), "/sys/devices/x/block/%s/slaves/%s", name, below);
    (void)snprintf(to, sizeof(to), "../../%s", below);
    host_link(host, path, to);
}

static void mounts(struct host *host, const char *text)
{
    host_file(host, "/proc/self/mountinfo", text);
    host_ask(host, "disk=/\ndisk=/var\ndisk=/var/lib\n");
    assert_int_equal(host->told.rc, SP_OK);
}

#define ROOT "1 0 8:2 / / rw,relatime shared:1 - ext4 /dev/sda2 rw\n"

/* LVM on LUKS on a partition, as installers make it; a volume of the same group without. */
static void test_stacked(void **state)
{
    struct host *host = *state;
    device(host, "8:0", "sda", "");
    device(host, "8:2", "sda2", "sda");
    device(host, "8:3", "sda3", "sda");
    mapped(host, "253:0", "dm-0", "CRYPT-LUKS2-0123-sda3_crypt\n", "sda3_crypt\n");
    lies_on(host, "dm-0", "sda3");
    mapped(host, "253:1", "dm-1", "LVM-abc\n", "vg-var\n");
    lies_on(host, "dm-1", "dm-0");
    mounts(host, ROOT "2 1 253:1 / /var rw - ext4 /dev/mapper/vg-var rw\n");
    host_tells(host, "disk_encryption", "/", "plain|sda2");
    host_tells(host, "disk_encryption", "/var", "encrypted|dm-0:CRYPT-LUKS2");
    host_tells(host, "disk_encryption", "/var/lib", "encrypted|dm-0:CRYPT-LUKS2");
    /* The volume grows onto a disk without encryption: one branch is enough. */
    lies_on(host, "dm-1", "sda2");
    host_ask(host, "disk=/var\n");
    host_tells(host, "disk_encryption", "/var", "plain|sda2");
}

/* Part of a disk that is RAID on LUKS. */
static void test_partition_of_raid(void **state)
{
    struct host *host = *state;
    device(host, "8:0", "sda", "");
    mapped(host, "253:0", "dm-0", "CRYPT-LUKS1-1-a", "a");
    mapped(host, "253:1", "dm-1", "CRYPT-PLAIN-b", "b");
    device(host, "9:0", "md0", "");
    lies_on(host, "md0", "dm-0");
    lies_on(host, "md0", "dm-1");
    device(host, "8:2", "md0p1", "md0");
    mounts(host, ROOT);
    host_tells(host, "disk_encryption", "/", "encrypted|dm-0:CRYPT-LUKS1");
    lies_on(host, "md0", "sda");
    host_ask(host, "disk=/\n");
    host_tells(host, "disk_encryption", "/", "plain|sda");
}

/* dm-verity and dm-integrity are called CRYPT-, too. */
static void test_no_encryption_by_name(void **state)
{
    static const char *const uuids[] = {"CRYPT-VERITY-1-root", "CRYPT-INTEGRITY-1-root",
                                        "CRYPT-SUBDEV-1-root", "CRYPT-", "XCRYPT-LUKS2-1"};
    for (size_t i = 0; i < SP_ARRAY_LEN(uuids); i++) {
        struct host *host = *state;
        host_release(host);
        host_init(host);
        device(host, "8:0", "sda", "");
        mapped(host, "8:2", "dm-0", uuids[i], "root");
        lies_on(host, "dm-0", "sda");
        mounts(host, ROOT);
        host_tells(host, "disk_encryption", "/", "plain|sda");
    }
}

static void test_what_cannot_be_seen(void **state)
{
    struct host *host = *state;
    mounts(host, "1 0 0:33 / / rw - overlay overlay rw,upperdir=/x\n"
                 "2 1 0:40 / /var rw - nfs4 server:/var rw\n"
                 "3 2 7:0 / /var/lib rw - ext4 /dev/loop0 rw\n");
    host_lacks(host, "disk_encryption", "/", "overlay");
    host_lacks(host, "disk_encryption", "/var", "nfs4");
    host_lacks(host, "disk_encryption", "/var/lib", "not to be seen in /sys");
    device(host, "7:0", "loop0", "");
    host_file(host, "/sys/devices/x/block/loop0/loop/backing_file", "/data/image");
    host_ask(host, "disk=/var/lib\ndisk=/no/such\ndisk=relative\ndisk=\n");
    host_lacks(host, "disk_encryption", "/var/lib", "loop device");
    host_lacks(host, "disk_encryption", "/no/such", "no such path");
    host_tells(host, "disk_encryption", "/var/lib", "?it lies in a file (a loop device)");
}

/* A file system may lie on several devices, with a number that is none of theirs. */
static void test_btrfs(void **state)
{
    struct host *host = *state;
    static const char mount[] = "1 0 0:30 /root / rw - btrfs /dev/mapper/one rw\n";
    mapped(host, "253:0", "dm-0", "CRYPT-LUKS2-1-one", "one");
    mapped(host, "253:1", "dm-1", "CRYPT-LUKS2-2-two", "two");
    device(host, "8:0", "sda", "");
    mounts(host, mount);
    host_lacks(host, "disk_encryption", "/", "btrfs");
    host_link(host, "/sys/fs/btrfs/0a-1/devices/dm-0", "../../../../devices/x/block/dm-0");
    host_link(host, "/sys/fs/btrfs/0a-1/devices/dm-1", "../../../../devices/x/block/dm-1");
    mounts(host, mount);
    host_tells(host, "disk_encryption", "/", "encrypted|dm-0:CRYPT-LUKS2");
    host_link(host, "/sys/fs/btrfs/0a-1/devices/sda", "../../../../devices/x/block/sda");
    mounts(host, mount);
    host_tells(host, "disk_encryption", "/", "plain|sda");
}

/* The last mount of a place hides those before; names may hold escapes; a line that is none may
 * hide one, so nothing is known then. */
static void test_mounts(void **state)
{
    struct host *host = *state;
    device(host, "8:0", "sda", "");
    mapped(host, "253:0", "dm-0", "CRYPT-LUKS2-1-a", "a");
    host_folder(host, "/var/my data");
    host_folder(host, "/variable");
    mounts(host, ROOT "2 1 8:0 / /var rw - ext4 /dev/sda rw\n"
                      "3 1 253:0 / /var rw - ext4 /dev/dm-0 rw\n"
                      "4 3 8:0 / /var/my\\040data rw - ext4 /dev/sda rw\n");
    host_ask(host, "disk=/var\ndisk=/var/my data\ndisk=/variable\n");
    host_tells(host, "disk_encryption", "/var", "encrypted|dm-0:CRYPT-LUKS2");
    host_tells(host, "disk_encryption", "/var/my data", "plain|sda");
    host_lacks(host, "disk_encryption", "/variable", ""); /* 8:2 is no device here */
    static const char *const odd[] = {"", "x", "1 0 8:2 / /", "1 0 8 / / rw - ext4 /dev/sda rw",
                                      "1 0 8:2 / / rw ext4 /dev/sda rw"};
    for (size_t i = 0; i < SP_ARRAY_LEN(odd); i++) {
        char text[512];
        (void)snprintf(text, sizeof(text), "3 1 253:0 / / rw - ext4 /dev/dm-0 rw\n%s\n%s", odd[i],
                       *odd[i] ? "" : "junk\n");
        mounts(host, text);
        host_lacks(host, "disk_encryption", "/", "odd");
    }
}

/* Devices in a circle, and a chain without an end. */
static void test_circles(void **state)
{
    struct host *host = *state;
    mapped(host, "8:2", "dm-0", "LVM-1", "a");
    mapped(host, "8:3", "dm-1", "LVM-2", "b");
    lies_on(host, "dm-0", "dm-1");
    lies_on(host, "dm-1", "dm-0");
    mounts(host, ROOT);
    host_lacks(host, "disk_encryption", "/", "too many devices");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_stacked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_partition_of_raid, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_encryption_by_name, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_cannot_be_seen, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_btrfs, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_mounts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_circles, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
