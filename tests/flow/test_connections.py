# SPDX-License-Identifier: Apache-2.0
"""Client connections: keep-alive, pipelining, limits, and every kind of socket."""
import os
import socket

from harness import wire
from harness.wait import equal, wait_for


def test_one_connection_each_serves_many_requests(flow):
    service = flow.upstream()
    gateway = flow.gateway(to=service.address)
    with gateway.connect() as client:
        for i in range(100):
            equal(client.ask(wire.get(f"/{i}")).status, 200, "status")
    equal([r.target for r in service.requests], [f"/{i}" for i in range(100)], "requests in order")
    equal(service.connection_count, 1, "connections to the service")
    metrics = gateway.metrics()
    equal(metrics.value("cyclone_upstream_reused_total"), 99, "reused")
    equal(metrics.value("cyclone_upstream_connects_total"), 1, "connects")
    equal(metrics.value("cyclone_connections_total"), 1, "client connections")


def test_pipelined_requests_are_answered_in_order(flow):
    service = flow.upstream(lambda request: wire.response(200, request.target.encode()))
    gateway = flow.gateway(to=service.address)
    with gateway.connect() as client:
        client.send(b"".join(wire.get(f"/{i}") for i in range(50)))
        for i in range(50):
            equal(client.read_response().body, f"/{i}".encode(), "answer in order")


def test_pipelined_requests_with_bodies_are_kept_apart(flow):
    service = flow.upstream(lambda request: wire.response(200, request.body))
    gateway = flow.gateway(to=service.address)
    with gateway.connect() as client:
        data = b""
        for i in range(20):
            body = f"body {i} ".encode() * (i * 50)
            data += wire.request("POST", "/", body=body) if i % 2 else (
                wire.request("POST", "/", [("Transfer-Encoding", "chunked")]) + wire.chunked(body))
        client.send(data)
        for i in range(20):
            equal(client.read_response("POST").body, f"body {i} ".encode() * (i * 50), f"answer {i}")


def test_a_pipelined_request_waits_for_the_answer_before_it(flow):
    """Only one request at a time is with the service, however many the client has sent."""
    seen = []

    def script(peer):
        while True:
            request = peer.next_request()
            if request is None:
                return
            seen.append(peer.upstream.open_count)
            peer.send(wire.response(200, b"x"))

    service = flow.upstream(script=script)
    gateway = flow.gateway(to=service.address)
    with gateway.connect() as client:
        client.send(wire.get() * 10)
        for _ in range(10):
            client.read_response()
    equal(seen, [1] * 10, "connections in use at a time")


def test_connection_close_is_honoured_and_answered(flow):
    gateway = flow.gateway(to=flow.upstream().address)
    with gateway.connect() as client:
        answer = client.ask(wire.get("/", [("Connection", "close")]))
        equal(answer.has_option("close"), True, "Connection: close in the answer")
        equal(client.wait_end(), "eof", "end")


def test_a_services_connection_close_is_not_passed_on(flow):
    service = flow.upstream(lambda request: wire.response(200, b"x", [("Connection", "close")]))
    gateway = flow.gateway(to=service.address)
    with gateway.connect() as client:
        for _ in range(3):
            equal(client.ask(wire.get()).has_option("close"), False, "Connection: close")
    equal(service.connection_count, 3, "connections to the service")


def test_a_connection_ends_after_its_number_of_requests(flow):
    gateway = flow.gateway({"listeners": {"main": {"max_requests": 3}}}, to=flow.upstream().address)
    with gateway.connect() as client:
        closes = [client.ask(wire.get()).has_option("close") for _ in range(3)]
        equal(closes, [False, False, True], "Connection: close")
        equal(client.wait_end(), "eof", "end")


def test_a_connection_ends_at_a_request_boundary_after_its_age(flow):
    gateway = flow.gateway({"listeners": {"main": {"timeouts": {"max_age": "300ms"}}}},
                           to=flow.upstream().address)
    with gateway.connect() as client:
        equal(client.ask(wire.get()).has_option("close"), False, "young")
        assert client.is_quiet(0.35), "closed without a request"
        equal(client.ask(wire.get()).has_option("close"), True, "old")


def test_at_the_connection_limit_accepting_pauses_and_goes_on(flow):
    gateway = flow.gateway({"listeners": {"main": {"max_connections": 3}}}, to=flow.upstream().address)
    clients = [gateway.connect() for _ in range(3)]
    for client in clients:
        equal(client.ask(wire.get()).status, 200, "status below the limit")
    late = gateway.connect()  # the kernel takes it, Cyclone does not
    late.send(wire.get("/late"))
    is_waiting = late.is_quiet(0.3)
    if is_waiting:
        clients[0].close()
        equal(late.read_response().status, 200, "status once there is room")
    else:  # it came with the batch that reached the limit: closed, and counted
        gateway.wait_metric("cyclone_connections_refused_total", 1)
    clients[1].close()
    gateway.wait_metric("cyclone_active_connections", lambda value: value < 3)
    wait_for(lambda: _can_ask(gateway), "a new connection once there is room")
    for client in clients + [late]:
        client.close()


test_at_the_connection_limit_accepting_pauses_and_goes_on.needs_one_worker = True


def _can_ask(gateway):
    with gateway.connect(timeout_s=2) as client:
        try:
            return client.ask(wire.get()).status == 200
        except (AssertionError, OSError):
            return False


def test_a_unix_listener_and_a_unix_service_work_together(flow):
    service = flow.upstream(path=flow.path("service.sock"))
    gateway = flow.gateway({"listeners": {"main": {"address": f"unix:{flow.path('front.sock')}"}}},
                           to=service.address)
    with gateway.connect() as client:
        for _ in range(3):
            answer = client.ask(wire.request("POST", "/", body=b"x" * 100000))
            equal((answer.status, answer.body), (200, b"ok\n"), "answer")
    equal((service.connection_count, len(service.requests[0].body)), (1, 100000), "service's side")


def test_a_unix_socket_left_behind_by_a_killed_process_is_taken_over(flow):
    path = flow.path("front.sock")
    left = socket.socket(socket.AF_UNIX)
    left.bind(path)
    left.close()
    assert os.path.exists(path)
    gateway = flow.gateway({"listeners": {"main": {"address": f"unix:{path}"}}}, to=flow.upstream().address)
    equal(gateway.get().status, 200, "status")


def test_ipv6_works_on_both_sides(flow):
    service = flow.upstream(host="::1")
    gateway = flow.gateway({"listeners": {"main": {"address": "[::1]:0"}}}, to=service.address)
    answer = gateway.ask(wire.get("/six", host=f"[::1]:{gateway.port()}"))
    equal(answer.status, 200, "status")
    equal(service.requests[0].get("x-forwarded-for"), "::1", "X-Forwarded-For")
    equal(gateway.wait_access("/six")[0]["client_ip"], "::1", "client_ip")


def test_a_dual_stack_listener_serves_both_families(flow):
    service = flow.upstream()
    gateway = flow.gateway({"listeners": {"main": {"address": ":0"}}}, to=service.address)
    port = gateway.port()
    for host in ("127.0.0.1", "::1"):
        sock = socket.create_connection((host, port), 5)
        with wire.Wire(sock) as client:
            equal(client.ask(wire.get()).status, 200, f"status over {host}")
    equal([r.get("x-forwarded-for") for r in service.requests], ["127.0.0.1", "::1"],
          "mapped IPv4 addresses are written as IPv4")


def test_several_listeners_serve_at_once(flow):
    service = flow.upstream()
    gateway = flow.gateway({"listeners": {"main": {"address": "127.0.0.1:0"},
                                          "second": {"address": "127.0.0.1:0"},
                                          "local": {"address": f"unix:{flow.path('l.sock')}"}}},
                           to=service.address)
    for name in ("main", "second", "local"):
        equal(gateway.get("/", listener=name).status, 200, name)


def test_several_workers_serve_many_connections(flow):
    service = flow.upstream(lambda request: wire.response(200, request.target.encode()))
    gateway = flow.gateway({"server": {"worker_threads": 3}}, to=service.address)
    clients = [gateway.connect() for _ in range(60)]
    for round_number in range(3):
        for i, client in enumerate(clients):
            client.send(wire.get(f"/{round_number}/{i}"))
        for i, client in enumerate(clients):
            equal(client.read_response().body, f"/{round_number}/{i}".encode(), "answer")
    gateway.wait_metric("cyclone_active_connections", 60)
    for client in clients:
        client.close()
    gateway.wait_metric("cyclone_active_connections", 0)
    equal(gateway.metrics().value("cyclone_requests_total", method="GET", status="200"), 180, "requests")
