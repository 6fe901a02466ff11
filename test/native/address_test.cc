// Addresses as the kernel has them, in both directions; those of vsock with sockets of this kernel.
#include "net/address.h"

#include <linux/vm_sockets.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "harness.h"
#include "net/socket.h"
#include "net/vsock.h"

namespace {

using namespace gaidaros;

sockaddr_storage storage_of(uint32_t cid, uint32_t port) {
  sockaddr_storage storage{};
  auto& vm = reinterpret_cast<sockaddr_vm&>(storage);
  vm.svm_family = AF_VSOCK;
  vm.svm_cid = cid;
  vm.svm_port = port;
  return storage;
}

int listen_at(const Address& address, SystemError& error) {
  ListenOptions options;
  options.address = address;
  options.backlog = 1;
  return open_listener(options, error);
}

TEST_CASE("a vsock's address is its CID as text and a port of 32 bits") {
  Address host = Address::from(storage_of(VMADDR_CID_HOST, 4294967294));
  CHECK(host.is_vsock() && !host.is_unix() && !host.is_internet() && !host.is_v6());
  CHECK_EQ(host.text(), "2");
  CHECK_EQ(host.port_number(), 4294967294u);
  CHECK_EQ(Address::from(storage_of(VMADDR_CID_HYPERVISOR, 80)).text(), "0");
  CHECK_EQ(Address::from(storage_of(VMADDR_CID_LOCAL, 80)).text(), "1");
  CHECK_EQ(Address::from(storage_of(4294967294, 80)).text(), "4294967294");
  CHECK_EQ(Address::from(storage_of(VMADDR_CID_ANY, 80)).text(), "any");
  CHECK(!Address::from(storage_of(0, 0)).is_any());
}

TEST_CASE("a vsock's address as the kernel takes it; port 0 is any") {
  sockaddr_storage storage;
  const auto& vm = reinterpret_cast<const sockaddr_vm&>(storage);
  CHECK_EQ(Address::vsock(3, 70000).to(storage), sizeof(sockaddr_vm));
  CHECK_EQ(vm.svm_family, AF_VSOCK);
  CHECK_EQ(vm.svm_cid, 3u);
  CHECK_EQ(vm.svm_port, 70000u);
  Address::vsock(VMADDR_CID_ANY, 0).to(storage);
  CHECK_EQ(vm.svm_cid, VMADDR_CID_ANY);
  CHECK_EQ(vm.svm_port, VMADDR_PORT_ANY);
}

TEST_CASE("an IP address has a port of 16 bits, and its scope is none of it") {
  Address address = *Address::parse("fe80::1%1", 443);
  CHECK(address.is_internet() && !address.is_vsock());
  CHECK_EQ(address.port_number(), 443u);
  sockaddr_storage storage;
  CHECK_EQ(address.to(storage), sizeof(sockaddr_in6));
  CHECK_EQ(Address::from(storage).text(), "fe80::1%1");
}

TEST_CASE("a vsock listens where the probe says so, on a port that the kernel chooses") {
  if (VsockProbe probe = probe_vsock(); !probe.refusal.empty()) test::skip(probe.refusal);
  SystemError error;
  int fd = listen_at(Address::vsock(VMADDR_CID_ANY, 0), error);
  CHECK(fd >= 0);
  Address local = local_address(fd);
  CHECK_EQ(local.text(), "any");
  CHECK(local.port_number() > 1023);
  CHECK(adopt_listener(fd, SocketOptions{}, error));
  CHECK_EQ(listen_at(Address::vsock(VMADDR_CID_ANY, local.port_number()), error), -1);
  CHECK_EQ(error.code, EADDRINUSE);
  CHECK_EQ(std::string(error.call), "bind");
  ::close(fd);
}

TEST_CASE("the probe of vsock tells a CID that can be listened on") {
  VsockProbe probe = probe_vsock();
  if (!probe.cid) test::skip(probe.refusal + probe.unreachable + " no CID is told");
  SystemError error;
  int fd = listen_at(Address::vsock(*probe.cid, 0), error);
  CHECK(fd >= 0);
  CHECK_EQ(local_address(fd).text(), std::to_string(*probe.cid));
  ::close(fd);
}

}  // namespace
