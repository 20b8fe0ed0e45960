#!/usr/bin/env bash
# Makes what a target needs: the programs of the system, and a virtual environment in .venv.
#
#   .ci/setup.sh EXTRAS [COMMAND:PACKAGE ...]
#
# EXTRAS are those of pyproject.toml, with commas. Each COMMAND that is missing is installed as the Debian PACKAGE
# where that is possible (root, apt), else it is named: tests that need it then say that they are skipped.
# PYTHON chooses the interpreter.
set -euo pipefail
cd "$(dirname "$0")/.."

extras=$1
shift
python=${PYTHON:-python3}
venv=.venv

main() {
    install_missing "$@"
    check_python
    [ "$(cat "$(stamp)" 2>/dev/null)" = "$(fingerprint)" ] || make_venv
}

may_install() {
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null
}

# Install Debian packages one by one, so that one which is not there costs only itself. No service is started: we
# want the programs, and a policy file says so to the packages.
apt_install() {
    local policy=/usr/sbin/policy-rc.d is_ours=no package
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod 755 "$policy"
        is_ours=yes
    fi
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq || true
    for package in "$@"; do
        apt-get install -qq -y --no-install-recommends "$package" >/dev/null || echo "apt could not install $package" >&2
    done
    [ "$is_ours" = no ] || rm -f "$policy"
}

# Print the packages of those commands (or files, by their path) that are missing.
missing() {
    local pair
    for pair in "$@"; do
        command -v "${pair%%:*}" >/dev/null || [ -e "${pair%%:*}" ] || echo "${pair#*:}"
    done
}

install_missing() {
    local packages
    mapfile -t packages < <(missing "$@")
    if [ "${#packages[@]}" -gt 0 ] && may_install; then
        apt_install "${packages[@]}"
        mapfile -t packages < <(missing "$@")
    fi
    [ "${#packages[@]}" -eq 0 ] ||
        echo "Missing, so what needs it is skipped. As root: apt install ${packages[*]}" >&2
}

check_python() {
    if ! command -v "$python" >/dev/null && may_install; then
        apt_install python3 python3-venv
    fi
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || {
        echo "The gateway needs Python 3.11 or newer; $python is $("$python" -V 2>/dev/null || echo not there)." >&2
        echo "Name another one as: make PYTHON=python3.12 ..." >&2
        exit 1
    }
    has_venv && return
    if may_install; then
        apt_install python3-venv
    fi
    has_venv || {
        echo "$python cannot make virtual environments: apt install python3-venv" >&2
        exit 1
    }
}

has_venv() {
    "$python" -c 'import ensurepip, venv' 2>/dev/null
}

stamp() {
    echo "$venv/ready-${extras//,/-}"
}

fingerprint() {
    { version "$python" && cat pyproject.toml constraints.txt; } | sha256sum
}

version() {
    "$1" -c 'import sys; print(sys.version)' 2>/dev/null
}

make_venv() {
    echo "Installing into $venv ($extras) ..."
    if [ "$(version "$venv/bin/python")" != "$(version "$python")" ]; then
        "$python" -m venv --clear "$venv"
    fi
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-input \
        --constraint constraints.txt --editable ".[$extras]"
    fingerprint >"$(stamp)"
}

main "$@"
