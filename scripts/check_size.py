#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Sizes and banned calls.

    function <= 70 lines, file <= 800 lines, <= 5 parameters, nesting <= 4, cyclomatic <= 15

A function whose body is a table, or a switch over an enum with a line or two for each case, is
easier to read in one piece. It says so in a comment above or in it, with the reason, and is then
free of the length and cyclomatic limits (not of the others):

    /* cyc-size: switch over the states, one line each */
    /* cyc-size: table of the known fields */

Usage: check_size.py [ROOT]    (--list: the largest functions)
"""
import pathlib
import re
import sys

import ctokens

FUNCTION_LINES_MAX = 70
FILE_LINES_MAX = 800
PARAMETERS_MAX = 5
NESTING_MAX = 4
CYCLOMATIC_MAX = 15

MARKER = re.compile(r"cyc-size:\s*(table|switch)\s+\w+")
ASSERTS = {"cyc_assert", "cyc_debug_assert", "CYC_BUILD_ASSERT"}
LOOPS = {"for", "while", "switch"}

UNSAFE = {name: "has no bound" for name in "sprintf vsprintf strcpy stpcpy strcat gets".split()}
UNSAFE |= {name: "hides errors" for name in "atoi atol atoll atof".split()}
UNSAFE |= {"strtok": "keeps state of its own", "alloca": "moves the stack unchecked"}
MEMORY = set("malloc calloc realloc reallocarray free strdup strndup aligned_alloc posix_memalign"
             .split())
MEMORY_BY_NAME = {"malloc", "calloc", "realloc"}  # also when only their address is taken
CLOCKS = {"gettimeofday", "time", "clock_gettime", "clock"}
SLEEPS = {"sleep", "usleep", "nanosleep"}


def parameters(tokens, function):
    close = ctokens.matching(tokens, function.params)
    inside = tokens[function.params + 1 : close]
    if not inside or [t.text for t in inside] == ["void"]:
        return 0
    depth, count = 0, 1
    for token in inside:
        depth += token.text in ("(", "[", "{")
        depth -= token.text in (")", "]", "}")
        count += token.text == "," and depth == 0
    return count


def cyclomatic(tokens, function):
    count, i = 1, function.body
    while i < function.end:
        token = tokens[i]
        if token.text in ASSERTS and tokens[i + 1].text == "(":
            i = ctokens.matching(tokens, i + 1)
        elif token.kind in ("word", "op"):
            count += token.text in ("if", "for", "while", "case", "&&", "||", "?")
        i += 1
    return count


class Nesting:
    """Walks statements and notes how deep control flow nests. `else if` is not deeper."""

    def __init__(self, tokens):
        self.tokens, self.deepest, self.line = tokens, 0, 0

    def note(self, depth, at):
        if depth > self.deepest:
            self.deepest, self.line = depth, self.tokens[at].line

    def text(self, at):
        return self.tokens[at].text if at < len(self.tokens) else ";"

    def block(self, at, depth):
        end = ctokens.matching(self.tokens, at)
        at += 1
        while at < end:
            at = self.statement(at, depth)
        return end + 1

    def controlled(self, at, depth):
        """The statement that an if or a loop controls."""
        self.note(depth + 1, at)
        return self.statement(at, depth + 1)

    def statement(self, at, depth):
        word = self.text(at)
        if word == "{":
            return self.block(at, depth)
        if word in LOOPS and self.text(at + 1) == "(":
            return self.controlled(ctokens.matching(self.tokens, at + 1) + 1, depth)
        if word == "if":
            at = self.controlled(ctokens.matching(self.tokens, at + 1) + 1, depth)
            while self.text(at) == "else":
                if self.text(at + 1) != "if":
                    return self.controlled(at + 1, depth)
                at = self.controlled(ctokens.matching(self.tokens, at + 2) + 1, depth)
            return at
        if word == "do":
            return self.expression(self.controlled(at + 1, depth), depth)
        if word in ("case", "default"):
            while self.text(at) != ":":
                at += 1
            return at + 1
        if self.tokens[at].kind == "word" and self.text(at + 1) == ":":
            return at + 2
        if self.is_loop_macro(at):
            return self.controlled(ctokens.matching(self.tokens, at + 1) + 1, depth)
        return self.expression(at, depth)

    def is_loop_macro(self, at):
        """for_each(...) statement: a call that is followed by neither an operator nor the end"""
        if self.tokens[at].kind != "word" or self.text(at + 1) != "(":
            return False
        after = ctokens.matching(self.tokens, at + 1) + 1
        if after >= len(self.tokens) or self.text(at) in ("return", "sizeof", "__attribute__"):
            return False
        return self.text(after) == "{" or self.tokens[after].kind == "word"

    def expression(self, at, depth):
        while at < len(self.tokens) and self.text(at) != ";":
            if self.text(at) in ("(", "[", "{"):
                at = ctokens.matching(self.tokens, at)
            elif self.text(at) == "}":
                return at
            at += 1
        return at + 1


def sizes(name, text, all_tokens):
    tokens = ctokens.code_only(all_tokens)
    marked = [t.line + t.text.count("\n") for t in all_tokens
              if t.kind == "comment" and MARKER.search(t.text)]
    for function in ctokens.functions(tokens):
        first, last = tokens[function.first].line, tokens[function.end].line
        where = f"{name}:{first}: {function.name}()"
        is_exempt = any(first - 3 <= line <= last for line in marked)
        length, paths = last - first + 1, cyclomatic(tokens, function)
        count = parameters(tokens, function)
        nesting = Nesting(tokens[: function.end + 1])
        nesting.block(function.body, 0)
        yield "size", (length, where)
        if length > FUNCTION_LINES_MAX and not is_exempt:
            yield "problem", f"{where} has {length} lines, at most {FUNCTION_LINES_MAX}"
        if paths > CYCLOMATIC_MAX and not is_exempt:
            yield "problem", f"{where} has cyclomatic number {paths}, at most {CYCLOMATIC_MAX}"
        if count > PARAMETERS_MAX:
            yield "problem", f"{where} has {count} parameters, at most {PARAMETERS_MAX}"
        if nesting.deepest > NESTING_MAX:
            yield "problem", (f"{name}:{nesting.line}: {function.name}() nests {nesting.deepest} "
                              f"deep, at most {NESTING_MAX}")
    lines = text.count("\n")
    if lines > FILE_LINES_MAX:
        yield "problem", f"{name}:1: {lines} lines, at most {FILE_LINES_MAX}"


def banned_reason(name, word, is_call):
    """Why `word` may not be used in file `name`, or None."""
    folder = name.split("/")[0]
    if is_call and word in UNSAFE:
        return UNSAFE[word]
    if word in ("_Thread_local", "__thread", "thread_local"):
        return "state hangs off the worker"
    if folder not in ctokens.SOURCE_FOLDERS:
        return "tests do not wait for time to pass" \
            if folder == "tests" and is_call and word in SLEEPS else None
    if folder != "base" and (word in MEMORY_BY_NAME or (is_call and word in MEMORY)):
        return "memory is taken through base/"
    if is_call and word == "assert":
        return "cyc_assert is always on"
    if is_call and word in SLEEPS:
        return "nothing blocks"
    if is_call and word in CLOCKS and not name.startswith("net/io_"):
        return "time is passed in; only net/io_* reads a clock"
    return None


def directive_tokens(token):
    """The tokens of a #define, and whether it is an #include of <assert.h>."""
    body = re.sub(r"^\s*#\s*\w+", lambda found: " " * len(found.group()), token.text)
    return [t._replace(line=t.line + token.line - 1) for t in ctokens.tokenize(body)]


def banned(name, all_tokens):
    tokens = []
    for token in all_tokens:
        if token.kind == "directive" and re.match(r"\s*#\s*define", token.text):
            tokens += [t for t in directive_tokens(token) if t.kind != "comment"]
        elif token.kind == "directive" and re.match(r"\s*#\s*include\s*<assert\.h>", token.text):
            yield "problem", f"{name}:{token.line}: <assert.h>: use base/assert.h"
        elif token.kind not in ("comment", "directive"):
            tokens.append(token)
    for before, token, after in zip([None, *tokens], tokens, [*tokens[1:], None]):
        if token.kind != "word" or (before and before.text in (".", "->")):
            continue
        reason = banned_reason(name, token.text, bool(after) and after.text == "(")
        if reason:
            yield "problem", f"{name}:{token.line}: {token.text} is banned: {reason}"


def main(arguments):
    wants_list = "--list" in arguments
    roots = [a for a in arguments if not a.startswith("--")]
    root = pathlib.Path(roots[0] if roots else ".")
    problems, measured = [], []
    for path in ctokens.c_files(root, ctokens.SOURCE_FOLDERS + ctokens.TEST_FOLDERS):
        name = path.relative_to(root).as_posix()
        text = path.read_text(errors="replace")
        tokens = ctokens.tokenize(text)
        for kind, what in (*sizes(name, text, tokens), *banned(name, tokens)):
            (problems if kind == "problem" else measured).append(what)
    if wants_list:
        for length, where in sorted(measured, reverse=True)[:25]:
            print(f"{length:4} {where}")
    print("\n".join(problems) or f"sizes: clean ({len(measured)} functions)")
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
