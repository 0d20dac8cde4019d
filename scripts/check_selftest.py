#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The checkers against deliberate violations: each case says what must be complained about."""
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
LONG = "".join(f"    n += {i};\n" for i in range(75))
TALL = "".join(f"    case {i}:\n        return {i};\n" for i in range(20))

# script, {file: text}, what the output must contain (None: clean), why
CASES = [
    ("size", {"base/a.c": "int f(int a)\n{\n    return a;\n}\n"}, None, "a plain function"),
    ("size", {"base/a.c": f"int f(int n)\n{{\n{LONG}    return n;\n}}\n"},
     "f() has 79 lines", "too long"),
    ("size", {"base/a.c": f"/* cyc-size: table of numbers */\nint f(int n)\n{{\n{LONG}"
                          "    return n;\n}\n"}, None, "exempt by marker"),
    ("size", {"base/a.c": f"/* cyc-size: because */\nint f(int n)\n{{\n{LONG}    return n;\n}}\n"},
     "f() has 79 lines", "not a marker: neither table nor switch"),
    ("size", {"base/a.c": "int x;\n" * 801}, "801 lines", "file too long"),
    ("size", {"base/a.c": "int f(int a, int b, int c, int d, int e, int g)\n{\n    return a;\n}\n"},
     "6 parameters", "too many parameters"),
    ("size", {"base/a.c": "int f(int a, int (*b)(int, int, int), int c, int d, int e)\n{\n"
                          "    return a;\n}\n"}, None, "commas inside a function type"),
    ("size", {"base/a.c": "void f(void)\n{\n}\n"}, None, "void is no parameter"),
    ("size", {"base/a.c": f"int f(int n)\n{{\n    switch (n) {{\n{TALL}    }}\n    return 0;\n}}\n"},
     "cyclomatic number 21", "too many paths"),
    ("size", {"base/a.c": f"int f(int n)\n{{\n    /* cyc-size: switch over numbers */\n"
                          f"    switch (n) {{\n{TALL}    }}\n    return 0;\n}}\n"},
     None, "marker inside the function"),
    ("size", {"base/a.c": "int f(int n)\n{\n    cyc_assert(" + " && ".join(["n"] * 20) +
              ");\n    return n;\n}\n"}, None, "assertions do not count"),
    ("size", {"base/a.c": "int f(int n)\n{\n    return " + " && ".join(["n"] * 17) + ";\n}\n"},
     "cyclomatic number 17", "conditions do"),
    ("size", {"base/a.c": "int f(int n)\n{\n    if (n)\n        for (;;)\n            while (n)\n"
                          "                do {\n                    if (n)\n"
                          "                        n++;\n                } while (n);\n"
                          "    return n;\n}\n"}, "nests 5 deep", "without braces too"),
    ("size", {"base/a.c": "int f(int n)\n{\n    if (n == 1)\n        n = 2;\n" +
              "".join(f"    else if (n == {i})\n        n = 3;\n" for i in range(2, 8)) +
              "    else\n        n = 4;\n    return n;\n}\n"}, None, "else if is a ladder, not a nest"),
    ("size", {"base/a.c": "void f(struct x *p)\n{\n" + "    for_each(a, p) {\n" * 5 +
              "        g((struct y){.a = 1});\n" + "    }\n" * 5 + "}\n"},
     "nests 5 deep", "loop macros nest"),
    ("size", {"base/a.c": "#ifdef A\nint f(int n)\n{\n    if (n) {\n#else\nint f(int n)\n{\n"
                          "    if (!n) {\n#endif\n        n++;\n    }\n    return n;\n}\n"},
     None, "unbalanced #if branches"),
    ("size", {"base/a.c": "struct x {\n    int (*f)(int);\n} x[] = {{0}};\n"}, None, "no function"),
    ("size", {"http/a.c": "void f(char *p)\n{\n    strcpy(p, \"x\");\n}\n"}, "strcpy is banned", ""),
    ("size", {"http/a.c": "#define COPY(p) sprintf(p, \"x\")\n"}, "a.c:1: sprintf is banned",
     "inside a macro"),
    ("size", {"http/a.c": "#define COPY(p) \\\n    do { \\\n        atoi(p); \\\n    } while (0)\n"},
     "a.c:3: atoi is banned", "in the right line of a long macro"),
    ("size", {"http/a.c": "/* strcpy(a) */\nconst char *s = \"strcpy(a)\"; // strcat(b)\n"},
     None, "comments and strings"),
    ("size", {"http/a.c": "void f(void)\n{\n    free(0);\n}\n"}, "free is banned", "outside base/"),
    ("size", {"base/a.c": "void f(void)\n{\n    free(0);\n}\n"}, None, "base/ may"),
    ("size", {"http/a.c": "void f(struct x *x)\n{\n    x->free(x);\n    x->time = 1;\n}\n"},
     None, "a member of that name"),
    ("size", {"http/a.c": "void *(*take)(size_t) = malloc;\n"}, "malloc is banned", "by address"),
    ("size", {"net/conn.c": "void f(void)\n{\n    clock_gettime(0, 0);\n}\n"},
     "only net/io_* reads a clock", ""),
    ("size", {"net/io_clock.c": "void f(void)\n{\n    clock_gettime(0, 0);\n}\n"}, None, "there it is"),
    ("size", {"http/a.c": "#include <assert.h>\n"}, "base/assert.h", ""),
    ("size", {"http/a.c": "static _Thread_local int n;\n"}, "_Thread_local is banned", ""),
    ("size", {"tests/a.c": "void f(void)\n{\n    usleep(1);\n}\n"}, "do not wait", "tests"),
    ("layers", {"base/a.h": "", "http/a.c": '#include "base/a.h"\n'}, None, "downward"),
    ("layers", {"http/a.h": "", "base/a.c": '#include "http/a.h"\n'}, "base/ may not include", "up"),
    ("layers", {"base/a.h": "", "base/a.c": '#include "a.h"\n'}, "from the root", "relative"),
    ("layers", {"http/a.c": "#include <uv.h>\n"}, "<uv.h> belongs in", "third party"),
    ("layers", {"admin/a.h": "", "proxy/main.c": '#include "admin/a.h"\n'}, None, "the root file"),
    ("cycles", {"base/a.c": "void b_x(void);\nvoid a_x(void)\n{\n    b_x();\n}\n",
                "base/b.c": "void a_x(void);\nvoid b_x(void)\n{\n    a_x();\n}\n"},
     "call cycle between base/a, base/b", "there and back"),
    ("cycles", {"base/a.c": "void b_x(void);\nvoid a_x(void)\n{\n    b_x();\n}\n",
                "base/b.c": "static void a_x(void)\n{\n}\nvoid b_x(void)\n{\n    a_x();\n}\n"},
     None, "a static of the same name"),
    ("cycles", {"base/a.c": "void b_x(void);\nvoid a_x(void)\n{\n    b_x();\n}\n",
                "base/b.c": "void a_x(void);\nvoid b_x(void)\n{\n    a_x();\n}\n",
                "scripts/cycles.ratchet": "base/a base/b # until they part\n"}, None, "allowed"),
    ("cycles", {"base/a.c": "int n;\n", "scripts/cycles.ratchet": "base/a base/b\n"},
     "no longer needed", "the ratchet tightens"),
]


def run(script, files):
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        (root / "scripts").mkdir()
        (root / "scripts/layers.conf").write_text((HERE / "layers.conf").read_text())
        for name, text in files.items():
            (root / name).parent.mkdir(exist_ok=True)
            (root / name).write_text(text)
        done = subprocess.run([sys.executable, HERE / f"check_{script}.py", root],
                              capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr


def main():
    failures = 0
    for script, files, wanted, why in CASES:
        status, output = run(script, files)
        good = status == 0 if wanted is None else status == 1 and wanted in output
        if not good:
            failures += 1
            print(f"{script}: {why or wanted}: wanted {wanted or 'clean'}, got {status}:\n{output}")
    print(f"checkers: {len(CASES) - failures} of {len(CASES)} cases as expected")
    return bool(failures)


if __name__ == "__main__":
    sys.exit(main())
