# SPDX-License-Identifier: Apache-2.0
"""The service behind the gateway: a real listening socket whose every connection follows a script."""
import os
import socket
import threading
import traceback

from . import wire
from .wait import wait_for


class Peer(wire.Wire):
    """One connection that the gateway opened."""

    def __init__(self, sock, index, upstream):
        super().__init__(sock)
        self.index = index
        self.upstream = upstream

    def next_request(self, **how):
        """The next request, noted in upstream.requests; None when the gateway closes instead."""
        try:
            while not self.buffer:
                if not self.fill():
                    return None
            request = self.read_request(**how)
        except wire.Ended:
            self.upstream.note_cut(self.index)
            raise
        request.connection_index = self.index
        self.upstream.note_request(request)
        return request


class Upstream:
    """
    answer(request) -> bytes: what to say to each request; the connection is kept. Or
    script(peer): does everything itself; the connection is closed when it returns.
    """

    def __init__(self, answer=None, script=None, path=None, host="127.0.0.1", backlog=256):
        self.answer = answer if answer is not None else say_ok
        self.script = script if script is not None else self._serve
        self.requests = []
        self.errors = []
        self.cuts = []  # indexes of connections that ended in the middle of a request
        self.ends = {}  # index -> "eof" | "reset", as seen by _serve
        self.connection_count = 0
        self.peers = []
        self._lock = threading.Lock()
        self._is_stopped = False
        if path is not None:
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.bind(path)
            self.address = f"unix:{path}"
        else:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            self.sock = socket.socket(family)
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.sock.bind((host, 0))
            self.port = self.sock.getsockname()[1]
            self.address = f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"
        self.path = path
        self.sock.listen(backlog)
        threading.Thread(target=self._accept, daemon=True).start()

    # ---- what was seen -----------------------------------------------------------------------

    def note_request(self, request):
        with self._lock:
            self.requests.append(request)

    def note_cut(self, index):
        with self._lock:
            self.cuts.append(index)

    @property
    def request_count(self):
        return len(self.requests)

    def wait_requests(self, count, timeout_s=10):
        wait_for(lambda: len(self.requests) >= count, f"{count} requests at the service", timeout_s)
        return self.requests

    @property
    def open_count(self):
        return len([peer for peer in self.peers if peer.sock.fileno() >= 0 and not peer.is_at_end])

    # ---- connections -------------------------------------------------------------------------

    def _accept(self):
        while not self._is_stopped:
            try:
                sock, _ = self.sock.accept()
            except OSError:
                return
            if sock.family != socket.AF_UNIX:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            peer = Peer(sock, self.connection_count, self)
            self.connection_count += 1
            self.peers.append(peer)
            threading.Thread(target=self._run, args=(peer,), daemon=True).start()

    def _run(self, peer):
        try:
            self.script(peer)
        except (wire.Ended, ConnectionError, socket.timeout, OSError):
            pass  # a gateway that goes away is the test's business to notice
        except Exception:  # pylint: disable=broad-except
            if not self._is_stopped:
                self.errors.append(traceback.format_exc())
        finally:
            peer.close()

    def _serve(self, peer):
        while True:
            request = peer.next_request()
            if request is None:
                self.ends[peer.index] = "reset" if peer.is_reset else "eof"
                return
            answer = self.answer(request)
            if answer is None:
                return
            peer.send(answer)

    def stop_listening(self):
        """New connections are refused from now on; those that are open go on."""
        self.sock.close()

    def stop(self):
        self._is_stopped = True
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.sock.close()
        for peer in self.peers:
            try:
                peer.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        if self.path is not None and os.path.exists(self.path):
            os.unlink(self.path)


def say_ok(request):
    """The usual answer: "ok", and to HEAD only that it would be."""
    answer = wire.response(200, b"ok\n")
    return answer[:-3] if request.method == "HEAD" else answer


def refused_address():
    """An address where nobody listens, and nobody will: it stays bound, but not listening."""
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    return f"127.0.0.1:{sock.getsockname()[1]}", sock
