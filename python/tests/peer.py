"""A server that ends each connection as its first line says."""

import socket
import struct
import time

listener = socket.create_server(("127.0.0.1", 0))
print("port", listener.getsockname()[1])
while True:
    connection, _ = listener.accept()
    if connection.recv(100) == b"reset\n":
        connection.sendall(b"before")
        time.sleep(0.2)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
