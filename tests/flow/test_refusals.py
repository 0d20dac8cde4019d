# SPDX-License-Identifier: Apache-2.0
"""What is refused: every row of the framing table, and every limit.

A refused request must not reach the service, gets its status, and its connection is closed; what stands
behind it on the connection must never be taken for a request.
"""
from harness import wire
from harness.wait import equal

NEXT = b"GET /smuggled HTTP/1.1\r\nHost: flow.test\r\n\r\n"


def post(fields, body=b"", line="POST / HTTP/1.1"):
    return (line + "\r\nHost: flow.test\r\n").encode("latin-1") + fields + b"\r\n" + body


def raw(head):
    return head.encode("latin-1") if isinstance(head, str) else head


# (what, bytes, status). RFC 9112 section in the name of each group.
FRAMING = [  # RFC 9112 6.1, 6.2, 6.3
    ("length and coding", post(b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n"), 400),
    ("coding and length", post(b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", b"0\r\n\r\n"), 400),
    ("two different lengths", post(b"Content-Length: 5\r\nContent-Length: 6\r\n", b"abcdef"), 400),
    ("two equal lengths", post(b"Content-Length: 5\r\nContent-Length: 5\r\n", b"abcde"), 400),
    ("a list of lengths", post(b"Content-Length: 5, 6\r\n", b"abcdef"), 400),
    ("a list of equal lengths", post(b"Content-Length: 5, 5\r\n", b"abcde"), 400),
    ("length with plus", post(b"Content-Length: +5\r\n", b"abcde"), 400),
    ("length with minus", post(b"Content-Length: -1\r\n"), 400),
    ("length with a blank inside", post(b"Content-Length: 1 0\r\n", b"a"), 400),
    ("length in hex", post(b"Content-Length: 0x5\r\n", b"abcde"), 400),
    ("length with a point", post(b"Content-Length: 5.0\r\n", b"abcde"), 400),
    ("an empty length", post(b"Content-Length: \r\n"), 400),
    ("length that is no number", post(b"Content-Length: five\r\n", b"abcde"), 400),
    ("length over 2^63", post(b"Content-Length: 9223372036854775808\r\n"), 400),
    ("length over 2^64", post(b"Content-Length: 18446744073709551617\r\n", b"a"), 400),
    ("coding xchunked", post(b"Transfer-Encoding: xchunked\r\n", b"0\r\n\r\n"), 400),
    ("coding identity", post(b"Transfer-Encoding: identity\r\n"), 400),
    ("coding identity, chunked", post(b"Transfer-Encoding: identity, chunked\r\n", b"0\r\n\r\n"), 400),
    ("chunked twice", post(b"Transfer-Encoding: chunked, chunked\r\n", b"0\r\n\r\n"), 400),
    ("two coding fields", post(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n"), 400),
    ("two coding fields, one of them hidden",
     post(b"Transfer-Encoding: chunked\r\nTransfer-encoding: cow\r\n", b"0\r\n\r\n"), 400),
    ("chunked not last", post(b"Transfer-Encoding: chunked, gzip\r\n", b"0\r\n\r\n"), 400),
    ("coding with vertical tab", post(b"Transfer-Encoding: \x0bchunked\r\n", b"0\r\n\r\n"), 400),
    ("coding with form feed", post(b"Transfer-Encoding: chunked\x0c\r\n", b"0\r\n\r\n"), 400),
    ("coding in quotes", post(b"Transfer-Encoding: \"chunked\"\r\n", b"0\r\n\r\n"), 400),
    ("coding with a parameter", post(b"Transfer-Encoding: chunked;q=1\r\n", b"0\r\n\r\n"), 400),
    ("an empty coding", post(b"Transfer-Encoding: \r\n"), 400),
    ("coding in HTTP/1.0", post(b"Transfer-Encoding: chunked\r\n", b"0\r\n\r\n", "POST / HTTP/1.0"), 400),
    ("coding gzip, chunked", post(b"Transfer-Encoding: gzip, chunked\r\n", b"0\r\n\r\n"), 501),
    ("blank before the colon of a length", post(b"Content-Length : 5\r\n", b"abcde"), 400),
    ("blank before the colon of a coding", post(b"Transfer-Encoding : chunked\r\n", b"0\r\n\r\n"), 400),
    ("tab before the colon of a coding", post(b"Transfer-Encoding\t: chunked\r\n", b"0\r\n\r\n"), 400),
]

LINES = [  # RFC 9112 2.2, 5.1, 5.2; RFC 9110 5.5
    ("bare LF ends a field", b"GET / HTTP/1.1\r\nHost: flow.test\nX: 1\r\n\r\n", 400),
    ("bare LF ends the request line", b"GET / HTTP/1.1\nHost: flow.test\r\n\r\n", 400),
    ("bare LF ends the head", b"GET / HTTP/1.1\r\nHost: flow.test\r\n\n", 400),
    ("only bare LF", b"GET / HTTP/1.1\nHost: flow.test\n\n", 400),
    ("bare CR ends a field", b"GET / HTTP/1.1\r\nHost: flow.test\rX: 1\r\n\r\n", 400),
    ("bare CR in a value", b"GET / HTTP/1.1\r\nHost: flow.test\r\nX: a\rb\r\n\r\n", 400),
    ("bare CR in the request line", b"GET /\r HTTP/1.1\r\nHost: flow.test\r\n\r\n", 400),
    ("obs-fold with a blank", b"GET / HTTP/1.1\r\nHost: flow.test\r\nX: a\r\n b\r\n\r\n", 400),
    ("obs-fold with a tab", b"GET / HTTP/1.1\r\nHost: flow.test\r\nX: a\r\n\tb\r\n\r\n", 400),
    ("blank before the first field", b"GET / HTTP/1.1\r\n Host: flow.test\r\n\r\n", 400),
    ("blank before a colon", b"GET / HTTP/1.1\r\nHost: flow.test\r\nX : 1\r\n\r\n", 400),
    ("an empty name", b"GET / HTTP/1.1\r\nHost: flow.test\r\n: 1\r\n\r\n", 400),
    ("no colon", b"GET / HTTP/1.1\r\nHost: flow.test\r\nnothing\r\n\r\n", 400),
    ("NUL in a value", b"GET / HTTP/1.1\r\nHost: flow.test\r\nX: a\0b\r\n\r\n", 400),
    ("NUL in a name", b"GET / HTTP/1.1\r\nHost: flow.test\r\nX\0: a\r\n\r\n", 400),
    ("a control character in a value", b"GET / HTTP/1.1\r\nHost: flow.test\r\nX: \x01\r\n\r\n", 400),
    ("DEL in a value", b"GET / HTTP/1.1\r\nHost: flow.test\r\nX: a\x7f\r\n\r\n", 400),
    ("a name with a slash", b"GET / HTTP/1.1\r\nHost: flow.test\r\nX/Y: a\r\n\r\n", 400),
    ("a name with a bracket", b"GET / HTTP/1.1\r\nHost: flow.test\r\nX(Y: a\r\n\r\n", 400),
    ("a name with an umlaut", b"GET / HTTP/1.1\r\nHost: flow.test\r\nX\xc3\xa4: a\r\n\r\n", 400),
]

CHUNKS = [  # RFC 9112 7.1
    ("size with minus", b"-1\r\na\r\n0\r\n\r\n"),
    ("size with plus", b"+1\r\na\r\n0\r\n\r\n"),
    ("size with 0x", b"0x1\r\na\r\n0\r\n\r\n"),
    ("size with a blank before", b" 1\r\na\r\n0\r\n\r\n"),
    ("an empty size", b"\r\na\r\n0\r\n\r\n"),
    ("size that is no number", b"g\r\na\r\n0\r\n\r\n"),
    ("size over 16 digits", b"00000000000000001\r\na\r\n0\r\n\r\n"),
    ("size that overflows", b"10000000000000000\r\na\r\n0\r\n\r\n"),
    ("size of 2^64 - 1", b"ffffffffffffffff\r\na\r\n0\r\n\r\n"),
    ("bare LF behind the size", b"1\na\r\n0\r\n\r\n"),
    ("bare CR behind the size", b"1\ra\r\n0\r\n\r\n"),
    ("bare LF behind the data", b"1\r\na\n0\r\n\r\n"),
    ("no CRLF behind the data", b"1\r\nab\r\n0\r\n\r\n"),
    ("LF in an extension", b"1;a\nb\r\na\r\n0\r\n\r\n"),
    ("CR in an extension", b"1;a\rb\r\na\r\n0\r\n\r\n"),
    ("NUL in an extension", b"1;a\0\r\na\r\n0\r\n\r\n"),
    ("an extension over 256 bytes", b"1;" + b"x" * 300 + b"\r\na\r\n0\r\n\r\n"),
    ("many extensions", b"".join(b"1;" + b"x" * 200 + b"\r\na\r\n" for _ in range(100)) + b"0\r\n\r\n"),
    ("bare LF ends a trailer", b"0\r\nX: 1\n\r\n"),
    ("bare LF ends the trailers", b"0\r\nX: 1\r\n\n"),
    ("obs-fold in a trailer", b"0\r\nX: 1\r\n 2\r\n\r\n"),
    ("NUL in a trailer", b"0\r\nX: a\0\r\n\r\n"),
    ("blank before a trailer's colon", b"0\r\nX : a\r\n\r\n"),
]

TARGETS = [  # RFC 9112 3, 3.2; RFC 9110 7.2
    ("no Host", b"GET / HTTP/1.1\r\n\r\n", 400),
    ("two Hosts", b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
    ("two equal Hosts", b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400),
    ("an empty Host", b"GET / HTTP/1.1\r\nHost: \r\n\r\n", 400),
    ("Host with userinfo", b"GET / HTTP/1.1\r\nHost: user@flow.test\r\n\r\n", 400),
    ("Host with a path", b"GET / HTTP/1.1\r\nHost: flow.test/x\r\n\r\n", 400),
    ("Host with a comma", b"GET / HTTP/1.1\r\nHost: a,b\r\n\r\n", 400),
    ("Host with a blank", b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
    ("Host with a bad port", b"GET / HTTP/1.1\r\nHost: a:99999\r\n\r\n", 400),
    ("Host with a bad bracket", b"GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", 400),
    ("two blanks in the request line", b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("two blanks before the version", b"GET /  HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("a tab in the request line", b"GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("a blank behind the version", b"GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400),
    ("a blank before the method", b" GET / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("no version", b"GET /\r\nHost: a\r\n\r\n", 400),
    ("a version in small letters", b"GET / http/1.1\r\nHost: a\r\n\r\n", 400),
    ("HTTP/2.0 in clear", b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
    ("HTTP/1.2", b"GET / HTTP/1.2\r\nHost: a\r\n\r\n", 505),
    ("HTTP/0.9", b"GET / HTTP/0.9\r\nHost: a\r\n\r\n", 505),
    ("HTTP/11", b"GET / HTTP/11\r\nHost: a\r\n\r\n", 400),
    ("the HTTP/2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    ("a method over 32 bytes", b"G" * 40 + b" / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("a method with a bracket", b"G(T / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("a method nobody knows", b"FETCHIT / HTTP/1.1\r\nHost: a\r\n\r\n", 501),
    ("a fragment", b"GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("raw UTF-8 in the target", b"GET /\xc3\xa4 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("a control character in the target", b"GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("a target without slash", b"GET x HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("an encoded NUL", b"GET /a%00b HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("an incomplete escape", b"GET /a%2 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("a wrong escape", b"GET /a%zz HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("a raw backslash", b"GET /a\\b HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("a foreign scheme", b"GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("userinfo in an absolute target", b"GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("an absolute target without host", b"GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("TRACE", b"TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", 405),
]


def check_refused(gateway, service, what, data, status):
    """Sends `data` and right behind it an innocent request that must stay unheard."""
    with gateway.connect() as client:
        client.send(data + NEXT)
        answer = client.read_response()
        equal(answer.status, status, what)
        equal(answer.has_option("close"), True, f"Connection: close, {what}")
        client.wait_end()
        equal(client.buffer, b"", f"bytes behind the answer, {what}")
    assert not any(r.target == "/smuggled" for r in service.requests), f"smuggled through: {what}"


def check_table(flow, rows):
    """All rows, and all of their failures in one message."""
    service = flow.upstream()
    gateway = flow.gateway(to=service.address)
    wrong = []
    for what, data, status in rows:
        try:
            check_refused(gateway, service, what, data, status)
        except AssertionError as error:
            wrong.append(f"{what}: {error}\n    bytes {data[:200]!r}")
    equal(gateway.get("/alive").status, 200, "an innocent request afterwards")
    assert not wrong, f"{len(wrong)} of {len(rows)} rows:\n" + "\n".join(wrong)
    return service, gateway


def test_ambiguous_framing_is_refused_and_reaches_no_service(flow):
    service, gateway = check_table(flow, FRAMING)
    equal([r.target for r in service.requests], ["/alive"], "what the service saw")
    for status in (400, 501):
        gateway.wait_metric("cyclone_requests_total", lambda value: value >= 1, status=str(status))
    gateway.wait_metric("cyclone_responses_total", lambda value: value >= 15, reason="bad_framing")


def test_malformed_lines_and_fields_are_refused(flow):
    service, _ = check_table(flow, LINES)
    equal([r.target for r in service.requests], ["/alive"], "what the service saw")


def test_malformed_request_lines_and_hosts_are_refused(flow):
    service, gateway = check_table(flow, TARGETS)
    equal([r.target for r in service.requests], ["/alive"], "what the service saw")
    gateway.wait_metric("cyclone_responses_total", lambda value: value >= 5, reason="bad_host")
    gateway.wait_metric("cyclone_responses_total", lambda value: value >= 5, reason="bad_target")


def test_malformed_chunked_bodies_are_refused_and_never_look_complete(flow):
    """The head was fine, so the service may have seen it; but its body must not end well."""
    head = wire.request("POST", "/chunks", [("Transfer-Encoding", "chunked")])
    service, gateway = check_table(flow, [(what, head + body, 400) for what, body in CHUNKS])
    equal([r.target for r in service.requests], ["/alive"], "whole requests at the service")
    gateway.wait_metric("cyclone_responses_total", lambda value: value >= 10, reason="bad_chunk")


def test_a_malformed_chunk_behind_good_ones_cuts_the_services_request(flow):
    service = flow.upstream()
    gateway = flow.gateway(to=service.address)
    with gateway.connect() as client:
        client.send(wire.request("POST", "/late", [("Transfer-Encoding", "chunked")]) + wire.chunk(b"good"))
        gateway.wait_metric("cyclone_upstream_requests_total", 1)
        client.send(b"zz\r\nbad\r\n0\r\n\r\n" + NEXT)
        equal(client.read_response("POST").status, 400, "status")
        client.wait_end()
    flow.expect_failure(gateway, "/late", 400, "bad_chunk")
    equal(service.request_count, 0, "whole requests at the service")


def test_refusals_are_logged_with_their_reason(flow):
    gateway = flow.gateway(to=flow.upstream().address)
    gateway.ask(wire.request("POST", "/framing", [("Transfer-Encoding", "gzip"), ("Content-Length", "0")]))
    line = gateway.wait_access()[0]
    equal((line["status"], line["reason"], line["flags"]), (400, "bad_framing", "BF"), "access log")


def test_bytes_behind_connection_close_are_never_a_request(flow):
    service = flow.upstream()
    gateway = flow.gateway(to=service.address)
    with gateway.connect() as client:
        client.send(wire.get("/last", [("Connection", "close")]) + NEXT)
        equal(client.read_response().status, 200, "status")
        client.wait_end()
        equal(client.buffer, b"", "bytes behind the answer")
    equal([r.target for r in service.requests], ["/last"], "what the service saw")


def test_a_few_empty_lines_before_a_request_are_tolerated(flow):
    gateway = flow.gateway(to=flow.upstream().address)
    equal(gateway.ask(b"\r\n\r\n" + wire.get(), method="GET").status, 200, "status")


# ---- limits --------------------------------------------------------------------------------------


def limited(**keys):
    return {"listeners": {"main": keys}}


def test_a_target_over_the_limit_is_a_414(flow):
    service = flow.upstream()
    gateway = flow.gateway(limited(max_uri_size="1KiB"), to=service.address)
    path = "/" + "u" * 1023
    equal(gateway.get(path).status, 200, "at the limit")
    with gateway.connect() as client:
        client.send(wire.get(path + "u") + NEXT)
        equal(client.read_response().status, 414, "above the limit")
        client.wait_end()
    equal(service.request_count, 1, "requests at the service")
    gateway.wait_metric("cyclone_responses_total", 1, reason="uri_too_long")


def test_a_head_over_the_limit_is_a_431(flow):
    service = flow.upstream()
    gateway = flow.gateway(limited(max_header_size="2KiB", max_headers=20), to=service.address)
    equal(gateway.get("/", [("X", "y" * 1500)]).status, 200, "below the limit")
    for what, fields in (("one large value", [("X", "y" * 3000)]),
                         ("many bytes", [(f"X-{i}", "y" * 300) for i in range(10)]),
                         ("many fields", [(f"X{i}", "y") for i in range(30)]),
                         ("a long name", [("X" * 300, "y")])):
        with gateway.connect() as client:
            client.send(wire.get("/", fields))
            equal(client.read_response().status, 431, what)
            client.wait_end()
    equal(service.request_count, 1, "requests at the service")
    gateway.wait_metric("cyclone_responses_total", 4, reason="head_too_large")


def test_trailers_count_against_the_limits_of_the_head(flow):
    service = flow.upstream()
    gateway = flow.gateway(limited(max_headers=10), to=service.address)
    trailers = [(f"X-{i}", "1") for i in range(20)]
    with gateway.connect() as client:
        client.send(wire.request("POST", "/", [("Transfer-Encoding", "chunked")])
                    + wire.chunked(b"x", trailers=trailers))
        equal(client.read_response("POST").status, 431, "status")
    equal(service.request_count, 0, "whole requests at the service")


def test_an_announced_body_over_the_limit_is_a_413(flow):
    service = flow.upstream()
    gateway = flow.gateway(limited(max_body_size="1KiB"), to=service.address)
    equal(gateway.ask(wire.request("POST", "/at", body=b"x" * 1024)).status, 200, "at the limit")
    with gateway.connect() as client:
        client.send(wire.request("POST", "/over", [("Content-Length", "1025")]))
        equal(client.read_response("POST").status, 413, "above the limit, before any body byte")
        client.wait_end()
    flow.expect_failure(gateway, "/over", 413, "body_too_large")
    equal(service.request_count, 1, "requests at the service")


def test_a_chunked_body_over_the_limit_is_a_413(flow):
    service = flow.upstream()
    gateway = flow.gateway(limited(max_body_size="1KiB"), to=service.address)
    with gateway.connect() as client:
        client.send(wire.request("POST", "/over", [("Transfer-Encoding", "chunked")])
                    + wire.chunk(b"x" * 1000) + wire.chunk(b"x" * 100))
        equal(client.read_response("POST").status, 413, "status")
        client.wait_end()
    flow.expect_failure(gateway, "/over", 413, "body_too_large")
    equal(service.request_count, 0, "whole requests at the service")


def test_a_route_may_have_its_own_body_limit(flow):
    service = flow.upstream()
    gateway = flow.gateway({**limited(max_body_size="100"), "routes": [
        {"path": "/upload/*", "to": service.address, "max_body_size": "1KiB"},
        {"path": "/any/*", "to": service.address, "max_body_size": 0},
        {"path": "/*", "to": service.address}]})
    for path, size, status in (("/upload/x", 1024, 200), ("/upload/x", 1025, 413), ("/x", 101, 413),
                               ("/x", 100, 200), ("/any/x", 100000, 200)):
        with gateway.connect() as client:
            client.send(wire.request("PUT", path, body=b"x" * size))
            equal(client.read_response("PUT").status, status, f"{size} bytes to {path}")


def test_a_request_head_that_does_not_arrive_in_time_is_a_408(flow):
    service = flow.upstream()
    gateway = flow.gateway(limited(timeouts={"header": "300ms"}), to=service.address)
    with gateway.connect() as client:
        client.send(b"GET /slow HTTP/1.1\r\nHost: flow")
        answer = client.read_response()
        equal((answer.status, answer.has_option("close")), (408, True), "answer")
        client.wait_end()
    gateway.wait_metric("cyclone_responses_total", 1, reason="head_timeout")
    equal(service.connection_count, 0, "connections to the service")


def test_a_head_that_trickles_is_a_408_all_the_same(flow):
    gateway = flow.gateway(limited(timeouts={"header": "500ms"}), to=flow.upstream().address)
    with gateway.connect() as client:
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\n")
        for _ in range(100):
            try:
                client.send(b"X")
            except ConnectionError:
                break
            if not client.is_quiet(0.05):
                break
        equal(client.read_response().status, 408, "status")


def test_a_connection_that_says_nothing_is_closed(flow):
    gateway = flow.gateway(limited(timeouts={"header": "300ms"}), to=flow.upstream().address)
    with gateway.connect() as client:
        equal(client.wait_end(), "eof", "end")
        equal(client.buffer, b"", "bytes before the end")


def test_an_idle_connection_is_closed_after_its_time(flow):
    gateway = flow.gateway(limited(timeouts={"idle": "1s"}), to=flow.upstream().address)
    with gateway.connect() as client:
        client.ask(wire.get())
        assert client.is_quiet(0.5), "closed too early"
        equal(client.wait_end(5), "eof", "end")
        equal(client.buffer, b"", "bytes before the end")


def test_a_body_that_stops_arriving_is_a_408(flow):
    service = flow.upstream()
    gateway = flow.gateway(limited(timeouts={"body_idle": "300ms"}), to=service.address)
    with gateway.connect() as client:
        client.send(wire.request("POST", "/half", [("Content-Length", "100")]) + b"x" * 50)
        equal(client.read_response("POST").status, 408, "status")
        client.wait_end()
    flow.expect_failure(gateway, "/half", 408, "body_timeout")
    equal(service.request_count, 0, "whole requests at the service")


def test_a_client_that_takes_no_bytes_is_cut(flow):
    data = b"x" * (16 * 1024 * 1024)
    gateway = flow.gateway(limited(timeouts={"write_idle": "500ms"}),
                           to=flow.upstream(lambda request: wire.response(200, data)).address)
    with gateway.connect() as client:
        client.send(wire.get("/stalled"))
        line = gateway.wait_access("/stalled")[0]
        equal((line["status"], line["reason"]), (200, "client_stalled"), "access log")
        got = len(client.buffer)
        try:
            got = len(client.read_to_end())
        except wire.Ended as error:
            got = len(error.got)
        assert got < len(data), "the answer must not be complete"


def test_an_error_answer_to_head_has_no_body(flow):
    gateway = flow.gateway({"routes": [{"path": "/only", "respond": 200}]})
    with gateway.connect() as client:
        for _ in range(2):
            equal(client.ask(wire.request("HEAD", "/none")).status, 404, "status")


def test_a_head_below_the_minimum_rate_is_a_408_long_before_its_time(flow):
    """Slowloris: always a byte in time, never a request. 500 B/s are asked for after 2 s."""
    gateway = flow.gateway(to=flow.upstream().address)
    with gateway.connect() as client:
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\nX: ")
        for _ in range(60):
            if not client.is_quiet(0.1):
                break
            client.send(b"y")
        equal(client.read_response().status, 408, "status within 6 s, with a time limit of 10 s")


def test_an_expectation_of_too_much_is_refused_before_the_body(flow):
    service = flow.upstream()
    gateway = flow.gateway(limited(max_body_size="1KiB"), to=service.address)
    with gateway.connect() as client:
        client.send(wire.request("PUT", "/", [("Expect", "100-continue"), ("Content-Length", "5000")]))
        answer = client.read_response("PUT")
        equal((answer.status, answer.infos), (413, []), "answer")
        client.wait_end()
    equal(service.connection_count, 0, "connections to the service")
