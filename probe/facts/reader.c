/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/facts/reader.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "probe/base/mem.h"
#include "probe/base/str.h"
#include "probe/wire/message.h"

bool sp_fact_path(const struct sp_fact_reader *reader, char out[static SP_FACT_PATH],
                  const char *fmt, ...)
{
    va_list ap;
    int head = snprintf(out, SP_FACT_PATH, "%s", reader->root);
    if (head < 0 || (size_t)head >= SP_FACT_PATH) {
        return false;
    }
    va_start(ap, fmt);
    int n = vsnprintf(out + head, SP_FACT_PATH - (size_t)head, fmt, ap);
    va_end(ap);
    return n >= 0 && (size_t)n < SP_FACT_PATH - (size_t)head;
}

static char *cannot(struct sp_fact_reader *reader, const char *why)
{
    (void)snprintf(reader->reason, sizeof(reader->reason), "%s", why);
    return NULL;
}

static char *cannot_errno(struct sp_fact_reader *reader)
{
    return cannot(reader, errno == ENOENT || errno == ENOTDIR ? "there is no such file"
                          : errno == EACCES || errno == EPERM
                              ? "it is not readable without privilege"
                              : strerrordesc_np(errno));
}

/* Reads up to one byte more than max, so that a longer file is noticed. */
static bool slurp(struct sp_fact_reader *reader, int fd, size_t max)
{
    char chunk[4096];
    sp_buf_release(&reader->text);
    sp_buf_init(&reader->text, max + sizeof(chunk));
    for (unsigned reads = 0; reader->text.len <= max; reads++) {
        ssize_t n = read(fd, chunk, sizeof(chunk));
        if (n < 0 && errno == EINTR && reads < 100) {
            continue;
        }
        if (n < 0) {
            return cannot_errno(reader) != NULL;
        }
        if (n == 0) {
            return true;
        }
        sp_buf_add(&reader->text, chunk, (size_t)n);
        if (reader->text.rc != SP_OK) {
            reader->out->rc = reader->text.rc;
            return cannot(reader, sp_rc_str(reader->text.rc)) != NULL;
        }
    }
    return cannot(reader, "it is larger than any such file should be") != NULL;
}

char *sp_fact_read(struct sp_fact_reader *reader, const char *path, size_t max_bytes)
{
    char whole[SP_FACT_PATH];
    struct stat st;
    if (!sp_fact_path(reader, whole, "%s", path)) {
        return cannot(reader, "its path is too long");
    }
    /* Not blocking: something else may lie where the file should be. */
    int fd = open(whole, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        return cannot_errno(reader);
    }
    bool good = false;
    if (fstat(fd, &st) != 0) {
        (void)cannot_errno(reader);
    } else if (!S_ISREG(st.st_mode)) {
        (void)cannot(reader, "it is no plain file");
    } else {
        good = slurp(reader, fd, max_bytes);
    }
    (void)close(fd); /* only read: nothing can be lost */
    if (!good) {
        return NULL;
    }
    sp_buf_str(&reader->text, ""); /* an empty file has a text, too */
    char *text = reader->text.data;
    size_t len = reader->text.len;
    if (!text) {
        reader->out->rc = SP_E_NOMEM;
        return cannot(reader, "out of memory");
    }
    /* /proc/self/attr/current may end with a NUL. */
    while (len > 0 && (text[len - 1] == '\0' || strchr(" \t\r\n", text[len - 1]))) {
        text[--len] = '\0';
    }
    return strlen(text) == len ? text : cannot(reader, "it holds bytes that are no text");
}

char *sp_fact_read_line(struct sp_fact_reader *reader, const char *path)
{
    char *text = sp_fact_read(reader, path, SP_FACT_LINE_MAX);
    if (text && (*text == '\0' || strchr(text, '\n'))) {
        return cannot(reader, *text ? "it holds more than one line" : "it is empty");
    }
    return text;
}

bool sp_fact_read_number(struct sp_fact_reader *reader, const char *path, uint64_t *ret_value)
{
    char *text = sp_fact_read_line(reader, path);
    if (text && sp_parse_uint(text + strspn(text, " \t"), UINT64_MAX, ret_value) != SP_OK) {
        text = cannot(reader, "it holds no number");
    }
    return text != NULL;
}

bool sp_fact_exists(const struct sp_fact_reader *reader, const char *path)
{
    char whole[SP_FACT_PATH];
    return sp_fact_path(reader, whole, "%s", path) && access(whole, F_OK) == 0;
}

static int cmp_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* All names of a folder; false when there are too many or memory is out. */
static bool list_names(struct sp_fact_reader *reader, DIR *dir, char ***ret_names, size_t *ret_n)
{
    char **names = NULL;
    size_t cap = 0;
    const struct dirent *entry;
    bool good = true;
    /* Nobody else reads this folder's handle. NOLINTNEXTLINE(concurrency-mt-unsafe) */
    while (good && (entry = readdir(dir)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) {
            continue;
        }
        if (*ret_n == SP_FACT_NAMES_MAX) {
            good = cannot(reader, "the folder holds too much") != NULL;
        } else if (sp_grow((void **)&names, *ret_n, &cap, sizeof(*names)) != 0 ||
                   !(names[*ret_n] = sp_strdup(entry->d_name))) {
            reader->out->rc = SP_E_NOMEM;
            good = cannot(reader, "out of memory") != NULL;
        } else {
            (*ret_n)++;
        }
    }
    *ret_names = names;
    return good;
}

bool sp_fact_each_name(struct sp_fact_reader *reader, const char *path,
                       bool (*fn)(void *arg, const char *name), void *arg)
{
    char whole[SP_FACT_PATH];
    char **names = NULL;
    size_t n = 0;
    DIR *dir = sp_fact_path(reader, whole, "%s", path) ? opendir(whole) : NULL;
    if (!dir) {
        return cannot_errno(reader) != NULL;
    }
    bool good = list_names(reader, dir, &names, &n);
    (void)closedir(dir);
    if (n > 1) {
        qsort(names, n, sizeof(*names), cmp_name);
    }
    for (size_t i = 0; i < n; i++) {
        if (good && !fn(arg, names[i])) {
            break;
        }
    }
    for (size_t i = 0; i < n; i++) {
        sp_free(names[i]);
    }
    sp_free(names);
    return good;
}

char *sp_fact_word(char **text)
{
    char *at = *text + strspn(*text, " \t\r\n");
    size_t len = strcspn(at, " \t\r\n");
    *text = at + len;
    if (len == 0) {
        return NULL;
    }
    if (**text) {
        *(*text)++ = '\0';
    }
    return at;
}

char *sp_fact_next_line(char **text)
{
    char *at = *text;
    if (*at == '\0') {
        return NULL;
    }
    size_t len = strcspn(at, "\n");
    *text = at + len;
    if (**text) {
        *(*text)++ = '\0';
    }
    return at;
}

/* ---- telling ---- */

static void put(struct sp_fact_reader *reader, const char *key, const char *text)
{
    sp_fields_add_bytes(reader->out, key, text, strnlen(text, SP_FACT_VALUE_MAX));
}

void sp_fact_begin(struct sp_fact_reader *reader, const char *fact, const char *of,
                   const char *source)
{
    put(reader, "fact", fact);
    if (of) {
        put(reader, "of", of);
    }
    put(reader, "source", source);
    reader->began = reader->out->len;
    reader->is_cut = false;
}

void sp_fact_cut(struct sp_fact_reader *reader)
{
    if (!reader->is_cut) {
        put(reader, "cut", "1");
        reader->is_cut = true;
    }
}

bool sp_fact_value(struct sp_fact_reader *reader, const char *value)
{
    size_t before = reader->out->len;
    if (reader->is_cut) {
        return false;
    }
    put(reader, "value", value);
    if (reader->out->len - reader->began > SP_FACT_LIST_BYTES) {
        reader->out->len = before; /* the value is left out whole */
        reader->out->data[before] = '\0';
        sp_fact_cut(reader);
        return false;
    }
    return true;
}

void sp_fact_unknown(struct sp_fact_reader *reader, const char *fact, const char *of,
                     const char *source, const char *reason)
{
    sp_fact_begin(reader, fact, of, source);
    put(reader, "unknown", reason);
}

void sp_fact_known(struct sp_fact_reader *reader, const char *fact, const char *of,
                   const char *source, const char *value)
{
    sp_fact_begin(reader, fact, of, source);
    (void)sp_fact_value(reader, value);
}
