// Takes the PROXY header off the front of a connection and tells the connection what it says; then
// it leaves the chain.
#pragma once

#include "filter.h"
#include "proxy_header.h"

namespace gaidaros {

class ProxyFilter final : public Filter {
 public:
  explicit ProxyFilter(ProxyVersions versions) : versions_(versions) {}

  Step decode(std::span<const uint8_t> input, std::span<uint8_t> room,
              std::vector<uint8_t>& reply) override;
  Status encode(std::span<const uint8_t> plain, bool flush, std::vector<uint8_t>& output) override;
  Status finish(std::vector<uint8_t>& plain) override;
  void leave(Connection& connection) override;
  Reason reason() const override { return Reason::proxy_error; }

 private:
  ProxyVersions versions_;
  std::vector<uint8_t> held_;
  ProxyHeader header_;
};

}  // namespace gaidaros
