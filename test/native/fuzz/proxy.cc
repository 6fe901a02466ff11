// Fuzzer: PROXY headers. However many bytes are there, a verdict stays what it was.
// units: native/conn/proxy_header.cc native/net/address.cc

#include <cstdlib>

#include "conn/proxy_header.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using gaidaros::ProxyResult;
  using Status = ProxyResult::Status;
  if (size == 0) return 0;
  auto versions = static_cast<gaidaros::ProxyVersions>(data[0] % 3);
  std::span<const uint8_t> input(data + 1, size - 1);
  Status verdict = Status::more;
  uint32_t used = 0;
  gaidaros::ProxyHeader header;
  for (size_t i = 0; i <= input.size(); i++) {
    ProxyResult result = gaidaros::parse_proxy_header(input.first(i), versions, header);
    if (verdict != Status::more && result.status != verdict) std::abort();
    if (verdict == Status::done && result.used != used) std::abort();
    if (result.status == Status::done && result.used > i) std::abort();
    if (result.status == Status::refused && result.why == nullptr) std::abort();
    verdict = result.status;
    used = result.used;
    // Past a header nothing matters.
    if (verdict == Status::done && i > used + 4) break;
  }
  size_t bytes = 0;
  gaidaros::each_tlv(header.tlvs,
                     [&](uint8_t, std::span<const uint8_t> value) { bytes += 3 + value.size(); });
  if (bytes != header.tlvs.size()) std::abort();
  return 0;
}
