#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Functions that must not be called: no bound, no error, no reentrancy, or a shell in between.
. "$(dirname "$0")/lib.sh"

declare -A instead=(
    [strcpy]='sp_buf, or memcpy with a checked length' [strcat]=sp_buf [strncpy]='memcpy with a checked length'
    [strncat]=sp_buf [sprintf]='snprintf or sp_buf_fmt' [vsprintf]='vsnprintf' [gets]=fgets
    [atoi]=sp_parse_uint [atol]=sp_parse_uint [atoll]=sp_parse_uint [atof]='a bounded parser'
    [strtok]='strcspn, or a cursor' [localtime]=gmtime_r [gmtime]=gmtime_r [localtime_r]='gmtime_r: reports are in UTC'
    [ctime]=sp_wall_str [asctime]=sp_wall_str [alloca]='sp_calloc or a fixed array' [system]='posix_spawn without a shell'
    [popen]='posix_spawn without a shell' [tmpnam]=mkstemp [tempnam]=mkstemp [mktemp]=mkstemp
    [signal]='sigaction or libevent' [vfork]=posix_spawn [strerror]='sp_fail_errno' [inet_ntoa]=sp_addr_str
    [inet_addr]=sp_addr_parse [gethostbyname]=getaddrinfo [usleep]='nanosleep or a timer' [rand]=sp_rng_next
    [srand]=sp_rng_next [malloc]=sp_calloc [calloc]=sp_calloc [realloc]=sp_reallocarray [strdup]=sp_strdup
    [strndup]=sp_strndup [reallocarray]=sp_reallocarray [asprintf]=sp_buf_fmt [vasprintf]=sp_buf_fmt
)
names=$(IFS='|'; echo "${!instead[*]}")

c_files | xargs -r python3 "$LINT_HERE/code.py" |
    grep -E ":.*(^|[^A-Za-z0-9_.>])($names)[[:space:]]*\(" | while IFS= read -r hit; do
    file=${hit%%:*}
    rest=${hit#*:}
    line=${rest%%:*}
    code=${rest#*:}
    while [[ $code =~ (^|[^A-Za-z0-9_.>])($names)[[:space:]]*\((.*) ]]; do
        name=${BASH_REMATCH[2]}
        code=${BASH_REMATCH[3]}
        case $file:$name in
        # The allocator itself, and tests that feed a library its own memory.
        probe/base/mem.c:*alloc* | tests/*:*alloc | tests/*:str*dup | tests/*:asprintf | tests/*:rand) ;;
        *) echo "$file:$line: $name() is banned: use ${instead[$name]}" ;;
        esac
    done
done | verdict
