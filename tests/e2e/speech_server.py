#!/usr/bin/env python3
"""A speech server for the tests: speech_server.py LOG

Prints its port. POST /v1/audio/speech answers with a WAV of a modulated tone that depends on the
request; the first word of the voice's name says how ("ok-f", "busy-f", ...: see answer()).
Each request becomes a line of LOG: {at, authorization, body}. POST /echo answers with the
request's headers and body.
"""

import hashlib
import json
import math
import struct
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

RATE = 24000
lock = threading.Lock()
n_asked = {}  # requests so far with the same body


def tone(body):
    """16-bit samples: a voice-like tone, as long as the text, modulated as the request says."""
    digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).digest()
    hz = 90 + digest[0] / 2
    n = int(RATE * (0.5 + 0.02 * len(body["input"])) / body["speed"])
    out = bytearray()
    for i in range(n):
        t = i / RATE
        syllable = 0.55 - 0.45 * math.cos(2 * math.pi * (2 + digest[1] / 128) * t)
        voice = sum(math.sin(2 * math.pi * hz * k * t) / k for k in (1, 2, 3))
        out += struct.pack("<h", int(9000 * syllable * voice))
    return bytes(out)


def wav(pcm, size=None):
    size = len(pcm) if size is None else size
    riff = min(size + 36, 0xFFFFFFFF)
    head = struct.pack("<4sI4s4sIHHIIHH", b"RIFF", riff, b"WAVE", b"fmt ", 16, 1, 1, RATE,
                       2 * RATE, 2, 16)
    return head + struct.pack("<4sI", b"data", size) + pcm


class Handler(BaseHTTPRequestHandler):
    def reply(self, status, body, headers=(), length=True):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        if length:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def error(self, status, message, headers=()):
        body = json.dumps({"error": {"message": message, "code": status}}, indent=2)
        self.reply(status, body.encode(), [("Content-Type", "application/json"), *headers])

    def answer(self, body, nth):
        how = body["voice"].split("-")[0]
        key = self.headers.get("Authorization", "")
        if how == "busy" and nth == 1:
            self.error(429, "slow down", [("Retry-After", "1")])
        elif how == "hurry" and nth == 1:
            self.error(429, "slow down", [("Retry-After", "60"), ("retry-after-ms", "300")])
        elif how == "patience":
            self.error(503, "come again in an hour", [("Retry-After", "3600")])
        elif how == "flaky" and nth <= 2:
            self.error(500, "it happens")
        elif how == "stream":
            self.reply(200, wav(tone(body), 0xFFFFFFFF), length=False)
        elif how == "zero":
            self.reply(200, wav(tone(body), 0), length=False)
        elif how == "truncated":
            self.reply(200, wav(tone(body))[:9999])
        elif how == "broken":
            self.reply(200, b"RIFF", [("Content-Length", "9999")], length=False)
        elif how == "json":
            self.error(200, "no voice\x1b[31m\nfor this")
        elif how == "text":
            self.reply(200, b"Welcome to my home page!")
        elif how == "empty":
            self.reply(200, b"")
        elif how == "huge":
            self.reply(200, wav(b"", 0) + bytes(40 << 20), length=False)
        elif how == "denied":
            self.error(401, "Incorrect API key: " + key + ". " + "x" * 400)
        elif how == "moved":
            self.reply(302, b"", [("Location", "/echo")])
        elif how == "never":
            time.sleep(600)
        else:
            self.reply(200, wav(tone(body)))

    def do_POST(self):
        raw = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/echo":
            echo = {"headers": dict(self.headers), "body": json.loads(raw)}
            self.reply(200, json.dumps(echo).encode())
            return
        if self.path != "/v1/audio/speech":
            self.error(404, "nothing here")
            return
        body = json.loads(raw)
        with lock:
            n_asked[raw] = n_asked.get(raw, 0) + 1
            nth = n_asked[raw]
            key = self.headers.get("Authorization")
            with open(sys.argv[1], "a", encoding="utf-8") as log:
                log.write(json.dumps({"at": time.time(), "authorization": key, "body": body}) + "\n")
        try:
            self.answer(body, nth)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def log_message(self, *args):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
print(server.server_port, flush=True)
server.serve_forever()
