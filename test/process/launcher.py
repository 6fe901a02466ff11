# A service manager that opens sockets: passes them from descriptor 3 on and becomes the given program.
# Usage: launcher.py tcp|udp|seqpacket|vsock|file PROGRAM ARGUMENT...
import os, socket, sys

kind, program = sys.argv[1], sys.argv[2:]
if kind == "file":
    passed = os.open("/dev/null", os.O_RDONLY)
elif kind == "seqpacket":
    opened = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    opened.bind("\0gaidaros-launched-%d" % os.getpid())
    opened.listen(16)
    passed = opened.fileno()
elif kind == "vsock":
    opened = socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)
    opened.bind((socket.VMADDR_CID_ANY, socket.VMADDR_PORT_ANY))
    opened.listen(16)
    passed = opened.fileno()
else:
    opened = socket.socket(socket.AF_INET, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM)
    opened.bind(("127.0.0.1", 0))
    if kind == "tcp":
        opened.listen(16)
    passed = opened.fileno()
if passed == 3:
    os.set_inheritable(3, True)
else:
    os.dup2(passed, 3)
environment = {**os.environ, "LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1", "LISTEN_FDNAMES": "front"}
os.execvpe(program[0], program, environment)
