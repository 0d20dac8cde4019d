# SPDX-License-Identifier: Apache-2.0
"""A slow side slows the other one down; nothing is buffered whole."""
import hashlib
import threading

from harness import wire
from harness.wait import equal, wait_for

SIZE = 50 * 1024 * 1024
BLOCK = hashlib.sha256(b"block").digest() * 2048  # 64 KiB
BUFFERS_MAX = 3 * 1024 * 1024


def digest_of_all():
    whole = hashlib.sha256()
    for _ in range(SIZE // len(BLOCK)):
        whole.update(BLOCK)
    return whole.hexdigest()


def buffers(gateway):
    return gateway.metrics().value("cyclone_memory_bytes", kind="buffers")


def wait_stall(progress):
    """Waits until `progress()` has stopped moving; returns where."""
    last = [-1, 0]

    def look():
        now = progress()
        last[1] = last[1] + 1 if now == last[0] and now > 0 else 0
        last[0] = now
        return last[1] >= 40  # 40 looks without a byte
    wait_for(look, "the sender to stall", 20)
    return last[0]


def test_a_client_that_reads_slowly_pauses_the_service_and_memory_stays_bounded(flow):
    sent = [0]

    def script(peer):
        peer.next_request()
        peer.send(wire.head_bytes("HTTP/1.1 200 OK", [("Content-Length", str(SIZE))]))
        for _ in range(SIZE // len(BLOCK)):
            peer.send(BLOCK)
            sent[0] += len(BLOCK)
        peer.wait_end()

    gateway = flow.gateway(to=flow.upstream(script=script).address)
    with gateway.connect() as client:
        client.send(wire.get("/big"))
        stalled_at = wait_stall(lambda: sent[0])
        assert stalled_at < SIZE // 2, f"{stalled_at} bytes were taken from the service"
        used = buffers(gateway)
        assert used < BUFFERS_MAX, f"{used} bytes in buffers while the client reads nothing"
        seen = hashlib.sha256()
        answer = client.read_response(sink=seen.update)
        equal((answer.body_bytes, seen.hexdigest()), (SIZE, digest_of_all()), "the whole answer")
    equal(gateway.wait_access("/big")[0]["bytes_sent"], SIZE, "bytes_sent")


def test_a_service_that_reads_slowly_pauses_the_client_and_memory_stays_bounded(flow):
    release = threading.Event()

    def script(peer):
        request = peer.next_request(with_body=False)
        release.wait(60)
        seen = hashlib.sha256()
        peer.read_body(request, seen.update)
        peer.send(wire.response(200, seen.hexdigest().encode()))
        peer.wait_end()

    gateway = flow.gateway({"defaults": {"timeout": "60s"}}, to=flow.upstream(script=script).address)
    sent = [0]
    with gateway.connect(timeout_s=60) as client:
        def upload():
            client.send(wire.request("PUT", "/big", [("Content-Length", str(SIZE))]))
            for _ in range(SIZE // len(BLOCK)):
                client.send(BLOCK)
                sent[0] += len(BLOCK)

        sender = threading.Thread(target=upload)
        sender.start()
        stalled_at = wait_stall(lambda: sent[0])
        assert stalled_at < SIZE // 2, f"{stalled_at} bytes were taken from the client"
        used = buffers(gateway)
        assert used < BUFFERS_MAX, f"{used} bytes in buffers while the service reads nothing"
        release.set()
        equal(client.read_response("PUT").body.decode(), digest_of_all(), "what the service got")
        sender.join()
    equal(gateway.wait_access("/big")[0]["bytes_received"], SIZE, "bytes_received")


def test_a_chunked_answer_is_paused_too(flow):
    sent = [0]

    def script(peer):
        peer.next_request()
        peer.send(wire.head_bytes("HTTP/1.1 200 OK", [("Transfer-Encoding", "chunked")]))
        for _ in range(SIZE // len(BLOCK)):
            peer.send(wire.chunk(BLOCK))
            sent[0] += len(BLOCK)
        peer.send(b"0\r\n\r\n")
        peer.wait_end()

    gateway = flow.gateway(to=flow.upstream(script=script).address)
    with gateway.connect() as client:
        client.send(wire.get("/big"))
        assert wait_stall(lambda: sent[0]) < SIZE // 2, "taken from the service"
        assert buffers(gateway) < BUFFERS_MAX, "buffers"
        seen = hashlib.sha256()
        client.read_response(sink=seen.update)
        equal(seen.hexdigest(), digest_of_all(), "the whole answer")


def test_a_tunnel_is_paused_too(flow):
    sent = [0]

    def script(peer):
        peer.next_request()
        peer.send(wire.head_bytes("HTTP/1.1 101 Switching", [("Connection", "Upgrade"), ("Upgrade", "raw")]))
        for _ in range(SIZE // len(BLOCK)):
            peer.send(BLOCK)
            sent[0] += len(BLOCK)

    gateway = flow.gateway(to=flow.upstream(script=script).address)
    with gateway.connect() as client:
        client.ask(wire.get("/", [("Connection", "Upgrade"), ("Upgrade", "raw")]))
        assert wait_stall(lambda: sent[0]) < SIZE // 2, "taken from the service"
        assert buffers(gateway) < BUFFERS_MAX, "buffers"
        seen = hashlib.sha256()
        client.read_exact(SIZE, seen.update)
        equal(seen.hexdigest(), digest_of_all(), "all bytes")


def test_a_stalled_client_does_not_hold_up_others(flow):
    big = b"x" * (20 * 1024 * 1024)
    service = flow.upstream(lambda request: wire.response(200, big if request.target == "/big" else b"small"))
    gateway = flow.gateway(to=service.address)
    with gateway.connect() as stalled:
        stalled.send(wire.get("/big"))
        for _ in range(20):
            equal(gateway.get("/small").body, b"small", "answer to others")
        equal(stalled.read_response().body_bytes, len(big), "the big answer")


def test_memory_of_buffers_falls_back_when_the_work_is_done(flow):
    data = b"x" * (8 * 1024 * 1024)
    gateway = flow.gateway(to=flow.upstream(lambda request: wire.response(200, data)).address)
    for _ in range(4):
        equal(gateway.get("/").body_bytes, len(data), "bytes")
    gateway.wait_metric("cyclone_memory_bytes", lambda value: value < BUFFERS_MAX, kind="buffers")
    gateway.wait_metric("cyclone_memory_bytes", lambda value: value < 1024 * 1024, kind="streams")
