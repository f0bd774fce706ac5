#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# clang-format has nothing to change. Mend with: tests/lint/format.sh --fix
. "$(dirname "$0")/lib.sh" "$([ "${1:-}" = --fix ] || echo "${1:-}")"
command -v clang-format >/dev/null || skip "clang-format is not installed"

if [ "${1:-}" = --fix ]; then
    c_files | xargs -r clang-format -i
    exit
fi
c_files | xargs -r -P "$JOBS" -n 20 clang-format --dry-run --Werror 2>&1 |
    grep -E '(error|warning):' | sed -E 's/error: code should be clang-formatted.*/not formatted: run tests\/lint\/format.sh --fix/' |
    sort -u | verdict
