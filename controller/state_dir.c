/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/state_dir.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool make_dirs(char *path)
{
    for (char *p = path + 1; *p; p++) {
        if (*p == '/') {
            *p = '\0';
            int rc = mkdir(path, 0700);
            *p = '/';
            if (rc != 0 && errno != EEXIST) {
                return false;
            }
        }
    }
    return true;
}

bool sp_state_path(const char *name, char *out, size_t size)
{
    const char *state = getenv("XDG_STATE_HOME");
    const char *home = getenv("HOME");
    int n;
    if (state && state[0] == '/') {
        n = snprintf(out, size, "%s/segproof/%s", state, name);
    } else if (geteuid() == 0) {
        n = snprintf(out, size, "/var/lib/segproof/%s", name);
    } else if (home && home[0] == '/') {
        n = snprintf(out, size, "%s/.local/state/segproof/%s", home, name);
    } else {
        return false;
    }
    if (n <= 0 || (size_t)n >= size || !make_dirs(out)) {
        return false;
    }
    if (out[n - 1] == '/') {
        out[n - 1] = '\0';
    }
    return true;
}
