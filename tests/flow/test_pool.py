# SPDX-License-Identifier: Apache-2.0
"""Connections to services: reuse, replay, retry, balancing and queues."""
import threading

from harness import wire
from harness.wait import equal, wait_for


def cluster(endpoints, retry=None, **keys):
    route = {"path": "/*", "to": "app"}
    if retry is not None:
        route["retry"] = retry
    return {"clusters": {"app": {"endpoints": endpoints, **keys}}, "routes": [route]}


def dies_on_reuse(answer_count=1, is_reset=True):
    """Answers, keeps the connection, and drops it unanswered when it is used again: what a service does
    whose idle timeout ends at the moment of reuse. Later connections are healthy."""

    def script(peer):
        for _ in range(answer_count if peer.index == 0 else 1000):
            if peer.next_request() is None:
                return
            peer.send(wire.response(200, b"ok"))
        peer.next_request()
        if is_reset:
            peer.reset()

    return script


def test_a_get_on_a_stale_connection_is_replayed(flow):
    for is_reset in (True, False):
        service = flow.upstream(script=dies_on_reuse(is_reset=is_reset))
        gateway = flow.gateway(cluster(service.address, retry=False))
        with gateway.connect() as client:
            equal(client.ask(wire.get("/first")).status, 200, "first status")
            equal(client.ask(wire.get("/again")).status, 200, "status of the replayed request")
        equal([(r.target, r.connection_index) for r in service.requests],
              [("/first", 0), ("/again", 0), ("/again", 1)], "requests at the service")
        gateway.wait_metric("cyclone_upstream_stale_total", 1)
        equal(gateway.wait_access("/again")[0]["attempts"], 2, "attempts in the access log")


def test_a_put_with_a_body_on_a_stale_connection_is_replayed_whole(flow):
    service = flow.upstream(script=dies_on_reuse())
    gateway = flow.gateway(cluster(service.address, retry=False))
    body = b"0123456789" * 3000
    with gateway.connect() as client:
        client.ask(wire.get())
        equal(client.ask(wire.request("PUT", "/again", body=body)).status, 200, "status")
    equal(service.requests[-1].body == body, True, "the replayed body is whole")


def test_a_post_on_a_stale_connection_is_not_replayed(flow):
    service = flow.upstream(script=dies_on_reuse())
    gateway = flow.gateway(cluster(service.address))
    with gateway.connect() as client:
        client.ask(wire.get())
        equal(client.ask(wire.request("POST", "/pay", body=b"money")).status, 502, "status")
    equal([r.target for r in service.requests], ["/", "/pay"], "requests at the service")
    flow.expect_failure(gateway, "/pay", 502, "upstream_reset")


def test_an_idle_connection_that_the_service_closed_is_never_used(flow):
    def script(peer):
        peer.next_request()
        peer.send(wire.response(200, b"bye"))  # and closes, without having said so

    service = flow.upstream(script=script)
    gateway = flow.gateway(cluster(service.address, retry=False))
    with gateway.connect() as client:
        for _ in range(5):
            equal(client.ask(wire.request("POST", "/", body=b"x")).status, 200, "status")
            gateway.wait_metric("cyclone_upstream_idle_connections", 0)
    equal(service.request_count, 5, "requests at the service")
    equal(gateway.metrics().value("cyclone_upstream_stale_total"), 0, "stale")


def test_a_stale_replay_happens_once_only(flow):
    """Every reused connection dies: with two idle ones the second death is the client's to see, or a
    fresh connection answers; but there is never a third try."""

    def script(peer):
        peer.next_request()
        peer.send(wire.response(200, b"ok"))
        if peer.next_request() is not None:
            peer.reset()

    service = flow.upstream(script=script)
    gateway = flow.gateway(cluster(service.address, retry=False))
    hold = [gateway.connect() for _ in range(2)]
    for client in hold:
        client.send(wire.get("/warm"))
    for client in hold:
        client.read_response()
    answer = gateway.get("/again")
    tries = len([r for r in service.requests if r.target == "/again"])
    assert (answer.status, tries) in ((200, 2), (502, 2), (200, 1)), (answer.status, tries)


def test_a_failed_connect_is_retried_at_another_endpoint(flow):
    service = flow.upstream()
    gateway = flow.gateway(cluster([flow.dead_address(), service.address], load_balancing="round_robin"))
    for i in range(6):
        equal(gateway.ask(wire.request("POST", f"/{i}", body=b"x")).status, 200, "status")
    equal(service.request_count, 6, "requests at the living endpoint")
    metrics = gateway.metrics()
    assert metrics.value("cyclone_upstream_connect_failures_total") >= 2, "connect failures"


def test_without_retry_a_failed_connect_is_the_clients_to_see(flow):
    service = flow.upstream()
    gateway = flow.gateway(cluster([flow.dead_address(), service.address], load_balancing="round_robin",
                                   retry=False))
    statuses = sorted(gateway.get().status for _ in range(6))
    equal(statuses, [200, 200, 200, 503, 503, 503], "statuses")


test_without_retry_a_failed_connect_is_the_clients_to_see.needs_one_worker = True


def test_a_get_that_a_service_resets_is_retried_at_another_endpoint(flow):
    def broken(peer):
        peer.next_request()
        peer.reset()

    bad, good = flow.upstream(script=broken), flow.upstream()
    gateway = flow.gateway(cluster([bad.address, good.address], load_balancing="round_robin"))
    for _ in range(4):
        equal(gateway.get().status, 200, "status")
    equal(good.request_count, 4, "requests at the good endpoint")
    for _ in range(2):
        gateway.ask(wire.request("POST", "/once", body=b"x"))
    equal(len([r for r in bad.requests + good.requests if r.method == "POST"]), 2, "each POST is sent once")


def test_round_robin_gives_each_endpoint_its_turn(flow):
    services = [flow.upstream() for _ in range(3)]
    gateway = flow.gateway(cluster([s.address for s in services], load_balancing="round_robin"))
    with gateway.connect() as client:
        for _ in range(30):
            client.ask(wire.get())
    equal([s.request_count for s in services], [10, 10, 10], "requests each")


test_round_robin_gives_each_endpoint_its_turn.needs_one_worker = True


def test_weights_shift_the_shares(flow):
    services = [flow.upstream(), flow.upstream()]
    gateway = flow.gateway(cluster([{"address": services[0].address, "weight": 300},
                                    {"address": services[1].address, "weight": 100}],
                                   load_balancing="round_robin"))
    with gateway.connect() as client:
        for _ in range(40):
            client.ask(wire.get())
    equal([s.request_count for s in services], [30, 10], "requests each")


def test_least_request_avoids_the_busy_endpoint(flow):
    release = threading.Event()

    def slow(peer):
        while peer.next_request() is not None:
            release.wait(20)
            peer.send(wire.response(200, b"slow"))

    busy, quick = flow.upstream(script=slow), flow.upstream()
    gateway = flow.gateway(cluster([busy.address, quick.address], load_balancing="least_request"))
    stuck = []
    while busy.request_count == 0:  # until the busy one has something to do
        client = gateway.connect()
        before = busy.request_count + quick.request_count
        client.send(wire.get("/stuck"))
        stuck.append(client)
        wait_for(lambda b=before: busy.request_count + quick.request_count > b, "the request to arrive")
    for _ in range(40):
        equal(gateway.get("/quick").status, 200, "status")
    equal(len([r for r in busy.requests if r.target == "/quick"]), 0, "requests at the busy endpoint")
    release.set()
    for client in stuck:
        client.read_response()
        client.close()


test_least_request_avoids_the_busy_endpoint.needs_one_worker = True


def test_requests_wait_for_a_connection_and_are_served_in_order(flow):
    service = flow.upstream(lambda request: wire.response(200, request.target.encode()))
    gateway = flow.gateway(cluster(service.address,
                                   pool={"max_per_endpoint": 1, "pending_timeout": "10s"}))
    clients = [gateway.connect() for _ in range(10)]
    for i, client in enumerate(clients):
        client.send(wire.get(f"/{i}"))
    for i, client in enumerate(clients):
        equal(client.read_response().body, f"/{i}".encode(), "answer")
        client.close()
    equal(service.connection_count, 1, "connections to the service")


test_requests_wait_for_a_connection_and_are_served_in_order.needs_one_worker = True


def hold_first(release):
    """The first request is answered only when `release` is set."""

    def script(peer):
        while peer.next_request() is not None:
            release.wait(20)
            peer.send(wire.response(200, b"held"))

    return script


def test_a_request_that_waits_too_long_for_a_connection_is_a_503(flow):
    release = threading.Event()
    service = flow.upstream(script=hold_first(release))
    gateway = flow.gateway(cluster(service.address,
                                   pool={"max_per_endpoint": 1, "pending_timeout": "300ms"}))
    with gateway.connect() as first:
        first.send(wire.get("/first"))
        service.wait_requests(1)
        equal(gateway.get("/second").status, 503, "status")
        flow.expect_failure(gateway, "/second", 503, "upstream_queue_timeout")
        release.set()
        equal(first.read_response().status, 200, "status of the first")


test_a_request_that_waits_too_long_for_a_connection_is_a_503.needs_one_worker = True


def test_a_full_queue_refuses_at_once(flow):
    release = threading.Event()
    service = flow.upstream(script=hold_first(release))
    gateway = flow.gateway(cluster(service.address, pool={"max_per_endpoint": 1, "max_pending": 1,
                                                          "pending_timeout": "10s"}))
    with gateway.connect() as first, gateway.connect() as second:
        first.send(wire.get("/first"))
        service.wait_requests(1)
        second.send(wire.get("/second"))
        gateway.wait_metric("cyclone_upstream_pending_requests", 1)
        equal(gateway.get("/third").status, 503, "status")
        flow.expect_failure(gateway, "/third", 503, "upstream_overflow")
        release.set()
        equal((first.read_response().status, second.read_response().status), (200, 200), "the others")


test_a_full_queue_refuses_at_once.needs_one_worker = True


def test_a_client_that_leaves_the_queue_is_forgotten(flow):
    release = threading.Event()
    service = flow.upstream(script=hold_first(release))
    gateway = flow.gateway(cluster(service.address,
                                   pool={"max_per_endpoint": 1, "pending_timeout": "10s"}))
    with gateway.connect() as first:
        first.send(wire.get("/first"))
        service.wait_requests(1)
        second = gateway.connect()
        second.send(wire.get("/second"))
        gateway.wait_metric("cyclone_upstream_pending_requests", 1)
        second.close()
        gateway.wait_metric("cyclone_upstream_pending_requests", 0)
        release.set()
        first.read_response()
    equal(service.request_count, 1, "requests at the service")


test_a_client_that_leaves_the_queue_is_forgotten.needs_one_worker = True


def test_a_connection_is_retired_after_its_number_of_requests(flow):
    service = flow.upstream()
    gateway = flow.gateway(cluster(service.address, pool={"max_requests": 3}))
    with gateway.connect() as client:
        for _ in range(9):
            client.ask(wire.get())
    equal([r.connection_index for r in service.requests], [0, 0, 0, 1, 1, 1, 2, 2, 2], "connections")


def test_an_idle_connection_is_closed_after_its_time(flow):
    service = flow.upstream()
    gateway = flow.gateway(cluster(service.address, pool={"idle_timeout": "1s"}))
    gateway.get()
    gateway.wait_metric("cyclone_upstream_idle_connections", 1)
    wait_for(lambda: service.open_count == 0, "the idle connection to be closed")
    equal(service.ends, {0: "eof"}, "how it was closed")


def test_only_so_many_idle_connections_are_kept(flow):
    service = flow.upstream()
    gateway = flow.gateway(cluster(service.address, pool={"max_idle": 2}))
    clients = [gateway.connect() for _ in range(8)]
    for client in clients:
        client.send(wire.get())
    for client in clients:
        client.read_response()
    gateway.wait_metric("cyclone_upstream_idle_connections", lambda value: value <= 2)
    wait_for(lambda: service.open_count <= 2, "the others to be closed")


test_only_so_many_idle_connections_are_kept.needs_one_worker = True


def test_without_pooling_every_request_has_its_own_connection(flow):
    service = flow.upstream()
    gateway = flow.gateway({"network": {"enable_connection_pooling": False}}, to=service.address)
    with gateway.connect() as client:
        for _ in range(3):
            equal(client.ask(wire.get()).status, 200, "status")
    equal(service.connection_count, 3, "connections to the service")


def test_idle_connections_of_all_clusters_together_are_bounded(flow):
    services = [flow.upstream() for _ in range(4)]
    gateway = flow.gateway({"network": {"connection_pool_size": 2},
                            "routes": [{"path": f"/{i}", "to": s.address} for i, s in enumerate(services)]})
    for i in range(4):
        equal(gateway.get(f"/{i}").status, 200, "status")
    gateway.wait_metric("cyclone_upstream_idle_connections", lambda value: value <= 2)
    wait_for(lambda: sum(s.open_count for s in services) <= 2, "the others to be closed")


test_idle_connections_of_all_clusters_together_are_bounded.needs_one_worker = True
