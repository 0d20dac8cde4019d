# SPDX-License-Identifier: Apache-2.0
"""Which route a request takes, fixed answers, and the health paths on traffic ports."""
import json

from harness import wire
from harness.wait import equal


def respond(name, **match):
    return {"name": name, "respond": {"status": 200, "body": name}, **match}


def test_the_most_specific_route_wins(flow):
    gateway = flow.gateway({"routes": [
        respond("any"), respond("api", path="/api/*"), respond("v1", path="/api/v1/*"),
        respond("exact", path="/api/v1/users"), respond("exact-post", path="/api/v1/users", method="POST"),
        respond("host", host="shop.test"), respond("host-api", host="shop.test", path="/api/*"),
        respond("wild", host="*.shop.test"), respond("deeper", host="*.eu.shop.test"),
        respond("listed", path=["/one", "/two/*"], method=["PUT", "PATCH"])]})
    cases = [  # method, host, path, route
        ("GET", "a.test", "/", "any"), ("GET", "a.test", "/ap", "any"), ("GET", "a.test", "/apix", "any"),
        ("GET", "a.test", "/api", "api"), ("GET", "a.test", "/api/", "api"), ("GET", "a.test", "/api/v2", "api"),
        ("GET", "a.test", "/api/v1", "v1"), ("GET", "a.test", "/api/v1/x/y", "v1"),
        ("GET", "a.test", "/api/v1/users", "exact"), ("POST", "a.test", "/api/v1/users", "exact-post"),
        ("GET", "a.test", "/api/v1/users/", "v1"), ("GET", "a.test", "/api/v1/users?x=1", "exact"),
        ("GET", "a.test", "/api/./v1/../v1/users", "exact"), ("GET", "a.test", "/%61pi/v1", "v1"),
        ("GET", "a.test", "/API", "any"),
        ("GET", "shop.test", "/", "host"), ("GET", "SHOP.test", "/", "host"), ("GET", "shop.test:8080", "/", "host"),
        ("GET", "shop.test", "/api/v1", "host-api"), ("GET", "de.shop.test", "/api/v1", "wild"),
        ("GET", "a.b.shop.test", "/", "wild"), ("GET", "de.eu.shop.test", "/", "deeper"),
        ("GET", "noshop.test", "/", "any"),
        ("PUT", "a.test", "/one", "listed"), ("PATCH", "a.test", "/two/x", "listed"), ("GET", "a.test", "/one", "any"),
    ]
    with gateway.connect() as client:
        for method, host, path, route in cases:
            answer = client.ask(wire.request(method, path, host=host))
            equal((answer.status, answer.body.decode()), (200, route), f"{method} {host} {path}")


def test_an_absolute_target_is_routed_by_its_own_host(flow):
    gateway = flow.gateway({"routes": [respond("a", host="a.test"), respond("b", host="b.test")]})
    answer = gateway.ask(wire.get("http://a.test/x", host="a.test"))
    equal(answer.body, b"a", "route")


def test_no_route_is_a_404_or_what_the_listener_says(flow):
    gateway = flow.gateway({
        "listeners": {"main": {"address": "127.0.0.1:0"},
                      "strict": {"address": "127.0.0.1:0", "default_route": "421"},
                      "silent": {"address": "127.0.0.1:0", "default_route": "close"}},
        "routes": [respond("only", host="only.test")]})
    equal(gateway.get("/none").status, 404, "default")
    flow.expect_failure(gateway, "/none", 404, "no_route")
    equal(gateway.get("/wrong", listener="strict").status, 421, "strict")
    with gateway.connect("silent") as client:
        client.send(wire.get("/silent"))
        client.wait_end()
        equal(client.buffer, b"", "bytes before the end")
    flow.expect_failure(gateway, "/silent", 0, "no_route_close")


def test_a_route_may_be_bound_to_a_listener(flow):
    gateway = flow.gateway({"listeners": {"main": {"address": "127.0.0.1:0"},
                                          "internal": {"address": "127.0.0.1:0"}},
                            "routes": [respond("inside", path="/debug/*", listener="internal"),
                                       respond("any")]})
    equal(gateway.get("/debug/x").body, b"any", "on the other listener")
    equal(gateway.get("/debug/x", listener="internal").body, b"inside", "on its own")


def test_fixed_answers_have_status_body_and_type(flow):
    gateway = flow.gateway({"routes": [
        {"path": "/teapot", "respond": {"status": 418, "body": "{}", "content_type": "application/json"}},
        {"path": "/gone", "respond": 410}, {"path": "/empty", "respond": 204}]})
    with gateway.connect() as client:
        answer = client.ask(wire.get("/teapot"))
        equal((answer.status, answer.body, answer.get("content-type")), (418, b"{}", "application/json"), "teapot")
        equal(client.ask(wire.request("HEAD", "/teapot")).get("content-length"), "2", "HEAD")
        equal(client.ask(wire.get("/gone")).status, 410, "gone")
        equal(client.ask(wire.get("/empty")).status, 204, "empty")
        equal(client.ask(wire.request("POST", "/gone", body=b"x" * 50000)).status, 410, "with a body")
        equal(client.ask(wire.get("/gone")).status, 410, "behind the body")


def test_routes_lead_to_their_clusters(flow):
    a, b = (flow.upstream(lambda request, n=name: wire.response(200, n)) for name in (b"a", b"b"))
    gateway = flow.gateway({"clusters": {"alpha": a.address, "beta": {"endpoints": [b.address]}},
                            "routes": [{"path": "/a/*", "to": "alpha"}, {"path": "/b/*", "to": "beta"},
                                       {"path": "/inline/*", "to": f"http://{a.address}"}]})
    with gateway.connect() as client:
        for path, body in (("/a/1", b"a"), ("/b/1", b"b"), ("/inline/1", b"a")):
            equal(client.ask(wire.get(path)).body, body, path)
    line = gateway.wait_access("/b/1")[0]
    equal((line["cluster"], line["upstream"], line["route"]), ("beta", b.address, "route-2"), "access log")


def test_named_features_apply_in_order_before_the_routes_own(flow):
    service = flow.upstream()
    gateway = flow.gateway({
        "filters": {"base": {"request_headers": {"set": {"X-A": "base", "X-B": "base"}}},
                    "more": {"request_headers": {"set": {"X-B": "more", "X-C": "more"}}}},
        "routes": [{"path": "/*", "to": service.address, "use": ["base", "more"],
                    "request_headers": {"set": {"X-C": "own"}}}]})
    gateway.get()
    seen = service.requests[0]
    equal((seen.get("x-a"), seen.get("x-b"), seen.get("x-c")), ("base", "more", "own"), "fields")


# ---- health --------------------------------------------------------------------------------------


def test_health_is_answered_on_the_traffic_port(flow):
    service = flow.upstream()
    gateway = flow.gateway(to=service.address)
    for path, key in (("/health", "alive"), ("/ready", "ready"), ("/health/deep", "ready")):
        answer = gateway.get(path)
        equal((answer.status, json.loads(answer.body)["status"]), (200, key), path)
    deep = json.loads(gateway.get("/health/deep").body)
    equal((deep["io_backend"], deep["workers"]), (flow.settings.engine, 1), "deep")
    equal(service.request_count, 0, "requests at the service")


test_health_is_answered_on_the_traffic_port.needs_one_worker = True


def test_a_route_that_claims_a_health_path_gets_it(flow):
    service = flow.upstream()
    gateway = flow.gateway({"routes": [{"path": "/health", "to": service.address},
                                       {"path": "/health/*", "host": "other.test", "respond": 418}]},
                           to=service.address)
    equal(gateway.get("/health").body, b"ok\n", "/health goes to the service")
    equal(gateway.get("/ready").body, b'{"status":"ready"}\n', "/ready does not")


def test_health_endpoints_can_be_first_or_off(flow):
    service = flow.upstream()
    routes = {"routes": [{"path": "/health", "to": service.address}]}
    always = flow.gateway({**routes, "server": {"health_endpoints": "always"}}, to=service.address)
    equal(always.get("/health").body, b'{"status":"alive"}\n', "always")
    off = flow.gateway({"server": {"health_endpoints": "off"}}, to=service.address)
    equal((off.get("/ready").body, off.get("/health/deep").body), (b"ok\n", b"ok\n"), "off")
    equal(json.loads(off.admin("/health").body)["status"], "alive", "the admin listener has them always")


def test_thousands_of_routes_are_told_apart(flow):
    count = 3000
    routes = [respond(f"r{i}", host=f"h{i % 50}.test", path=[f"/p{i}", f"/q{i}/*"]) for i in range(count)]
    gateway = flow.gateway({"routes": routes + [respond("rest")]})
    with gateway.connect() as client:
        for i in range(0, count, 37):
            host = f"h{i % 50}.test"
            equal(client.ask(wire.get(f"/p{i}", host=host)).body, f"r{i}".encode(), "exact")
            equal(client.ask(wire.get(f"/q{i}/deep/down", host=host)).body, f"r{i}".encode(), "prefix")
            equal(client.ask(wire.get(f"/p{i}", host="other.test")).body, b"rest", "other host")
