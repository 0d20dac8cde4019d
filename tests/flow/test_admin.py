# SPDX-License-Identifier: Apache-2.0
"""The admin listener: metrics, configuration, clusters, and who may ask."""
import json

from harness import wire
from harness.gateway import connect
from harness.wait import equal

# The names of the deployment guide.
GUIDE_METRICS = ("cyclone_cpu_utilization", "cyclone_memory_utilization", "cyclone_active_connections",
                 "cyclone_bytes_sent_total", "cyclone_bytes_received_total",
                 "cyclone_zero_copy_operations_total")


def test_metrics_have_the_guides_names_and_right_values(flow):
    service = flow.upstream(lambda request: wire.response(
        404 if request.target == "/missing" else 200, b"12345"))
    gateway = flow.gateway(to=service.address)
    with gateway.connect() as client:
        for _ in range(7):
            client.ask(wire.get())
        for _ in range(2):
            client.ask(wire.get("/missing"))
        client.ask(wire.request("POST", "/", body=b"x" * 1000))
        gateway.wait_metric("cyclone_requests_total", 10)
        metrics = gateway.metrics()
        equal(metrics.value("cyclone_active_connections"), 1, "active connections")
    for name in GUIDE_METRICS:
        assert metrics.has(name), f"no {name}"
    equal(metrics.value("cyclone_requests_total", method="GET", status="200"), 7, "GET 200")
    equal(metrics.value("cyclone_requests_total", method="GET", status="404"), 2, "GET 404")
    equal(metrics.value("cyclone_requests_total", method="POST", status="200"), 1, "POST 200")
    equal(metrics.value("cyclone_request_duration_seconds_count"), 10, "durations")
    equal(metrics.value("cyclone_request_duration_seconds_bucket", le="+Inf"), 10, "the last bucket")
    for quantile in ("0.5", "0.95", "0.99"):
        value = metrics.value("cyclone_request_duration_seconds", quantile=quantile)
        assert 0 < value < 10, f"quantile {quantile} is {value}"
    equal(metrics.value("cyclone_bytes_sent_total"), 50, "bytes sent")
    equal(metrics.value("cyclone_bytes_received_total"), 1000, "bytes received")
    equal(metrics.value("cyclone_upstream_requests_total", cluster="upstream"), 10, "upstream requests")
    equal(metrics.value("cyclone_io_backend_info", backend=flow.settings.engine), 1, "engine")
    equal(metrics.value("cyclone_config_last_reload_successful"), 1, "last reload")
    equal(metrics.types["cyclone_request_duration_seconds"], "histogram", "type")


def test_buckets_are_cumulative(flow):
    gateway = flow.gateway(to=flow.upstream().address)
    for _ in range(5):
        gateway.get()
    gateway.wait_metric("cyclone_request_duration_seconds_count", 5)
    metrics = gateway.metrics()
    counts = [number for name, _, number in metrics.samples if name == "cyclone_request_duration_seconds_bucket"]
    equal(counts, sorted(counts), "bucket counts")
    equal(len(counts), 17, "buckets")


def test_openmetrics_is_spoken_to_those_who_ask(flow):
    gateway = flow.gateway(to=flow.upstream().address)
    gateway.get()
    answer = gateway.admin("/metrics", [("Accept", "application/openmetrics-text; version=1.0.0, text/plain")])
    assert answer.get("content-type").startswith("application/openmetrics-text"), answer
    text = answer.body.decode()
    assert text.endswith("# EOF\n") and "# TYPE cyclone_requests counter" in text, text[-300:]
    plain = gateway.admin("/metrics")
    equal(plain.get("content-type"), "text/plain; version=0.0.4; charset=utf-8", "Content-Type")
    assert "# EOF" not in plain.body.decode()


def test_metrics_can_move_or_be_off(flow):
    moved = flow.gateway({"metrics": {"path": "/stats/prometheus"}}, to=flow.upstream().address)
    equal((moved.admin("/stats/prometheus").status, moved.admin("/metrics").status), (200, 404), "moved")
    off = flow.gateway({"metrics": {"enabled": False}}, to=flow.upstream().address)
    equal(off.admin("/metrics").status, 404, "off")
    equal(off.get().status, 200, "traffic without metrics")


def test_config_shows_what_is_in_force_with_defaults(flow):
    gateway = flow.gateway({"server": {"shutdown_grace": "7s"}}, to=flow.upstream().address,
                           env={"CYCLONE_LOG_LEVEL": "debug"})
    answer = gateway.admin("/config")
    equal((answer.status, answer.get("content-type")), (200, "application/json"), "answer")
    shown = json.loads(answer.body)
    equal(shown["server"]["shutdown_grace"], "7s", "from the file")
    equal(shown["log"]["level"], "debug", "from the environment")
    equal(shown["listeners"]["main"]["timeouts"]["idle"], "1m15s", "from the defaults")


def test_clusters_show_endpoints_and_counts(flow):
    service = flow.upstream()
    gateway = flow.gateway({"clusters": {"app": [service.address]}, "routes": [{"path": "/*", "to": "app"}]})
    for _ in range(3):
        gateway.get()
    gateway.wait_metric("cyclone_upstream_idle_connections", 1)
    shown = {c["name"]: c for c in json.loads(gateway.admin("/clusters").body)["clusters"]}
    app = shown["app"]
    equal((app["requests"], app["active"], app["idle_connections"], app["connects"]), (3, 0, 1, 1), "counts")
    equal(app["endpoints"], [{"address": service.address, "weight": 100}], "endpoints")


test_clusters_show_endpoints_and_counts.needs_one_worker = True


def test_unknown_paths_and_methods_are_answered(flow):
    gateway = flow.gateway(to=flow.upstream().address)
    equal(gateway.admin("/nothing").status, 404, "unknown path")
    equal(gateway.admin("/config", method="POST").status, 405, "POST")
    equal(gateway.admin("/metrics", method="DELETE").status, 405, "DELETE")
    equal(gateway.admin("/metrics", method="HEAD").status, 200, "HEAD")


def test_names_that_are_not_this_machine_get_no_configuration(flow):
    """A web page that points a name of its own at 127.0.0.1 must not read the configuration."""
    gateway = flow.gateway(to=flow.upstream().address)
    for path in ("/config", "/clusters"):
        for host, status in (("localhost", 200), ("localhost:9090", 200), ("127.0.0.1:9090", 200),
                             ("[::1]:9090", 200), ("evil.test", 403), ("evil.test:9090", 403),
                             ("localhost.evil.test", 403), ("127.0.0.1.evil.test", 403)):
            equal(gateway.admin(path, host=host).status, status, f"{path} for {host}")
    equal(gateway.admin("/metrics", host="cyclone.monitoring.svc").status, 200, "metrics by any name")


def test_admin_keeps_connections_and_pipelines(flow):
    gateway = flow.gateway(to=flow.upstream().address)
    with connect(gateway.admin_address()) as client:
        client.send(wire.get("/health", host="localhost") * 5 + wire.get("/metrics", host="localhost"))
        for _ in range(5):
            equal(client.read_response().status, 200, "status")
        assert b"cyclone_requests_total" in client.read_response().body
        equal(client.ask(wire.request("POST", "/health", body=b"x" * 1000, host="localhost")).status, 405,
              "a request with a body")


def test_admin_refuses_malformed_requests(flow):
    gateway = flow.gateway(to=flow.upstream().address)
    with connect(gateway.admin_address()) as client:
        client.send(b"GET /metrics HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")
        equal(client.read_response().status, 400, "status")
        client.wait_end()
    equal(gateway.admin("/health").status, 200, "afterwards")


def test_admin_may_be_a_unix_socket(flow):
    path = flow.path("admin.sock")
    gateway = flow.gateway({"admin": {"address": f"unix:{path}"}}, to=flow.upstream().address)
    equal(gateway.admin("/config").status, 200, "status")
    equal(gateway.metrics().value("cyclone_active_connections"), 0, "active connections")


def test_admin_may_have_several_addresses_or_none(flow):
    path = flow.path("admin.sock")
    both = flow.gateway({"admin": {"address": ["127.0.0.1:0", f"unix:{path}"]}}, to=flow.upstream().address)
    both.wait_event("listening", 2, contains="admin on")
    for event in both.events("listening"):
        if event["message"].startswith("admin on "):
            with connect(event["message"][9:]) as client:
                equal(client.ask(wire.get("/health", host="localhost")).status, 200, event["message"])
    none = flow.gateway({"admin": {"enabled": False}}, to=flow.upstream().address)
    equal(none.get().status, 200, "traffic without admin")
    equal([e for e in none.events("listening") if "admin" in e["message"]], [], "admin listeners")
