# SPDX-License-Identifier: Apache-2.0
"""One Cyclone process: started with a configuration of its own, watched to its end."""
import json
import os
import re
import signal
import socket
import subprocess

from . import wire
from .metrics import Metrics
from .wait import equal, wait_for

START_TIMEOUT_S = 20.0
STOP_TIMEOUT_S = 15.0
LISTENING = re.compile(r'^listener "([^"]*)" on (.*)$')
ADMIN_LISTENING = re.compile(r"^admin on (.*)$")

# What every test starts from; a test's own sections are laid over it.
DEFAULTS = {
    "server": {"worker_threads": 1, "drain_delay": "0s", "shutdown_grace": "5s", "watch": False},
    "admin": {"address": "127.0.0.1:0"},
    "listeners": {"main": {"address": "127.0.0.1:0"}},
    "log": {"format": "json"},
}

# Any of these on stderr fails the test; the second half is what valgrind says.
COMPLAINTS = ("ERROR: AddressSanitizer", "runtime error:", "LeakSanitizer", "WARNING: ThreadSanitizer",
              "cyclone: bug", '"event":"bug"', "Assertion", "assertion",
              "== Invalid ", "== Conditional jump", "== Use of uninit", "== Syscall param",
              "== Mismatched free", "definitely lost in", "possibly lost in")


def merge(base, over):
    """`over` laid over `base`: maps are merged, anything else is replaced."""
    result = dict(base)
    for key, value in over.items():
        if isinstance(value, dict) and isinstance(result.get(key), dict):
            result[key] = merge(result[key], value)
        else:
            result[key] = value
    return result


def connect(address, timeout_s=wire.TIMEOUT_S):
    """`address` as Cyclone writes it: 127.0.0.1:80, [::1]:80 or unix:/path."""
    if address.startswith("unix:"):
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(timeout_s)
        sock.connect(address[5:])
    else:
        host, _, port = address.rpartition(":")
        sock = socket.create_connection((host.strip("[]"), int(port)), timeout_s)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return wire.Wire(sock, timeout_s)


class Gateway:
    def __init__(self, settings, folder, index, config, env=None, args=None, cwd=None):
        """`config`: a dict (laid over DEFAULTS), text, a path that exists, or None for no file."""
        self.defaults = merge(DEFAULTS, {"server": {"worker_threads": settings.workers}})
        self.folder = os.path.join(folder, f"gateway-{index}")
        os.mkdir(self.folder)
        self.cwd = cwd or self.folder
        self.config_path = os.path.join(self.folder, "config.yaml")
        self.args = ["--config", self.config_path] if args is None else list(args)
        if config is None:
            self.args = list(args or [])
        else:
            self.write_config(config)
        self.command = settings.command
        self.env = environment(settings, env)
        self.stdout_path = os.path.join(self.folder, "stdout")
        self.stderr_path = os.path.join(self.folder, "stderr")
        self.process = None
        self.is_stopped = False
        self.expected_status = 0
        self.known_complaints = ()

    # ---- configuration -----------------------------------------------------------------------

    def config_text(self, config):
        return config if isinstance(config, str) else json.dumps(merge(self.defaults, config), indent=1)

    def write_config(self, config):
        """Replaces the file in one step, as an editor or a deployment does."""
        fresh = self.config_path + ".new"
        with open(fresh, "w", encoding="utf-8") as file:
            file.write(self.config_text(config))
        os.rename(fresh, self.config_path)

    # ---- life --------------------------------------------------------------------------------

    def launch(self):
        """Starts the process and does not wait."""
        with open(self.stdout_path, "wb") as out, open(self.stderr_path, "wb") as err:
            self.process = subprocess.Popen([*self.command, *self.args], cwd=self.cwd, env=self.env,
                                            stdin=subprocess.DEVNULL, stdout=out, stderr=err)
        return self

    def start(self):
        """Starts the process and waits until it takes requests."""
        self.launch()
        self.wait_event("started", timeout_s=START_TIMEOUT_S)
        return self

    def stderr(self):
        with open(self.stderr_path, "rb") as file:
            return file.read().decode("utf-8", "replace")

    def stdout(self):
        with open(self.stdout_path, "rb") as file:
            return file.read().decode("utf-8", "replace")

    def signal(self, number):
        self.process.send_signal(number)

    def wait_exit(self, timeout_s=STOP_TIMEOUT_S):
        """Returns the exit status; the process must end by itself."""
        try:
            status = self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {timeout_s} s; stderr ends\n"
                                 f"{self.stderr()[-2000:]}") from None
        self.is_stopped = True
        return status

    def terminate(self, status=0, timeout_s=STOP_TIMEOUT_S):
        """SIGTERM, and a look at how it ends."""
        self.signal(signal.SIGTERM)
        equal(self.wait_exit(timeout_s), status, "exit status after SIGTERM")

    def finish(self):
        """At the end of every test. Returns what is wrong, as text, or None."""
        if self.process is None:
            return None
        problem = None
        if not self.is_stopped:
            try:
                self.signal(signal.SIGTERM)
                status = self.wait_exit()
                if status != self.expected_status:
                    problem = f"exit status {status} at the end, wanted {self.expected_status}"
            except AssertionError as error:
                self.process.kill()
                self.process.wait()
                problem = f"did not end: {error}"
        text = self.stderr()
        for complaint in COMPLAINTS:
            if complaint in text and complaint not in self.known_complaints:
                at = text.index(complaint)
                problem = f"stderr says\n{text[max(0, at - 200):at + 4000]}"
                break
        return problem

    def kill(self):
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    # ---- events ------------------------------------------------------------------------------

    def events(self, name=None):
        found = []
        for line in self.stderr().split("\n"):
            if not line.startswith("{"):
                continue
            try:
                event = json.loads(line)
            except ValueError:
                continue
            if name is None or event.get("event") == name:
                found.append(event)
        return found

    def wait_event(self, name, count=1, contains="", timeout_s=10.0):
        """Waits until `name` was reported `count` times with that text; returns the last one."""

        def look():
            found = [e for e in self.events(name) if contains in e.get("message", "")]
            if len(found) >= count:
                return found
            if self.process.poll() is not None:
                self.is_stopped = True
                raise AssertionError(f"ended with status {self.process.returncode} before "
                                     f"{name!r}; stderr:\n{self.stderr()[-3000:]}")
            return None

        return wait_for(look, f"event {name!r} {contains!r} ({count}x); stderr ends "
                        f"{self.stderr()[-800:]!r}", timeout_s)[count - 1]

    def address(self, listener="main"):
        """Where that listener is. Waits for it: a reload may still be opening it."""

        def look():
            for event in reversed(self.events("listening")):
                match = LISTENING.match(event["message"])
                if match and match.group(1) == listener:
                    return match.group(2)
            return None

        return wait_for(look, f"listener {listener!r}")

    def port(self, listener="main"):
        return int(self.address(listener).rpartition(":")[2])

    def admin_address(self):
        def look():
            for event in self.events("listening"):
                match = ADMIN_LISTENING.match(event["message"])
                if match:
                    return match.group(1)
            return None

        return wait_for(look, "the admin listener")

    # ---- asking ------------------------------------------------------------------------------

    def connect(self, listener="main", timeout_s=wire.TIMEOUT_S):
        return connect(self.address(listener), timeout_s)

    def ask(self, data, listener="main", method=None):
        """One request on a connection of its own."""
        with self.connect(listener) as client:
            return client.ask(data, method)

    def get(self, target="/", fields=(), listener="main", **more):
        return self.ask(wire.get(target, fields, **more), listener)

    def admin(self, path, fields=(), host="localhost", method="GET"):
        with connect(self.admin_address()) as client:
            return client.ask(wire.request(method, path, fields, host=host))

    def metrics(self):
        answer = self.admin("/metrics")
        equal(answer.status, 200, "status of /metrics")
        return Metrics(answer.body.decode())

    def wait_metric(self, name, wanted, timeout_s=10.0, **labels):
        """Waits until the sum of these series is `wanted` (a number or a predicate)."""
        is_wanted = wanted if callable(wanted) else (lambda value: value == wanted)
        seen = []

        def look():
            seen[:] = [self.metrics().value(name, **labels)]
            return is_wanted(seen[0])

        try:
            wait_for(look, name, timeout_s)
        except AssertionError:
            raise AssertionError(f"{name}{labels or ''} is {seen}, wanted {wanted}") from None
        return seen[0]

    # ---- the access log ----------------------------------------------------------------------

    def access_lines(self, path=None):
        """The access log so far, from stdout."""
        lines = []
        for line in self.stdout().split("\n"):
            if line.startswith("{"):
                lines.append(json.loads(line))
        return [line for line in lines if path is None or line.get("path") == path]

    def wait_access(self, path=None, count=1, timeout_s=10.0):
        wait_for(lambda: len(self.access_lines(path)) >= count,
                 f"{count} access log lines for {path!r}", timeout_s)
        return self.access_lines(path)

    # ---- reloading ---------------------------------------------------------------------------

    def reload(self, config):
        """Writes the configuration, sends SIGHUP, waits until it is in force."""
        before = len(self.events("config_loaded"))
        self.write_config(config)
        self.signal(signal.SIGHUP)
        self.wait_event("config_loaded", before + 1)


def environment(settings, extra=None):
    """The test's own environment: nothing named CYCLONE_ but the engine."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("CYCLONE_")}
    env["CYCLONE_NETWORK_IO_BACKEND"] = settings.engine
    env.setdefault("ASAN_OPTIONS", "detect_stack_use_after_return=1:strict_string_checks=1:"
                                   "abort_on_error=1")
    env.setdefault("UBSAN_OPTIONS", "print_stacktrace=1")
    env.update(extra or {})
    return env
