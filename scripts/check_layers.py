#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Fails when an #include points up the layers, or at a third-party header outside its one file."""
import fnmatch
import pathlib
import re
import sys

root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")
may, only, roots = {}, {}, set()
for raw in (root / "scripts/layers.conf").read_text().splitlines():
    line = raw.split("#")[0].strip()
    if not line:
        continue
    if line.startswith("only "):
        _, header, *files = line.split()
        only[header] = files
    elif line.startswith("root "):
        roots.add(line.split()[1])
    else:
        folder, _, allowed = line.partition(":")
        may[folder.strip()] = {folder.strip(), *allowed.split()}


def allows(patterns, name):
    return any(fnmatch.fnmatch(name, pattern) for pattern in patterns)


include = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
problems = []
for folder in may:
    for path in sorted((root / folder).rglob("*.[ch]")):
        name = path.relative_to(root).as_posix()
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
            found = include.match(line)
            if not found:
                continue
            quote, target = found.groups()
            if quote == '"' and not (root / target).is_file():
                problems.append(f'{name}:{number}: "{target}": write the path from the root')
            elif quote == '"' and name not in roots and target.split("/")[0] not in may[folder]:
                problems.append(f"{name}:{number}: {folder}/ may not include {target}")
            for header, files in only.items():
                if quote == "<" and target.startswith(header) and not allows(files, name):
                    problems.append(f"{name}:{number}: <{target}> belongs in {', '.join(files)}")
print("\n".join(problems) or "layers: clean")
sys.exit(bool(problems))
