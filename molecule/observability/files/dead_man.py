#!/usr/bin/python3
"""A dead man's switch at https://ADDRESS:8443: `dead_man.py ADDRESS`.

It says "down" once no call has come for a period of 60 s and a grace of 60 s, as a service with these settings would.
Each call and each "down" is a line of /var/lib/ibgw-dead-man.jsonl. It says nothing before its first call.
"""

import http.server
import json
import ssl
import sys
import threading
import time

PATIENCE_SECONDS = 60 + 60


class Switch:
    def __init__(self) -> None:
        self.called, self.down = 0.0, True

    def tell(self, what: str) -> None:
        with open("/var/lib/ibgw-dead-man.jsonl", "a", encoding="utf-8") as file:
            file.write(json.dumps({"at": time.time(), "what": what}) + "\n")

    def call(self) -> None:
        self.called, self.down = time.monotonic(), False
        self.tell("call")

    def watch(self) -> None:
        while True:
            time.sleep(0.2)
            if not self.down and time.monotonic() - self.called > PATIENCE_SECONDS:
                self.down = True
                self.tell("down")


class Handler(http.server.BaseHTTPRequestHandler):
    timeout = 20

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        switch.call()
        self.send_response(204)
        self.end_headers()


switch = Switch()
threading.Thread(target=switch.watch, daemon=True).start()
server = http.server.ThreadingHTTPServer((sys.argv[1], 8443), Handler)
tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
tls.load_cert_chain("/srv/dead-man/switch.crt", "/srv/dead-man/switch.key")
# A caller that is cut off in its handshake keeps its own thread waiting, not the server's.
server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
server.serve_forever()
