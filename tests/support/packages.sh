# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The Debian 12 packages that building and testing need: the one list. Source it, then call
#   sp_install_packages            installs what is missing (as root), or says what to install
# SP_PACKAGES_BUILD is enough for cmake --preset dev or release.

SP_PACKAGES_BUILD=(
    gcc libc6-dev cmake ninja-build pkg-config
    libevent-dev libssl-dev libcjson-dev libyaml-dev libnet1-dev libpcap-dev
    libcmocka-dev
)
SP_PACKAGES_TEST=(
    clang llvm libclang-rt-14-dev clang-tidy clang-format shellcheck universal-ctags binutils gcovr
    python3 python3-jsonschema python3-yaml libxml2-utils
    busybox libcap2-bin openssh-server sudo tcsh zsh
    groff-base iproute2 netbase iputils-ping nftables openssl procps tcpdump tshark
    haproxy nginx libnginx-mod-stream
    conntrack nmap masscan hping3 valgrind
)

sp_missing_packages() {
    local name
    for name in "$@"; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null)" = installed ] || echo "$name"
    done
}

sp_install_packages() {
    local missing
    mapfile -t missing < <(sp_missing_packages "${SP_PACKAGES_BUILD[@]}" "${SP_PACKAGES_TEST[@]}")
    if [ ${#missing[@]} -eq 0 ]; then
        return 0
    fi
    if [ "$(id -u)" -ne 0 ]; then
        echo "missing packages; install them as root: apt-get install ${missing[*]}" >&2
        return 1
    fi
    echo "installing ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    # The tests run sshds of their own: that of the machine is not started for them.
    local policy=/usr/sbin/policy-rc.d made=0 rc=0
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod 755 "$policy"
        made=1
    fi
    { apt-get update -q && apt-get install -q -y --no-install-recommends "${missing[@]}"; } >&2 || rc=$?
    [ "$made" -eq 0 ] || rm -f "$policy"
    return "$rc"
}
