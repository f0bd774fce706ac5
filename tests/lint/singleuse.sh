#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A function that no other file uses, tests included, is static. Needs a build: BUILD=folder
# (default build/dev).
. "$(dirname "$0")/lib.sh"
BUILD=${BUILD:-build/dev}
objects=$(find "$BUILD" -name '*.c.o' 2>/dev/null | sort)
[ -n "$objects" ] || skip "no objects in $BUILD: build the dev preset first"

xargs -r nm --extern-only --format=posix -A <<<"$objects" 2>/dev/null | awk '
    { object = $1; sub(/\[.*|:$/, "", object) }
    $3 == "T" && object !~ /\/tests\// { where[$2] = object }
    $3 == "U" { used[$2] = 1 }
    END {
        for (name in where) if (!(name in used) && name ~ /^sp_/) {
            file = where[name]
            sub(/\.o$/, "", file)
            sub(/CMakeFiles\/[^\/]*\.dir\//, "", file)
            sub(/^.*build\/[^\/]*\//, "", file)
            print file ":1: " name "() is used in no other file, nor tested: make it static"
        }
    }' | sort | verdict
