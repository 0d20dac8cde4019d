# SPDX-License-Identifier: Apache-2.0
"""Which fields pass, which end here, and which are added (RFC 9110 7.6, 9112 9.6)."""
import re
from email.utils import parsedate_to_datetime

from harness import wire
from harness.wait import equal

TRUSTING = {"listeners": {"main": {"trusted_proxies": ["127.0.0.0/8", "10.0.0.0/8"]}}}
REQUEST_ID = re.compile(r"^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$")


def test_fields_of_the_connection_end_here_in_requests(flow):
    service = flow.upstream()
    gateway = flow.gateway(to=service.address)
    equal(gateway.get("/", [("Connection", "X-Mine, keep-alive"), ("X-Mine", "1"), ("Keep-Alive", "timeout=9"),
                            ("Proxy-Connection", "keep-alive"), ("TE", "gzip"), ("Trailer", "X"),
                            ("Proxy-Authorization", "Basic xyz"), ("Upgrade", "h2c"),
                            ("HTTP2-Settings", "AAMAAABkAAQAoAAAAAIAAAAA"), ("X-Kept", "yes")]).status,
          200, "status")
    seen = service.requests[0]
    for name in ("x-mine", "keep-alive", "proxy-connection", "te", "proxy-authorization", "upgrade",
                 "http2-settings"):
        equal(seen.all(name), [], name)
    equal(seen.get("x-kept"), "yes", "X-Kept")
    for value in seen.all("connection"):
        assert "x-mine" not in value.lower(), value


def test_fields_of_the_connection_end_here_in_responses(flow):
    service = flow.upstream(lambda request: wire.response(200, b"ok", [
        ("Connection", "X-Internal"), ("X-Internal", "1"), ("Keep-Alive", "timeout=5"),
        ("Proxy-Authenticate", "Basic"), ("X-Kept", "yes")]))
    answer = flow.gateway(to=service.address).get()
    for name in ("x-internal", "keep-alive", "proxy-authenticate"):
        equal(answer.all(name), [], name)
    equal(answer.get("x-kept"), "yes", "X-Kept")


def test_a_nomination_cannot_strip_what_identifies_or_authorises(flow):
    service = flow.upstream()
    gateway = flow.gateway(to=service.address)
    gateway.get("/", [("Connection", "Host, X-Forwarded-For, Authorization, Cookie, X-Request-Id, Via"),
                      ("Authorization", "Bearer t"), ("Cookie", "a=b")])
    seen = service.requests[0]
    equal((seen.get("host"), seen.get("authorization"), seen.get("cookie"), seen.get("x-forwarded-for")),
          ("flow.test", "Bearer t", "a=b", "127.0.0.1"), "fields at the service")
    assert seen.has("via") and seen.has("x-request-id"), seen


def test_te_trailers_is_the_only_te_that_passes(flow):
    service = flow.upstream()
    gateway = flow.gateway(to=service.address)
    gateway.get("/", [("TE", "gzip;q=0.5, trailers"), ("Connection", "TE")])
    equal(service.requests[0].all("te"), ["trailers"], "TE")
    assert service.requests[0].has_option("te"), "TE must be nominated (RFC 9110 10.1.4)"


def test_order_and_repetition_of_fields_are_kept(flow):
    service = flow.upstream(lambda request: wire.response(200, b"", [
        ("Set-Cookie", "a=1"), ("X-A", "1"), ("Set-Cookie", "b=2"), ("x-a", "2")]))
    answer = flow.gateway(to=service.address).get("/", [("X-List", "1"), ("Cookie", "c"), ("x-list", "2, 3")])
    equal(service.requests[0].all("x-list"), ["1", "2, 3"], "request fields")
    equal((answer.all("set-cookie"), answer.all("x-a")), (["a=1", "b=2"], ["1", "2"]), "response fields")


def test_field_values_pass_byte_for_byte(flow):
    service = flow.upstream(lambda request: wire.response(200, b"", [("X-Raw", "caf\xe9\ttab"), ("X-Empty", "")]))
    answer = flow.gateway(to=service.address).get("/", [("X-Raw", "na\xefve \xfe\xff"), ("X-Empty", "")])
    equal((service.requests[0].get("x-raw"), service.requests[0].get("x-empty")), ("na\xefve \xfe\xff", ""),
          "request")
    equal((answer.get("x-raw"), answer.get("x-empty")), ("caf\xe9\ttab", ""), "response")


def test_what_a_stranger_says_about_forwarding_is_replaced(flow):
    service = flow.upstream()
    gateway = flow.gateway(to=service.address)
    gateway.get("/", [("X-Forwarded-For", "6.6.6.6"), ("X-Forwarded-Proto", "https"),
                      ("X-Forwarded-Host", "evil"), ("Forwarded", "for=6.6.6.6"), ("X-Real-IP", "6.6.6.6"),
                      ("X-Forwarded-Port", "1"), ("X-Forwarded-Client-Cert", "By=evil"),
                      ("X-Request-Id", "mine-i-swear")])
    seen = service.requests[0]
    equal(seen.all("x-forwarded-for"), ["127.0.0.1"], "X-Forwarded-For")
    equal(seen.all("x-forwarded-proto"), ["http"], "X-Forwarded-Proto")
    equal(seen.all("x-forwarded-host"), ["flow.test"], "X-Forwarded-Host")
    for name in ("forwarded", "x-real-ip", "x-forwarded-port", "x-forwarded-client-cert"):
        equal(seen.all(name), [], name)
    equal(len(seen.all("x-request-id")), 1, "X-Request-Id fields")
    assert REQUEST_ID.match(seen.get("x-request-id")), seen.get("x-request-id")


def test_what_a_trusted_peer_says_about_forwarding_is_kept(flow):
    service = flow.upstream()
    gateway = flow.gateway(TRUSTING, to=service.address)
    gateway.get("/trusted", [("X-Forwarded-For", "6.6.6.6, 203.0.113.9, 10.1.2.3"),
                             ("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "shop.example"),
                             ("X-Request-Id", "abc-123")])
    seen = service.requests[0]
    equal(seen.all("x-forwarded-for"), ["6.6.6.6, 203.0.113.9, 10.1.2.3, 127.0.0.1"], "X-Forwarded-For")
    equal((seen.all("x-forwarded-proto"), seen.all("x-forwarded-host"), seen.all("x-request-id")),
          (["https"], ["shop.example"], ["abc-123"]), "what the peer said")
    line = gateway.wait_access("/trusted")[0]
    equal((line["client_ip"], line["request_id"]), ("203.0.113.9", "abc-123"),
          "the first address from the right that is no proxy of ours, and the peer's id")


def test_every_request_has_an_id_of_its_own(flow):
    service = flow.upstream()
    gateway = flow.gateway(to=service.address)
    with gateway.connect() as client:
        for _ in range(20):
            client.ask(wire.get())
    ids = [request.get("x-request-id") for request in service.requests]
    equal(len(set(ids)), 20, "different ids")
    lines = gateway.wait_access("/", 20)
    equal([line["request_id"] for line in lines], ids, "ids in the access log")


def test_via_is_added_on_both_ways(flow):
    service = flow.upstream(lambda request: wire.response(200, b"", [("Via", "1.0 inner")]))
    answer = flow.gateway(to=service.address).get("/", [("Via", "1.1 outer")])
    equal(", ".join(service.requests[0].all("via")), "1.1 outer, 1.1 cyclone", "Via of the request")
    equal(", ".join(answer.all("via")), "1.0 inner, 1.1 cyclone", "Via of the response")


def test_date_is_added_only_where_it_is_missing(flow):
    dated = "Sun, 06 Nov 1994 08:49:37 GMT"
    service = flow.upstream(lambda request: wire.response(
        200, b"", [("Date", dated)] if request.target == "/dated" else []))
    gateway = flow.gateway(to=service.address)
    equal(gateway.get("/dated").all("date"), [dated], "the service's Date")
    added = gateway.get("/").all("date")
    equal(len(added), 1, "Date fields")
    assert added[0].endswith(" GMT") and parsedate_to_datetime(added[0]).year > 2000, added


def test_the_guides_security_headers_are_set_where_absent(flow):
    service = flow.upstream(lambda request: wire.response(
        200, b"", [("X-Frame-Options", "SAMEORIGIN")] if request.target == "/own" else []))
    gateway = flow.gateway(to=service.address)
    answer = gateway.get("/")
    equal({name: answer.all(name) for name in ("x-content-type-options", "x-frame-options", "x-xss-protection",
                                               "content-security-policy", "strict-transport-security")},
          {"x-content-type-options": ["nosniff"], "x-frame-options": ["DENY"],
           "x-xss-protection": ["1; mode=block"], "content-security-policy": ["default-src 'self'"],
           "strict-transport-security": []}, "security headers over plain HTTP")
    equal(gateway.get("/own").all("x-frame-options"), ["SAMEORIGIN"], "the service's own")


def test_security_headers_can_be_turned_off(flow):
    gateway = flow.gateway({"defaults": {"security_headers": False}}, to=flow.upstream().address)
    answer = gateway.get("/")
    for name in ("x-content-type-options", "x-frame-options", "x-xss-protection", "content-security-policy"):
        equal(answer.all(name), [], name)


def test_header_edits_apply_with_variables(flow):
    service = flow.upstream(lambda request: wire.response(200, b"", [("Server", "app/1"), ("X-Debug", "1")]))
    gateway = flow.gateway({"routes": [{
        "name": "edited", "path": "/*", "to": service.address,
        "request_headers": {"set": {"X-Who": "%{client_ip} via %{route}", "X-Old": "new"},
                            "add": {"X-More": "2"}, "remove": ["X-Secret"]},
        "response_headers": {"set": {"Server": "cyclone"}, "add": {"X-Id": "%{request_id}"},
                             "remove": ["x-debug"]}}]})
    answer = gateway.get("/", [("X-Old", "a"), ("X-Old", "b"), ("X-More", "1"), ("X-Secret", "s")])
    seen = service.requests[0]
    equal((seen.all("x-who"), seen.all("x-old"), seen.all("x-more"), seen.all("x-secret")),
          (["127.0.0.1 via edited"], ["new"], ["1", "2"], []), "request edits")
    equal((answer.all("server"), answer.all("x-debug"), answer.all("x-id")),
          (["cyclone"], [], [seen.get("x-request-id")]), "response edits")


def test_an_absolute_target_names_the_host(flow):
    service = flow.upstream()
    gateway = flow.gateway(to=service.address)
    answer = gateway.ask(wire.get("http://other.test:8080/a/b?c=d", host="other.test:8080"))
    equal(answer.status, 200, "status")
    equal((service.requests[0].target, service.requests[0].get("host")), ("/a/b?c=d", "other.test:8080"),
          "target and Host at the service")
    gateway.ask(wire.get("http://other.test", host="other.test"))
    equal(service.requests[1].target, "/", "empty path")


def test_options_star_is_forwarded_as_it_is(flow):
    service = flow.upstream()
    gateway = flow.gateway(to=service.address)
    equal(gateway.ask(wire.request("OPTIONS", "*")).status, 200, "status")
    equal(service.requests[0].target, "*", "target")
    equal(gateway.ask(wire.get("*")).status, 400, "status of GET *")


def test_the_path_is_normalised_before_it_is_forwarded(flow):
    service = flow.upstream()
    gateway = flow.gateway(to=service.address)
    for sent, forwarded in (("/a/./b/../c", "/a/c"), ("/%61%2e%2e", "/a.."), ("/a/%2e%2e/b", "/b"),
                            ("/a%2fb%5c", "/a%2fb%5c"), ("/../../x", "/x"), ("/a//b", "/a//b"),
                            ("/q?x=/../", "/q?x=/../"), ("/%e4", "/%e4")):
        equal(gateway.get(sent).status, 200, sent)
        equal(service.requests[-1].target, forwarded, f"{sent} at the service")


def test_underscore_twins_of_forwarded_fields_are_believed_from_trusted_peers_only(flow):
    for settings, wanted in (({}, []), (TRUSTING, ["7.7.7.7"])):
        service = flow.upstream()
        gateway = flow.gateway(settings, to=service.address)
        gateway.get("/", [("X_Forwarded_For", "7.7.7.7"), ("X_Other_Name", "kept")])
        seen = service.requests[0]
        equal(seen.all("x_forwarded_for"), wanted, f"twin with {settings}")
        equal(seen.get("x_other_name"), "kept", "other names are nobody's business")
