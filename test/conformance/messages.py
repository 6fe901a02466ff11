"""A client of a unix socket of messages, which Node has not: sends each line of its input, which is hex, and prints what
comes; "end" where that is the end of input, the name of the error where it is one.

messages.py SERVER [hold]: a name, @ for the abstract namespace. With hold nothing is read before a line "read".
A line "end" ends what is sent; "many N" sends N messages, the numbers from 0 on.
"""

import errno
import socket
import sys
import threading


def show() -> None:
    reading.wait()
    while True:
        try:
            got = client.recv(1 << 24)
        except OSError as error:
            print(errno.errorcode[error.errno], flush=True)
            return
        print(got.hex() or "end", flush=True)
        if not got:
            return


def send(message: bytes) -> None:
    try:
        client.send(message)
    except OSError:
        pass  # what comes back says why


server, *hold = sys.argv[1:]
client = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
client.connect("\0" + server[1:] if server.startswith("@") else server)
client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 18)
reading = threading.Event()
if not hold:
    reading.set()
print("ready", flush=True)
threading.Thread(target=show, daemon=True).start()
for line in sys.stdin:
    word, *count = line.split() or [""]
    if word == "read":
        reading.set()
    elif word == "end":
        client.shutdown(socket.SHUT_WR)
    elif word == "many":
        for i in range(int(count[0])):
            send(b"%d" % i)
    else:
        send(bytes.fromhex(word))
