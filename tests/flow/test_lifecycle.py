# SPDX-License-Identifier: Apache-2.0
"""Starting, draining and ending, under load."""
import json
import signal
import socket
import threading
import time

from harness import wire
from harness.flow import unused_port
from harness.gateway import connect
from harness.wait import equal, wait_for


class Load:
    """Keep-alive clients that ask as fast as they can and count what goes wrong. A connection that the
    gateway announced to close, or closed while it was idle, is replaced, as every HTTP client does; an
    answer that is missing, cut or not 200 is a failure."""

    def __init__(self, gateway, client_count=6, make=None, check=None):
        self.address = gateway.address()
        self.make = make or (lambda: wire.get("/load"))
        self.check = check or (lambda answer: answer.status == 200)
        self.failures, self.count, self.closes = [], 0, 0
        self.is_refused = False
        self._is_stopped = False
        self._lock = threading.Lock()
        self.threads = [threading.Thread(target=self._run, daemon=True) for _ in range(client_count)]
        for thread in self.threads:
            thread.start()

    def _run(self):
        while not self._is_stopped:
            try:
                client = connect(self.address)
            except OSError:
                self.is_refused = True  # closed for good: what a load balancer would no longer use
                return
            with client:
                if not self._use(client):
                    return

    def _use(self, client):
        """Returns False to stop for good."""
        is_first = True
        while not self._is_stopped:
            try:
                answer = client.ask(self.make())
            except (wire.Ended, OSError) as error:
                is_untouched = isinstance(error, OSError) or error.got == b""
                if is_untouched and not is_first:
                    return True  # closed while idle, as the request was on its way
                if is_untouched and self._is_closed():
                    self.is_refused = True  # was in the backlog of a listener that closed
                    return False
                self.failures.append(f"{'first ' if is_first else ''}request: {error}")
                return False
            with self._lock:
                self.count += 1
            if not self.check(answer):
                self.failures.append(f"{answer!r} {answer.body[:100]!r}")
            if answer.has_option("close"):
                with self._lock:
                    self.closes += 1
                return True
            is_first = False
        return False

    def _is_closed(self):
        try:
            connect(self.address).close()
            return False
        except OSError:
            return True

    def wait(self, more):
        target = self.count + more
        wait_for(lambda: self.count >= target or self.failures, f"{more} more requests", 20)
        self.expect_none_failed()

    def stop(self):
        self._is_stopped = True
        for thread in self.threads:
            thread.join(20)
        self.expect_none_failed()

    def expect_none_failed(self):
        assert not self.failures, f"{len(self.failures)} of {self.count} failed: {self.failures[:3]}"


def test_the_first_lines_say_engine_listeners_and_version(flow):
    gateway = flow.gateway(to=flow.upstream().address)
    gateway.admin_address()
    engine = gateway.wait_event("io_backend")["message"]
    assert engine.startswith(flow.settings.engine + ":"), engine
    started = gateway.wait_event("started")
    equal((started["level"], started["service"]), ("INFO", "cyclone"), "event")
    equal([e["event"] for e in gateway.events() if e["level"] in ("WARN", "ERROR")], [], "complaints")


def test_sigterm_without_traffic_ends_at_once(flow):
    gateway = flow.gateway(to=flow.upstream().address)
    before = time.monotonic()
    gateway.terminate()
    assert time.monotonic() - before < 3, "took too long"
    equal([e["event"] for e in gateway.events() if e["event"].startswith("drain")],
          ["drain_started", "drain_done"], "events")


def test_sigterm_under_load_fails_no_request(flow):
    service = flow.upstream()
    gateway = flow.gateway({"server": {"drain_delay": "500ms", "worker_threads": 2}}, to=service.address)
    load = Load(gateway)
    load.wait(100)
    gateway.signal(signal.SIGTERM)
    gateway.wait_event("drain_started")
    # While the delay lasts: not ready, and everything still answered, each answer the last.
    equal(gateway.admin("/ready").status, 503, "/ready on the admin port")
    equal(gateway.get("/ready").status, 503, "/ready on the traffic port")
    equal(gateway.get("/health").status, 200, "/health")
    answer = gateway.get("/during")
    equal((answer.status, answer.has_option("close")), (200, True), "a request during the delay")
    equal(gateway.wait_exit(), 0, "exit status")
    load.stop()
    assert load.closes > 0 and load.is_refused, "clients were told, and refused in the end"


def test_sigterm_lets_a_request_in_flight_finish(flow):
    release = threading.Event()

    def script(peer):
        while peer.next_request() is not None:
            peer.send(wire.head_bytes("HTTP/1.1 200 OK", [("Content-Length", "4")]) + b"ha")
            release.wait(10)
            peer.send(b"lf")

    service = flow.upstream(script=script)
    gateway = flow.gateway(to=service.address)
    with gateway.connect() as client, gateway.connect() as idle:
        client.send(wire.get("/long"))
        client.read_until(b"ha")
        gateway.signal(signal.SIGTERM)
        equal(idle.wait_end(), "eof", "the idle connection")
        wait_for(lambda: _is_refused(gateway), "new connections to be refused")
        release.set()
        equal(client.read_exact(2), b"lf", "the rest of the answer")
        equal(client.wait_end(), "eof", "the end")
    equal(gateway.wait_exit(), 0, "exit status")


def _is_refused(gateway):
    try:
        gateway.connect().close()
        return False
    except OSError:
        return True


def test_sigterm_lets_an_upload_in_flight_finish(flow):
    service = flow.upstream()
    gateway = flow.gateway(to=service.address)
    with gateway.connect() as client:
        client.send(wire.request("POST", "/up", [("Content-Length", "2000")]) + b"x" * 1000)
        gateway.wait_metric("cyclone_upstream_requests_total", 1)
        gateway.signal(signal.SIGTERM)
        gateway.wait_event("drain_started")
        client.send(b"x" * 1000)
        answer = client.read_response("POST")
        equal((answer.status, answer.has_option("close")), (200, True), "answer")
    equal(gateway.wait_exit(), 0, "exit status")


def test_a_second_signal_ends_it_at_once(flow):
    service = flow.upstream(script=lambda peer: (peer.next_request(), peer.wait_end()))
    gateway = flow.gateway({"server": {"shutdown_grace": "60s"}}, to=service.address)
    with gateway.connect() as client:
        client.send(wire.get("/never"))
        service.wait_requests(1)
        gateway.signal(signal.SIGTERM)
        gateway.wait_event("drain_started")
        before = time.monotonic()
        gateway.signal(signal.SIGTERM)
        gateway.wait_exit(5)
        assert time.monotonic() - before < 3, "took too long"
        client.wait_end()
        equal(client.buffer, b"", "bytes of an answer")


def test_requests_over_the_grace_are_cut_and_the_exit_status_says_so(flow):
    service = flow.upstream(script=lambda peer: (peer.next_request(), peer.wait_end(30)))
    gateway = flow.gateway({"server": {"shutdown_grace": "400ms"}}, to=service.address)
    with gateway.connect() as client:
        client.send(wire.get("/never"))
        service.wait_requests(1)
        gateway.signal(signal.SIGTERM)
        status = gateway.wait_exit(10)
        assert status > 0, f"exit status {status}"
        client.wait_end()
        equal(client.buffer, b"", "bytes of an answer")
    equal(len(gateway.events("drain_timeout")), 1, "event")
    equal(gateway.access_lines("/never")[0]["reason"], "shut_down", "access log")


def test_a_tunnel_is_cut_at_the_end_of_the_grace(flow):
    def script(peer):
        peer.next_request()
        peer.send(wire.head_bytes("HTTP/1.1 101 Switching", [("Connection", "Upgrade"), ("Upgrade", "raw")]))
        peer.wait_end(30)

    gateway = flow.gateway({"server": {"shutdown_grace": "400ms"}}, to=flow.upstream(script=script).address)
    with gateway.connect() as client:
        equal(client.ask(wire.get("/", [("Connection", "Upgrade"), ("Upgrade", "raw")])).status, 101, "status")
        gateway.signal(signal.SIGTERM)
        client.wait_end()
    gateway.wait_exit(10)


def test_sigint_ends_without_the_delay(flow):
    gateway = flow.gateway({"server": {"drain_delay": "30s"}}, to=flow.upstream().address)
    before = time.monotonic()
    gateway.signal(signal.SIGINT)
    equal(gateway.wait_exit(10), 0, "exit status")
    assert time.monotonic() - before < 5, "took too long"


def test_an_address_in_use_is_a_clear_error_at_start(flow):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        for config, what in (({"listeners": {"main": {"address": f"127.0.0.1:{port}"}}}, "listen"),
                             ({"admin": {"address": f"127.0.0.1:{port}"}}, "admin")):
            gateway = flow.prepare(config, to=flow.upstream().address).launch()
            assert gateway.wait_exit() > 0, f"exit status, {what}"
            text = gateway.stderr()
            assert f"127.0.0.1:{port}" in text and "in use" in text, text


def test_hundreds_of_connections_open_and_close_without_a_trace(flow):
    gateway = flow.gateway({"server": {"worker_threads": 2}}, to=flow.upstream().address)
    for _ in range(300):
        equal(gateway.get("/", [("Connection", "close")]).status, 200, "status")
    for _ in range(100):
        gateway.connect().reset()
    for _ in range(100):
        client = gateway.connect()
        client.send(b"GET / HT")
        client.close()
    gateway.wait_metric("cyclone_active_connections", 0)
    gateway.wait_metric("cyclone_requests_active", 0)
    equal(gateway.get().status, 200, "afterwards")


# ---- the demo ------------------------------------------------------------------------------------


def test_without_a_configuration_it_is_a_demo(flow):
    port = unused_port()
    gateway = flow.prepare(None, env={"CYCLONE_SERVER_PORT": str(port), "CYCLONE_ADMIN_ADDRESS": "127.0.0.1:0",
                                      "CYCLONE_SERVER_DRAIN_DELAY": "0s", "CYCLONE_LOG_FORMAT": "json",
                                      "CYCLONE_SERVER_WORKER_THREADS": "2"}).start()
    address = f"127.0.0.1:{port}"

    def ask(data):
        with connect(address) as client:
            return client.ask(data)

    answer = ask(wire.get("/hello?x=1", [("X-Mine", "yes")]))
    text = answer.body.decode()
    equal(answer.status, 200, "status")
    assert "GET /hello?x=1" in text and "X-Mine: yes" in text and "X-Forwarded-For: 127.0.0.1" in text, text
    equal(ask(wire.get("/status/503")).status, 503, "/status/503")
    equal(ask(wire.get("/status/204")).status, 204, "/status/204")
    before = time.monotonic()
    equal(ask(wire.get("/delay/250")).status, 200, "/delay")
    assert time.monotonic() - before >= 0.25, "the delay was too short"
    equal(ask(wire.get("/bytes/1048576")).body, b"x" * 1048576, "/bytes")
    equal(ask(wire.get("/stream/3")).body,
          b"lines to come: 2\nlines to come: 1\nlines to come: 0\n", "/stream")
    data = bytes(range(256)) * 4096
    equal(ask(wire.request("POST", "/echo", body=data)).body == data, True, "/echo")
    equal(ask(wire.request("POST", "/hello", body=data)).status, 200, "a body of no interest")
    equal(ask(wire.get("/health")).status, 200, "/health")
    out = gateway.stdout()
    for line in (f"curl -i http://localhost:{port}/hello", f"http://localhost:{port}/status/503", "/metrics"):
        assert line in out, f"{line!r} is not in the greeting:\n{out[:1500]}"
    assert "http://" + gateway.admin_address() + "/metrics" in out, f"the admin's real address:\n{out[:1500]}"


def test_the_demo_takes_a_free_port_when_told_so(flow):
    gateway = flow.prepare(None, env={"CYCLONE_SERVER_PORT": "0", "CYCLONE_ADMIN_ADDRESS": "127.0.0.1:0",
                                      "CYCLONE_SERVER_DRAIN_DELAY": "0s", "CYCLONE_LOG_FORMAT": "json"}).start()
    port = gateway.port("default")
    assert port not in (0, 8080), port
    with connect(f"127.0.0.1:{port}") as client:
        equal(client.ask(wire.get("/")).status, 200, "status")


def test_the_demo_has_no_leak_of_its_inner_socket(flow):
    """The inner listener is of this process only: a second demo has its own."""
    env = {"CYCLONE_ADMIN_ADDRESS": "127.0.0.1:0", "CYCLONE_SERVER_DRAIN_DELAY": "0s", "CYCLONE_LOG_FORMAT": "json"}
    for _ in range(2):
        port = unused_port()
        flow.prepare(None, env={**env, "CYCLONE_SERVER_PORT": str(port)}).start()
        with connect(f"127.0.0.1:{port}") as client:
            equal(client.ask(wire.get("/x")).status, 200, "status")
            equal(json.loads(client.ask(wire.get("/ready")).body)["status"], "ready", "/ready")
