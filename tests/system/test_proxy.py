# SPDX-License-Identifier: Apache-2.0
"""kstatusd behind a proxy that tunnels by CONNECT, as kubeconfigs name one by proxy-url."""

import base64
import select
import socket
import threading
import unittest

from stream import Watch, object_target
from harness import SLOW, Kstatusd, Kubesim, config_map, create, wait_for

LIMIT_S = 10 * SLOW


class Proxy:
    """Serves one tunnel a thread; keeps the head of each request."""

    def __init__(self, answer="200 Connection established"):
        self.answer = answer
        self.heads = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *what):
        self.stop()

    def stop(self):
        try:
            self.listener.shutdown(socket.SHUT_RDWR)  # a close alone waits for the accept
        except OSError:
            pass
        self.listener.close()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        with client:
            head = b""
            while b"\r\n\r\n" not in head:
                piece = client.recv(4096)
                if not piece:
                    return
                head += piece
            self.heads.append(head.decode())
            client.sendall(f"HTTP/1.1 {self.answer}\r\n\r\n".encode())
            if self.answer.startswith("200"):
                host, port = head.split()[1].decode().rsplit(":", 1)
                with socket.create_connection((host, int(port))) as server:
                    self.pump(client, server)

    @staticmethod
    def pump(client, server):
        other = {client: server, server: client}
        while True:
            for source in select.select(list(other), [], [])[0]:
                try:
                    piece = source.recv(65536)
                    other[source].sendall(piece)
                except OSError:
                    return
                if not piece:
                    return


def behind(sim, proxy_url):
    """A copy of the kubeconfig that names the proxy."""
    text = sim.kubeconfig.read_text()
    server = f"server: {sim.url}"
    assert server in text, text
    path = sim.kubeconfig.with_name("behind-a-proxy")
    path.write_text(text.replace(server, f"proxy-url: {proxy_url}\n    {server}", 1))
    return path


class Behind(unittest.TestCase):
    def test_everything_goes_through_the_proxy(self):
        with Kubesim() as sim, Proxy() as proxy:
            sim.apply(*create(config_map("one")))
            with Kstatusd(behind(sim, f"http://ann:s3cret@{proxy.address}")) as server:
                watch = Watch(server, object_target(1, "cm", "one", "default"))
                watch.wait_status("one", "CURRENT", LIMIT_S)
                watch.wait_synced(LIMIT_S)
                watch.close()
                self.assertNotIn("s3cret", server.log())
            self.assertTrue(proxy.heads)
            word = base64.b64encode(b"ann:s3cret").decode()
            for head in proxy.heads:
                self.assertTrue(head.startswith("CONNECT " + sim.url.removeprefix("https://") + " "), head)
                self.assertIn(f"Proxy-Authorization: Basic {word}", head)
                self.assertNotIn("Bearer", head)

    def test_a_proxy_that_refuses_is_told(self):
        with Kubesim() as sim, Proxy("403 Forbidden") as proxy, \
                Kstatusd(behind(sim, f"http://ann:s3cret@{proxy.address}")) as server:
            watch = Watch(server, object_target(1, "cm", "one", "default"))
            watch.wait_target(1, "STATE_DISCONNECTED", LIMIT_S)
            wait_for("a line in the log", lambda: f"its proxy http://{proxy.address} refuses" in server.log())
            self.assertNotIn("s3cret", server.log())
            watch.close()

    def test_a_dead_proxy_is_told(self):
        with Kubesim() as sim, Proxy() as proxy:
            proxy.stop()
            with Kstatusd(behind(sim, f"http://{proxy.address}")) as server:
                wait_for("a line in the log", lambda: f"its proxy http://{proxy.address}: connection refused"
                         in server.log())


if __name__ == "__main__":
    unittest.main()
