# SPDX-License-Identifier: Apache-2.0
"""Upgrades become tunnels, with half-close in both directions."""
import base64
import hashlib
import threading

from harness import wire
from harness.wait import equal, wait_for

ASK = [("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13"),
       ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")]
ACCEPT = base64.b64encode(hashlib.sha1(
    b"dGhlIHNhbXBsZSBub25jZQ==258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()).decode()
SWITCH = wire.head_bytes("HTTP/1.1 101 Switching Protocols",
                         [("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Accept", ACCEPT)])


def echo(peer):
    """Says back whatever comes, until the other side has said all."""
    peer.next_request()
    peer.send(SWITCH)
    while peer.buffer or peer.fill():
        data, peer.buffer = peer.buffer, b""
        peer.send(data)


def test_a_websocket_passes_bytes_both_ways(flow):
    service = flow.upstream(script=echo)
    gateway = flow.gateway(to=service.address)
    with gateway.connect() as client:
        answer = client.ask(wire.get("/chat", ASK))
        equal((answer.status, answer.get("upgrade"), answer.get("sec-websocket-accept")),
              (101, "websocket", ACCEPT), "answer")
        assert answer.has_option("upgrade"), "Connection: upgrade in the answer"
        equal((service.requests[0].get("upgrade"), service.requests[0].get("sec-websocket-version")),
              ("websocket", "13"), "what the service was asked")
        assert service.requests[0].has_option("upgrade"), "Connection: upgrade in the request"
        for size in (1, 100, 70000, 3):
            data = bytes(range(256)) * (size // 256 + 1)
            client.send(data)
            equal(client.read_exact(len(data)), data, f"echo of {len(data)} bytes")


def test_bytes_sent_right_behind_the_switch_are_not_lost(flow):
    def script(peer):
        peer.next_request()
        peer.send(SWITCH + b"first words")
        peer.wait_end()

    gateway = flow.gateway(to=flow.upstream(script=script).address)
    with gateway.connect() as client:
        client.ask(wire.get("/", ASK))
        equal(client.read_exact(11), b"first words", "bytes behind the head")


def test_the_clients_half_close_reaches_the_service_and_the_rest_comes_back(flow):
    def script(peer):
        peer.next_request()
        peer.send(SWITCH)
        data = peer.read_to_end()
        peer.send(b"you said " + data)

    gateway = flow.gateway(to=flow.upstream(script=script).address)
    with gateway.connect() as client:
        client.ask(wire.get("/", ASK))
        client.send(b"everything")
        client.half_close()
        equal(client.read_to_end(), b"you said everything", "what comes after the half-close")


def test_the_services_half_close_reaches_the_client_and_the_rest_goes_on(flow):
    heard = []

    def script(peer):
        peer.next_request()
        peer.send(SWITCH + b"my last words")
        peer.half_close()
        heard.append(peer.read_to_end())

    gateway = flow.gateway(to=flow.upstream(script=script).address)
    with gateway.connect() as client:
        client.ask(wire.get("/", ASK))
        equal(client.read_to_end(), b"my last words", "until the service's half-close")
        client.send(b"still " + b"here")
        client.half_close()
        wait_for(lambda: heard, "the service to hear the rest")
    equal(heard, [b"still here"], "what the service heard")


def test_a_tunnel_moves_megabytes_both_ways_at_once(flow):
    service = flow.upstream(script=echo)
    gateway = flow.gateway(to=service.address)
    data = hashlib.sha256(b"tunnel").digest() * (8 * 1024 * 1024 // 32)
    with gateway.connect() as client:
        client.ask(wire.get("/", ASK))
        sender = threading.Thread(target=client.send, args=(data,))
        sender.start()
        got = client.read_exact(len(data))
        sender.join()
        equal(hashlib.sha256(got).hexdigest(), hashlib.sha256(data).hexdigest(), "8 MiB echo")
        client.half_close()
        equal(client.read_to_end(), b"", "after the half-close")


def test_a_tunnel_whose_client_vanishes_is_closed_at_the_service(flow):
    service = flow.upstream(script=echo)
    gateway = flow.gateway(to=service.address)
    client = gateway.connect()
    client.ask(wire.get("/", ASK))
    client.reset()
    wait_for(lambda: service.open_count == 0, "the service's side to end")
    gateway.wait_metric("cyclone_active_connections", 0)


def test_an_upgrade_that_the_service_declines_is_an_ordinary_answer(flow):
    service = flow.upstream(lambda request: wire.response(200, b"plain"))
    gateway = flow.gateway(to=service.address)
    with gateway.connect() as client:
        for _ in range(2):
            answer = client.ask(wire.get("/", ASK))
            equal((answer.status, answer.body), (200, b"plain"), "answer")
        equal(client.ask(wire.get("/next")).status, 200, "the next request on the connection")


def test_a_switch_nobody_asked_for_is_a_502(flow):
    service = flow.upstream(lambda request: SWITCH)
    gateway = flow.gateway(to=service.address)
    equal(gateway.get("/unasked").status, 502, "status")
    flow.expect_failure(gateway, "/unasked", 502, "upstream_protocol_error")


def test_http2_is_never_offered_by_upgrade(flow):
    service = flow.upstream()
    gateway = flow.gateway(to=service.address)
    answer = gateway.get("/", [("Connection", "Upgrade, HTTP2-Settings"), ("Upgrade", "h2c"),
                               ("HTTP2-Settings", "AAMAAABkAAQAoAAAAAIAAAAA")])
    equal(answer.status, 200, "status")
    equal((service.requests[0].all("upgrade"), service.requests[0].all("http2-settings")), ([], []),
          "fields at the service")


def test_an_upgrade_with_a_body_is_an_ordinary_request(flow):
    service = flow.upstream()
    gateway = flow.gateway(to=service.address)
    with gateway.connect() as client:
        equal(client.ask(wire.request("POST", "/", ASK, body=b"body")).status, 200, "status")
        equal((service.requests[0].all("upgrade"), service.requests[0].body), ([], b"body"), "at the service")


def test_connect_is_refused(flow):
    service = flow.upstream()
    gateway = flow.gateway(to=service.address)
    with gateway.connect() as client:
        client.send(b"CONNECT db.internal:5432 HTTP/1.1\r\nHost: db.internal:5432\r\n\r\n")
        equal(client.read_response().status, 405, "status")
        equal(client.wait_end(), "eof", "end")
    equal(service.connection_count, 0, "connections to the service")
