#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Unfinished business is an issue or a line in the CHANGELOG, not a comment that nobody reads again.
. "$(dirname "$0")/lib.sh"

all_files | grep -v '^tests/lint/' | grep -vE '\.(png|pcap|pcapng|gz|bin|svg)$' | grep -v '/corpus/' |
    xargs -r grep -nIHE '\b(TODO|FIXME|XXX|HACK)\b' | cut -c1-160 | verdict
