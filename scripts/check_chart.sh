#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The configuration in the chart's default values is one that cyclone accepts. Usage: BINARY
set -eu

cd "$(dirname "$0")/.."
file=$(mktemp)
trap 'rm -f "$file"' EXIT
# The block below `config:`, with an upstream filled in as an administrator would.
awk '/^config:/ { inside = 1; next } /^[^ #]/ { inside = 0 } inside { sub(/^  /, ""); print }' \
    charts/cyclone/values.yaml | sed 's/^upstream: ""/upstream: 127.0.0.1:3000/' > "$file"
grep -q '^upstream: 127' "$file"
"$1" check "$file"
