#!/bin/sh
# Programs that some tests need and pip cannot bring. In CI, as root on Debian or Ubuntu, they are
# installed; elsewhere, or without the network, those tests skip and say what they lack.
set -eu

# A package a line, and the tests that need it.
PACKAGES="
g++                    the native runner, and what counts instructions in the emulator
g++-aarch64-linux-gnu  the native runner for 64-bit Arm
qemu-user              the arm64 runner: an emulated Arm core
openssh-client         the ssh runner
openssh-server         the ssh runner: this machine as its own board
adb                    the adb runner: the real client
chromium               the HTML report and the web module, opened and looked at
nodejs                 the web module, built
npm                    the web module, built
junit4                 the Android module's unit tests
libhamcrest-java       the same
libandroid-json-java   the same: Android's own JSON classes
"

missing() {
    echo "$PACKAGES" | while read -r package tests; do
        [ -n "$package" ] || continue
        # Some builds of nodejs bring npm along, and Debian's own would be in their way.
        case $package in nodejs) program=node ;; npm) program=npm ;; *) program= ;; esac
        [ -z "$program" ] || ! command -v $program >/dev/null || continue
        state=$(dpkg-query --show --showformat '${db:Status-Status}' "$package" 2>&1) || state=
        [ "$state" = installed ] || echo "$package"
    done
}

install() {
    apt-get -qq install --no-install-recommends "$@" >/dev/null 2>&1
}

say() {
    echo "system packages: $*"
}

if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
    say "this is not Debian or Ubuntu; the native, arm64, ssh, adb, browser and web tests may skip"
    exit
fi
wanted=$(missing | xargs)
[ -n "$wanted" ] || exit 0
# Not on somebody's own machine without asking: among them is a server that may start itself.
if [ "$(id -u)" != 0 ] || [ -z "${CI:-}" ]; then
    say "some tests will skip; for them, as root: apt-get install $wanted"
    exit
fi
say "installing $wanted"
export DEBIAN_FRONTEND=noninteractive
# All at once; if that fails, what can be had: not every system has every package.
# shellcheck disable=SC2086  # a list
apt-get -qq update >/dev/null 2>&1 && install $wanted ||
    for package in $wanted; do
        install "$package" || say "no $package could be installed; tests that need it will skip"
    done
