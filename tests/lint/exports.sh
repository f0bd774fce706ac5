#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Every symbol that a library exports starts with sp_. Needs a build: BUILD=folder (default build/dev).
. "$(dirname "$0")/lib.sh"
BUILD=${BUILD:-build/dev}
libs=$(find "$BUILD" -name 'libsp_*.a' -not -path '*/tests/*' 2>/dev/null | sort)
[ -n "$libs" ] || skip "no libsp_*.a in $BUILD: build the dev preset first"

while IFS= read -r lib; do
    nm --extern-only --defined-only --format=posix "$lib" 2>/dev/null |
        awk -v lib="$lib" '$2 ~ /^[A-Z]$/ && $1 !~ /^(sp_|__|_?_gcov|mangle_)/ { print lib ": exports " $1 ": make it static or prefix it with sp_" }'
done <<<"$libs" | verdict
