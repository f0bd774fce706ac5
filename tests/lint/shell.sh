#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Every shell script, known by its name or its first line, passes shellcheck.
. "$(dirname "$0")/lib.sh"
command -v shellcheck >/dev/null || skip "shellcheck is not installed"

with_shebang 'sh|bash|dash' '\.(sh|bash)$' |
    xargs -r -P "$JOBS" -n 8 shellcheck --format=gcc --severity=style --exclude=SC1091 --external-sources | verdict
