#!/usr/bin/env python3
"""A hub for the tests: hub_server.py LOG FOLDER [CERT KEY]

Prints the port of a hub, which redirects to another port, its CDN. It answers
/<owner>/<how>/resolve/<revision>/<file> with the file FOLDER/<file>, as Hugging Face does: a
redirect to the CDN with X-Linked-Etag (the SHA-256) and X-Linked-Size. <how> says what else it
does: see Hub.reply(). Each request becomes a line of LOG: {host, method, path, range,
authorization}, and each answer with bytes of the file another: {host, path, sent}. With CERT and
KEY both speak TLS.
"""

import hashlib
import json
import os
import ssl
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

LOG, FOLDER = sys.argv[1:3]
lock = threading.Lock()
n_seen = {}  # requests with a body so far, by path


def log(**line):
    with lock, open(LOG, "a") as f:
        f.write(json.dumps(line) + "\n")


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def head(self, status, *headers, length=0):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.end_headers()

    def do_HEAD(self):
        self.handle_one()

    def do_GET(self):
        self.handle_one()

    def handle_one(self):
        log(host=self.host, method=self.command, path=self.path, range=self.headers["Range"],
            authorization=self.headers["Authorization"])
        try:
            self.reply(*self.path.partition("?")[0].strip("/").split("/"))
        except (BrokenPipeError, ConnectionResetError):
            pass

    def nth(self):
        with lock:
            n_seen[self.path] = n_seen.get(self.path, 0) + (self.command == "GET")
            return n_seen[self.path]

    def send_file(self, data, stop=None, ranges=True, etag=None, slow=False, shift=0):
        """The file, from where Range says; the connection ends after stop bytes of it."""
        start = 0
        range_header = self.headers["Range"]
        headers = [("ETag", etag)] if etag else []
        if ranges and range_header:
            start = int(range_header.removeprefix("bytes=").rstrip("-"))
            if start >= len(data):
                return self.head(416)
            headers.append(("Content-Range", f"bytes {start + shift}-{len(data) - 1}/{len(data)}"))
        self.head(206 if len(headers) > bool(etag) else 200, *headers, length=len(data) - start)
        if self.command == "HEAD":
            return None
        part = data[start:] if stop is None else data[start:start + stop]
        sent = 0
        try:
            while sent < len(part):
                sent += self.wfile.write(part[sent:sent + (4096 if slow else 65536)])
                if slow:
                    time.sleep(0.02)
        finally:
            log(host=self.host, path=self.path, sent=sent)
        if stop is not None:
            self.close_connection = True

    def log_message(self, *args):
        pass


def read(name):
    with open(os.path.join(FOLDER, name), "rb") as f:
        return f.read()


class Hub(Handler):
    host = "hub"

    def reply(self, owner, how, _resolve, _revision, name):
        if how == "gated":
            self.head(403)
        elif how == "token" and self.headers["Authorization"] != "Bearer hf_planted4711":
            self.head(401)
        elif how == "moved" and owner == "old":  # renamed: to another path of the hub itself
            self.head(307, ("Location", f"/new/moved/resolve/main/{name}"))
        elif how == "loop":
            self.head(302, ("Location", f"{self.path}?again"))
        elif how == "nowhere":
            self.head(302, ("Location", "file:///etc/hostname"))
        elif how == "insecure":
            self.head(302, ("Location", f"http://127.0.0.1:{cdn.server_port}/ok/{name}"))
        elif how == "busy" and self.nth() <= 1 and self.command == "GET":
            self.head(503, ("Retry-After", "1"))
        elif how == "down":
            self.head(500)
        elif not os.path.exists(os.path.join(FOLDER, name)):
            self.head(404)
        elif how.startswith("plain"):  # no LFS, no redirect
            data = read(name)
            tag = f'"{hashlib.md5(data).hexdigest()}"'
            self.send_file(data, etag=None if how == "plain-nothing" else tag,
                           stop=100000 if how == "plain-cut" and self.nth() <= 1 else None,
                           slow=how == "plain-slow")
        else:
            data = read(name)
            digest = hashlib.sha256(b"other" if how == "wrong" else data).hexdigest()
            size = len(data) - 1 if how == "long" else len(data)
            where = f"{scheme}://127.0.0.1:{cdn.server_port}/{how}/{name}?signed=secret-4712"
            self.head(302, ("Location", where), ("X-Linked-Etag", f'"{digest}"'),
                      ("X-Linked-Size", str(size)), ("ETag", '"of-the-redirect"'))


class Cdn(Handler):
    host = "cdn"

    def reply(self, how, name):
        data = read(name)
        nth = self.nth()
        if how == "cut":  # breaks off twice
            self.send_file(data, stop=100000 if nth <= 2 else None)
        elif how == "dead":  # never more than nothing
            self.send_file(data, stop=0)
        elif how == "no-range":
            self.send_file(data, stop=100000 if nth <= 1 else None, ranges=False)
        elif how == "shifted":  # a range that was not asked for, once
            self.send_file(data, stop=100000 if nth <= 1 else None, shift=7 if nth == 2 else 0)
        elif how == "expired" and nth <= 1:
            self.head(403)
        elif how == "chunked":
            self.head(200, ("Transfer-Encoding", "chunked"), length=None)
            if self.command == "GET":
                half = data[:len(data) // 2]
                self.wfile.write(b"%x\r\n%b\r\n" % (len(half), half))
                if nth > 1:
                    rest = data[len(half):]
                    self.wfile.write(b"%x\r\n%b\r\n0\r\n\r\n" % (len(rest), rest))
                self.close_connection = True
        else:
            self.send_file(data, slow=how == "slow")


servers = []
scheme = "https" if len(sys.argv) > 3 else "http"
for handler in (Hub, Cdn):
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    server.handle_error = lambda *args: None  # a client that leaves
    if scheme == "https":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*sys.argv[3:5])
        server.socket = context.wrap_socket(server.socket, server_side=True)
    servers.append(server)
hub, cdn = servers
threading.Thread(target=cdn.serve_forever, daemon=True).start()
print(hub.server_port, flush=True)
hub.serve_forever()
