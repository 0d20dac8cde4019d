# SPDX-License-Identifier: Apache-2.0
"""The proxies that are compared, each with a configuration that does the same work.

All of them: one worker, upstream connections kept alive, request bodies streamed, the same fields
added to the request (X-Forwarded-For, X-Forwarded-Proto, X-Request-Id, Via), no access log. With
`features`: 100 routes, each with a field of its own; one request field set and one removed, one
response field set; a JSON access log to /dev/null; the metrics the program has. With `bulk`, each
has the buffer settings that moved 1 MiB bodies cheapest when tried.
"""
import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

NAMES = ["cyclone", "cyclone-epoll", "nginx", "nginx-new", "haproxy", "haproxy-new", "relay"]
FEATURE_ROUTE_COUNT = 100


def first_line(command, pattern):
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    found = re.search(pattern, result.stdout)
    return found.group(0) if found else result.stdout.strip().splitlines()[:1]


class Candidate:
    stop_signal = signal.SIGTERM

    def __init__(self, name, program):
        self.name = name
        self.program = str(program) if program else ""
        self.missing = "" if self.program and os.access(self.program, os.X_OK) else "not found"

    def prepare(self, setup):
        """Writes the configuration; returns the command and what to add to the environment."""
        raise NotImplementedError


class Cyclone(Candidate):
    stop_signal = signal.SIGKILL  # no drain: nothing is left behind

    def __init__(self, name, program, backend):
        super().__init__(name, program)
        self.backend = backend
        if self.missing:
            self.missing = f"no {program}: build the release preset or give --cyclone"

    def version(self):
        return f"{first_line([self.program, '--version'], r'.*')}, network.io_backend {self.backend}"

    def routes(self, setup):
        if setup.get("features"):
            return [f'  - {{name: r{i}, path: "/r{i}/*", to: app, '
                    f'request_headers: {{set: {{X-Route: "r{i}", X-Gateway: bench}}, remove: [Sec-Fetch-Dest]}}, '
                    f'response_headers: {{set: {{X-Served-By: bench}}}}}}' for i in range(FEATURE_ROUTE_COUNT)]
        count = setup.get("route_count", 1)
        if count == 1:
            return ['  - {path: "/*", to: app}']
        return [f'  - {{name: r{i}, host: h{i}.example.com, path: "/r{i}/*", to: app}}' for i in range(count)]

    def prepare(self, setup):
        has_log = "true, output: stdout, format: json" if setup.get("features") else "false"
        text = "\n".join([
            "server: {worker_threads: 1}",
            f'admin: {{address: "127.0.0.1:{setup["admin_port"]}"}}',
            f"access_log: {{enabled: {has_log}}}",
            f'listeners: {{main: {{address: "127.0.0.1:{setup["port"]}", timeouts: {{idle: 1h}}}}}}',
            "defaults: {security_headers: false}",
            f'clusters: {{app: {{endpoints: ["{setup["upstream"]}"], pool: {{max_idle: 1024}}}}}}',
            "routes:", *self.routes(setup), ""])
        path = setup["directory"] / "cyclone.yaml"
        path.write_text(text)
        return [self.program, "--config", str(path)], {"CYCLONE_NETWORK_IO_BACKEND": self.backend,
                                                       "CYCLONE_LOG_LEVEL": "warn"}


NGINX_LOG = ("log_format json escape=json '{"
             + ",".join(f'"{key}":{value}' for key, value in (
                 ("timestamp", '"$time_iso8601"'), ("level", '"INFO"'), ("service", '"gateway"'),
                 ("request_id", '"$request_id"'), ("method", '"$request_method"'), ("path", '"$uri"'),
                 ("status", "$status"), ("duration_s", "$request_time"), ("bytes_sent", "$body_bytes_sent"),
                 ("bytes_received", "$request_length"), ("client_ip", '"$remote_addr"'), ("host", '"$host"'),
                 ("user_agent", '"$http_user_agent"'), ("upstream", '"$upstream_addr"'),
                 ("upstream_time", '"$upstream_response_time"')))
             + "}';")


class Nginx(Candidate):
    stop_signal = signal.SIGTERM

    def version(self):
        return first_line([self.program, "-v"], r"nginx/.*")

    def locations(self, setup):
        if not setup.get("features"):
            return ["location / { proxy_pass http://app; }"]
        return [f"location /r{i}/ {{ {NGINX_FIELDS} proxy_set_header X-Gateway bench; proxy_set_header X-Route r{i}; "
                f'proxy_set_header Sec-Fetch-Dest ""; add_header X-Served-By bench; proxy_pass http://app; }}'
                for i in range(FEATURE_ROUTE_COUNT)]

    def prepare(self, setup):
        directory = setup["directory"]
        log = f"{NGINX_LOG}\naccess_log /dev/null json buffer=64k flush=1s;" if setup.get("features") else "access_log off;"
        status = (f"server {{ listen 127.0.0.1:{setup['admin_port']}; location / {{ stub_status; }} }}"
                  if setup.get("features") else "")
        temporary = " ".join(f"{kind}_temp_path {directory}/{kind};"
                             for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        text = "\n".join([
            "daemon off; worker_processes 1; worker_rlimit_nofile 20000;",
            f"pid {directory}/pid; error_log {directory}/output crit;",
            "user root;" if os.geteuid() == 0 else "",
            "events { worker_connections 16000; multi_accept on; }",
            "http {", temporary, log,
            "keepalive_timeout 1h; keepalive_requests 1000000000; client_max_body_size 0; client_body_buffer_size 128k;",
            "proxy_http_version 1.1; proxy_request_buffering off; proxy_max_temp_file_size 0;",
            "proxy_buffer_size 16k; proxy_buffers 16 32k; proxy_busy_buffers_size 64k;", NGINX_FIELDS,
            f"upstream app {{ server {setup['upstream']}; keepalive 512; keepalive_requests 1000000000; "
            "keepalive_timeout 1h; }",
            f"server {{ listen 127.0.0.1:{setup['port']} backlog=4096;", *self.locations(setup), "}", status, "}", ""])
        path = directory / "nginx.conf"
        path.write_text(text)
        return [self.program, "-p", str(directory), "-c", str(path)], {}


NGINX_FIELDS = ('proxy_set_header Connection ""; proxy_set_header Host $http_host; '
                "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; "
                "proxy_set_header X-Forwarded-Proto $scheme; proxy_set_header X-Request-Id $request_id; "
                'proxy_set_header Via "1.1 nginx";')

HAPROXY_LOG = ('log-format "{'
               + ",".join(f'\\"{key}\\":{value}' for key, value in (
                   ("timestamp", '\\"%trg\\"'), ("level", '\\"INFO\\"'), ("service", '\\"gateway\\"'),
                   ("request_id", '\\"%ID\\"'), ("method", '\\"%HM\\"'), ("path", '\\"%HPO\\"'),
                   ("status", "%ST"), ("duration_ms", "%Ta"), ("bytes_sent", "%B"),
                   ("bytes_received", "%U"), ("client_ip", '\\"%ci\\"'),
                   ("host", '\\"%[capture.req.hdr(0),json]\\"'), ("user_agent", '\\"%[capture.req.hdr(1),json]\\"'),
                   ("upstream", '\\"%si:%sp\\"'), ("upstream_time", "%Tr")))
               + '}"')


class Haproxy(Candidate):
    stop_signal = signal.SIGTERM

    def version(self):
        return first_line([self.program, "-v"], r"version [^ ]+")

    def tuning(self, setup):
        """What moves bodies cheapest by measurement; for small messages the defaults do."""
        if not setup.get("bulk"):
            return []
        return ["option splice-auto"] if self.name.endswith("new") else ["tune.bufsize 65536"]

    def features(self, setup):
        """Lines of the frontend."""
        lines = ["log stdout format raw local0", HAPROXY_LOG, "capture request header Host len 64",
                 "capture request header User-Agent len 128",
                 "http-request set-header X-Gateway bench", "http-request del-header Sec-Fetch-Dest",
                 "http-response set-header X-Served-By bench",
                 f"use_backend %[path,field(2,/),map({setup['directory']}/routes,app)]"]
        table = [f"r{i} r{i}" for i in range(FEATURE_ROUTE_COUNT)]
        (setup["directory"] / "routes").write_text("\n".join(table) + "\n")
        return lines

    def backends(self, setup):
        upstream = re.sub("^unix:", "unix@", setup["upstream"])
        server = f"server s {upstream} pool-max-conn -1"
        names = [f"r{i}" for i in range(FEATURE_ROUTE_COUNT)] if setup.get("features") else []
        lines = ["backend app", server]
        for name in names:
            lines += [f"backend {name}", f"http-request set-header X-Route {name}", server]
        return lines

    def prepare(self, setup):
        has_features = setup.get("features")
        tuning = self.tuning(setup)
        text = "\n".join([
            "global", "nbthread 1", "maxconn 12000", "no strict-limits",
            *[line for line in tuning if line.startswith("tune.")],
            "defaults", *[line for line in tuning if line.startswith("option ")], "mode http", "http-reuse always",
            "timeout connect 5s", "timeout client 1h", "timeout server 1h", "timeout http-keep-alive 1h",
            "frontend main", f"bind 127.0.0.1:{setup['port']} backlog 4096", "maxconn 12000", "option forwardfor",
            "unique-id-format %[uuid()]", "unique-id-header X-Request-Id",
            "http-request set-header X-Forwarded-Proto http", 'http-request add-header Via "1.1 haproxy"',
            *(self.features(setup) if has_features else []), "default_backend app", *self.backends(setup),
            *(["frontend metrics", f"bind 127.0.0.1:{setup['admin_port']}",
               "http-request use-service prometheus-exporter"] if has_features else []), ""])
        path = setup["directory"] / "haproxy.cfg"
        path.write_text(text)
        return [self.program, "-db", "-f", str(path)], {}


class Relay(Candidate):
    """The floor: a bare relay on io_uring (relay.c)."""
    stop_signal = signal.SIGKILL

    def version(self):
        return "bare HTTP relay on io_uring (bench/compare/relay.c)"

    def prepare(self, setup):
        return [self.program, str(setup["port"]), setup["upstream"].rpartition(":")[2]], {}


def installed(name):
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")


def find(names, root, cyclone, program_build):
    """All candidates of these names; what cannot be had says so in `missing`."""
    peers = Path(root) / "build/bench/peers"
    for name in names:
        if name.startswith("cyclone"):
            yield Cyclone(name, Path(cyclone), "epoll" if name.endswith("epoll") else "io_uring")
        elif name == "relay":
            yield Relay(name, program_build("relay", ["uring"]))
        elif name in NAMES:
            kind, _, is_new = name.partition("-")
            candidate = {"nginx": Nginx, "haproxy": Haproxy}[kind](
                name, peers / kind / "run" if is_new else installed(kind))
            if candidate.missing:
                candidate.missing = "run bench/compare/peers first" if is_new else f"install {kind}"
            yield candidate
        else:
            raise SystemExit(f"no candidate {name}; there are {', '.join(NAMES)}")
