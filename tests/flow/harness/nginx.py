# SPDX-License-Identifier: Apache-2.0
"""A real nginx as the service: other people's HTTP, not ours."""
import os
import socket
import shutil
import signal
import subprocess

from .wait import wait_for

CONFIG = """
daemon off;
master_process off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    client_max_body_size 0;
    {http_lines}
    server {{
        listen unix:{folder}/nginx.sock;
        root {folder}/root;
        {server_lines}
    }}
}}
"""


class Nginx:
    """Listens on a UNIX socket of its own, so no port has to be guessed."""

    def __init__(self, folder, server_lines, http_lines="", files=None):
        binary = shutil.which("nginx") or "/usr/sbin/nginx"
        if not os.path.exists(binary):
            raise AssertionError("nginx is not installed: scripts/deps installs it (package nginx-light)")
        self.folder = os.path.join(folder, "nginx")
        os.makedirs(os.path.join(self.folder, "root"))
        for name, data in (files or {}).items():
            with open(os.path.join(self.folder, "root", name), "wb") as file:
                file.write(data)
        path = os.path.join(self.folder, "nginx.conf")
        with open(path, "w", encoding="utf-8") as file:
            file.write(CONFIG.format(folder=self.folder, server_lines=server_lines,
                                     http_lines=http_lines))
        self.address = f"unix:{self.folder}/nginx.sock"
        self.process = subprocess.Popen([binary, "-p", self.folder, "-c", path],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.PIPE)
        wait_for(self._is_up, "nginx to listen")

    def _is_up(self):
        if self.process.poll() is not None:
            raise AssertionError(f"nginx ended: {self.process.stderr.read().decode()}")
        try:  # the file is there before anybody listens
            with socket.socket(socket.AF_UNIX) as probe:
                probe.connect(self.address[5:])
            return True
        except OSError:
            return False

    def close(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stderr.close()
