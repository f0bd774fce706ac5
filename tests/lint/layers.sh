#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Includes go one way only, and are written from the root.
#   base <- wire <- link      base <- packet <- techniques      base <- topologies <- reports <- controller
# "may" below is the whole rule: a layer, and the layers and single headers it may include. The
# registry of the techniques is data: everybody who plans or reports may read it.
. "$(dirname "$0")/lib.sh"

c_files probe topologies reports controller tests | while IFS= read -r file; do
    grep -nE '^[[:space:]]*#[[:space:]]*include[[:space:]]*["<]' "$file" /dev/null
done | awk '
function layer(path) {
    if (path ~ /^probe\/techniques\/registry\.(h|def|c)$/) return "techdata"
    if (path ~ /^probe\/(base|wire|link|packet|techniques)\//) {
        split(path, part, "/")
        return part[2]
    }
    if (path ~ /^(probe|topologies|reports|controller|tests)\//) {
        split(path, part, "/")
        return part[1]
    }
    return ""
}
function allow(from, list,    i, n, to) {
    n = split(list, to, " ")
    for (i = 1; i <= n; i++) may[from, to[i]] = 1
    known[from] = 1
}
BEGIN {
    allow("base", "base")
    allow("wire", "base wire")
    allow("link", "base wire link")
    allow("packet", "base packet")
    allow("techdata", "base techdata")
    allow("techniques", "base packet techniques techdata")
    allow("probe", "base wire link packet techniques techdata probe")
    allow("topologies", "base techdata topologies")
    allow("reports", "base techdata topologies reports probe/wire/record.h")
    allow("controller", "base wire link techdata topologies reports controller")
    # Libraries that must not reach the static probe, or the leaf.
    banned["probe"] = "^(cjson/|cJSON|yaml|sqlite3|libpq)"
    banned["leaf"] = "^(cjson/|cJSON|yaml|sqlite3|libpq|event2?[/.]|openssl/|libnet|pcap)"
}
{
    file = $0
    sub(/:.*/, "", file)
    line = substr($0, length(file) + 2)
    sub(/:.*/, "", line)
    target = $0
    is_system = target ~ /include[ \t]*</
    sub(/^[^"<]*["<]/, "", target)
    sub(/[">].*/, "", target)
    from = layer(file)
    if (is_system) {
        if (file ~ /^probe\// && target ~ banned["probe"])
            print file ":" line ": <" target "> does not belong into the probe"
        else if ((from == "base" || from == "wire") && target ~ banned["leaf"])
            print file ":" line ": <" target "> does not belong into probe/" from ": it depends on libc only"
        next
    }
    to = layer(target)
    if (to == "") {
        print file ":" line ": write \"" target "\" from the root, e.g. \"probe/base/rc.h\""
    } else if (from == "tests") {
        next
    } else if (to == "tests") {
        print file ":" line ": only tests may include \"" target "\""
    } else if (!((from, to) in may) && !((from, target) in may)) {
        print file ":" line ": " from " must not include \"" target "\" (" to ")"
    }
}' | verdict
