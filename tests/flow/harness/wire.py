# SPDX-License-Identifier: Apache-2.0
"""HTTP/1.1 as bytes: a strict reader and a socket that speaks it.

The reader is written for tests: it accepts only what a correct sender may send (CRLF line ends, plain
sizes, exactly the announced number of bytes) and raises `Broken` for anything else, so that whatever
Cyclone sends is checked by being read.
"""
import socket
import struct
import time

TIMEOUT_S = 15.0
READ_BYTES = 256 * 1024


class Broken(AssertionError):
    """The peer sent something that is not correct HTTP/1.1."""


class Ended(AssertionError):
    """The peer closed (or reset) the connection before the message was complete."""

    def __init__(self, message, is_reset=False, got=b""):
        super().__init__(message)
        self.is_reset = is_reset
        self.got = got


class Message:
    """A request or a response with all of its parts."""

    def __init__(self, start_line, fields, head):
        self.start_line = start_line
        self.fields = fields  # [(name as sent, value)]
        self.head = head  # the bytes, final empty line included
        self.body = b""
        self.body_bytes = 0
        self.trailers = []
        self.chunk_sizes = []
        self.infos = []  # 1xx messages before this one
        self.connection_index = None

    def all(self, name):
        return [value for n, value in self.fields if n.lower() == name.lower()]

    def get(self, name, default=None):
        values = self.all(name)
        return values[0] if values else default

    def has(self, name):
        return bool(self.all(name))

    def has_option(self, option):
        """Is `option` a member of Connection?"""
        members = ",".join(self.all("connection")).lower().split(",")
        return option in [member.strip() for member in members]

    @property
    def method(self):
        return self.start_line.split(" ")[0]

    @property
    def target(self):
        return self.start_line.split(" ")[1]

    @property
    def version(self):
        line = self.start_line
        return line.split(" ")[0] if line.startswith("HTTP/") else line.split(" ")[2]

    @property
    def status(self):
        return int(self.start_line.split(" ")[1])

    def __repr__(self):
        return f"<{self.start_line!r} {self.fields!r} {len(self.body)} bytes>"


def parse_fields(lines):
    fields = []
    for line in lines:
        name, colon, value = line.partition(b":")
        if not colon or not name or name != name.strip() or b" " in name:
            raise Broken(f"not a field: {line!r}")
        if any(c < 0x20 and c != 0x09 for c in value) or 0x7F in value:
            raise Broken(f"control character in {line!r}")
        fields.append((name.decode("latin-1"), value.strip(b" \t").decode("latin-1")))
    return fields


class Wire:
    """One side of a connection."""

    def __init__(self, sock, timeout_s=TIMEOUT_S):
        self.sock = sock
        self.buffer = b""
        self.is_at_end = False
        self.is_reset = False
        sock.settimeout(timeout_s)

    # ---- bytes -------------------------------------------------------------------------------

    def send(self, data):
        self.sock.sendall(data)

    def fill(self):
        """Reads more. Returns False at the end."""
        if self.is_at_end:
            return False
        try:
            data = self.sock.recv(READ_BYTES)
        except ConnectionError:
            data = b""
            self.is_reset = True
        if not data:
            self.is_at_end = True
            return False
        self.buffer = self.buffer + data if self.buffer else data
        return True

    def _ended(self, what):
        how = "reset" if self.is_reset else "closed"
        return Ended(f"{how} while {what} was expected; got {self.buffer[:200]!r}", self.is_reset,
                     self.buffer)

    def read_until(self, mark, what="more"):
        while mark not in self.buffer:
            if not self.fill():
                raise self._ended(what)
        data, _, self.buffer = self.buffer.partition(mark)
        return data + mark

    def read_exact(self, count, sink=None, what="body"):
        """Returns the bytes, or hands them to `sink` piece by piece and returns b""."""
        parts, left = [], count
        while left > 0:
            if not self.buffer and not self.fill():
                raise self._ended(f"{what} ({left} of {count} bytes missing)")
            piece, self.buffer = self.buffer[:left], self.buffer[left:]
            left -= len(piece)
            if sink is not None:
                sink(piece)
            else:
                parts.append(piece)
        return b"".join(parts)

    def read_to_end(self):
        """Everything up to the end of the connection; a reset raises."""
        while self.fill():
            pass
        data, self.buffer = self.buffer, b""
        if self.is_reset:
            raise Ended("reset", True, data)
        return data

    def wait_end(self, timeout_s=TIMEOUT_S):
        """Waits for the peer's FIN or RST; bytes that still come are kept in `buffer`.
        Returns "eof" or "reset"; raises when it does not come."""
        deadline = time.monotonic() + timeout_s
        while not self.is_at_end:
            left = deadline - time.monotonic()
            if left <= 0:
                raise AssertionError(f"the connection is still open after {timeout_s} s")
            self.sock.settimeout(left)
            try:
                self.fill()
            except socket.timeout:
                continue
            finally:
                self.sock.settimeout(TIMEOUT_S)
        return "reset" if self.is_reset else "eof"

    def is_quiet(self, seconds):
        """True when nothing, not even an end, arrives for so long."""
        if self.buffer or self.is_at_end:
            return False
        self.sock.settimeout(seconds)
        try:
            self.fill()
            return False
        except socket.timeout:
            return True
        finally:
            self.sock.settimeout(TIMEOUT_S)

    # ---- messages ----------------------------------------------------------------------------

    def read_head(self):
        head = self.read_until(b"\r\n\r\n", "a head")
        lines = head[:-4].split(b"\r\n")
        if b"\n" in head.replace(b"\r\n", b"") or b"\r" in head.replace(b"\r\n", b""):
            raise Broken(f"bare CR or LF in {head!r}")
        return Message(lines[0].decode("latin-1"), parse_fields(lines[1:]), head)

    def read_chunked(self, message, sink=None):
        parts = []
        while True:
            line = self.read_until(b"\r\n", "a chunk size")[:-2]
            try:
                size = int(line, 16)
            except ValueError:
                raise Broken(f"not a plain chunk size: {line!r}") from None
            if size == 0:
                break
            message.chunk_sizes.append(size)
            message.body_bytes += size
            parts.append(self.read_exact(size, sink, "a chunk"))
            if self.read_exact(2, what="the end of a chunk") != b"\r\n":
                raise Broken("no CRLF behind a chunk")
        lines = []
        while True:
            line = self.read_until(b"\r\n", "trailers")[:-2]
            if not line:
                break
            lines.append(line)
        message.trailers = parse_fields(lines)
        message.body = b"".join(parts)

    def read_body(self, message, sink=None, until_close=False):
        codings, lengths = message.all("transfer-encoding"), message.all("content-length")
        if codings and lengths:
            raise Broken("Content-Length and Transfer-Encoding together")
        if codings:
            if [c.lower() for c in codings] != ["chunked"]:
                raise Broken(f"Transfer-Encoding {codings!r}")
            self.read_chunked(message, sink)
        elif lengths:
            if len(lengths) != 1 or not lengths[0].isdigit():
                raise Broken(f"Content-Length {lengths!r}")
            message.body_bytes = int(lengths[0])
            message.body = self.read_exact(message.body_bytes, sink)
        elif until_close:
            message.body = self.read_to_end()
            message.body_bytes = len(message.body)
        return message

    def read_request(self, sink=None, with_body=True):
        message = self.read_head()
        parts = message.start_line.split(" ")
        if len(parts) != 3 or parts[2] not in ("HTTP/1.1", "HTTP/1.0"):
            raise Broken(f"not a request line: {message.start_line!r}")
        return self.read_body(message, sink) if with_body else message

    def read_response_head(self, method="GET"):
        """The head of the final response (101 included), with the 1xx before it in `infos`."""
        infos = []
        while True:
            message = self.read_head()
            parts = message.start_line.split(" ", 2)
            if len(parts) < 2 or parts[0] != "HTTP/1.1" or len(parts[1]) != 3:
                raise Broken(f"not a status line: {message.start_line!r}")
            if message.status >= 200 or message.status == 101:
                break
            infos.append(message)
        message.infos = infos
        if message.status in (204, 304) or message.status == 101 or method == "HEAD":
            if message.status in (204, 101) and (message.has("content-length")
                                                 or message.has("transfer-encoding")):
                raise Broken(f"a body is described in {message!r}")
        return message

    def read_response(self, method="GET", sink=None):
        message = self.read_response_head(method)
        if message.status in (101, 204, 304) or method == "HEAD":
            return message
        return self.read_body(message, sink, until_close=True)

    def ask(self, data, method=None):
        """Sends a request and reads its answer."""
        self.send(data)
        return self.read_response(method or data.split(b" ", 1)[0].decode("latin-1"))

    # ---- ends --------------------------------------------------------------------------------

    def half_close(self):
        self.sock.shutdown(socket.SHUT_WR)

    def close(self):
        try:
            self.sock.close()
        except OSError:
            pass

    def reset(self):
        """RST instead of FIN."""
        try:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        except OSError:
            pass
        self.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


# ---- bytes of messages --------------------------------------------------------------------------


def head_bytes(start_line, fields):
    lines = [start_line] + [f"{name}: {value}" for name, value in fields]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def request(method, target="/", fields=(), body=None, host="flow.test", version="HTTP/1.1"):
    """A request; a body brings its Content-Length."""
    all_fields = ([("Host", host)] if host is not None else []) + list(fields)
    if body is not None and not any(n.lower() in ("content-length", "transfer-encoding")
                                    for n, _ in fields):
        all_fields.append(("Content-Length", str(len(body))))
    return head_bytes(f"{method} {target} {version}", all_fields) + (body or b"")


def get(target="/", fields=(), **more):
    return request("GET", target, fields, **more)


def chunk(data, extension=""):
    return f"{len(data):x}{extension}\r\n".encode("latin-1") + data + b"\r\n"


def chunked(*pieces, trailers=()):
    data = b"".join(chunk(piece) for piece in pieces if piece) + b"0\r\n"
    return data + "".join(f"{n}: {v}\r\n" for n, v in trailers).encode("latin-1") + b"\r\n"


def response(status=200, body=b"", fields=(), reason="Said", version="HTTP/1.1"):
    """A response with Content-Length (unless its fields frame it, or it has no body by its status)."""
    all_fields = list(fields)
    if status >= 200 and status not in (204, 304) and not any(
            n.lower() in ("content-length", "transfer-encoding") for n, _ in fields):
        all_fields.append(("Content-Length", str(len(body))))
    return head_bytes(f"{version} {status} {reason}", all_fields) + body
