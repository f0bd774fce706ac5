#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Every Python file compiles, and no tab or bare except hides in it.
. "$(dirname "$0")/lib.sh"
command -v python3 >/dev/null || skip "python3 is not installed"

PYTHONPYCACHEPREFIX=$(mktemp -d)
export PYTHONPYCACHEPREFIX
trap 'rm -rf "$PYTHONPYCACHEPREFIX"' EXIT
files=$(with_shebang python '\.py$')
[ -n "$files" ] || exit 0
found=$(
    xargs -r python3 -W error -m py_compile <<<"$files" 2>&1
    xargs -r grep -nHE $'^ *\t|^[[:space:]]*except:' <<<"$files" | sed 's/$/  (a tab, or an except that catches everything)/'
)
verdict <<<"$found"
