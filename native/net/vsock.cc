#include "vsock.h"

#include <fcntl.h>
#include <linux/vm_sockets.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "socket.h"

namespace gaidaros {

namespace {

bool can_listen(uint32_t cid, SystemError& error) {
  ListenOptions options;
  options.address = Address::vsock(cid, 0);
  int fd = open_listener(options, error);
  if (fd >= 0) close(fd);
  return fd >= 0;
}

std::string refusal_of(const SystemError& error) {
  std::string text = std::string(error.call) + ": " + std::strerror(error.code);
  return error.code == EAFNOSUPPORT ? text + " (the kernel has no vsock: CONFIG_VSOCKETS)" : text;
}

// VMADDR_CID_ANY: there is none. Nothing where the kernel does not tell.
std::optional<uint32_t> own_cid() {
  int device = open("/dev/vsock", O_RDONLY | O_CLOEXEC);
  if (device < 0) return std::nullopt;
  uint32_t cid = VMADDR_CID_ANY;
  bool is_told = ioctl(device, IOCTL_VM_SOCKETS_GET_LOCAL_CID, &cid) == 0;
  close(device);
  return is_told ? std::optional(cid) : std::nullopt;
}

}  // namespace

VsockProbe probe_vsock() {
  VsockProbe found;
  SystemError error;
  if (!can_listen(VMADDR_CID_ANY, error)) {
    found.refusal = refusal_of(error);
    return found;
  }
  found.cid = own_cid();
  if (found.cid != VMADDR_CID_ANY) return found;
  // Only a transport gives a CID; before Linux 5.19 that of loopback is not told of.
  found.cid = std::nullopt;
  if (!can_listen(VMADDR_CID_LOCAL, error))
    found.unreachable =
        "there is no transport: this is no virtual machine with a vsock, nor a host of one, and "
        "vsock_loopback is not loaded";
  return found;
}

}  // namespace gaidaros
