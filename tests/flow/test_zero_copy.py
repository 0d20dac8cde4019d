# SPDX-License-Identifier: Apache-2.0
"""Large bodies pass through pipes in the kernel, and nobody can tell but the metric."""
import hashlib
import os
import threading

from harness import wire
from harness.wait import equal, wait_for

MIB = 1024 * 1024
OPERATIONS = "cyclone_zero_copy_operations_total"
BLOCK = b"".join(hashlib.sha256(str(i).encode()).digest() for i in range(32771))  # 1 MiB and a bit


def pattern(size):
    return (BLOCK * (size // len(BLOCK) + 1))[:size]


def digest(data):
    return hashlib.sha256(data).hexdigest()


def pipe_count(gateway):
    folder = f"/proc/{gateway.process.pid}/fd"
    count = 0
    for fd in os.listdir(folder):
        try:
            count += os.readlink(f"{folder}/{fd}").startswith("pipe:")
        except FileNotFoundError:
            pass
    return count


def operations(gateway):
    return gateway.metrics().value(OPERATIONS)


def exchange(client, data):
    """Sends `data`, expects it back."""
    sender = threading.Thread(target=client.send, args=(wire.request("PUT", "/big", body=data),))
    sender.start()
    answer = client.read_response("PUT")
    sender.join()
    equal((answer.status, answer.get("x-sha256")), (200, digest(data)), f"upload of {len(data)} bytes")
    equal(digest(answer.body), digest(data), f"download of {len(data)} bytes")


def echo_gateway(flow, is_on=True, **more):
    service = flow.upstream(lambda request: wire.response(
        200, request.body, [("X-Sha256", digest(request.body))]))
    return service, flow.gateway({"network": {"enable_zero_copy": is_on}, "defaults": {"timeout": "60s"}, **more},
                                 to=service.address)


def test_large_bodies_pass_unchanged_and_the_connection_goes_on(flow):
    service, gateway = echo_gateway(flow)
    with gateway.connect(timeout_s=60) as client:
        for size in (10 * MIB, 100, 16 * 1024, 3 * MIB + 1, 0, 100 * MIB, 5):
            exchange(client, pattern(size))
    equal(service.connection_count, 1, "connections to the service")
    assert operations(gateway) > 0, "nothing went through a pipe"


def test_switched_off_they_pass_too_and_nothing_is_counted(flow):
    _, gateway = echo_gateway(flow, is_on=False)
    with gateway.connect(timeout_s=60) as client:
        exchange(client, pattern(100 * MIB))
    equal(operations(gateway), 0, OPERATIONS)


def test_requests_behind_a_large_body_are_not_swallowed(flow):
    service = flow.upstream(lambda request: wire.response(200, digest(request.body).encode()))
    gateway = flow.gateway(to=service.address)
    data = pattern(5 * MIB + 77)
    with gateway.connect() as client:
        sender = threading.Thread(target=client.send, args=(
            wire.request("PUT", "/a", body=data) + wire.get("/b") + wire.request("PUT", "/c", body=data[5:])
            + wire.get("/d"),))
        sender.start()
        for method, body in (("PUT", data), ("GET", b""), ("PUT", data[5:]), ("GET", b"")):
            equal(client.read_response(method).body.decode(), digest(body), "what the service got")
        sender.join()
    equal([request.target for request in service.requests], ["/a", "/b", "/c", "/d"], "requests")
    assert operations(gateway) > 0, "nothing went through a pipe"


def test_an_answer_that_ends_with_the_connection_passes_in_chunks(flow):
    data = pattern(8 * MIB)

    def script(peer):
        peer.next_request()
        peer.send(wire.head_bytes("HTTP/1.1 200 OK", []) + data)

    gateway = flow.gateway(to=flow.upstream(script=script).address)
    answer = gateway.get("/")
    equal(answer.get("transfer-encoding"), "chunked", "framing")
    equal(digest(answer.body), digest(data), "body")
    assert operations(gateway) > 0, "nothing went through a pipe"


def test_who_leaves_in_the_middle_leaves_no_pipe_behind(flow):
    data = pattern(32 * MIB)

    def script(peer):
        request = peer.next_request(with_body=False)
        if request.method == "GET":
            peer.send(wire.response(200, data))
        else:
            peer.read_exact(MIB)
        peer.wait_end()

    service = flow.upstream(script=script)
    gateway = flow.gateway(to=service.address)
    before = pipe_count(gateway)
    clients = [gateway.connect() for _ in range(40)]
    for i, client in enumerate(clients):
        if i % 2:
            client.send(wire.get("/down"))
            client.read_exact(300000)
        else:
            client.send(wire.request("PUT", "/up", [("Content-Length", str(len(data)))]))
            client.send(data[:2 * MIB])
    assert operations(gateway) > 0, "nothing went through a pipe"
    for client in clients:
        client.reset()
    gateway.wait_metric("cyclone_requests_active", 0)
    gateway.wait_metric("cyclone_active_connections", 0)
    # Those that had been emptied stay for the next: 32 of them, two descriptors each.
    wait_for(lambda: pipe_count(gateway) - before <= 64, "the pipes to be closed")


def test_a_truncated_answer_does_not_look_complete(flow):
    def script(peer):
        peer.next_request()
        peer.send(wire.head_bytes("HTTP/1.1 200 OK", [("Content-Length", str(8 * MIB))]) + pattern(5 * MIB))

    gateway = flow.gateway(to=flow.upstream(script=script).address)
    with gateway.connect() as client:
        client.send(wire.get("/short"))
        try:
            client.read_response()
            raise AssertionError("the answer looked complete")
        except wire.Ended:
            pass
    flow.expect_failure(gateway, "/short", 200, "upstream_truncated")
