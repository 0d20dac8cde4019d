# SPDX-License-Identifier: Apache-2.0
"""Other people's HTTP on both sides: curl, nginx, Python's own server."""
import hashlib
import http.client
import http.server
import os
import re
import shutil
import signal
import subprocess
import threading

from harness import wire
from harness.gateway import connect
from harness.wait import equal


def test_curl_gets_and_puts_through_nginx(flow):
    data = hashlib.sha256(b"peers").digest() * 300000  # 9.6 MB
    nginx = flow.nginx("""
        location / { }
        location /empty { return 204; }
        location /moved { return 302 /elsewhere; }
    """, files={"big": data, "none": b""})
    gateway = flow.gateway(to=nginx.address)
    base = f"http://{gateway.address()}"
    done = flow.curl(f"{base}/big")
    equal((done.returncode, hashlib.sha256(done.stdout).hexdigest()), (0, hashlib.sha256(data).hexdigest()), "GET")
    done = flow.curl("--range", "1000-1999", "--write-out", "%{http_code}", f"{base}/big")
    equal((done.returncode, done.stdout), (0, data[1000:2000] + b"206"), "a range")
    done = flow.curl("--head", f"{base}/big")
    assert f"Content-Length: {len(data)}".encode() in done.stdout, done.stdout
    for path, code in (("/none", b"200"), ("/empty", b"204"), ("/moved", b"302"), ("/absent", b"404")):
        done = flow.curl("--output", "/dev/null", "--write-out", "%{http_code}", f"{base}{path}")
        equal((done.returncode, done.stdout), (0, code), path)


def test_curl_revalidates_what_nginx_says_is_unchanged(flow):
    nginx = flow.nginx("location / { }", files={"file": b"content"})
    gateway = flow.gateway(to=nginx.address)
    first = gateway.get("/file")
    again = gateway.get("/file", [("If-None-Match", first.get("etag"))])
    equal((again.status, again.body, again.get("etag")), (304, b"", first.get("etag")), "304")


def test_curl_uploads_with_expect_continue_and_chunks(flow):
    service = flow.upstream(script=continuing)
    gateway = flow.gateway(to=service.address)
    path = flow.path("upload")
    data = os.urandom(3 * 1024 * 1024)
    with open(path, "wb") as file:
        file.write(data)
    for more in (["--header", "Expect: 100-continue", "--expect100-timeout", "10"],
                 ["--header", "Transfer-Encoding: chunked"]):
        done = flow.curl("--upload-file", path, *more, f"http://{gateway.address()}/up")
        equal((done.returncode, done.stdout.decode()), (0, hashlib.sha256(data).hexdigest()), f"upload {more}")


def continuing(peer):
    """Says 100 where it is asked to, and the digest of the body."""
    while True:
        request = peer.next_request(with_body=False)
        if request is None:
            return
        if request.get("expect") == "100-continue":
            peer.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        peer.read_body(request)
        peer.send(wire.response(200, hashlib.sha256(request.body).hexdigest().encode()))


def test_curl_reports_an_answer_that_was_cut(flow):
    def script(peer):
        peer.next_request()
        peer.send(wire.head_bytes("HTTP/1.1 200 OK", [("Transfer-Encoding", "chunked")]) + wire.chunk(b"x" * 1000))

    gateway = flow.gateway(to=flow.upstream(script=script).address)
    done = flow.curl(f"http://{gateway.address()}/cut")
    assert done.returncode in (18, 56), f"curl thought it was whole: {done}"


def test_curl_reuses_its_connection_for_many_urls(flow):
    gateway = flow.gateway(to=flow.upstream().address)
    base = f"http://{gateway.address()}"
    done = flow.curl("--write-out", "%{num_connects} ", *[f"{base}/{i}" for i in range(20)])
    equal(done.stdout.split(b"ok\n")[1:], [b"1 "] + [b"0 "] * 18 + [b"0 "], "new connections for each URL")


def test_nginx_streams_chunked_answers(flow):
    """proxy_pass without buffering: nginx as a relay that chunks what has no length."""

    def script(peer):
        peer.next_request()
        peer.send(wire.head_bytes("HTTP/1.0 200 OK", [("Content-Type", "text/plain")]) + b"s" * 200000)

    inner = flow.upstream(script=script)
    nginx = flow.nginx("location / { proxy_pass http://%s; proxy_buffering off; proxy_http_version 1.1; }"
                       % inner.address)
    gateway = flow.gateway(to=nginx.address)
    answer = gateway.get()
    equal((answer.get("transfer-encoding"), answer.body), ("chunked", b"s" * 200000), "answer")


def test_nginx_as_the_client_side_proxy_reaches_the_service(flow):
    """nginx in front of Cyclone, as an edge in front of a sidecar, keep-alive on."""
    service = flow.upstream()
    gateway = flow.gateway({"listeners": {"main": {"trusted_proxies": ["127.0.0.1"]}}}, to=service.address)
    nginx = flow.nginx("""
        location / {
            proxy_pass http://sidecar; proxy_http_version 1.1; proxy_set_header Connection "";
            proxy_set_header X-Forwarded-For 203.0.113.7; proxy_set_header Host outer.test;
        }
    """, http_lines="upstream sidecar { server %s; keepalive 4; }" % gateway.address())
    with connect(nginx.address) as client:
        for _ in range(5):
            equal(client.ask(wire.get("/through")).body, b"ok\n", "answer")
    equal(service.requests[0].get("x-forwarded-for"), "203.0.113.7, 127.0.0.1", "X-Forwarded-For")
    equal(service.requests[0].get("host"), "outer.test", "Host")
    equal(gateway.wait_access("/through")[0]["client_ip"], "203.0.113.7", "client_ip")
    equal(gateway.metrics().value("cyclone_connections_total"), 1, "nginx keeps its connection")


def test_nginx_keepalive_limits_are_survived(flow):
    """nginx closes each connection after three requests and says so."""
    nginx = flow.nginx("location / { return 200 ok; } keepalive_requests 3;")
    gateway = flow.gateway(to=nginx.address)
    with gateway.connect() as client:
        for i in range(30):
            equal(client.ask(wire.request("POST", f"/{i}", body=b"x")).status, 200, f"request {i}")
    equal(gateway.metrics().value("cyclone_upstream_connects_total"), 10, "connections to nginx")


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self._answer(f"{self.command} {self.path}".encode())

    def do_POST(self):
        self._answer(self.rfile.read(int(self.headers["Content-Length"])))

    def _answer(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def test_pythons_server_and_client_talk_through_it(flow):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        gateway = flow.gateway(to=f"127.0.0.1:{server.server_port}")
        host, _, port = gateway.address().rpartition(":")
        client = http.client.HTTPConnection(host, int(port), timeout=10)
        for i in range(10):
            client.request("GET", f"/{i}")
            answer = client.getresponse()
            equal((answer.status, answer.read()), (200, f"GET /{i}".encode()), "GET")
            client.request("POST", "/", body=b"x" * 70000)
            answer = client.getresponse()
            equal((answer.status, answer.read()), (200, b"x" * 70000), "POST")
        client.request("POST", "/", body=iter([b"abc", b"def"]), encode_chunked=True,
                       headers={"Transfer-Encoding": "chunked"})
        client.getresponse().read()
        client.close()
    finally:
        server.shutdown()
        server.server_close()


def wrk(gateway, seconds):
    """wrk as a started process: as many requests as it can on 32 connections."""
    if shutil.which("wrk") is None:
        raise AssertionError("wrk is not installed: scripts/deps installs it")
    return subprocess.Popen(["wrk", "-t1", "-c32", f"-d{seconds}s", f"http://{gateway.address()}/"],
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def wrk_result(process):
    """Requests, and what failed: answers that are not 2xx, and connections that broke. A connection that
    is refused (wrk says "write") was never one: its client would ask somebody else."""
    out = process.communicate(timeout=30)[0]
    count = int(re.search(r"(\d+) requests in", out).group(1))
    errors = re.search(r"Socket errors: connect \d+, read (\d+), write \d+, timeout (\d+)", out)
    failed = sum(int(n) for n in errors.groups()) if errors else 0
    other = re.search(r"Non-2xx or 3xx responses: (\d+)", out)
    return count, failed + (int(other.group(1)) if other else 0), out


def test_wrk_sees_no_failed_request_while_the_gateway_drains(flow):
    nginx = flow.nginx("location / { return 200 ok; }")
    gateway = flow.gateway({"server": {"worker_threads": 2, "drain_delay": "300ms"}}, to=nginx.address)
    load = wrk(gateway, 2)
    gateway.wait_metric("cyclone_requests_total", lambda value: value > 500)
    gateway.signal(signal.SIGTERM)
    equal(gateway.wait_exit(), 0, "exit status")
    count, failed, out = wrk_result(load)
    equal(failed, 0, f"failed of {count} requests, {out}")


def test_wrk_sees_no_failed_request_while_routes_change(flow):
    nginx, service = flow.nginx("location / { return 200 ok; }"), flow.upstream()
    config = {"server": {"worker_threads": 2}, "clusters": {"a": nginx.address, "b": service.address}}
    gateway = flow.gateway({**config, "routes": [{"path": "/*", "to": "a"}]})
    load = wrk(gateway, 2)
    for name in "babababa":
        before = gateway.metrics().value("cyclone_requests_total")
        gateway.wait_metric("cyclone_requests_total", lambda value, b=before: value > b + 100)
        gateway.reload({**config, "routes": [{"path": "/*", "to": name}]})
    count, failed, out = wrk_result(load)
    equal(failed, 0, f"failed of {count} requests, {out}")
