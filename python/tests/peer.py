"""A server that does with each connection what its first line says.

Prints `ports` and two ports: its own, and one whose queue is full, so that
nobody is ever connected there.
"""

import socket
import struct
import time

listener = socket.create_server(("127.0.0.1", 0))
full = socket.create_server(("127.0.0.1", 0), backlog=0)
waiting = [socket.socket() for _ in range(4)]
for client in waiting:
    client.setblocking(False)
    client.connect_ex(full.getsockname())
print("ports", listener.getsockname()[1], full.getsockname()[1])
while True:
    connection, _ = listener.accept()
    match connection.recv(100).decode().split():
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
    connection.close()
