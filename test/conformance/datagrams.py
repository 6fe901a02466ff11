"""A client of unix datagrams, which Node has not: sends each line of its input, which is hex, and prints what comes.

datagrams.py SERVER [OWN]: names, @ for the abstract namespace. Without OWN it has none, and cannot be answered.
A line "fd" sends a datagram that passes a descriptor of this file.
"""

import array
import os
import socket
import sys
import threading


def place(name: str) -> str:
    return "\0" + name[1:] if name.startswith("@") else name


def show(own: socket.socket) -> None:
    while True:
        print(own.recv(1 << 18).hex(), flush=True)


server, *names = sys.argv[1:]
client = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 18)
for name in names:
    client.bind(place(name))
threading.Thread(target=show, args=(client,), daemon=True).start()
own = os.open(__file__, os.O_RDONLY)
print("ready", flush=True)
for line in sys.stdin:
    if line.strip() == "fd":
        passed = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [own]))
        client.sendmsg([b"fd"], [passed], 0, place(server))
    else:
        client.sendto(bytes.fromhex(line), place(server))
