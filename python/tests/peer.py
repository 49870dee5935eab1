"""A server that treats each connection as its first line says.

Argument: a folder for the files that may be at a path. `live` is a Unix socket that
sends back the bytes it receives. `full` is one whose queue is full. `stale` is one at
which no process listens. `file` is a regular file.

Prints `ports` and two ports: its own, and one whose queue is full, so that a client
never connects there.
"""

import os
import pathlib
import socket
import struct
import sys
import threading
import time

folder = pathlib.Path(sys.argv[1])


def unix(name, backlog=None):
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(os.fspath(folder / name))
    if backlog is not None:
        listener.listen(backlog)
    return listener


def fill(listener, count):
    clients = [socket.socket(listener.family) for _ in range(count)]
    for client in clients:
        client.setblocking(False)
        client.connect_ex(listener.getsockname())
    return clients


def echo(listener):
    while True:
        connection, _ = listener.accept()
        while data := connection.recv(65536):
            connection.sendall(data)
        connection.close()


def greet(path):
    """Answers a client of a Unix socket."""
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(path)
        client.sendall(b"visitor\n")
        client.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: client.recv(65536), b""))


threading.Thread(target=echo, args=[unix("live", 5)], daemon=True).start()
full_unix = unix("full", 0)
waiting_unix = fill(full_unix, 2)
unix("stale").close()
(folder / "file").write_text("precious")

listener = socket.create_server(("127.0.0.1", 0))
full = socket.create_server(("127.0.0.1", 0), backlog=0)
waiting = fill(full, 4)
print("ports", listener.getsockname()[1], full.getsockname()[1])
while True:
    connection, _ = listener.accept()
    match connection.recv(1000).decode().split():
        case ["reset"]:
            connection.sendall(b"before")
            time.sleep(0.2)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        case ["stall"]:
            time.sleep(0.3)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        case ["flood", port]:
            flood = [socket.create_connection(("127.0.0.1", int(port))) for _ in range(300)]
            connection.recv(1)
            for client in flood:
                client.close()
        case ["visit", path]:
            connection.sendall(greet(path))
    connection.close()
