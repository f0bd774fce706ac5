/* SPDX-License-Identifier: Apache-2.0
 *
 * What the terminal can show, and what its user wants to see: https://no-color.org,
 * https://bixense.com/clicolors, COLUMNS as POSIX has it. */
#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "controller/commands/cmd.h"
#include "probe/base/str.h"

#define SP_COLUMNS_MAX 10000U

const char *const sp_color_choices[] = {"auto", "always", "never", NULL};

static bool env_is(const char *name, const char *value)
{
    const char *text = getenv(name);
    return text && strcmp(text, value) == 0;
}

static bool env_is_set(const char *name)
{
    const char *text = getenv(name);
    return text && text[0];
}

bool sp_cmd_color(const struct sp_common *common, int fd)
{
    if (common->color != SP_COLOR_AUTO) {
        return common->color == SP_COLOR_ALWAYS;
    }
    if (env_is_set("NO_COLOR")) {
        return false;
    }
    if (env_is_set("CLICOLOR_FORCE") && !env_is("CLICOLOR_FORCE", "0")) {
        return true;
    }
    return isatty(fd) == 1 && !env_is("TERM", "dumb") && !env_is("CI", "true");
}

bool sp_cmd_utf8(void)
{
    return setlocale(LC_CTYPE, "") && strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

unsigned sp_cmd_width(int fd)
{
    const char *text = getenv("COLUMNS");
    uint64_t columns = 0;
    if (text && sp_parse_uint(text, SP_COLUMNS_MAX, &columns) == SP_OK && columns > 0) {
        return (unsigned)columns;
    }
    struct winsize size;
    return isatty(fd) == 1 && ioctl(fd, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}
