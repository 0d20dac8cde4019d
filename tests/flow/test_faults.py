# SPDX-License-Identifier: Apache-2.0
"""What services do wrong, and what the client then sees: an error, never a clean end."""
import socket
import threading

from harness import wire
from harness.wait import equal, wait_for


def scripted(flow, script, config=None, **more):
    service = flow.upstream(script=script)
    return service, flow.gateway(config, to=service.address, **more)


def say(data):
    """A script that reads a request, says `data`, and waits for the gateway to close."""

    def script(peer):
        peer.next_request()
        peer.send(data)
        peer.wait_end()

    return script


def say_and_close(data, is_reset=False):
    def script(peer):
        peer.next_request()
        peer.send(data)
        if is_reset:
            peer.reset()

    return script


# ---- no connection -------------------------------------------------------------------------------


def test_a_refused_connection_is_a_503(flow):
    gateway = flow.gateway(to=flow.dead_address())
    answer = gateway.get("/refused")
    equal(answer.status, 503, "status")
    line = flow.expect_failure(gateway, "/refused", 503, "upstream_connect")
    equal(line["flags"], "UF", "flags")
    gateway.wait_metric("cyclone_upstream_connect_failures_total", lambda value: value >= 1)
    assert gateway.wait_event("upstream_connect_failed"), "event"


def test_the_connection_of_a_client_survives_a_503(flow):
    gateway = flow.gateway({"routes": [{"path": "/bad/*", "to": flow.dead_address()},
                                       {"path": "/*", "to": flow.upstream().address}]})
    with gateway.connect() as client:
        for path, status in (("/bad/1", 503), ("/good", 200), ("/bad/2", 503), ("/good", 200)):
            equal(client.ask(wire.get(path)).status, status, path)


def test_a_missing_unix_socket_is_a_503(flow):
    gateway = flow.gateway(to=f"unix:{flow.path('nobody.sock')}")
    equal(gateway.get("/refused").status, 503, "status")
    flow.expect_failure(gateway, "/refused", 503, "upstream_connect")


def test_a_name_without_address_is_a_503(flow):
    gateway = flow.gateway(to="no-such-host.invalid:80")
    equal(gateway.get("/nowhere").status, 503, "status")
    flow.expect_failure(gateway, "/nowhere", 503, "no_endpoint")


def test_localhost_is_resolved_and_reached(flow):
    service = flow.upstream()
    gateway = flow.gateway(to=f"localhost:{service.port}")
    wait_for(lambda: gateway.get("/by-name").status == 200, "the name to be resolved")
    equal(service.requests[0].get("host"), "flow.test", "Host at the service")


def test_a_connection_that_is_not_answered_is_a_504(flow):
    """A listening socket whose queue is full leaves connects unanswered."""
    full = socket.socket()
    full.bind(("127.0.0.1", 0))
    full.listen(0)
    host, port = full.getsockname()
    fillers = []
    for _ in range(4):
        filler = socket.socket()
        filler.setblocking(False)
        try:
            filler.connect((host, port))
        except BlockingIOError:
            pass
        fillers.append(filler)
    try:
        gateway = flow.gateway({"clusters": {"full": {"endpoints": f"127.0.0.1:{port}",
                                                      "connect_timeout": "200ms"}},
                                "routes": [{"path": "/*", "to": "full", "retry": False}]})
        equal(gateway.get("/timeout").status, 504, "status")
        flow.expect_failure(gateway, "/timeout", 504, "connect_timeout")
    finally:
        for filler in fillers + [full]:
            filler.close()


# ---- no answer -----------------------------------------------------------------------------------


def test_a_service_that_closes_without_an_answer_is_a_502(flow):
    _, gateway = scripted(flow, say_and_close(b""), {"defaults": {"retry": False}})
    equal(gateway.get("/silent").status, 502, "status")
    flow.expect_failure(gateway, "/silent", 502, "upstream_reset")


def test_a_service_that_resets_without_an_answer_is_a_502(flow):
    _, gateway = scripted(flow, say_and_close(b"", is_reset=True), {"defaults": {"retry": False}})
    equal(gateway.get("/reset").status, 502, "status")
    flow.expect_failure(gateway, "/reset", 502, "upstream_reset")


def test_a_service_that_ends_in_the_middle_of_its_head_is_a_502(flow):
    for is_reset in (False, True):
        service, gateway = scripted(flow, say_and_close(b"HTTP/1.1 200 OK\r\nX-Half: ", is_reset))
        equal(gateway.get("/half").status, 502, "status")
        line = gateway.wait_access("/half")[0]
        assert line["reason"] in ("upstream_truncated", "upstream_reset"), line
        equal(service.request_count, 1, "no second try once a byte has come")


def test_a_service_that_says_nothing_in_time_is_a_504(flow):
    _, gateway = scripted(flow, say(b""), {"defaults": {"first_byte_timeout": "300ms"}})
    equal(gateway.get("/hang").status, 504, "status")
    flow.expect_failure(gateway, "/hang", 504, "first_byte_timeout")


def test_a_request_over_its_time_limit_is_a_504(flow):
    service, gateway = scripted(flow, say(b""), {"defaults": {"timeout": "300ms"}})
    equal(gateway.get("/long").status, 504, "status")
    flow.expect_failure(gateway, "/long", 504, "request_timeout")
    wait_for(lambda: service.open_count == 0, "the service's connection to be closed")


def test_an_answer_that_goes_on_is_not_cut_by_the_time_limit(flow):
    def script(peer):
        peer.next_request()
        peer.send(wire.head_bytes("HTTP/1.1 200 OK", [("Transfer-Encoding", "chunked")]))
        pause = threading.Event()
        for _ in range(8):
            peer.send(wire.chunk(b"tick"))
            pause.wait(0.1)
        peer.send(b"0\r\n\r\n")
        peer.wait_end()

    _, gateway = scripted(flow, script, {"defaults": {"timeout": "400ms"}})
    equal(gateway.get("/stream").body, b"tick" * 8, "body")


def test_an_answer_that_stops_for_the_time_limit_is_cut(flow):
    _, gateway = scripted(flow, say(wire.head_bytes("HTTP/1.1 200 OK", [("Content-Length", "10")]) + b"half"),
                          {"defaults": {"timeout": "300ms"}})
    with gateway.connect() as client:
        client.send(wire.get("/stuck"))
        try:
            client.read_response()
            raise AssertionError("the answer looked complete")
        except wire.Ended:
            pass
    flow.expect_failure(gateway, "/stuck", 200, "request_timeout")


# ---- wrong answers -------------------------------------------------------------------------------

GARBAGE = [
    ("not HTTP", b"SSH-2.0-OpenSSH_9.2\r\n"),
    ("a status of two digits", b"HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n"),
    ("a status of four digits", b"HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n"),
    ("a status over 599", b"HTTP/1.1 600 OK\r\nContent-Length: 0\r\n\r\n"),
    ("a status under 100", b"HTTP/1.1 099 OK\r\nContent-Length: 0\r\n\r\n"),
    ("HTTP/2.0", b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n"),
    ("HTTP/0.9", b"<html>hello</html>"),
    ("bare LF", b"HTTP/1.1 200 OK\nContent-Length: 0\n\n"),
    ("bare CR in a value", b"HTTP/1.1 200 OK\r\nX: a\rb\r\nContent-Length: 0\r\n\r\n"),
    ("NUL in a value", b"HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 0\r\n\r\n"),
    ("obs-fold", b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 0\r\n\r\n"),
    ("length and coding", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("two lengths", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef"),
    ("two equal lengths", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nabcde"),
    ("a negative length", b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n"),
    ("an unknown coding", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n"),
    ("chunked not last", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n"),
    ("a 204 with a length", b"HTTP/1.1 204 None\r\nContent-Length: 5\r\n\r\nabcde"),
    ("a 1xx with a length", b"HTTP/1.1 103 Hints\r\nContent-Length: 5\r\n\r\nabcde"),
    ("blank before the colon", b"HTTP/1.1 200 OK\r\nContent-Length : 5\r\n\r\nabcde"),
    ("a head over the limit", b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 15000 + b"\r\nY: " + b"y" * 15000
     + b"\r\nZ: " + b"y" * 15000 + b"\r\n\r\n"),
    ("a hundred interim answers", b"HTTP/1.1 102 Processing\r\n\r\n" * 100 + wire.response(200, b"ok")),
]


def test_answers_that_are_not_correct_http_are_502s(flow):
    answers = {f"/{i}": data for i, (_, data) in enumerate(GARBAGE)}

    def script(peer):
        request = peer.next_request()
        peer.send(answers[request.target])
        peer.wait_end()

    service, gateway = scripted(flow, script)
    wrong = []
    for i, (what, data) in enumerate(GARBAGE):
        try:
            equal(gateway.get(f"/{i}").status, 502, "status")
            flow.expect_failure(gateway, f"/{i}", 502, "upstream_protocol_error")
        except AssertionError as error:
            wrong.append(f"{what}: {error}\n    bytes {data[:200]!r}")
    assert not wrong, "\n".join(wrong)
    wait_for(lambda: service.open_count == 0, "all of the service's connections to be closed")
    gateway.wait_metric("cyclone_upstream_failures_total", lambda value: value >= len(GARBAGE))


def test_a_truncated_body_with_length_never_looks_complete(flow):
    for is_reset in (False, True):
        _, gateway = scripted(flow, say_and_close(
            wire.head_bytes("HTTP/1.1 200 OK", [("Content-Length", "100")]) + b"x" * 50, is_reset))
        with gateway.connect() as client:
            client.send(wire.get("/cut"))
            try:
                client.read_response()
                raise AssertionError("the answer looked complete")
            except wire.Ended:
                pass
        flow.expect_failure(gateway, "/cut", 200, "upstream_truncated")


def test_a_truncated_chunked_body_never_looks_complete(flow):
    ends = [wire.chunk(b"x" * 50), wire.chunk(b"x" * 50)[:-3], b"32\r\n", wire.chunk(b"x") + b"0\r\n",
            wire.chunk(b"x") + b"0\r\nX: 1\r\n"]
    answers = iter(ends)

    def script(peer):
        peer.next_request()
        peer.send(wire.head_bytes("HTTP/1.1 200 OK", [("Transfer-Encoding", "chunked")]) + next(answers))

    _, gateway = scripted(flow, script)
    for end in ends:
        with gateway.connect() as client:
            client.send(wire.get("/cut"))
            try:
                answer = client.read_response()
                raise AssertionError(f"looked complete after {end!r}: {answer!r}")
            except wire.Ended:
                pass
    flow.expect_failure(gateway, "/cut", 200, "upstream_truncated", len(ends))


def test_a_truncated_answer_for_an_http_1_0_client_is_reset(flow):
    """Without chunks the end of the connection is the end of the body: only a reset tells."""

    def script(peer):
        peer.next_request()
        peer.send(wire.head_bytes("HTTP/1.1 200 OK", [("Transfer-Encoding", "chunked")]) + wire.chunk(b"half"))

    _, gateway = scripted(flow, script)
    with gateway.connect() as client:
        client.send(wire.get("/cut", version="HTTP/1.0"))
        equal(client.wait_end(), "reset", "how it ends")


def test_a_malformed_chunk_in_an_answer_cuts_it(flow):
    _, gateway = scripted(flow, say(wire.head_bytes("HTTP/1.1 200 OK", [("Transfer-Encoding", "chunked")])
                                    + wire.chunk(b"good") + b"zz\r\nbad\r\n0\r\n\r\n"))
    with gateway.connect() as client:
        client.send(wire.get("/cut"))
        try:
            client.read_response()
            raise AssertionError("the answer looked complete")
        except wire.Ended:
            pass
    flow.expect_failure(gateway, "/cut", 200, "upstream_protocol_error")


def test_bytes_behind_an_answer_poison_its_connection(flow):
    def script(peer):
        request = peer.next_request()
        peer.send(wire.response(200, b"first") + wire.response(200, b"poison"))
        while request is not None:
            request = peer.next_request()
            if request is not None:
                peer.send(wire.response(200, b"poisoned"))

    service, gateway = scripted(flow, script)
    with gateway.connect() as client:
        for _ in range(3):
            equal(client.ask(wire.get()).body, b"first", "body")
    equal(service.connection_count, 3, "connections to the service")


def test_bytes_that_come_unasked_on_an_idle_connection_poison_it(flow):
    spoken = threading.Event()

    def script(peer):
        if peer.next_request() is None:
            return
        peer.send(wire.response(200, b"first"))
        if peer.index == 0:
            spoken.wait(10)
            peer.send(wire.response(408, b"too slow", [("Connection", "close")]))
        peer.wait_end()

    service, gateway = scripted(flow, script)
    with gateway.connect() as client:
        equal(client.ask(wire.get()).body, b"first", "body")
        spoken.set()
        wait_for(lambda: service.peers[0].is_at_end, "the poisoned connection to be closed")
        equal(client.ask(wire.get()).body, b"first", "the next answer is its own")


def test_a_body_behind_a_head_answer_is_not_taken_for_an_answer(flow):
    service, gateway = scripted(flow, say(wire.response(200, b"body of a HEAD")))
    with gateway.connect() as client:
        for _ in range(2):
            equal(client.ask(wire.request("HEAD", "/")).status, 200, "status")
    equal(service.connection_count, 2, "connections to the service")


# ---- clients that go away ------------------------------------------------------------------------


def test_a_client_that_leaves_while_waiting_ends_the_services_request(flow):
    service, gateway = scripted(flow, say(b""))
    for way in ("close", "reset"):
        client = gateway.connect()
        client.send(wire.get("/gone"))
        service.wait_requests(1 if way == "close" else 2)
        getattr(client, way)()
        wait_for(lambda: service.open_count == 0, f"the service's connection to end after {way}")
    lines = gateway.wait_access("/gone", 2)
    equal([(line["status"], line["reason"]) for line in lines], [(0, "client_gone")] * 2, "access log")
    gateway.wait_metric("cyclone_requests_total", 2, status="000")
    gateway.wait_metric("cyclone_active_connections", 0)
    gateway.wait_metric("cyclone_requests_active", 0)


def test_a_client_that_leaves_in_the_middle_of_an_answer_ends_the_services_connection(flow):
    data = b"x" * (32 * 1024 * 1024)

    def script(peer):
        peer.next_request()
        peer.send(wire.response(200, data))

    service, gateway = scripted(flow, script)
    client = gateway.connect()
    client.send(wire.get("/left"))
    client.read_exact(100000)
    client.reset()
    wait_for(lambda: service.open_count == 0, "the service's connection to end")
    flow.expect_failure(gateway, "/left", 200, "client_gone")


def test_a_client_that_leaves_in_the_middle_of_an_upload_ends_the_services_request(flow):
    service = flow.upstream()
    gateway = flow.gateway(to=service.address)
    client = gateway.connect()
    client.send(wire.request("POST", "/left", [("Content-Length", "100000")]) + b"x" * 5000)
    gateway.wait_metric("cyclone_upstream_requests_total", 1)
    client.close()
    wait_for(lambda: service.cuts, "the service's request to be cut")
    equal(service.request_count, 0, "whole requests at the service")
    line = gateway.wait_access("/left")[0]
    equal(line["reason"], "client_gone", "reason")


def test_an_answer_sent_before_the_service_slams_the_door_is_delivered(flow):
    """Closing with unread bytes resets the connection; the answer had arrived before that."""

    def script(peer):
        peer.next_request(with_body=False)
        peer.send(wire.response(413, b"too much", [("Connection", "close")]))

    service, gateway = scripted(flow, script)
    for _ in range(5):
        with gateway.connect() as client:
            def upload():
                try:
                    client.send(wire.request("POST", "/big", [("Content-Length", "20000000")]) + b"x" * 20000000)
                except OSError:
                    pass
            sender = threading.Thread(target=upload)
            sender.start()
            answer = client.read_response("POST")
            equal((answer.status, answer.body), (413, b"too much"), "answer")
            client.wait_end()
            sender.join(10)
    equal(service.connection_count, 5, "connections to the service")
