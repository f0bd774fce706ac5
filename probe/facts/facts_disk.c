/* SPDX-License-Identifier: Apache-2.0
 *
 * Is what lies at a path encrypted by this host? From its mount (proc_pid_mountinfo(5)) to its
 * block device, and down from there through partitions, LVM, RAID and other stacked devices
 * (/sys/dev/block, slaves) until every branch meets dm-crypt. One branch without it is enough to
 * say no. What a provider or the drive encrypts below that cannot be seen from here. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "probe/base/mem.h"
#include "probe/base/str.h"
#include "probe/facts/facts.h"
#include "probe/facts/reader.h"
#include "probe/wire/message.h"

#define SP_FACT_MOUNTS_MAX  (1U << 20)
#define SP_FACT_DEPTH_MAX   16U  /* devices on devices */
#define SP_FACT_DEVICES_MAX 256U /* looked at for one path */

struct mount {
    unsigned major, minor;
    char type[32];
    char source[256]; /* "/dev/mapper/root"; "" = too long */
};

struct walk {
    struct sp_fact_reader *reader;
    unsigned looked, depth;
    bool is_plain, is_bad;
    unsigned encrypted;
    char plain[64], layer[64]; /* the device without encryption; the first with it */
    char reason[96];
};

/* ---- mounts ---- */

/* \040 and its like back to bytes, in place. */
static void unescape(char *text)
{
    char *to = text;
    for (const char *from = text; *from; from++) {
        if (from[0] == '\\' && from[1] >= '0' && from[1] <= '3' && from[2] >= '0' &&
            from[2] <= '7' && from[3] >= '0' && from[3] <= '7') {
            *to++ = (char)((from[1] - '0') * 64 + (from[2] - '0') * 8 + (from[3] - '0'));
            from += 3;
        } else {
            *to++ = *from;
        }
    }
    *to = '\0';
}

/* Does the mount hold the path? */
static bool holds(const char *point, const char *path)
{
    size_t len = strlen(point);
    if (len == 1 && *point == '/') {
        return true;
    }
    return strncmp(point, path, len) == 0 && (path[len] == '/' || path[len] == '\0');
}

static bool parse_device(const char *text, unsigned *ret_major, unsigned *ret_minor)
{
    char major[16];
    uint64_t a = 0;
    uint64_t b = 0;
    const char *colon = strchr(text, ':');
    size_t n = colon ? (size_t)(colon - text) : 0;
    if (n == 0 || n >= sizeof(major)) {
        return false;
    }
    memcpy(major, text, n);
    major[n] = '\0';
    if (sp_parse_uint(major, 4095, &a) != SP_OK || sp_parse_uint(colon + 1, 1048575, &b) != SP_OK) {
        return false;
    }
    *ret_major = (unsigned)a;
    *ret_minor = (unsigned)b;
    return true;
}

/* "27 1 254:0 / /var rw,relatime shared:1 - ext4 /dev/vda rw"; false when it is no such line. */
static bool parse_mount(char *line, char **ret_point, struct mount *ret_mount)
{
    const char *device = NULL;
    struct mount mount = {0};
    char *rest = line;
    for (unsigned i = 0; i < 5; i++) {
        char *word = sp_fact_word(&rest);
        if (!word) {
            return false;
        }
        device = i == 2 ? word : device;
        *ret_point = word;
    }
    char *word = sp_fact_word(&rest); /* options */
    while (word && strcmp(word, "-") != 0) {
        word = sp_fact_word(&rest);
    }
    const char *type = word ? sp_fact_word(&rest) : NULL;
    char *source = type ? sp_fact_word(&rest) : NULL;
    if (!source || !parse_device(device, &mount.major, &mount.minor)) {
        return false;
    }
    unescape(*ret_point);
    unescape(source);
    (void)snprintf(mount.type, sizeof(mount.type), "%s", type);
    if (strlen(source) < sizeof(mount.source)) {
        memcpy(mount.source, source, strlen(source) + 1);
    }
    *ret_mount = mount;
    return true;
}

/* The mount that a path lies on: the longest that holds it, of equals the last, which covers the
 * others. */
static bool find_mount(struct sp_fact_reader *reader, const char *file, const char *path,
                       struct mount *ret_mount)
{
    size_t best = 0;
    char *text = sp_fact_read(reader, file, SP_FACT_MOUNTS_MAX);
    if (!text) {
        return false;
    }
    (void)snprintf(reader->reason, sizeof(reader->reason), "it tells of no mount for this path");
    for (char *line; (line = sp_fact_next_line(&text)) != NULL;) {
        struct mount mount;
        char *point;
        if (!parse_mount(line, &point, &mount)) {
            (void)snprintf(reader->reason, sizeof(reader->reason), "it holds a line that is odd");
            return false; /* it may have been the one */
        }
        if (holds(point, path) && strlen(point) >= best) {
            best = strlen(point);
            *ret_mount = mount;
        }
    }
    return best > 0;
}

/* ---- devices ---- */

static void give_up(struct walk *walk, const char *reason)
{
    if (!walk->is_bad) {
        walk->is_bad = true;
        (void)snprintf(walk->reason, sizeof(walk->reason), "%s", reason);
    }
}

/* dm-verity and dm-integrity have uuids that begin with CRYPT-, too, and encrypt nothing. */
static bool is_encrypting(const char *uuid)
{
    static const char *const kinds[] = {"CRYPT-LUKS1-",   "CRYPT-LUKS2-",  "CRYPT-PLAIN-",
                                        "CRYPT-LOOPAES-", "CRYPT-TCRYPT-", "CRYPT-BITLK-",
                                        "CRYPT-FVAULT2-"};
    for (size_t i = 0; i < SP_ARRAY_LEN(kinds); i++) {
        if (strncmp(uuid, kinds[i], strlen(kinds[i])) == 0) {
            return true;
        }
    }
    return false;
}

static void walk_device(struct walk *walk, const char *folder, const char *name);

static bool walk_slave(void *arg, const char *name)
{
    struct walk *walk = arg;
    char folder[SP_FACT_PATH];
    if (strlen(name) >= 64) {
        give_up(walk, "a device has an odd name");
        return false;
    }
    (void)snprintf(folder, sizeof(folder), "/sys/class/block/%.63s", name);
    walk_device(walk, folder, name);
    return !walk->is_bad && !walk->is_plain;
}

static bool count_name(void *arg, const char *name)
{
    unsigned *n = arg;
    (void)name;
    ++*n;
    return true;
}

/* Has it an encrypting layer? Else what is below it must have one. */
static void walk_down(struct walk *walk, const char *folder, const char *name)
{
    struct sp_fact_reader *reader = walk->reader;
    char path[SP_FACT_PATH + 16];
    unsigned slaves = 0;
    (void)snprintf(path, sizeof(path), "%s/dm/uuid", folder);
    const char *uuid = sp_fact_exists(reader, path) ? sp_fact_read_line(reader, path) : "";
    if (!uuid) {
        give_up(walk, reader->reason);
        return;
    }
    if (is_encrypting(uuid)) {
        if (walk->encrypted++ == 0) {
            (void)snprintf(walk->layer, sizeof(walk->layer), "%.20s:%.*s", name,
                           (int)(6 + strcspn(uuid + 6, "-")), uuid);
        }
        return;
    }
    (void)snprintf(path, sizeof(path), "%s/loop/backing_file", folder);
    if (sp_fact_exists(reader, path)) {
        give_up(walk, "it lies in a file (a loop device)");
        return;
    }
    (void)snprintf(path, sizeof(path), "%s/slaves", folder);
    if (sp_fact_exists(reader, path) && !sp_fact_each_name(reader, path, count_name, &slaves)) {
        give_up(walk, reader->reason);
    } else if (slaves > 0) {
        if (!sp_fact_each_name(reader, path, walk_slave, walk)) {
            give_up(walk, reader->reason);
        }
    } else {
        (void)snprintf(path, sizeof(path), "%s/partition", folder);
        bool is_part = sp_fact_exists(reader, path);
        (void)snprintf(path, sizeof(path), "%s/../dev", folder);
        if (is_part && sp_fact_exists(reader, path)) {
            (void)snprintf(path, sizeof(path), "%s/..", folder);
            walk_device(walk, path, name); /* the device that it is a part of */
        } else {
            walk->is_plain = true;
            (void)snprintf(walk->plain, sizeof(walk->plain), "%s", name);
        }
    }
}

static void walk_device(struct walk *walk, const char *folder, const char *name)
{
    char dev[SP_FACT_PATH + 16];
    (void)snprintf(dev, sizeof(dev), "%s/dev", folder);
    if (walk->depth >= SP_FACT_DEPTH_MAX || walk->looked++ >= SP_FACT_DEVICES_MAX ||
        strlen(folder) > SP_FACT_PATH - 64) {
        give_up(walk, "too many devices lie on each other");
        return;
    }
    if (!sp_fact_exists(walk->reader, dev)) {
        give_up(walk, "its device is not to be seen in /sys");
        return;
    }
    walk->depth++;
    walk_down(walk, folder, name);
    walk->depth--;
}

/* ---- file systems on more than one device ---- */

struct pool {
    struct walk *walk;
    const char *name; /* a device of it */
    bool is_found;
};

struct look {
    struct sp_fact_reader *reader;
    const char *wanted;
    char found[64];
};

static bool see_mapped(void *arg, const char *name)
{
    struct look *look = arg;
    char path[SP_FACT_PATH];
    if (strncmp(name, "dm-", 3) != 0 || strlen(name) >= sizeof(look->found)) {
        return true;
    }
    (void)snprintf(path, sizeof(path), "/sys/class/block/%s/dm/name", name);
    const char *text = sp_fact_read_line(look->reader, path);
    if (text && strcmp(text, look->wanted) == 0) {
        (void)snprintf(look->found, sizeof(look->found), "%.63s", name);
    }
    return look->found[0] == '\0';
}

/* "/dev/mapper/root" as "dm-0", "/dev/sda2" as "sda2"; "" when it is not known. */
static void kernel_name(struct sp_fact_reader *reader, const char *source, char out[static 64])
{
    static const char mapper[] = "/dev/mapper/";
    struct look look = {.reader = reader};
    out[0] = '\0';
    if (strncmp(source, mapper, sizeof(mapper) - 1) == 0) {
        look.wanted = source + sizeof(mapper) - 1;
        (void)sp_fact_each_name(reader, "/sys/class/block", see_mapped, &look);
        (void)snprintf(out, 64, "%s", look.found);
    } else if (strncmp(source, "/dev/", 5) == 0 && !strchr(source + 5, '/') &&
               strlen(source + 5) < 64) {
        (void)snprintf(out, 64, "%s", source + 5);
    }
}

static bool see_pool(void *arg, const char *name)
{
    struct pool *pool = arg;
    char path[SP_FACT_PATH];
    if (strlen(name) > 64) {
        return true;
    }
    (void)snprintf(path, sizeof(path), "/sys/fs/btrfs/%.64s/devices/%s", name, pool->name);
    if (!sp_fact_exists(pool->walk->reader, path)) {
        return true;
    }
    pool->is_found = true;
    (void)snprintf(path, sizeof(path), "/sys/fs/btrfs/%.64s/devices", name);
    if (!sp_fact_each_name(pool->walk->reader, path, walk_slave, pool->walk)) {
        give_up(pool->walk, pool->walk->reader->reason);
    }
    return false;
}

/* A btrfs may lie on several devices, and its mount has a number of its own. */
static void walk_btrfs(struct walk *walk, const struct mount *mount)
{
    char name[64];
    struct pool pool = {.walk = walk, .name = name};
    kernel_name(walk->reader, mount->source, name);
    if (!name[0] || !sp_fact_each_name(walk->reader, "/sys/fs/btrfs", see_pool, &pool) ||
        !pool.is_found) {
        give_up(walk, "the devices of this btrfs are not to be seen");
    }
}

/* What the kernel calls a device, "dm-0": where its entry leads to; else its numbers. */
static void device_name(struct sp_fact_reader *reader, const char *folder, char out[static 64])
{
    char path[SP_FACT_PATH];
    char link[SP_FACT_PATH];
    const char *name = strrchr(folder, '/') + 1;
    ssize_t n =
        sp_fact_path(reader, path, "%s", folder) ? readlink(path, link, sizeof(link) - 1) : -1;
    if (n > 0) {
        link[n] = '\0';
        const char *slash = strrchr(link, '/');
        name = slash && slash[1] ? slash + 1 : name;
    }
    (void)snprintf(out, 64, "%.63s", name);
}

static void walk_mount(struct walk *walk, const struct mount *mount)
{
    char folder[64];
    if (strcmp(mount->type, "btrfs") == 0) {
        walk_btrfs(walk, mount);
    } else if (mount->major == 0) {
        char reason[96];
        (void)snprintf(reason, sizeof(reason),
                       "its file system (%s) lies on no device of this host", mount->type);
        give_up(walk, reason);
    } else {
        char name[64];
        (void)snprintf(folder, sizeof(folder), "/sys/dev/block/%u:%u", mount->major, mount->minor);
        device_name(walk->reader, folder, name);
        walk_device(walk, folder, name);
    }
}

/* ---- telling ---- */

/* Where a path leads, without the root in front. */
static char *resolve(struct sp_fact_reader *reader, const char *path)
{
    char whole[SP_FACT_PATH];
    if (path[0] != '/' || !sp_fact_path(reader, whole, "%s", path)) {
        (void)snprintf(reader->reason, sizeof(reader->reason), "that is no absolute path");
        return NULL;
    }
    char *real = realpath(whole, NULL);
    size_t head = strlen(reader->root);
    if (!real) {
        (void)snprintf(reader->reason, sizeof(reader->reason), "%s",
                       errno == ENOENT   ? "there is no such path"
                       : errno == EACCES ? "the way there is not readable without privilege"
                                         : strerrordesc_np(errno));
        return NULL;
    }
    if (strncmp(real, reader->root, head) != 0) {
        (void)snprintf(reader->reason, sizeof(reader->reason), "the path leads elsewhere");
        free(real); /* not from mem.h */
        return NULL;
    }
    char *copy = sp_strdup(real[head] ? real + head : "/");
    free(real); /* not from mem.h */
    if (!copy) {
        reader->out->rc = SP_E_NOMEM;
        (void)snprintf(reader->reason, sizeof(reader->reason), "out of memory");
    }
    return copy;
}

static void tell_disk(struct sp_fact_reader *reader, const char *fact, const char *file,
                      const char *path)
{
    char text[160];
    struct mount mount = {0};
    struct walk walk = {.reader = reader};
    char *real = resolve(reader, path);
    if (!real || !find_mount(reader, file, real, &mount)) {
        sp_fact_unknown(reader, fact, path, real ? file : path, reader->reason);
        sp_free(real);
        return;
    }
    sp_free(real);
    walk_mount(&walk, &mount);
    if (walk.is_plain) {
        (void)snprintf(text, sizeof(text), "%s", walk.plain);
        sp_fact_begin(reader, fact, path, file);
        (void)(sp_fact_value(reader, "plain") && sp_fact_value(reader, text));
    } else if (walk.is_bad || walk.encrypted == 0) {
        sp_fact_unknown(reader, fact, path, file,
                        walk.is_bad ? walk.reason : "no device was found below it");
    } else {
        sp_fact_begin(reader, fact, path, file);
        (void)(sp_fact_value(reader, "encrypted") && sp_fact_value(reader, walk.layer));
    }
}

void sp_fact_disks(struct sp_fact_reader *reader, const char *fact, const char *path)
{
    struct sp_fields fields;
    unsigned asked = 0;
    sp_fields_init(&fields, reader->question, reader->question_len);
    while (asked < SP_FACTS_DISKS_MAX && sp_fields_next(&fields)) {
        if (strcmp(fields.key, "disk") == 0) {
            tell_disk(reader, fact, path, sp_buf_text(&fields.value));
            asked++;
        }
    }
    sp_fields_release(&fields);
}
