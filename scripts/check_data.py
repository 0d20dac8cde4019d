#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Mutable file-scope variables: symbols in .data, .bss and thread-local sections of our objects.

State hangs off a worker or the master, so there should be none. scripts/data.allow lists the
exceptions, one `<object> <symbol> # reason` a line.

Usage: check_data.py BUILD-FOLDER [ROOT]
"""
import pathlib
import re
import subprocess
import sys

import ctokens

# <address> <flags> <section> <size> <name>, or *COM* for tentative definitions
LINE = re.compile(r"^[0-9a-f]+ (?P<flags>.{7}) (?P<section>\S+)\s+[0-9a-f]+\s+(?P<name>\S+)$")
MUTABLE = re.compile(r"^(\.t?data|\.t?bss|\*COM\*)(?!\.rel\.ro)")
# What compilers add for themselves.
TOOLING = re.compile(r"^(\.L|__asan|__odr_asan|__ubsan|__gcov|__tsan|__sancov|__PRETTY_FUNCTION__)")


def mutable_symbols(objects):
    output = subprocess.run(["objdump", "-t", *objects], capture_output=True, text=True, check=True)
    current = ""
    for line in output.stdout.splitlines():
        if line.endswith(("elf64-x86-64", "elf64-littleaarch64")):
            current = line.split(":")[0]
        found = LINE.match(line)
        if not found or not MUTABLE.match(found["section"]) or "d" in found["flags"]:
            continue
        if found["name"] != found["section"] and not TOOLING.match(found["name"]):
            yield current, re.sub(r"\.\d+$", "", found["name"])


def main(arguments):
    build = pathlib.Path(arguments[0])
    root = pathlib.Path(arguments[1] if len(arguments) > 1 else ".")
    allow = root / "scripts/data.allow"
    lines = allow.read_text().splitlines() if allow.is_file() else []
    allowed = {tuple(line.split("#")[0].split()) for line in lines if line.split("#")[0].strip()}
    objects = [path.as_posix() for folder in ctokens.SOURCE_FOLDERS
               for path in sorted((build / folder).rglob("*.c.o"))
               if (root / folder / path.name.removesuffix(".o")).is_file()]
    if not objects:
        print(f"data: no objects in {build}; build first")
        return True
    problems, used = [], set()
    for path, symbol in mutable_symbols(objects):
        name = f"{pathlib.Path(path).relative_to(build).parts[0]}/{pathlib.Path(path).name[:-2]}"
        if (name, symbol) in allowed:
            used.add((name, symbol))
        else:
            problems.append(f"{name}: {symbol} is a mutable variable at file scope")
    problems += [f"scripts/data.allow: no longer needed: {' '.join(entry)}"
                 for entry in sorted(allowed - used)]
    print("\n".join(problems) or f"data: clean ({len(objects)} objects)")
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
