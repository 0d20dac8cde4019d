# SPDX-License-Identifier: Apache-2.0
"""Peers that take their time, or take nothing: the slow are served, memory stays bounded."""
import socket
import time

from harness import wire
from harness.gateway import connect
from harness.wait import equal

TIMEOUT_S = 1
BUFFERS_MAX = 8 * 1024 * 1024


def buffers(gateway):
    return gateway.metrics().value("cyclone_memory_bytes", kind="buffers")


def ask_until_full(client, request):
    """Sends as much of `request` over and over as fits, and reads nothing."""
    client.sock.settimeout(0.3)
    blob = request * 2000
    try:
        for _ in range(2000):
            client.sock.sendall(blob)
    except OSError:
        pass  # the sockets are full, or the connection was ended


def test_a_client_that_pipelines_and_reads_nothing_is_given_no_more_answers(flow):
    gateway = flow.gateway(to=flow.upstream().address)
    with gateway.connect() as client:
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        ask_until_full(client, wire.get("/health"))
        used = buffers(gateway)
        assert used < BUFFERS_MAX, f"{used} bytes of answers nobody reads"


def test_a_client_of_admin_that_pipelines_and_reads_nothing_is_given_no_more_answers(flow):
    gateway = flow.gateway(to=flow.upstream().address)
    with connect(gateway.admin_address()) as client:
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        ask_until_full(client, wire.get("/metrics", host="localhost"))
        used = buffers(gateway)
        assert used < BUFFERS_MAX, f"{used} bytes of answers nobody reads"


def test_silent_connections_to_admin_do_not_lock_a_probe_out(flow):
    gateway = flow.gateway(to=flow.upstream().address)
    silent = [connect(gateway.admin_address()) for _ in range(150)]
    equal(gateway.admin("/health").status, 200, "the probe's answer")
    for client in silent:
        client.close()


def test_a_request_body_that_arrives_slowly_outlives_the_timeout(flow):
    gateway = flow.gateway(config={"defaults": {"timeout": f"{TIMEOUT_S}s"}}, to=flow.upstream().address)
    with gateway.connect() as client:
        client.send(wire.head_bytes("POST /slow HTTP/1.1", [("Host", "a"), ("Content-Length", "30000")]))
        for _ in range(30):
            client.send(b"x" * 1000)
            time.sleep(TIMEOUT_S / 15)
        equal(client.read_response().status, 200, "the status of a body that took two timeouts")


def test_a_head_that_trickles_is_ended_by_its_clock(flow):
    listeners = {"main": {"timeouts": {"header": "3s", "idle": "30s"}}}
    gateway = flow.gateway(config={"listeners": listeners}, to=flow.upstream().address)
    with gateway.connect() as client:
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\nX: ")
        client.sock.settimeout(0.1)
        begin, answer = time.monotonic(), b""
        while not answer and time.monotonic() - begin < 8:
            try:
                client.sock.sendall(b"x")
                answer = client.sock.recv(4096)
            except TimeoutError:
                continue
        assert answer.startswith(b"HTTP/1.1 408"), f"{answer[:60]!r} after {time.monotonic() - begin:.1f} s"
