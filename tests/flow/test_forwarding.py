# SPDX-License-Identifier: Apache-2.0
"""Requests and answers of every shape arrive as they were sent."""
import hashlib
import os
import threading

from harness import wire
from harness.wait import equal

# A size below, at and above the sizes of reads and chunks, and one that takes many of them.
SIZES = (0, 1, 65535, 65536, 65537, 10 * 1024 * 1024)


def pattern(size):
    """Bytes that differ everywhere, so that a swapped or repeated piece is noticed."""
    block = hashlib.sha256(str(size).encode()).digest() * 4099
    return (block * (size // len(block) + 1))[:size]


def digest(data):
    return hashlib.sha256(data).hexdigest()


def test_each_method_reaches_the_service_with_its_target_and_body(flow):
    service = flow.upstream()
    gateway = flow.gateway(to=service.address)
    with gateway.connect() as client:
        for method, body in (("GET", None), ("HEAD", None), ("POST", b"p=1"), ("PUT", b"whole"),
                             ("DELETE", None), ("PATCH", b"[]"), ("OPTIONS", None),
                             ("PROPFIND", b"<x/>")):
            target = f"/{method.lower()}/a%20b?x=1&y=%2F"
            answer = client.ask(wire.request(method, target, body=body))
            equal(answer.status, 200, f"status of {method}")
            equal(answer.body, b"" if method == "HEAD" else b"ok\n", f"body of {method}")
            seen = service.requests[-1]
            equal((seen.method, seen.target), (method, target), "request line")
            equal(seen.body, body or b"", f"request body of {method}")
            equal(seen.get("content-length"), str(len(body)) if body else None,
                  f"Content-Length of {method}")
            equal(seen.get("host"), "flow.test", "Host")
    equal(service.connection_count, 1, "connections to the service")


def test_a_request_body_of_zero_bytes_stays_announced(flow):
    service = flow.upstream()
    gateway = flow.gateway(to=service.address)
    equal(gateway.ask(wire.request("POST", "/", body=b"")).status, 200, "status")
    equal(service.requests[0].get("content-length"), "0", "Content-Length")


def test_bodies_with_content_length_pass_both_ways_unchanged(flow):
    service = flow.upstream(lambda request: wire.response(
        200, request.body, [("X-Sha256", digest(request.body))]))
    gateway = flow.gateway(to=service.address)
    with gateway.connect() as client:
        for size in SIZES:
            data = pattern(size)
            sender = threading.Thread(target=client.send, args=(wire.request("POST", "/", body=data),))
            sender.start()
            answer = client.read_response("POST")
            sender.join()
            equal(answer.get("x-sha256"), digest(data), f"upload of {size} bytes")
            equal(answer.get("content-length"), str(size), "Content-Length")
            equal(digest(answer.body), digest(data), f"download of {size} bytes")


def test_chunked_bodies_pass_both_ways_unchanged(flow):
    def answer(request):
        return wire.response(200, b"", [("Transfer-Encoding", "chunked")]) + wire.chunked(
            *[request.body[i:i + 30000] for i in range(0, len(request.body), 30000)])

    service = flow.upstream(answer)
    gateway = flow.gateway(to=service.address)
    with gateway.connect() as client:
        for size in SIZES:
            data = pattern(size)
            pieces = [data[i:i + 50021] for i in range(0, size, 50021)]
            request = wire.request("POST", "/", [("Transfer-Encoding", "chunked")]) + wire.chunked(*pieces)
            sender = threading.Thread(target=client.send, args=(request,))
            sender.start()
            got = client.read_response("POST")
            sender.join()
            equal(service.requests[-1].get("transfer-encoding"), "chunked", "request framing")
            equal(digest(service.requests[-1].body), digest(data), f"upload of {size} bytes")
            equal(got.get("transfer-encoding"), "chunked", "response framing")
            equal(digest(got.body), digest(data), f"download of {size} bytes")


def test_a_chunked_request_sent_byte_by_byte_arrives_whole(flow):
    service = flow.upstream()
    gateway = flow.gateway(to=service.address)
    data = (wire.request("PUT", "/slow", [("Transfer-Encoding", "chunked"), ("TE", "trailers")])
            + wire.chunked(b"one", b"and another piece", trailers=[("X-End", "1")]))
    with gateway.connect() as client:
        for i in range(len(data)):
            client.send(data[i:i + 1])
        equal(client.read_response("PUT").status, 200, "status")
    equal(service.requests[0].body, b"oneand another piece", "body")


def test_a_response_sent_byte_by_byte_arrives_whole(flow):
    data = (wire.response(200, b"", [("Transfer-Encoding", "chunked"), ("X-Long", "v" * 300)])
            + wire.chunked(b"hello, ", b"client", trailers=[("X-End", "1")]))

    def script(peer):
        peer.next_request()
        for i in range(len(data)):
            peer.send(data[i:i + 1])
        peer.wait_end()

    gateway = flow.gateway(to=flow.upstream(script=script).address)
    answer = gateway.get()
    equal((answer.status, answer.body, answer.get("x-long")), (200, b"hello, client", "v" * 300), "answer")


def test_request_trailers_are_forwarded_without_those_that_frame_or_route(flow):
    service = flow.upstream()
    gateway = flow.gateway(to=service.address)
    wrong = []
    for name, value in (("Content-Length", "7"), ("Host", "evil"), ("Transfer-Encoding", "chunked"),
                        ("Authorization", "x"), ("Content-Type", "text/evil"), ("Connection", "close"),
                        ("Trailer", "X"), ("TE", "x"), ("Cookie", "a=b"), ("X-Forwarded-For", "6.6.6.6")):
        answer = gateway.ask(wire.request("POST", "/", [("Transfer-Encoding", "chunked"), ("Trailer", "X-Sum")])
                             + wire.chunked(b"body", trailers=[("X-Sum", "abc"), (name, value), ("X-Z", "z")]))
        if answer.status != 200:
            wrong.append(f"{name}: status {answer.status}")
        elif service.requests[-1].trailers != [("X-Sum", "abc"), ("X-Z", "z")]:
            wrong.append(f"{name}: {service.requests[-1].trailers}")
        elif service.requests[-1].all("host") != ["flow.test"]:
            wrong.append(f"{name}: {service.requests[-1]}")
    assert not wrong, wrong


def test_response_trailers_reach_a_client_that_asks_for_them(flow):
    service = flow.upstream(lambda request: wire.response(
        200, b"", [("Transfer-Encoding", "chunked"), ("Trailer", "X-Sum")])
        + wire.chunked(b"part", trailers=[("X-Sum", "42"), ("Content-Length", "9")]))
    gateway = flow.gateway(to=service.address)
    answer = gateway.get("/", [("TE", "trailers"), ("Connection", "TE")])
    equal((answer.body, answer.trailers), (b"part", [("X-Sum", "42")]), "answer")
    equal(service.requests[0].get("te"), "trailers", "TE at the service")
    equal(gateway.get().trailers, [], "trailers without TE")


def test_chunk_extensions_are_dropped_both_ways(flow):
    service = flow.upstream(lambda request: wire.response(
        200, b"", [("Transfer-Encoding", "chunked")])
        + wire.chunk(b"abc", ";up=1") + b"0;last\r\n\r\n")
    gateway = flow.gateway(to=service.address)
    # The reader of both sides refuses a chunk size with an extension.
    answer = gateway.ask(wire.request("POST", "/", [("Transfer-Encoding", "chunked")])
                         + wire.chunk(b"12", ";a=b") + wire.chunk(b"345", ';q="quoted"')
                         + b"0;end=1\r\n\r\n")
    equal((answer.status, answer.body), (200, b"abc"), "answer")
    equal(service.requests[0].body, b"12345", "request body")


def test_a_chunked_body_for_an_http_1_0_client_ends_with_the_connection(flow):
    service = flow.upstream(lambda request: wire.response(
        200, b"", [("Transfer-Encoding", "chunked")]) + wire.chunked(b"one ", b"two"))
    gateway = flow.gateway(to=service.address)
    with gateway.connect() as client:
        client.send(wire.get("/", version="HTTP/1.0", fields=[("Connection", "keep-alive")]))
        answer = client.read_response_head()
        equal(answer.has("transfer-encoding"), False, "Transfer-Encoding to HTTP/1.0")
        equal(answer.has("content-length"), False, "Content-Length")
        equal(client.read_to_end(), b"one two", "body")


def test_an_http_1_0_client_is_closed_after_the_answer(flow):
    gateway = flow.gateway(to=flow.upstream().address)
    with gateway.connect() as client:
        answer = client.ask(wire.get("/", version="HTTP/1.0"))
        equal((answer.status, answer.body), (200, b"ok\n"), "answer")
        equal(client.wait_end(), "eof", "end")


def test_an_http_1_0_client_without_host_is_served(flow):
    service = flow.upstream()
    gateway = flow.gateway(to=service.address)
    equal(gateway.ask(wire.get("/old", version="HTTP/1.0", host=None)).status, 200, "status")
    equal(service.requests[0].target, "/old", "target")
    equal(service.requests[0].version, "HTTP/1.1", "version at the service")
    equal(len(service.requests[0].all("host")), 1, "Host fields at the service")


def test_an_http_1_0_client_that_asks_for_keep_alive_gets_it(flow):
    gateway = flow.gateway(to=flow.upstream().address)
    with gateway.connect() as client:
        for _ in range(3):
            answer = client.ask(wire.get("/", [("Connection", "keep-alive")], version="HTTP/1.0"))
            equal(answer.status, 200, "status")
            equal(answer.has_option("keep-alive"), True, "Connection: keep-alive")


def test_a_response_that_ends_with_its_connection_is_forwarded(flow):
    data = pattern(300000)

    def script(peer):
        peer.next_request()
        peer.send(wire.head_bytes("HTTP/1.1 200 OK", [("Content-Type", "text/plain")]) + data)

    service = flow.upstream(script=script)
    gateway = flow.gateway(to=service.address)
    with gateway.connect() as client:
        for _ in range(2):
            answer = client.ask(wire.get())
            equal(answer.get("transfer-encoding"), "chunked", "framing")
            equal(digest(answer.body), digest(data), "body")
    equal(service.connection_count, 2, "connections to the service")


def test_an_http_1_0_response_is_forwarded_and_its_connection_not_reused(flow):
    def script(peer):
        peer.next_request()
        peer.send(wire.response(200, b"old", version="HTTP/1.0"))
        peer.wait_end()

    service = flow.upstream(script=script)
    gateway = flow.gateway(to=service.address)
    with gateway.connect() as client:
        for _ in range(2):
            answer = client.ask(wire.get())
            equal((answer.version, answer.body), ("HTTP/1.1", b"old"), "answer")
    equal(service.connection_count, 2, "connections to the service")


def test_head_answers_keep_the_length_and_have_no_body(flow):
    service = flow.upstream(lambda request: wire.head_bytes("HTTP/1.1 200 OK", [("Content-Length", "1234")]))
    gateway = flow.gateway(to=service.address)
    with gateway.connect() as client:
        for _ in range(2):  # a second exchange shows that no body was waited for, or sent
            answer = client.ask(wire.request("HEAD", "/"))
            equal((answer.status, answer.get("content-length")), (200, "1234"), "answer")
    equal(service.connection_count, 1, "connections to the service")


def test_statuses_without_body_are_framed_so(flow):
    answers = {"/204": wire.response(204), "/304": wire.response(304, fields=[("ETag", '"a"')]),
               "/304l": wire.response(304, fields=[("Content-Length", "77")]),
               "/204l": wire.response(204, fields=[("Content-Length", "0")])}
    service = flow.upstream(lambda request: answers[request.target])
    gateway = flow.gateway(to=service.address)
    with gateway.connect() as client:
        for target, status in (("/204", 204), ("/304", 304), ("/304l", 304), ("/204l", 204), ("/304", 304)):
            answer = client.ask(wire.get(target))
            equal((answer.status, answer.body), (status, b""), target)
    equal(service.connection_count, 1, "connections to the service")


def test_expect_100_continue_waits_for_the_service_and_goes_through(flow):
    release = threading.Event()

    def script(peer):
        request = peer.next_request(with_body=False)
        release.wait(10)
        peer.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        peer.read_body(request)
        peer.send(wire.response(201, request.body))
        peer.wait_end()

    service = flow.upstream(script=script)
    gateway = flow.gateway(to=service.address)
    with gateway.connect() as client:
        client.send(wire.request("POST", "/", [("Expect", "100-continue"), ("Content-Length", "5")]))
        release.set()
        head = client.read_head()
        equal(head.status, 100, "interim status")
        client.send(b"hello")
        answer = client.read_response("POST")
        equal((answer.status, answer.body), (201, b"hello"), "answer")
        equal(answer.infos, [], "more interim answers")


def test_expect_100_continue_that_the_service_refuses_ends_without_the_body(flow):
    def script(peer):
        peer.next_request(with_body=False)
        peer.send(wire.response(417, b"no", [("Connection", "close")]))
        peer.wait_end()

    gateway = flow.gateway(to=flow.upstream(script=script).address)
    with gateway.connect() as client:
        client.send(wire.request("POST", "/", [("Expect", "100-continue"), ("Content-Length", "5")]))
        answer = client.read_response("POST")
        equal((answer.status, answer.body), (417, b"no"), "answer")
        # The body may still come or not: nothing after it may be taken for a request.
        equal(client.wait_end(), "eof", "end")


def test_an_unknown_expectation_is_refused_with_417(flow):
    service = flow.upstream()
    gateway = flow.gateway(to=service.address)
    answer = gateway.ask(wire.request("POST", "/expect", [("Expect", "the-spanish-inquisition")], body=b"x"))
    equal(answer.status, 417, "status")
    equal(service.request_count, 0, "requests at the service")


def test_early_hints_are_forwarded_before_the_answer(flow):
    service = flow.upstream(lambda request: b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n"
                            b"HTTP/1.1 102 Processing\r\n\r\n" + wire.response(200, b"late"))
    gateway = flow.gateway(to=service.address)
    with gateway.connect() as client:
        answer = client.ask(wire.get())
        equal([(i.status, i.get("link")) for i in answer.infos],
              [(103, "</a.css>; rel=preload"), (102, None)], "interim answers")
        equal((answer.status, answer.body), (200, b"late"), "answer")
        # RFC 9110 15.2: never to a client that speaks 1.0
        old = client.ask(wire.get("/", [("Connection", "keep-alive")], version="HTTP/1.0"))
        equal((old.infos, old.status), ([], 200), "answer to HTTP/1.0")


def test_an_answer_before_the_body_ended_reaches_the_client(flow):
    def script(peer):
        peer.next_request(with_body=False)
        peer.send(wire.response(403, b"denied"))
        peer.wait_end()

    service = flow.upstream(script=script)
    gateway = flow.gateway(to=service.address)
    with gateway.connect() as client:
        client.send(wire.request("POST", "/", [("Content-Length", "1000000")]) + b"x" * 1000)
        answer = client.read_response("POST")
        equal((answer.status, answer.body), (403, b"denied"), "answer")
    equal(gateway.get("/again").status, 403, "the next request")
    equal(service.connection_count, 2, "the connection with half a request is never used again")


def test_statuses_and_reason_outside_the_usual_pass_through(flow):
    for status in (226, 299, 418, 451, 599):
        service = flow.upstream(lambda request, s=status: wire.response(s, b"x"))
        gateway = flow.gateway(to=service.address)
        equal(gateway.get().status, status, "status")


def test_a_gigabyte_each_way_arrives_unchanged(flow):
    size, block = 1 << 30, os.urandom(1 << 20)
    wanted = hashlib.sha256()
    for _ in range(size // len(block)):
        wanted.update(block)

    def script(peer):
        while True:
            seen = hashlib.sha256()
            request = peer.next_request(sink=seen.update)
            if request is None:
                return
            if request.method == "PUT":
                peer.send(wire.response(200, seen.hexdigest().encode()))
                continue
            peer.send(wire.head_bytes("HTTP/1.1 200 OK", [("Content-Length", str(size))]))
            for _ in range(size // len(block)):
                peer.send(block)

    gateway = flow.gateway(to=flow.upstream(script=script).address)
    with gateway.connect(timeout_s=60) as client:
        client.send(wire.request("PUT", "/", [("Content-Length", str(size))]))
        for _ in range(size // len(block)):
            client.send(block)
        equal(client.read_response("PUT").body.decode(), wanted.hexdigest(), "upload")
        got = hashlib.sha256()
        client.send(wire.get())
        client.read_response(sink=got.update)
        equal(got.hexdigest(), wanted.hexdigest(), "download")


test_a_gigabyte_each_way_arrives_unchanged.is_large = True
