"""A client of UDP that sends several datagrams as one message, and takes as many as one (udp(7), UDP_SEGMENT, UDP_GRO).

segments.py HOST PORT: each line of its input is a size, then the whole message in hex. Prints a line for each message
that comes: the size of its datagrams, then all of them in hex.
"""

import socket
import struct
import sys
import threading

UDP_SEGMENT = 103
UDP_GRO = 104


def show(own: socket.socket) -> None:
    while True:
        received, told, _, _ = own.recvmsg(1 << 17, socket.CMSG_SPACE(4))
        size = next((struct.unpack("i", value)[0] for _, _, value in told), len(received))
        print(size, received.hex(), flush=True)


host, port = sys.argv[1:]
client = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
try:
    client.setsockopt(socket.IPPROTO_UDP, UDP_GRO, 1)
    client.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, 0)
except OSError as error:
    sys.exit(print(error, flush=True))
client.bind((host, 0))
threading.Thread(target=show, args=(client,), daemon=True).start()
print("ready", flush=True)
for line in sys.stdin:
    size, message = line.split()
    told = (socket.IPPROTO_UDP, UDP_SEGMENT, struct.pack("H", int(size)))
    client.sendmsg([bytes.fromhex(message)], [told], 0, (host, int(port)))
