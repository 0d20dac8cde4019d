# SPDX-License-Identifier: Apache-2.0
"""A light C tokenizer for the check scripts: no preprocessing, no types, just tokens with lines."""
import pathlib
import re
from typing import NamedTuple

SOURCE_FOLDERS = ["base", "conf", "net", "http", "upstream", "filters", "proxy", "admin"]
TEST_FOLDERS = ["tests", "fuzz", "bench"]

TOKEN = re.compile(
    r"""
    (?P<comment>/\*.*?\*/|//[^\n]*)
  | (?P<string>(?:u8|[LuU])?"(?:\\.|[^"\\\n])*")
  | (?P<char>[LuU]?'(?:\\.|[^'\\\n])*')
  | (?P<directive>^[ \t]*\#(?:[^\n\\/]|\\\n|\\[^\n]|/(?![*/])|/\*.*?\*/|//[^\n]*)*)
  | (?P<word>[A-Za-z_]\w*)
  | (?P<number>\.?\d(?:[eEpP][+-]|[\w.])*)
  | (?P<op>->|\+\+|--|<<=|>>=|<=|>=|==|!=|&&|\|\||<<|>>|\.\.\.|[-+*/%&|^!=<>]=?|[~?:;,.(){}\[\]])
    """,
    re.VERBOSE | re.DOTALL | re.MULTILINE,
)


class Token(NamedTuple):
    kind: str
    text: str
    line: int


def tokenize(text):
    """All tokens of a file, comments and directives included."""
    tokens, line, at = [], 1, 0
    for found in TOKEN.finditer(text):
        line += text.count("\n", at, found.start())
        at = found.start()
        tokens.append(Token(found.lastgroup, found.group(), line))
    return tokens


def code_only(tokens):
    """Tokens of the language. When #if branches leave braces unbalanced, only first branches."""
    plain = [t for t in tokens if t.kind not in ("comment", "directive")]
    opened = sum(t.text == "{" for t in plain) - sum(t.text == "}" for t in plain)
    if opened == 0:
        return plain
    kept, skipping = [], []
    for token in tokens:
        if token.kind == "directive":
            word = re.match(r"\s*#\s*(\w*)", token.text).group(1)
            if word in ("if", "ifdef", "ifndef"):
                skipping.append(False)
            elif word in ("else", "elif") and skipping:
                skipping[-1] = True
            elif word == "endif" and skipping:
                skipping.pop()
        elif token.kind != "comment" and not any(skipping):
            kept.append(token)
    return kept


def matching(tokens, at):
    """Index of the bracket that closes the one at `at`."""
    pairs = {"(": ")", "{": "}", "[": "]"}
    opening, closing, depth = tokens[at].text, pairs[tokens[at].text], 0
    for i in range(at, len(tokens)):
        if tokens[i].kind == "op":
            depth += (tokens[i].text == opening) - (tokens[i].text == closing)
            if depth == 0:
                return i
    return len(tokens) - 1


class Function(NamedTuple):
    name: str
    is_static: bool
    first: int  # index of the first token of the declaration
    params: int  # index of "("
    body: int  # index of "{"
    end: int  # index of "}"


def functions(tokens):
    """Function definitions in tokens from code_only()."""
    found, start, i = [], 0, 0
    while i < len(tokens):
        text = tokens[i].text
        if text in (";", "}"):
            start = i + 1
        elif text in ("(", "["):
            close = matching(tokens, i)
            is_body_next = close + 1 < len(tokens) and tokens[close + 1].text == "{"
            is_named = text == "(" and i > start and tokens[i - 1].kind == "word"
            if is_body_next and is_named and tokens[i - 1].text != "__attribute__":
                end = matching(tokens, close + 1)
                words = {t.text for t in tokens[start:i]}
                found.append(Function(tokens[i - 1].text, "static" in words, start, i, close + 1, end))
                i, start = end, end + 1
            else:
                i = close
        elif text == "{":
            i = matching(tokens, i)
            if i + 1 < len(tokens) and tokens[i + 1].text not in (";", ",", "="):
                pass  # struct x { ... } name; goes on to its semicolon
        i += 1
    return found


def c_files(root, folders, suffixes=(".c", ".h")):
    """Source files below the folders, sorted."""
    for folder in folders:
        for path in sorted((pathlib.Path(root) / folder).rglob("*")):
            if path.suffix in suffixes and path.is_file():
                yield path
