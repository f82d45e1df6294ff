#!/usr/bin/env python3
"""A model server that misbehaves, for the tests: chaos_server.py [OPTION...]

Prints its port. Speaks POST <base>/chat/completions (streamed or not) and
POST <base>/models/<model>:generateContent. What a request meets depends on a hash of its
X-Client-Request-Id, its place among that trial's requests, and --seed: see FAULTS. Requests are
looked at closely; one that is wrong is answered 400 "bad request: ..." and stands in the truth.
GET /truth gives what the server did, as JSON; --truth FILE has it too at SIGTERM.
"""

import argparse
import array
import asyncio
import base64
import email.utils
import hashlib
import io
import json
import random
import signal
import socket
import ssl
import struct
import subprocess
import sys
import time
import wave

HUGE = 20 << 20
WORDS = ("Gern geschehen", "das Foto", "première", "…", "the bride’s veil", "📷", "f/2.8", "naïve", "\n", "\t",
         '"quoted"', "a\\b", "<b>&amp;</b>", "日本語", "mise en place", "of course")
PROBLEM_JSON = (b"{", b'{"choices": [', b"data: not json", b'{"choices":[{"message":{"content":"\\ud800"}}]}',
                b'{"choices":[{"message":{"content":"\xff}]}', b"[1, 2", b"<html>502</html>", b"",
                b"[" * 100000, b'{"choices": NaN}')


class Gone(Exception):
    """The connection ended, by them or by us."""


class BadRequest(Exception):
    pass


def need(is_so, why):
    if not is_so:
        raise BadRequest(why)


def parse_options():
    p = argparse.ArgumentParser()
    p.add_argument("--port", type=int, default=0)
    p.add_argument("--seed", default="1")
    p.add_argument("--faults", default="none", help="all, none, NAME[=PERMILLE], -NAME; comma between them")
    p.add_argument("--latency-ms", type=float, default=0)
    p.add_argument("--slower", type=float, default=4, help="seconds that are beyond the client's deadline")
    p.add_argument("--limit", type=int, default=0, help="429 for more requests in flight")
    p.add_argument("--key", help="401 for any other")
    p.add_argument("--model", default="chaos")
    p.add_argument("--temperature", type=lambda s: None if s == "none" else float(s), default=0)
    p.add_argument("--is", dest="brand", default="vllm", help="vllm, llamacpp, sglang, or none")
    p.add_argument("--tls", nargs=2, metavar=("CERT", "KEY"))
    p.add_argument("--truth", metavar="FILE")
    return p.parse_args()


class Trial:
    def __init__(self):
        self.n_requests = 0
        self.body = None
        self.has_audio = False
        self.met = []  # name of what each request met
        self.sent = []  # final answers that were written to their end


def is_sound(samples):
    return len(samples) > 1600 and max(samples) - min(samples) > 300


n_mp3 = {}


def check_mp3(data):
    digest = hashlib.sha256(data).digest()
    if digest not in n_mp3:
        raw = subprocess.run(["ffmpeg", "-v", "error", "-f", "mp3", "-i", "-", "-f", "s16le", "-"], input=data,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        n_mp3[digest] = not raw.stderr and is_sound(array.array("h", raw.stdout))
    need(n_mp3[digest], "MP3 without sound")


def check_audio(text, kind):
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError as e:
        raise BadRequest("base64: " + str(e)) from e
    if kind == "mp3":
        check_mp3(data)
        return
    need(kind == "wav", "audio format " + str(kind))
    try:
        with wave.open(io.BytesIO(data)) as w:
            frames = w.readframes(w.getnframes())
            need((w.getnchannels(), w.getsampwidth(), w.getframerate()) == (1, 2, 16000), "not 16 kHz mono 16-bit")
            need(len(frames) == 2 * w.getnframes(), "WAV is cut off")
    except (wave.Error, EOFError) as e:
        raise BadRequest("WAV: " + str(e)) from e
    need(is_sound(array.array("h", frames)), "WAV without sound")


def check_openai_part(part):
    """True when it is audio."""
    kind = part.get("type")
    if kind == "text":
        need(part["text"] and isinstance(part["text"], str), "text part without text")
        return False
    if kind == "input_audio":
        data = part["input_audio"]["data"]
        data = data[len("data:;base64,"):] if data.startswith("data:;base64,") else data
        check_audio(data, part["input_audio"].get("format"))
        return True
    need(kind == "audio_url", "part of type " + str(kind))
    head, data = part["audio_url"]["url"].split(",", 1)
    need(head in ("data:audio/wav;base64", "data:audio/mpeg;base64", "data:audio/mp3;base64"), head)
    check_audio(data, "wav" if head.startswith("data:audio/wav") else "mp3")
    return True


def check_openai(options, body):
    need(body.get("model") == options.model, "model " + str(body.get("model")))
    need(body.get("temperature") == options.temperature, "temperature " + str(body.get("temperature")))
    n = body.get("max_tokens", body.get("max_completion_tokens"))
    need(isinstance(n, int) and n > 0, "max_tokens " + str(n))
    need(isinstance(body.get("stream", False), bool), "stream")
    roles = [m["role"] for m in body["messages"]]
    need(roles in (["system", "user"], ["user"]), "roles " + str(roles))
    for message in body["messages"][:-1]:
        need(isinstance(message["content"], str) and message["content"], "system text")
    content = body["messages"][-1]["content"]
    if isinstance(content, str):
        need(content, "no content")
        return False
    audio = [check_openai_part(part) for part in content]
    need(audio and sum(audio) <= 1, "parts " + str(audio))
    return any(audio)


def check_gemini(options, path, body):
    need(path.endswith(f"/models/{options.model}:generateContent"), "path " + path)
    config = body["generationConfig"]
    need(config.get("temperature") == options.temperature, "temperature " + str(config.get("temperature")))
    need(isinstance(config.get("maxOutputTokens"), int) and config["maxOutputTokens"] > 0, "maxOutputTokens")
    need(len(body["contents"]) == 1 and body["contents"][0].get("role") in ("user", None), "contents")
    n_audio = 0
    for part in body["contents"][0]["parts"]:
        data = part.get("inline_data", part.get("inlineData"))
        if data is None:
            need(isinstance(part["text"], str) and part["text"], "text part without text")
            continue
        kind = data.get("mime_type", data.get("mimeType"))
        need(kind in ("audio/wav", "audio/mp3", "audio/mpeg"), "mime type " + str(kind))
        check_audio(data["data"], "wav" if kind == "audio/wav" else "mp3")
        n_audio += 1
    need(n_audio <= 1, "audio twice")
    return n_audio == 1


class Exchange:
    """One request and what is answered. mode: plain, stream or gemini."""

    def __init__(self, server, reader, writer, path, headers, raw):
        self.server, self.options = server, server.options
        self.reader, self.writer = reader, writer
        self.path, self.headers, self.raw = path, headers, raw
        self.mode, self.trial, self.id, self.nth, self.rng, self.name = "plain", None, "", 0, None, ""

    # -- writing

    async def write(self, data):
        if self.reader.at_eof() or self.writer.is_closing():
            raise Gone
        self.writer.write(data)
        await self.writer.drain()

    async def head(self, status, headers):
        lines = [f"HTTP/1.1 {status} {'OK' if status == 200 else 'Whatever'}"]
        lines += [f"{k}: {v}" for k, v in headers]
        await self.write(("\r\n".join(lines) + "\r\n\r\n").encode())

    async def reply(self, status, body, headers=(), kind="application/json"):
        data = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=self.rng.random() < 0.5).encode()
        await self.head(status, [("Content-Type", kind), ("Content-Length", len(data)), *headers])
        await self.write(data)

    async def error(self, status, message, headers=(), **more):
        if self.mode == "gemini":
            names = {400: "INVALID_ARGUMENT", 429: "RESOURCE_EXHAUSTED", 500: "INTERNAL", 503: "UNAVAILABLE"}
            body = {"error": {"code": status, "message": message, "status": names.get(status, "UNKNOWN"), **more}}
        else:
            body = {"error": {"message": message, "type": "chaos", "param": None, "code": None, **more}}
        await self.reply(status, body, headers)

    def reset(self):
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()
        raise Gone

    def sent(self, kind, text="", finish="stop", sure=True):
        """The final answer has been written; not sure: one may also take it for a wrong answer."""
        if self.reader.at_eof():
            raise Gone
        self.trial.sent.append({"kind": kind, "text": text, "finish": finish, "sure": sure, "at": time.time(),
                                "nth": self.nth})

    def text(self):
        """Model output that names its trial and try."""
        words = " ".join(self.rng.choice(WORDS) for _ in range(self.rng.randrange(3, 30)))
        return f"{self.rng.choice(['', '', ' '])}{self.id} {self.nth}: {words}{self.rng.choice(['', '.', chr(10)])}"

    # -- answers

    def usage(self):
        if self.mode == "gemini":
            return {"usageMetadata": {"promptTokenCount": 100, "candidatesTokenCount": 20, "totalTokenCount": 120,
                                      "promptTokensDetails": [{"modality": "AUDIO", "tokenCount": 60},
                                                              {"modality": "TEXT", "tokenCount": 40}]}}
        return {"usage": {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120,
                          "prompt_tokens_details": {"audio_tokens": 60}}}

    def whole(self, message, finish, **more):
        if self.mode == "gemini":
            return {"candidates": [{"content": {"role": "model", "parts": message}, "finishReason": finish, "index": 0,
                                    **more}], "modelVersion": self.options.model, "responseId": self.id, **self.usage()}
        return {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": self.options.model,
                "choices": [{"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish, **more}],
                **self.usage()}

    def event(self, delta, finish=None):
        return {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": self.options.model,
                "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}

    def events(self, text):
        """First the role, then text cut anywhere between characters."""
        out, at = [self.event(self.rng.choice([{"role": "assistant"}, {"role": "assistant", "content": ""},
                                               {"role": "assistant", "content": None}]))], 0
        while at < len(text):
            n = self.rng.randrange(1, 9)
            out.append(self.event({"content": text[at:at + n]}))
            at += n
        return out

    def sse(self, events, done=True):
        """Their bytes, in one of the forms that servers have."""
        end = self.rng.choice(["\n", "\n", "\r\n"])
        colon = self.rng.choice(["data: ", "data: ", "data:"])
        noise = self.rng.random() < 0.3
        plain = self.rng.random() < 0.5
        out = [": hello" + end + end] if noise else []
        for event in events:
            if noise and self.rng.random() < 0.3:
                out.append(self.rng.choice([": keep-alive", "event: message", "id: 7", "retry: 10"]) + end)
                if out[-1].startswith(":"):
                    out.append(end)
            out.append(colon + json.dumps(event, ensure_ascii=plain) + end + end)
        if done:
            out.append(colon + "[DONE]" + end + end)
        return "".join(out).encode()

    async def stream(self, data, is_whole=True):
        """Chunked, or until the connection ends; cut at any byte, so also within a character."""
        chunked = self.rng.random() < 0.8 or not is_whole
        headers = [("Content-Type", "text/event-stream; charset=utf-8"), ("Cache-Control", "no-cache")]
        headers.append(("Transfer-Encoding", "chunked") if chunked else ("Connection", "close"))
        await self.head(200, headers)
        at = 0
        while at < len(data):
            part = data[at:at + self.rng.choice([1, 7, 100, 1000, 5000])]
            at += len(part)
            await self.write(b"%x\r\n%s\r\n" % (len(part), part) if chunked else part)
        if chunked and is_whole:
            await self.write(b"0\r\n\r\n")
        elif is_whole:
            self.writer.close()

    async def good(self, finish="stop", text=None, done=True, sure=True):
        text = self.text() if text is None else text
        if self.mode == "stream":
            ends = [self.event({}, finish)]
            if self.rng.random() < 0.7:
                ends.append({"id": "chatcmpl-1", "object": "chat.completion.chunk", "choices": [], **self.usage()})
            await self.stream(self.sse(self.events(text) + ends, done))
        elif self.mode == "gemini":
            cut = self.rng.randrange(0, len(text) + 1)
            parts = [{"text": t} for t in (text[:cut], text[cut:]) if t] or [{"text": ""}]
            await self.reply(200, self.whole(parts, {"stop": "STOP", "length": "MAX_TOKENS"}[finish]))
        else:
            extra = self.rng.choice([{}, {"refusal": None}, {"tool_calls": [], "audio": None}])
            await self.reply(200, self.whole({"content": text, **extra}, finish, logprobs=None))
        self.sent("answer", text, finish, sure)

    async def length(self):
        await self.good("length")

    async def empty(self):
        await self.good("stop", "")

    async def no_done(self):
        await self.good(done=False)

    async def slow(self):
        await asyncio.sleep(self.rng.uniform(0.2, 1))
        await self.good()

    async def late(self):
        await asyncio.sleep(self.options.slower)
        await self.good()

    # -- the provider's blocks

    async def content_filter(self):
        if self.mode == "stream":
            events = self.events("I " if self.rng.random() < 0.5 else "") + [self.event({}, "content_filter")]
            await self.stream(self.sse(events))
        else:
            await self.reply(200, self.whole({"content": self.rng.choice([None, "", "I "])}, "content_filter"))
        self.sent("block")

    async def refusal(self):
        why = f"{self.id} I’m sorry, I can’t."
        if self.mode == "stream":
            await self.stream(self.sse([self.event({"role": "assistant", "content": None}),
                                        self.event({"refusal": why[:9]}), self.event({"refusal": why[9:]}),
                                        self.event({}, "stop")]))
        else:
            await self.reply(200, self.whole({"content": None, "refusal": why}, "stop"))
        self.sent("block")

    async def azure(self):
        inner = {"code": "ResponsibleAIPolicyViolation", "content_filter_result": {"hate": {"filtered": True}}}
        await self.error(400, "The response was filtered", code="content_filter", innererror=inner)
        self.sent("block")

    async def dashscope(self):
        await self.error(400, "Input data may contain inappropriate content.", code="data_inspection_failed")
        self.sent("block")

    async def prompt_block(self):
        reason = self.rng.choice(["SAFETY", "PROHIBITED_CONTENT", "BLOCKLIST", "OTHER"])
        await self.reply(200, {"promptFeedback": {"blockReason": reason}, **self.usage()})
        self.sent("block")

    async def finish_block(self):
        reason = self.rng.choice(["SAFETY", "PROHIBITED_CONTENT", "BLOCKLIST", "SPII"])
        body = self.whole([{"text": "I "}], reason)
        if self.rng.random() < 0.7:
            del body["candidates"][0]["content"]
        await self.reply(200, body)
        self.sent("block")

    # -- what is tried again

    async def hint_seconds(self):
        await self.error(429, "slow down", [("Retry-After", "1")], code="rate_limit_exceeded")

    async def hint_ms(self):
        await self.error(429, "slow down", [("retry-after-ms", self.rng.randrange(5, 300)), ("Retry-After", "60")])

    async def hint_date(self):
        await self.error(429, "slow down", [("Retry-After", email.utils.formatdate(time.time() + 1, usegmt=True))])

    async def hint_reset(self):
        name = self.rng.choice(["requests", "tokens"])
        other = "tokens" if name == "requests" else "requests"
        wait = self.rng.choice(["250ms", "20ms", "0.1s", "0m0.2s", "1s"])
        await self.error(429, "slow down", [("x-ratelimit-remaining-" + name, 0), ("x-ratelimit-reset-" + name, wait),
                                            ("x-ratelimit-remaining-" + other, 9000),
                                            ("x-ratelimit-reset-" + other, "10ms")])

    async def hint_delay(self):
        wait = self.rng.choice(["0.25s", "0.8379s", "1s"])
        details = [{"@type": "type.googleapis.com/google.rpc.QuotaFailure",
                    "violations": [{"quotaId": "GenerateRequestsPerMinutePerProjectPerModel-FreeTier"}]},
                   {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": wait}]
        await self.error(429, "quota", details=details)

    async def hint_none(self):
        await self.error(429, "slow down")

    async def hint_nonsense(self):
        wait = self.rng.choice(["soon", "-5", "1e99", "5 5", ""])
        await self.error(429, "slow down", [("Retry-After", wait), ("x-ratelimit-reset-requests", "6mm")])

    async def hint_long(self):
        if self.nth > 1:
            await self.good()
            return
        await self.error(429, "slow down", [("Retry-After", "20")])

    async def error_500(self):
        await self.error(500, "it happens")

    async def error_503(self):
        await self.error(503, "overloaded", [("Retry-After", "0")] if self.rng.random() < 0.5 else [])

    async def error_502(self):
        await self.reply(502, b"<html><head><title>502 Bad Gateway</title></head></html>", kind="text/html")

    async def error_200(self):
        code = self.rng.choice([500, 503, 429])
        await self.reply(200, self.rng.choice([
            {"object": "error", "message": "in the middle of it", "type": "InternalServerError", "code": code},
            {"error": {"message": "in the middle of it", "type": "server_error", "code": code}}]))

    async def half(self):
        data = json.dumps(self.whole({"content": self.text()} if self.mode != "gemini" else [{"text": "a"}], "stop"))
        await self.head(200, [("Content-Type", "application/json"), ("Content-Length", len(data) + 500)])
        await self.write(data.encode()[:self.rng.randrange(len(data) + 1)])
        self.writer.close()
        raise Gone

    async def broken_chunk(self):
        if self.mode == "stream":
            data = self.sse(self.events(self.text()), done=False)
            await self.stream(data[:self.rng.randrange(len(data) + 1)], is_whole=False)
        else:
            await self.head(200, [("Content-Type", "application/json"), ("Transfer-Encoding", "chunked")])
            await self.write(self.rng.choice([b"5\r\n{\"ch\r\n", b"5\r\n{\"c", b"zz\r\n", b"ffffffffffffffffffff\r\n{}"]))
        self.writer.close()
        raise Gone

    async def no_finish(self):
        """A stream that ends well, but before its answer does."""
        await self.stream(self.sse(self.events(self.text()), done=False))

    async def bad_json(self):
        data = self.rng.choice(PROBLEM_JSON)
        if self.mode == "stream":
            await self.stream(self.sse(self.events("Well")) [:-16] + b"data: " + data.replace(b"\n", b" ") + b"\n\n")
        else:
            await self.reply(200, data)

    async def bad_shape(self):
        if self.mode == "gemini":
            body = self.rng.choice([{}, {"candidates": {}}, {"candidates": [7]}, {"candidates": [{"content": "x"}]},
                                    {"candidates": [{"content": {"parts": [{"text": 5}]}, "finishReason": "STOP"}]},
                                    {"candidates": "none"}, [], "text", None, {"candidates": [{"content": {"parts": 3}}]}])
        else:
            message = self.rng.choice([{"content": 5}, {"content": {"a": 1}}, {"content": [5]}, {"content": True}])
            body = self.rng.choice([{}, {"choices": []}, {"choices": [7]}, {"choices": {}}, {"choices": [{}]}, [],
                                    "text", None, {"choices": [{"message": "x", "finish_reason": "stop"}]},
                                    self.whole(message, "stop"), self.whole(message, 7)])
        if self.mode == "stream":
            events = [self.event({"content": 5}), {"choices": [7]}, {"choices": 3}, [], 7,
                      {"choices": [{"delta": "x"}]}, {"choices": [{"delta": {"content": ["a"]}}]}]
            await self.stream(self.sse(self.events("Well") + [self.rng.choice(events)]))
        else:
            await self.reply(200, body)

    async def null_content(self):
        await self.reply(200, self.whole({"content": None}, "stop"))
        self.sent("answer", "", sure=False)

    async def parts(self):
        text = self.text()
        await self.reply(200, self.whole({"content": [{"type": "text", "text": text}]}, "stop"))
        self.sent("answer", text, sure=False)

    async def reset_first(self):
        self.reset()

    async def close_first(self):
        self.writer.close()
        raise Gone

    async def reset_middle(self):
        await self.head(200, [("Content-Type", "application/json"), ("Content-Length", 5000)])
        await self.write(b'{"choices": [{"index": 0, ')
        await asyncio.sleep(0.005)
        self.reset()

    async def endless(self):
        await self.head(200, [("Content-Type", "text/event-stream"), ("Transfer-Encoding", "chunked")])
        for _ in range(600):
            part = self.rng.choice([b": wait\n\n", b'data: {"choices":[{"index":0,"delta":{"content":"la "}}]}\n\n'])
            await self.write(b"%x\r\n%s\r\n" % (len(part), part))
            await asyncio.sleep(0.1)

    async def error_event(self):
        error = {"error": {"message": "went away", "type": "server_error", "code": self.rng.choice([500, None, "busy"])}}
        await self.stream(self.sse(self.events("Well, ") + [error], done=self.rng.random() < 0.5))

    # -- errors of the trial

    async def huge(self):
        part = b" " * (1 << 20)
        if self.rng.random() < 0.5:
            await self.head(200, [("Content-Type", "application/json"), ("Content-Length", HUGE)])
            for _ in range(HUGE >> 20):
                await self.write(part)
        else:
            await self.head(200, [("Content-Type", "application/json"), ("Transfer-Encoding", "chunked")])
            for _ in range(HUGE >> 20):
                await self.write(b"100000\r\n" + part + b"\r\n")
                await asyncio.sleep(0.03)
            await self.write(b"0\r\n\r\n")

    def key(self):
        return self.headers.get("authorization", self.headers.get("x-goog-api-key", "")).removeprefix("Bearer ")

    async def error_4xx(self):
        await self.error(self.rng.choice([400, 413, 422]),
                         f"the audio of {self.id} is not to my taste\x1b[31m\n (key {self.key()})")
        self.sent("error")

    async def error_200_400(self):
        await self.reply(200, {"object": "error", "message": "no MP3 here", "type": "BadRequestError", "param": None,
                               "code": 400})
        self.sent("error")

    # -- the end of the run

    async def unauthorized(self):
        await self.error(401, f"Incorrect API key provided: {self.key()}. Find yours\x1b[2J elsewhere.",
                         code="invalid_api_key")

    async def forbidden(self):
        await self.error(403, "not in your country")

    async def missing(self):
        await self.error(404, "The model `x` does not exist", code="model_not_found")

    async def no_quota(self):
        await self.error(429, "You exceeded your current quota", type="insufficient_quota", code="insufficient_quota")

    async def day_quota(self):
        details = [{"@type": "type.googleapis.com/google.rpc.QuotaFailure",
                    "violations": [{"quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier"}]},
                   {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "17s"}]
        await self.error(429, "You exceeded your current quota", details=details)


# Weight among 1,000 requests, and where it occurs. "all" are those before the blank line.
EVERY, OPENAI = ("plain", "stream", "gemini"), ("plain", "stream")
FAULTS = {
    "hint_seconds": (2, EVERY), "hint_ms": (4, EVERY), "hint_date": (2, EVERY), "hint_reset": (4, OPENAI),
    "hint_delay": (6, ("gemini",)), "hint_none": (4, EVERY), "hint_nonsense": (2, EVERY),
    "error_500": (25, EVERY), "error_503": (25, EVERY), "error_502": (20, EVERY), "error_200": (20, EVERY),
    "half": (20, EVERY), "broken_chunk": (20, EVERY), "no_finish": (20, ("stream",)), "bad_json": (25, EVERY),
    "bad_shape": (25, EVERY), "null_content": (10, ("plain",)), "parts": (10, ("plain",)),
    "reset_first": (20, EVERY), "close_first": (10, EVERY), "reset_middle": (20, EVERY), "endless": (2, ("stream",)),
    "error_event": (20, ("stream",)), "slow": (10, EVERY), "late": (1, EVERY), "huge": (4, EVERY),
    "error_4xx": (10, EVERY), "error_200_400": (5, OPENAI), "length": (20, EVERY), "empty": (20, EVERY),
    "no_done": (20, ("stream",)), "content_filter": (10, OPENAI), "refusal": (10, OPENAI), "azure": (5, OPENAI),
    "dashscope": (5, OPENAI), "prompt_block": (15, ("gemini",)), "finish_block": (15, ("gemini",)),

    "hint_long": (0, EVERY), "unauthorized": (0, EVERY), "forbidden": (0, EVERY), "missing": (0, EVERY),
    "no_quota": (0, EVERY), "day_quota": (0, EVERY),
}


def fault_weights(words):
    weights = {}
    for word in words.split(","):
        name, _, value = word.partition("=")
        if word == "all":
            weights.update({k: w for k, (w, _) in FAULTS.items() if w})
        elif word.startswith("-"):
            del weights[word[1:]]
        elif word != "none":
            weights[name] = int(value) if value else FAULTS[name][0]
    return weights


class Server:
    def __init__(self, options):
        self.options = options
        self.weights = fault_weights(options.faults)
        self.trials = {}
        self.bad = []
        self.in_flight = 0
        self.in_flight_seen = []  # at each request, itself included
        self.times = []  # of each request
        self.users = set()

    def truth(self):
        trials = {k: {"n_requests": t.n_requests, "has_audio": t.has_audio, "met": t.met, "sent": t.sent}
                  for k, t in self.trials.items()}
        return {"n_requests": len(self.times), "bad": self.bad, "max_in_flight": max(self.in_flight_seen, default=0),
                "in_flight": self.in_flight_seen, "times": self.times, "users": sorted(self.users), "trials": trials}

    def choose(self, x):
        at = x.rng.random() * 1000
        for name, weight in self.weights.items():
            if x.mode in FAULTS[name][1]:
                at -= weight
                if at < 0:
                    return name
        return "good"

    def look_at(self, x):
        """Which trial and mode it is, and whether the request is right."""
        x.mode = "gemini" if x.path.endswith(":generateContent") else "plain"
        x.id = x.headers.get("x-client-request-id", "")
        x.trial = self.trials.setdefault(x.id, Trial())
        x.trial.n_requests += 1
        x.nth = x.trial.n_requests
        x.rng = random.Random(f"{x.id} {x.nth} {self.options.seed}")
        self.users.add(x.headers.get("user-agent", ""))
        need(x.id, "no X-Client-Request-Id")
        need(x.headers.get("content-type", "").startswith("application/json"), "content type")
        digest = hashlib.sha256(x.raw).hexdigest()
        need(x.trial.body in (None, digest), "another body for the same trial")
        x.trial.body = digest
        try:
            body = json.loads(x.raw)
            if x.mode == "gemini":
                x.trial.has_audio = check_gemini(self.options, x.path, body)
            else:
                need(x.path.endswith("/chat/completions"), "path " + x.path)
                x.mode = "stream" if body.get("stream") else "plain"
                x.trial.has_audio = check_openai(self.options, body)
        except (ValueError, KeyError, TypeError, AttributeError) as e:
            raise BadRequest(repr(e)) from e

    def has_key(self, x):
        if self.options.key is None:
            return True
        if x.mode == "gemini":
            return x.headers.get("x-goog-api-key") == self.options.key
        return x.headers.get("authorization") == "Bearer " + self.options.key

    async def answer(self, x):
        try:
            self.look_at(x)
        except BadRequest as e:
            self.bad.append(f"{x.id}: {e}")
            await x.error(400, f"bad request: {e}")
            return
        if not self.has_key(x):
            x.name = "unauthorized"
        elif self.options.limit and self.in_flight > self.options.limit:
            x.name = "hint_ms"
        else:
            x.name = self.choose(x)
        x.trial.met.append(x.name)
        if self.options.latency_ms:
            await asyncio.sleep(self.options.latency_ms / 1000)
        await getattr(x, x.name)()

    async def look_up(self, x):
        """What else one may ask a server of this brand."""
        x.rng = random.Random(1)
        brand = self.options.brand
        pages = {"/truth": self.truth()}
        if brand != "none":
            pages["/v1/models"] = {"object": "list", "data": [{"id": self.options.model, "object": "model",
                                                               "owned_by": brand}]}
        if brand == "vllm":
            pages["/version"] = {"version": "0.11.0+chaos"}
        if brand == "llamacpp":
            pages["/props"] = {"build_info": "b7000-chaos", "model_path": "chaos.gguf"}
        if brand == "sglang":
            pages["/get_server_info"] = {"version": "0.5.4+chaos"}
        if x.path in pages:
            await x.reply(200, pages[x.path])
        else:
            await x.error(404, "nothing here")

    async def one(self, reader, writer):
        """One request of a connection; False: the connection has ended."""
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return False
        lines = head.decode("latin-1").split("\r\n")
        method, path, _ = lines[0].split(" ")
        headers = {k.lower(): v.strip() for k, v in (line.split(":", 1) for line in lines[1:] if line)}
        if headers.get("expect") == "100-continue":
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        raw = await reader.readexactly(int(headers.get("content-length", 0)))
        x = Exchange(self, reader, writer, path, headers, raw)
        if method == "GET":
            await self.look_up(x)
            return True
        self.in_flight += 1
        self.in_flight_seen.append(self.in_flight)
        self.times.append(time.time())
        try:
            await self.answer(x)
        finally:
            self.in_flight -= 1
        return not writer.is_closing()

    async def connection(self, reader, writer):
        try:
            while await self.one(reader, writer):
                pass
        except (Gone, ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            pass
        finally:
            writer.close()

    async def serve(self):
        context = None
        if self.options.tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*self.options.tls)
        listener = await asyncio.start_server(self.connection, "127.0.0.1", self.options.port, ssl=context, backlog=2048)
        print(listener.sockets[0].getsockname()[1], flush=True)
        end = asyncio.Event()
        for name in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(name, end.set)
        await end.wait()
        if self.options.truth:
            with open(self.options.truth, "w", encoding="utf-8") as f:
                json.dump(self.truth(), f)


def main():
    server = Server(parse_options())
    unknown = [name for name in server.weights if name not in FAULTS]
    if unknown:
        sys.exit(f"chaos_server.py: no fault {unknown[0]}")
    asyncio.run(server.serve())


main()
