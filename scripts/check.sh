#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# What a reviewer runs, one line each. The state of the tree is the answer: nothing is changed.
#
#   scripts/check.sh                    all
#   scripts/check.sh format sizes       some
#
# data, tidy and cppcheck read build/dev, which is built when it is not there.
# shellcheck disable=SC2317 # the checks are called by name
set -uo pipefail

cd "$(dirname "$0")/.." || exit
sources=(base conf net http upstream filters proxy admin)
all=(format layers sizes cycles selftest shellcheck python data cppcheck tidy)
database=build/dev/compile_commands.json
log=$(mktemp)
remark=$(mktemp) # what a check wants to be said beside its ok
trap 'rm -f "$log" "$remark"' EXIT

c_files() { # FOLDERS...
    find "$@" -name '*.[ch]' -type f | sort
}

scripts_of() { # INTERPRETER-PATTERN
    find scripts .ci bench tests fuzz -type f -not -name '*.[ch]' -exec awk -v wanted="$1" \
        'FNR == 1 { if ($0 ~ "^#!.*" wanted) print FILENAME; nextfile }' {} + | sort
}

needs_configure() {
    [ -e "$database" ] || cmake --preset dev > /dev/null
}

# Versions of clang-format disagree about details; ours is Debian 12's.
check_format() {
    local tool
    for tool in clang-format clang-format-14; do
        if "$tool" --version 2> /dev/null | grep -q 'version 14\.'; then
            c_files "${sources[@]}" tests fuzz bench | xargs -r "$tool" --dry-run -Werror
            return
        fi
    done
    echo skipped > "$remark"
}

check_layers() { python3 scripts/check_layers.py; }
check_sizes() { python3 scripts/check_size.py; }
check_cycles() { python3 scripts/check_cycles.py; }
check_selftest() { python3 scripts/check_selftest.py; }

check_shellcheck() {
    scripts_of '(ba)?sh$' | xargs -r shellcheck -x
}

check_python() {
    { find scripts bench tests fuzz -name '*.py'; scripts_of python3; } | sort -u |
        xargs -r python3 -W error -c 'import ast, sys
for name in sys.argv[1:]:
    ast.parse(open(name).read(), name)'
}

check_data() {
    needs_configure
    cmake --build --preset dev | grep -v '^\[' | head -n 40
    [ "${PIPESTATUS[0]}" -eq 0 ] && python3 scripts/check_data.py build/dev
}

check_cppcheck() {
    cppcheck --quiet --std=c11 --enable=warning,performance,portability --inline-suppr \
        --error-exitcode=1 -j "$(nproc)" -I . -D_GNU_SOURCE -DCYC_VERSION='"0"' \
        -DCYC_REVISION='"0"' --suppress=missingIncludeSystem --suppress=normalCheckLevelMaxBranches \
        --suppressions-list=scripts/cppcheck.suppress "${sources[@]}"
}

# One file at a time: clang-tidy 14 mixes up va_list state between files of one run.
check_tidy() {
    local story status
    needs_configure
    story=$(mktemp)
    find "${sources[@]}" fuzz -name '*.c' -type f | sort |
        xargs -r -P "$(nproc)" -n 1 clang-tidy --quiet -p build/dev > "$story" 2> /dev/null
    status=$?
    grep -aE ': (error|warning): ' "$story" | sed "s|^$PWD/||" | sort -u
    [ "$status" -eq 0 ] || echo "clang-tidy -p build/dev FILE says how it comes to that"
    rm -f "$story"
    return "$status"
}

status=0
[ $# -gt 0 ] || set -- "${all[@]}"
for name in "$@"; do
    if ! [[ " ${all[*]} " == *" $name "* ]]; then
        echo "no check named $name; there are: ${all[*]}" >&2
        exit 2
    fi
    started=$SECONDS
    : > "$remark"
    if "check_$name" > "$log" 2>&1; then
        echo "ok      $name ($((SECONDS - started)) s) $(cat "$remark")"
    else
        echo "FAILED  $name ($((SECONDS - started)) s)"
        head -n "${CHECK_LINES:-60}" "$log" | sed 's/^/        /'
        status=1
    fi
done
exit $status
