# SPDX-License-Identifier: Apache-2.0
"""A new configuration in a running process: as a whole, or not at all."""
import json
import os
import signal

from harness import wire
from harness.gateway import DEFAULTS, connect, merge
from harness.wait import equal, wait_for
from test_lifecycle import Load


def answering(flow, text):
    return flow.upstream(lambda request: wire.response(200, text.encode()))


def test_a_changed_route_goes_live_under_load_without_a_failed_request(flow):
    a, b = answering(flow, "a"), answering(flow, "b")
    config = {"server": {"worker_threads": 2}, "upstream": a.address}
    gateway = flow.gateway(config)
    load = Load(gateway, check=lambda answer: answer.status == 200 and answer.body in (b"a", b"b"))
    load.wait(50)
    for turn in range(6):
        gateway.reload({**config, "upstream": (b if turn % 2 == 0 else a).address})
        wanted = b"b" if turn % 2 == 0 else b"a"
        wait_for(lambda w=wanted: gateway.get("/now").body == w, "the new route")
        load.wait(50)
    load.stop()
    equal(load.closes, 0, "connections that were closed for it")
    equal(gateway.metrics().value("cyclone_config_generation"), 7, "generation")


def test_a_request_in_flight_ends_as_it_began(flow):
    held = []

    def script(peer):
        peer.next_request()
        held.append(peer)
        peer.wait_end()

    old = flow.upstream(script=script)
    gateway = flow.gateway(to=old.address)
    with gateway.connect() as client:
        client.send(wire.get("/old"))
        wait_for(lambda: held, "the request to arrive")
        gateway.reload({"upstream": answering(flow, "new").address})
        equal(gateway.get("/new").body, b"new", "new requests")
        held[0].send(wire.response(200, b"old"))
        equal(client.read_response().body, b"old", "the old request")
        equal(client.ask(wire.get("/next")).body, b"new", "the next one on its connection")


def test_a_tunnel_outlives_reloads(flow):
    def script(peer):
        peer.next_request()
        peer.send(wire.head_bytes("HTTP/1.1 101 Switching", [("Connection", "Upgrade"), ("Upgrade", "raw")]))
        while peer.buffer or peer.fill():
            data, peer.buffer = peer.buffer, b""
            peer.send(data)

    service = flow.upstream(script=script)
    gateway = flow.gateway(to=service.address)
    with gateway.connect() as client:
        client.ask(wire.get("/", [("Connection", "Upgrade"), ("Upgrade", "raw")]))
        for i in range(3):
            gateway.reload({"upstream": service.address, "defaults": {"timeout": f"{i + 1}s"}})
            client.send(b"still here")
            equal(client.read_exact(10), b"still here", "echo")


def test_a_broken_file_changes_nothing_and_says_where_it_is_wrong(flow):
    service = answering(flow, "a")
    gateway = flow.gateway(to=service.address)
    with gateway.connect() as client:
        client.ask(wire.get())
        gateway.write_config("upstream: 127.0.0.1:1\nserver:\n  drain_delay: 5\n  prot: 80\n")
        gateway.signal(signal.SIGHUP)
        gateway.wait_event("config_rejected", 2)
        messages = " | ".join(e["message"] for e in gateway.events("config_rejected"))
        assert "config.yaml:3:16" in messages, messages
        assert "config.yaml:4:3" in messages and "port" in messages, messages
        equal(client.ask(wire.get()).body, b"a", "the old configuration")
        equal(gateway.metrics().value("cyclone_config_last_reload_successful"), 0, "metric")
        equal(gateway.metrics().value("cyclone_config_generation"), 1, "generation")
        gateway.write_config("upstream: [\n")
        gateway.signal(signal.SIGHUP)
        gateway.wait_event("config_rejected", 3)
        gateway.reload({"upstream": answering(flow, "b").address})
        equal(client.ask(wire.get()).body, b"b", "the next good configuration")
        equal(gateway.metrics().value("cyclone_config_last_reload_successful"), 1, "metric afterwards")


def test_a_missing_file_changes_nothing(flow):
    gateway = flow.gateway(to=answering(flow, "a").address)
    os.unlink(gateway.config_path)
    gateway.signal(signal.SIGHUP)
    gateway.wait_event("config_rejected")
    equal(gateway.get().body, b"a", "the old configuration")


def test_what_cannot_change_is_refused_with_a_sentence(flow):
    service = answering(flow, "a")
    gateway = flow.gateway(to=service.address)
    changes = [({"server": {"worker_threads": 2}}, "worker_threads"),
               ({"timer": {"wheel_size": 64}}, "timer"),
               ({"admin": {"address": "127.0.0.1:1"}}, "admin")]
    for i, (change, word) in enumerate(changes):
        gateway.write_config(merge({"upstream": answering(flow, "b").address}, change))
        gateway.signal(signal.SIGHUP)
        message = gateway.wait_event("config_rejected", i + 1)["message"]
        assert word in message and "restart" in message, message
    equal(gateway.get().body, b"a", "the old configuration")


def test_listeners_are_added_and_removed(flow):
    service = answering(flow, "a")
    main, second = {"address": "127.0.0.1:0"}, {"address": f"unix:{flow.path('second.sock')}"}
    gateway = flow.gateway({"listeners": {"main": main}}, to=service.address)
    main_address = gateway.address("main")
    gateway.reload({"listeners": {"main": main, "second": second}, "upstream": service.address})
    equal(gateway.get("/", listener="second").body, b"a", "the added listener")
    with gateway.connect("second") as client:
        client.ask(wire.get())
        gateway.reload({"listeners": {"main": main}, "upstream": service.address})
        equal(client.wait_end(), "eof", "an idle connection of the removed listener")
    wait_for(lambda: not _can_connect(f"unix:{flow.path('second.sock')}"), "the removed listener to refuse")
    with connect(main_address) as client:
        equal(client.ask(wire.get()).body, b"a", "the listener that stayed")


def _can_connect(address):
    try:
        connect(address).close()
        return True
    except OSError:
        return False


def test_a_busy_connection_of_a_removed_listener_is_served_to_its_end(flow):
    held = []

    def script(peer):
        peer.next_request()
        held.append(peer)
        peer.wait_end()

    service = flow.upstream(script=script)
    second = {"address": "127.0.0.1:0"}
    gateway = flow.gateway({"listeners": {"second": second}}, to=service.address)
    with gateway.connect("second") as client:
        client.send(wire.get("/busy"))
        wait_for(lambda: held, "the request to arrive")
        gateway.reload({"upstream": service.address})
        held[0].send(wire.response(200, b"done"))
        answer = client.read_response()
        equal((answer.status, answer.body), (200, b"done"), "answer")
        equal(client.wait_end(), "eof", "end")


def test_an_address_that_cannot_be_had_changes_nothing(flow):
    service = answering(flow, "a")
    gateway = flow.gateway(to=service.address)
    gateway.write_config({"listeners": {"extra": {"address": f"unix:{flow.path('no/such/folder.sock')}"}},
                          "upstream": answering(flow, "b").address})
    gateway.signal(signal.SIGHUP)
    message = gateway.wait_event("config_rejected")["message"]
    assert "folder.sock" in message, message
    equal(gateway.get().body, b"a", "the old configuration")


def test_idle_connections_of_a_cluster_that_stays_are_kept(flow):
    service = answering(flow, "a")
    config = {"clusters": {"app": service.address}, "routes": [{"path": "/*", "to": "app"}]}
    gateway = flow.gateway(config)
    gateway.get()
    gateway.wait_metric("cyclone_upstream_idle_connections", 1)
    gateway.reload({**config, "defaults": {"timeout": "3s"}})
    gateway.get()
    equal(service.connection_count, 1, "connections to the service")


test_idle_connections_of_a_cluster_that_stays_are_kept.needs_one_worker = True


def test_connections_of_a_removed_endpoint_are_closed(flow):
    a, b = answering(flow, "a"), answering(flow, "b")
    gateway = flow.gateway({"clusters": {"app": [a.address]}, "routes": [{"path": "/*", "to": "app"}]})
    equal(gateway.get().body, b"a", "before")
    gateway.reload({"clusters": {"app": [b.address]}, "routes": [{"path": "/*", "to": "app"}]})
    equal(gateway.get().body, b"b", "after")
    wait_for(lambda: a.open_count == 0, "the old endpoint's connections to be closed")


def test_an_unchanged_file_is_reported_as_such_and_harms_nothing(flow):
    service = answering(flow, "a")
    gateway = flow.gateway(to=service.address)
    with gateway.connect() as client:
        for i in range(3):
            gateway.signal(signal.SIGHUP)
            gateway.wait_event("signal", i + 1)
            equal(client.ask(wire.get()).body, b"a", "answer")
    equal(gateway.events("config_rejected"), [], "complaints")


# ---- watching ------------------------------------------------------------------------------------


def watching(upstream):
    return {"server": {"watch": True}, "upstream": upstream}


def test_a_renamed_file_is_noticed(flow):
    a, b = answering(flow, "a"), answering(flow, "b")
    gateway = flow.gateway(watching(a.address))
    equal(gateway.get().body, b"a", "before")
    gateway.write_config(watching(b.address))
    wait_for(lambda: gateway.get().body == b"b", "the new file to be in force")
    gateway.write_config("server: {watch: maybe}\n")
    gateway.wait_event("config_rejected")
    equal(gateway.get().body, b"b", "after a broken file")


def test_a_config_maps_swapped_link_is_noticed(flow):
    """Kubernetes: config.yaml -> ..data/config.yaml, ..data -> ..2026_01, and ..data is swapped."""
    a, b = answering(flow, "a"), answering(flow, "b")
    mount = flow.path("mount")
    for stamp, service in (("..2026_01", a), ("..2026_02", b)):
        os.makedirs(os.path.join(mount, stamp))
        with open(os.path.join(mount, stamp, "config.yaml"), "w", encoding="utf-8") as file:
            json.dump(merge(DEFAULTS, watching(service.address)), file)
    os.symlink("..2026_01", os.path.join(mount, "..data"))
    os.symlink("..data/config.yaml", os.path.join(mount, "config.yaml"))
    gateway = flow.gateway(None, args=["--config", os.path.join(mount, "config.yaml")])
    equal(gateway.get().body, b"a", "before")
    os.symlink("..2026_02", os.path.join(mount, "..data_tmp"))
    os.rename(os.path.join(mount, "..data_tmp"), os.path.join(mount, "..data"))
    wait_for(lambda: gateway.get().body == b"b", "the swapped link to be followed")


def test_an_unwatched_file_is_left_alone(flow):
    a, b = answering(flow, "a"), answering(flow, "b")
    gateway = flow.gateway(to=a.address)
    gateway.write_config({"upstream": b.address})
    with gateway.connect() as client:
        assert client.is_quiet(1.5)  # longer than a watch would take
    equal(gateway.get().body, b"a", "the configuration of the start")
