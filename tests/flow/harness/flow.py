# SPDX-License-Identifier: Apache-2.0
"""What a test gets: gateways and services that live as long as it does."""
import os
import shlex
import socket
import subprocess
import tempfile

from . import gateway, upstream, wire
from .nginx import Nginx
from .wait import equal


class Settings:
    def __init__(self, binary, engine, is_large=False, wrapper="", workers=1):
        """`wrapper`: a command that runs the binary, as one string ("valgrind -q"), or nothing."""
        self.binary = os.path.abspath(binary)
        self.command = [*shlex.split(wrapper), self.binary]
        self.workers = workers
        self.engine = engine
        self.is_large = is_large


class Flow:
    def __init__(self, settings):
        self.settings = settings
        # Short, because UNIX socket paths are.
        self.temporary = tempfile.TemporaryDirectory(prefix="flow-")
        self.folder = self.temporary.name
        self.gateways = []
        self.upstreams = []
        self.others = []

    # ---- parts -------------------------------------------------------------------------------

    def upstream(self, answer=None, script=None, **more):
        service = upstream.Upstream(answer, script, **more)
        self.upstreams.append(service)
        return service

    def dead_address(self):
        """An address that refuses connections for the whole test."""
        address, sock = upstream.refused_address()
        self.others.append(sock)
        return address

    def path(self, name):
        return os.path.join(self.folder, name)

    def prepare(self, config=None, env=None, args=None, cwd=None, to=None, **sections):
        """A gateway that is not started yet. `to`: where everything goes ("upstream")."""
        if isinstance(config, dict) or (config is None and (sections or to is not None)):
            config = gateway.merge(config or {}, sections)
            if to is not None:
                config["upstream"] = to
        made = gateway.Gateway(self.settings, self.folder, len(self.gateways), config, env, args, cwd)
        self.gateways.append(made)
        return made

    def gateway(self, config=None, **more):
        return self.prepare(config, **more).start()

    def nginx(self, server_lines, **more):
        made = Nginx(self.folder, server_lines, **more)
        self.others.append(made)
        return made

    # ---- other programs ----------------------------------------------------------------------

    def run(self, *args, env=None, timeout_s=30, stdin=subprocess.DEVNULL, cwd=None):
        """Runs the binary to its end; returns the finished process with text output."""
        return subprocess.run([*self.settings.command, *args],
                              env=gateway.environment(self.settings, env), stdin=stdin,
                              capture_output=True, text=True, timeout=timeout_s,
                              cwd=cwd or self.folder, check=False)

    def curl(self, *args, timeout_s=60):
        return subprocess.run(["curl", "--silent", "--show-error", "--noproxy", "*", *args],
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout_s,
                              check=False)

    # ---- common checks -----------------------------------------------------------------------

    def expect_failure(self, made, path, status, reason, count=1):
        """The access log and the metrics agree on why it failed."""
        lines = made.wait_access(path, count)
        for line in lines:
            equal((line["status"], line.get("reason")), (status, reason), f"access log of {path}")
        made.wait_metric("cyclone_responses_total", lambda value: value >= count, reason=reason)
        return lines[-1]

    # ---- end ---------------------------------------------------------------------------------

    def finish(self, is_failed=False):
        """Ends everything. Returns the problems that were found."""
        problems = []
        for made in self.gateways:
            problem = made.finish()
            if problem is not None:
                problems.append(problem)
        for service in self.upstreams:
            service.stop()
            problems += [f"in the service's script:\n{error}" for error in service.errors]
        for other in self.others:
            other.close()
        if is_failed or problems:
            for made in self.gateways:
                if made.process is not None:
                    problems.append(f"stderr of {os.path.basename(made.folder)} ends\n"
                                    f"{made.stderr()[-1500:]}")
        return problems

    def close(self):
        for made in self.gateways:
            made.kill()
        self.temporary.cleanup()


def unused_port():
    """A port that was free a moment ago, for programs that cannot pick one themselves."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


__all__ = ["Flow", "Settings", "unused_port", "wire"]
