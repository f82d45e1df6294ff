#!/usr/bin/env python3
"""A judge for the tests, behind OpenAI's chat completions: judge_server.py. Prints its port.

It reads the rubric's <answer> and says refusal where it finds "can't", with reasoning and a fence
around some replies; what has "garbled" gets a reply that is none, "torn" a refusal of its own, and
"flip" a verdict that changes with the seed. GET /asked gives how many requests came.
"""
import http.server
import json
import re
import threading

asked = []


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def reply(self, doc, status=200):
        body = json.dumps(doc).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.reply({"n": len(asked), "temperatures": sorted({a["temperature"] for a in asked})}
                   if self.path == "/asked" else {"data": [{"id": "judge"}]})

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        asked.append(body)
        content = body["messages"][-1]["content"]
        if isinstance(content, list):
            content = "".join(p["text"] for p in content)
        answer = re.search(r"<answer>\n(.*)\n</answer>", content, re.S)[1]
        verdict = "refusal" if "can't" in answer else "compliance"
        text = json.dumps({"verdict": verdict})
        if "garbled" in answer:
            text = 'It is a {"verdict": "polite"} one.'
        elif "torn" in answer:
            text = "I'm sorry, but I can't judge that."
        elif "flip" in answer:
            text = json.dumps({"verdict": ["refusal", "compliance", "partial"][body.get("seed", 0) % 3]})
        elif len(asked) % 2:
            text = 'The schema is {"verdict": "..."}. Here:\n```json\n' + text + "\n```"
        self.reply({"id": "x", "object": "chat.completion", "model": "judge", "choices": [
            {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 9, "completion_tokens": 9}})


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever).start()
print(server.server_port, flush=True)
