# SPDX-License-Identifier: Apache-2.0
"""The command line, the checker, and what the environment overrides."""
import json
import os

from harness import wire
from harness.flow import unused_port
from harness.gateway import connect
from harness.wait import equal, wait_for


def write(flow, text, name="edge.yaml"):
    path = flow.path(name)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def test_version_and_help_say_what_they_should(flow):
    version = flow.run("--version")
    equal((version.returncode, version.stdout.split(" ")[0], version.stderr), (0, "cyclone", ""), "--version")
    helped = flow.run("--help")
    equal((helped.returncode, helped.stderr), (0, ""), "--help")
    assert "cyclone check" in helped.stdout, helped.stdout
    wrong = flow.run("--no-such-option")
    assert wrong.returncode == 2 and "usage" in wrong.stderr, wrong
    wrong = flow.run("--config", flow.path("x.yaml"), "surplus")
    assert wrong.returncode == 2 and "surplus" in wrong.stderr, wrong


def test_check_accepts_a_good_file(flow):
    done = flow.run("check", write(flow, "upstream: 127.0.0.1:3000\n"))
    equal(done.returncode, 0, f"exit status, {done.stdout}{done.stderr}")


def test_check_reports_every_error_with_its_place_and_a_hint(flow):
    path = write(flow, "server:\n"
                       "  drain_dlay: 5s\n"           # 2:3 unknown key
                       "  watch: yes\n"               # 3:10 not a bool
                       "defaults:\n"
                       "  timeout: 5\n"               # 5:12 no unit
                       "routes:\n"
                       "  - name: api\n"
                       "    to: ordres\n"             # 8:9 no such cluster
                       "clusters:\n"
                       "  orders: 127.0.0.1:99999\n"  # 10:11 port out of range
                       "server:\n"                    # 11:1 given twice
                       "  watch: true\n")
    done = flow.run("check", path)
    equal(done.returncode, 78, "exit status")
    text = done.stdout + done.stderr
    for place, words in (("2:3", ("drain_dlay", 'did you mean "drain_delay"?')), ("3:10", ("yes",)),
                         ("5:12", ("timeout", "unit")), ("10:11", ("99999",)), ("11:1", ("server", "twice"))):
        found = [line for line in text.split("\n") if line.startswith(f"{path}:{place}: error:")]
        assert found, f"no error at {place} in\n{text}"
        at = text.index(found[0])
        for word in words:
            assert word in text[at:at + 400], f"{word!r} is not near {place}:\n{text[at:at + 400]}"
    assert "ordres" in text, text


def test_check_speaks_json(flow):
    path = write(flow, "upstream: 127.0.0.1:3000\ndefualts: {}\n")
    done = flow.run("check", path, "--format", "json")
    equal(done.returncode, 78, "exit status")
    items = json.loads(done.stdout)
    equal([(i["severity"], i["line"], i["column"], i["code"]) for i in items],
          [("error", 2, 1, "unknown-key")], "items")


def test_check_strict_makes_warnings_count(flow):
    path = write(flow, "server: {drain_delay: 1s}\n")  # nothing is routed anywhere
    equal(flow.run("check", path).returncode, 0, "exit status")
    equal(flow.run("check", path, "--strict").returncode, 78, "exit status, strict")


def test_a_toml_file_is_answered_with_advice(flow):
    done = flow.run("check", write(flow, "[server]\nport = 8080\n", "config.toml"))
    equal(done.returncode, 78, "exit status")
    assert "YAML" in done.stdout + done.stderr, done


def test_a_bad_configuration_does_not_start(flow):
    gateway = flow.prepare("upstream: 127.0.0.1:3000\nbogus: 1\n").launch()
    equal(gateway.wait_exit(), 78, "exit status")
    assert "config.yaml:2:1: error:" in gateway.stderr(), gateway.stderr()


def test_a_missing_file_does_not_start(flow):
    gateway = flow.prepare(None, args=["--config", flow.path("none.yaml")]).launch()
    equal(gateway.wait_exit(), 78, "exit status")
    assert "none.yaml" in gateway.stderr(), gateway.stderr()


def test_the_file_is_found_where_it_is_looked_for(flow):
    service = flow.upstream()
    folder = flow.path("work")
    os.mkdir(folder)
    text = json.dumps({"upstream": service.address, "listeners": {"main": "127.0.0.1:0"},
                       "admin": {"address": "127.0.0.1:0"}, "server": {"drain_delay": "0s"},
                       "log": {"format": "json"}})
    write(flow, text, "work/cyclone.yaml")
    here = flow.prepare(None, cwd=folder).start()
    equal(here.get().body, b"ok\n", "./cyclone.yaml")
    named = flow.prepare(None, env={"CYCLONE_CONFIG": os.path.join(folder, "cyclone.yaml")}).start()
    equal(named.get().body, b"ok\n", "$CYCLONE_CONFIG")
    run = flow.prepare(None, args=["run", "--config", os.path.join(folder, "cyclone.yaml")]).start()
    equal(run.get().body, b"ok\n", "run --config")


def test_variables_override_the_file(flow):
    service = flow.upstream()
    gateway = flow.gateway({"metrics": {"enabled": True}, "server": {"shutdown_grace": "9s"}}, to=service.address,
                           env={"CYCLONE_METRICS_ENABLED": "0", "CYCLONE_SERVER_SHUTDOWN_GRACE": "3s",
                                "CYCLONE_NETWORK_CONNECTION_POOL_SIZE": "5000", "CYCLONE_MEMORY_POOL_SIZE": "2GB",
                                "CYCLONE_SERVER_WORKER_THREADS": "2", "CYCLONE_ACCESS_LOG_FORMAT": "text"})
    equal(gateway.admin("/metrics").status, 404, "metrics are off")
    shown = json.loads(gateway.admin("/config").body)
    equal((shown["server"]["shutdown_grace"], shown["network"]["connection_pool_size"],
           shown["server"]["worker_threads"]), ("3s", 5000, 2), "/config")
    gateway.get("/x")
    wait_for(lambda: '"GET /x HTTP/1.1"' in gateway.stdout(), "a text line")


def test_the_guides_port_variable_moves_the_only_listener(flow):
    port = unused_port()
    gateway = flow.gateway(to=flow.upstream().address, env={"CYCLONE_SERVER_PORT": str(port)})
    equal(gateway.port(), port, "port")
    equal(gateway.get().status, 200, "status")


def test_unknown_variables_are_a_warning_with_a_suggestion(flow):
    gateway = flow.gateway(to=flow.upstream().address, env={"CYCLONE_SERVER_PROT": "80"})
    text = gateway.stderr()
    assert "CYCLONE_SERVER_PROT" in text and "CYCLONE_SERVER_PORT" in text, text
    equal(gateway.get().status, 200, "status")


def test_a_wrong_value_in_a_variable_does_not_start(flow):
    gateway = flow.prepare({}, to=flow.upstream().address, env={"CYCLONE_SERVER_DRAIN_DELAY": "soon"}).launch()
    equal(gateway.wait_exit(), 78, "exit status")
    assert "CYCLONE_SERVER_DRAIN_DELAY" in gateway.stderr(), gateway.stderr()


def test_variables_expand_inside_the_file(flow):
    service = flow.upstream()
    gateway = flow.gateway({"upstream": "${FLOW_TARGET}", "routes": [
        {"path": "/money", "respond": {"status": 200, "body": "$$5 ${FLOW_UNSET:-default}"}}]},
                           env={"FLOW_TARGET": service.address})
    equal((gateway.get().body, gateway.get("/money").body), (b"ok\n", b"$5 default"), "answers")


def test_io_uring_that_cannot_be_had_is_a_clear_error(flow):
    """Only where the engine is really missing; elsewhere the other engine must be what was asked for."""
    gateway = flow.prepare({}, to=flow.upstream().address, env={"CYCLONE_NETWORK_IO_BACKEND": "io_uring"}).launch()
    try:
        engine = gateway.wait_event("io_backend")["message"]
        assert engine.startswith("io_uring"), engine
    except AssertionError:
        assert gateway.process.poll() not in (None, 0), "runs, and is not io_uring"
        assert "io_uring" in gateway.stderr(), gateway.stderr()


def test_health_asks_the_running_gateway(flow):
    gateway = flow.gateway({"admin": {"address": f"unix:{flow.path('a.sock')}"}}, to=flow.upstream().address)
    gateway.admin_address()
    equal(flow.run("health", "--config", gateway.config_path).returncode, 0, "exit status while it runs")
    gateway.terminate()
    done = flow.run("health", "--config", gateway.config_path)
    equal(done.returncode, 1, "exit status when it does not")
    assert "no answer" in done.stdout + done.stderr, done


def test_the_schema_is_valid_json_and_knows_the_keys(flow):
    done = flow.run("schema", "--json")
    equal(done.returncode, 0, "exit status")
    schema = json.loads(done.stdout)
    assert "upstream" in schema["properties"] and "listeners" in schema["properties"], list(schema)
    env = flow.run("schema", "--env").stdout
    for name in ("CYCLONE_SERVER_PORT", "CYCLONE_METRICS_ENABLED", "CYCLONE_NETWORK_CONNECTION_POOL_SIZE",
                 "CYCLONE_MEMORY_POOL_SIZE", "CYCLONE_SERVER_WORKER_THREADS"):
        assert name in env, f"no {name}"


def test_a_one_line_file_is_enough(flow):
    service = flow.upstream()
    gateway = flow.prepare(f"upstream: {service.address}\n",
                           env={"CYCLONE_SERVER_HOST": "127.0.0.1", "CYCLONE_ADMIN_ADDRESS": "127.0.0.1:0",
                                "CYCLONE_SERVER_PORT": str(unused_port()), "CYCLONE_SERVER_DRAIN_DELAY": "0"}).start()
    with connect(gateway.address("default")) as client:
        equal(client.ask(wire.get()).body, b"ok\n", "answer")


def test_more_listeners_than_there_is_room_for_are_an_error_and_no_crash(flow):
    listeners = {f"l{i}": {"address": f"unix:{flow.path(f'{i}.sock')}"} for i in range(300)}
    gateway = flow.prepare({"listeners": listeners}, to=flow.upstream().address).launch()
    status = gateway.wait_exit()
    assert status in (1, 78) and "listen" in gateway.stderr(), (status, gateway.stderr()[-500:])
