#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Prints the perfect hash of http/token.def for http/msg.c: factors and slots.

The hash of a name is a sum of its length and three of its characters (lower case), each times a
factor; the factors are searched so that no two names share a slot.
"""
import pathlib
import random
import re

SLOT_COUNT = 256
ROOT = pathlib.Path(__file__).resolve().parent.parent


def rows():
    text = (ROOT / "http/token.def").read_text(encoding="ascii")
    return re.findall(r'^CYC_TOKEN_ROW\((\w+),\s*"([^"]+)"', text, re.MULTILINE)


def slot(name, factors):
    length = len(name)
    parts = (length, ord(name[0]), ord(name[length // 3]), ord(name[length - 2]))
    return sum(factor * part for factor, part in zip(factors, parts)) % SLOT_COUNT


def search(names):
    rng = random.Random(1)
    while True:
        factors = [rng.randrange(1, 64) for _ in range(4)]
        if len({slot(name, factors) for name in names}) == len(names):
            return factors


def main():
    table = rows()
    factors = search([name for _, name in table])
    print("factors: length %d, first %d, at length / 3 %d, last but one %d" % tuple(factors))
    for position, symbol in sorted((slot(name, factors), symbol) for symbol, name in table):
        print(f"    [{position}] = CYC_TOKEN_{symbol},")


if __name__ == "__main__":
    main()
