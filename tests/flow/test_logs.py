# SPDX-License-Identifier: Apache-2.0
"""The access log and the log of events: fields, formats, sampling, files."""
import json
import os
import re
import signal
import subprocess

from harness import wire
from harness.gateway import connect
from harness.wait import equal, wait_for

# The guide's nine, in its order.
GUIDE_KEYS = ["timestamp", "level", "service", "request_id", "method", "path", "status", "duration_ms",
              "bytes_sent"]
TIMESTAMP = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$")


def test_a_line_has_the_guides_fields_first_and_more(flow):
    service = flow.upstream(lambda request: wire.response(200, b"12345"))
    gateway = flow.gateway({"routes": [{"name": "shop", "path": "/*", "to": "app"}],
                            "clusters": {"app": service.address}})
    answer = gateway.ask(wire.request("POST", "/buy?token=secret", [("User-Agent", "flow/1")], body=b"abc"))
    line = gateway.wait_access()[0]
    equal(list(line)[:9], GUIDE_KEYS, "the first keys")
    assert TIMESTAMP.match(line["timestamp"]), line["timestamp"]
    equal((line["level"], line["service"], line["method"], line["path"], line["status"], line["bytes_sent"]),
          ("INFO", "cyclone", "POST", "/buy", 200, 5), "the guide's values")
    equal(line["request_id"], service.requests[0].get("x-request-id"), "request_id")
    equal(answer.get("x-request-id"), line["request_id"], "the client's copy")
    assert isinstance(line["duration_ms"], int) and isinstance(line["duration_us"], int), line
    equal((line["route"], line["cluster"], line["upstream"], line["protocol"], line["client_ip"], line["host"],
           line["user_agent"], line["bytes_received"], line["attempts"], line["origin"]),
          ("shop", "app", service.address, "HTTP/1.1", "127.0.0.1", "flow.test", "flow/1", 3, 1, "upstream"),
          "more")
    equal("reason" in line or "flags" in line, False, "reason of a request that went well")


def test_hostile_values_cannot_forge_a_line(flow):
    gateway = flow.gateway(to=flow.upstream().address)
    gateway.get('/a%0a{"x":1}"', [("User-Agent", 'a"b\\c\t\xff{"level":"FATAL"}')])
    lines = gateway.wait_access()
    equal(len(lines), 1, "lines")
    assert lines[0]["user_agent"].startswith('a"b\\c\t'), lines[0]
    for line in gateway.stdout().strip().split("\n"):
        json.loads(line)


def test_very_long_values_are_cut_and_the_line_stays_whole(flow):
    gateway = flow.gateway(to=flow.upstream().address)
    gateway.get("/" + "p" * 7000, [("User-Agent", "\"" * 5000)])
    line = gateway.wait_access()[0]
    assert 1000 < len(line["path"]) <= 7001, len(line["path"])


def test_the_text_format_is_one_line_a_request(flow):
    gateway = flow.gateway({"access_log": {"format": "text"}}, to=flow.upstream().address)
    gateway.get("/x?q=1", [("User-Agent", 'flow "1"'), ("Referer", "http://r.test/?secret=1")])
    wait_for(lambda: gateway.stdout().count("\n") >= 1, "the line")
    text = gateway.stdout()
    match = re.match(r'^127\.0\.0\.1 - - \[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d \+0000\] "GET /x HTTP/1\.1" '
                     r'200 3 "http://r\.test/" "flow [^ ]*1[^ ]*" \d+us route=upstream '
                     r'upstream=[0-9.:]+ flags=- request_id=[0-9a-f-]{36}\n$', text)
    assert match, text
    assert "secret" not in text, text


def test_sampling_keeps_failures(flow):
    gateway = flow.gateway({"access_log": {"sample": "0%"},
                            "routes": [{"path": "/bad", "to": flow.dead_address(), "retry": False},
                                       {"path": "/*", "to": flow.upstream().address}]})
    for _ in range(30):
        gateway.get("/good")
    gateway.get("/bad")
    gateway.wait_access("/bad")
    equal([line["path"] for line in gateway.access_lines()], ["/bad"], "logged")


def test_the_access_log_can_be_off_and_off_for_a_route(flow):
    service = flow.upstream()
    off = flow.gateway({"access_log": {"enabled": False}}, to=service.address)
    off.get("/x")
    off.terminate()
    equal(off.stdout(), "", "stdout")
    part = flow.gateway({"routes": [{"path": "/quiet", "to": service.address, "access_log": False},
                                    {"path": "/*", "to": service.address}]})
    part.get("/quiet")
    part.get("/loud")
    part.wait_access("/loud")
    part.terminate()
    equal([line["path"] for line in part.access_lines()], ["/loud"], "logged")


def test_every_request_before_the_end_is_in_the_log(flow):
    gateway = flow.gateway({"server": {"worker_threads": 2}}, to=flow.upstream().address)
    for i in range(200):
        gateway.get(f"/{i}")
    gateway.terminate()
    equal(sorted(int(line["path"][1:]) for line in gateway.access_lines()), list(range(200)), "logged")


def test_log_files_are_reopened_on_sigusr1(flow):
    access, events = flow.path("access.log"), flow.path("events.log")
    gateway = flow.prepare({"access_log": {"output": access}, "log": {"output": events, "format": "json"},
                            "listeners": {"main": {"address": f"unix:{flow.path('l.sock')}"}}},
                           to=flow.upstream().address).launch()
    address = f"unix:{flow.path('l.sock')}"
    wait_for(lambda: os.path.exists(events) and "started" in _read(events), "the start in the file")

    def get(path):
        with connect(address) as client:
            equal(client.ask(wire.get(path)).status, 200, "status")

    get("/before")
    wait_for(lambda: "/before" in _read(access), "the first line")
    os.rename(access, access + ".1")
    os.rename(events, events + ".1")
    gateway.signal(signal.SIGUSR1)
    wait_for(lambda: os.path.exists(access) and os.path.exists(events), "new files")
    get("/after")
    wait_for(lambda: "/after" in _read(access), "the line in the new file")
    assert "/after" not in _read(access + ".1") and "/before" not in _read(access)
    gateway.terminate()
    assert "drain_done" in _read(events), _read(events)
    equal(gateway.stdout(), "", "stdout")


def _read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def test_a_log_that_cannot_be_opened_does_not_stop_traffic(flow):
    gateway = flow.gateway({"access_log": {"output": flow.path("no/such/folder/access.log")}},
                           to=flow.upstream().address)
    equal(gateway.get("/served").status, 200, "status")
    assert "no/such/folder" in gateway.stderr(), gateway.stderr()[:500]


def test_a_reader_that_stands_still_never_stops_traffic_and_drops_are_counted(flow):
    """stdout is a pipe nobody reads: requests go on, lines are dropped, the loss is counted."""
    gateway = flow.prepare({"access_log": {"buffer": "0"}}, to=flow.upstream().address)
    with open(gateway.stdout_path, "wb"), open(gateway.stderr_path, "wb") as err:
        gateway.process = subprocess.Popen([*gateway.command, *gateway.args], env=gateway.env, stderr=err,
                                           stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    try:
        gateway.wait_event("started")
        with gateway.connect() as client:
            for _ in range(3000):
                equal(client.ask(wire.get("/" + "p" * 400)).status, 200, "status")
        gateway.wait_metric("cyclone_log_lines_dropped_total", lambda value: value > 0, stream="access")
        gateway.process.send_signal(signal.SIGTERM)
        equal(gateway.wait_exit(), 0, "exit status")
    finally:
        gateway.process.stdout.close()


def test_events_below_the_level_are_not_written(flow):
    quiet = flow.prepare({"log": {"level": "error"},
                          "listeners": {"main": {"address": f"unix:{flow.path('q.sock')}"}}},
                         to=flow.upstream().address).launch()
    wait_for(lambda: os.path.exists(flow.path("q.sock")), "the listener")
    quiet.terminate()
    equal(quiet.stderr(), "", "stderr")


def test_text_events_are_one_readable_line_each(flow):
    gateway = flow.prepare({"log": {"format": "text"}}, to=flow.upstream().address).launch()
    wait_for(lambda: " started " in gateway.stderr(), "the start")
    line = [text for text in gateway.stderr().split("\n") if " started " in text][0]
    assert re.match(r"^\d{4}-\d\d-\d\dT\S+Z INFO +started cyclone ", line), line
