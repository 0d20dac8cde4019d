#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the flows: tests against the real binary, with real sockets on both sides.

    run.py --binary build/dev/cyclone --engine io_uring [--filter WORDS|WORDS]
           [-j 4] [--list] [--large] [--workers 1] [--wrapper "valgrind -q"]

Every function of tests/flow/test_*.py whose name begins with "test_" is a test; its name is the
sentence it checks. Each one runs in a process group of its own, with its own gateway, in its own
folder, on ports the kernel picks.
"""
import argparse
import glob
import importlib
import os
import select
import signal
import sys
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

from harness.flow import Flow, Settings  # pylint: disable=wrong-import-position

TEST_TIMEOUT_S = 90
LARGE_TIMEOUT_S = 900


class Test:
    def __init__(self, module, name, function):
        self.module, self.function = module, function
        self.name = f"{module}: {name[5:].replace('_', ' ')}"
        self.is_large = getattr(function, "is_large", False)

    def matches(self, words):
        """`words`: a part of the name, or several with "|" between."""
        return any(part.lower() in self.name.lower() or part in self.function.__name__
                   for part in words.split("|"))


def discover():
    tests = []
    for path in sorted(glob.glob(os.path.join(HERE, "test_*.py"))):
        module = os.path.splitext(os.path.basename(path))[0]
        loaded = importlib.import_module(module)
        for name, value in vars(loaded).items():
            if name.startswith("test_") and callable(value) and value.__module__ == module:
                tests.append(Test(module[5:], name, value))
    return tests


def run_in_child(test, settings, out):
    """The child's whole life: runs the test, writes what went wrong, and leaves."""
    os.setsid()
    if getattr(test.function, "needs_one_worker", False):
        settings.workers = 1
    report, flow = "", Flow(settings)
    try:
        try:
            test.function(flow)
        except BaseException:  # pylint: disable=broad-except
            report = traceback.format_exc()
        report += "\n".join(flow.finish(bool(report)))
    except BaseException:  # pylint: disable=broad-except
        report += traceback.format_exc()
    finally:
        flow.close()
    os.write(out, report.encode("utf-8", "replace")[:200000])
    os._exit(1 if report else 0)


class Running:
    def __init__(self, test, settings):
        self.test = test
        self.started_s = time.monotonic()
        self.text = b""
        self.is_over = False
        self.pipe, out = os.pipe()
        sys.stdout.flush()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self.pipe)
            run_in_child(test, settings, out)
        os.close(out)

    def read(self):
        data = os.read(self.pipe, 65536)
        self.text += data
        return bool(data)

    def kill_group(self):
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass

    def finish(self):
        """Once the pipe has ended, or time is up. Returns the problem, or ""."""
        limit_s = LARGE_TIMEOUT_S if self.test.is_large else TEST_TIMEOUT_S
        is_late = time.monotonic() - self.started_s > limit_s
        self.kill_group()
        _, status = os.waitpid(self.pid, 0)
        os.close(self.pipe)
        text = self.text.decode("utf-8", "replace")
        if is_late and not text:
            return f"did not end within {limit_s} s"
        return text if text or status == 0 else f"the test's process ended with status {status}"


def report(running, problem, engine):
    seconds = time.monotonic() - running.started_s
    print(f"{'FAIL' if problem else 'ok  '} [{engine}] {running.test.name} ({seconds:.1f} s)")
    if problem:
        print("     " + problem.strip().replace("\n", "\n     "))
    sys.stdout.flush()


def run_all(tests, settings, jobs):
    waiting, active, failed = list(tests), [], []
    while waiting or active:
        while waiting and len(active) < jobs:
            active.append(Running(waiting.pop(0), settings))
        ready, _, _ = select.select([r.pipe for r in active], [], [], 0.2)
        for running in list(active):
            limit_s = LARGE_TIMEOUT_S if running.test.is_large else TEST_TIMEOUT_S
            is_late = time.monotonic() - running.started_s > limit_s
            if (running.pipe in ready and not running.read()) or is_late:
                active.remove(running)
                problem = running.finish()
                report(running, problem, settings.engine)
                if problem:
                    failed.append(running.test)
    return failed


def engine_problem(settings):
    """Why the engine cannot be had here, or None."""
    if settings.engine != "io_uring":
        return None
    flow = Flow(settings)
    try:
        made = flow.prepare({"routes": [{"respond": 200}]})
        try:
            made.start()
        except AssertionError:
            text = made.stderr()
            if "io_uring" in text and made.process.poll() is not None:
                return text.strip().split("\n")[-1]
        flow.finish()
        return None
    finally:
        flow.close()


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--binary", required=True, help="the program under test")
    parser.add_argument("--engine", "--backend", choices=["io_uring", "epoll"], default="epoll")
    parser.add_argument("--filter", default="", help="only tests with these words in their name; | for or")
    parser.add_argument("-j", "--jobs", type=int, default=4)
    parser.add_argument("--list", action="store_true", help="print the tests, run nothing")
    parser.add_argument("--large", action="store_true", help="also the tests that move gigabytes")
    parser.add_argument("--workers", type=int, default=1,
                        help="threads of a gateway whose test does not care")
    parser.add_argument("--wrapper", default="", help="a command that runs the program")
    return parser.parse_args()


def main():
    options = arguments()
    settings = Settings(options.binary, options.engine, options.large, options.wrapper,
                        options.workers)
    tests = [t for t in discover()
             if t.matches(options.filter) and (options.large or not t.is_large)]
    if options.list:
        for test in tests:
            print(test.name)
        return 0
    if not os.access(settings.binary, os.X_OK):
        print(f"flow: no program at {options.binary}", file=sys.stderr)
        return 2
    problem = engine_problem(settings)
    if problem is not None:
        print(f"flow: SKIPPED, this machine has no io_uring: {problem}")
        print("0 passed, 0 failed")
        return 0
    began_s = time.monotonic()
    failed = run_all(tests, settings, max(1, options.jobs))
    for test in failed:
        print(f"failed: {test.name}")
    print(f"flow on {settings.engine}: {time.monotonic() - began_s:.0f} s")
    print(f"{len(tests) - len(failed)} passed, {len(failed)} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
