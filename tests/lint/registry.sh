#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Every registry.def is sorted and holds no line twice; every line has its file and every file its line.
. "$(dirname "$0")/lib.sh"

prefix_of() { # the prefix of the files that stand beside a registry
    case $1 in
    probe/techniques) echo tech ;;
    topologies/importers) echo imp ;;
    reports/formats) echo fmt ;;
    topologies/presets) echo preset ;; # data: CMake compares it with the YAML files
    controller/deployers) echo dep ;;
    controller/store) echo store ;;
    controller/commands) echo cmd ;;
    esac
}

all_files | grep -E '(^|/)registry\.def$' | while IFS= read -r def; do
    dir=${def%/*}
    prefix=$(prefix_of "$dir")
    if [ -z "$prefix" ]; then
        echo "$def:1: unknown registry: give it a prefix in tests/lint/registry.sh"
        continue
    fi
    names=$(sed -nE 's/^SP_ENTRY\(([A-Za-z0-9_]+).*/\1/p' "$def")
    if [ -z "$names" ]; then
        echo "$def:1: no SP_ENTRY in it"
        continue
    fi
    if ! sort -cu <<<"$names" 2>/dev/null; then
        echo "$def:1: the names are not sorted, or one stands twice"
    fi
    grep -nE '^[[:space:]]+SP_ENTRY|^SP_ENTRY[[:space:]]|^SP_ENTRY\([^a-z]' "$def" |
        sed "s|^|$def:|; s|\$| : write SP_ENTRY(name, with the name in small letters, at the start of the line|"
    files=$(find "$dir" -maxdepth 1 -name "${prefix}_*.c" -printf '%f\n' |
        sed -E "s/^${prefix}_(.*)\.c$/\1/" | sort)
    # A registry whose folder holds no code at all is read as data only.
    if [ -n "$files" ]; then
        comm -23 <(sort -u <<<"$names") <(echo "$files") |
            sed "s|.*|$def:1: SP_ENTRY(&) has no file $dir/${prefix}_&.c|"
        comm -13 <(sort -u <<<"$names") <(echo "$files") |
            sed "s|.*|$dir/${prefix}_&.c:1: has no SP_ENTRY(&) in $def|"
    fi
done | verdict
