#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Call cycles between files: a file mentions a function of another, and back, however far round.

A .c file and the header of the same name are one unit. scripts/cycles.ratchet lists the cycles
that are still allowed, one a line; it may only shrink, so a line that is no longer needed is an
error too.

Usage: check_cycles.py [ROOT]
"""
import pathlib
import sys

import ctokens

sys.setrecursionlimit(10000)


def units(root):
    """unit -> (functions it defines for others, words it mentions)"""
    found = {}
    for path in ctokens.c_files(root, ctokens.SOURCE_FOLDERS):
        unit = path.relative_to(root).with_suffix("").as_posix()
        defined, words = found.setdefault(unit, (set(), set()))
        tokens = ctokens.code_only(ctokens.tokenize(path.read_text(errors="replace")))
        own = set()
        for function in ctokens.functions(tokens):
            (own if function.is_static and path.suffix == ".c" else defined).add(function.name)
            words.update(t.text for t in tokens[function.body : function.end] if t.kind == "word")
        words -= own
    return found


def graph(found):
    owner = {name: unit for unit, (defined, _) in found.items() for name in defined}
    return {unit: {owner[word] for word in words if owner.get(word, unit) != unit}
            for unit, (_, words) in found.items()}


def cycles(edges):
    """Strongly connected groups of more than one unit (Tarjan)."""
    order, low, stack, groups = {}, {}, [], []

    def visit(unit):
        order[unit] = low[unit] = len(order)
        stack.append(unit)
        for target in sorted(edges[unit]):
            if target not in order:
                visit(target)
                low[unit] = min(low[unit], low[target])
            elif target in stack:
                low[unit] = min(low[unit], order[target])
        if low[unit] == order[unit]:
            at = stack.index(unit)
            group, stack[at:] = stack[at:], []
            if len(group) > 1:
                groups.append(sorted(group))

    for unit in sorted(edges):
        if unit not in order:
            visit(unit)
    return groups


def main(arguments):
    root = pathlib.Path(arguments[0] if arguments else ".")
    ratchet = root / "scripts/cycles.ratchet"
    lines = ratchet.read_text().splitlines() if ratchet.is_file() else []
    allowed = [set(line.split("#")[0].split()) for line in lines if line.split("#")[0].strip()]
    found = units(root)
    edges = graph(found)
    problems, used = [], set()
    for group in cycles(edges):
        fits = [i for i, files in enumerate(allowed) if set(group) <= files]
        used.update(fits)
        if not fits:
            ways = [f"    {a} -> {b}: " + ", ".join(sorted(found[a][1] & found[b][0]))
                    for a in group for b in sorted(edges[a] & set(group))]
            problems.append("call cycle between " + ", ".join(group) + "\n" + "\n".join(ways))
    problems += [f"scripts/cycles.ratchet: no longer needed: {' '.join(sorted(files))}"
                 for i, files in enumerate(allowed) if i not in used]
    print("\n".join(problems) or f"cycles: clean ({len(found)} files)")
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
