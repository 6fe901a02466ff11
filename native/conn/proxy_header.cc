#include "proxy_header.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <optional>
#include <string_view>

namespace gaidaros {

namespace {

using Status = ProxyResult::Status;

constexpr std::string_view kLine = "PROXY ";
constexpr uint32_t kMaxLine = 107;  // with its CRLF
constexpr std::array<uint8_t, 12> kSignature = {0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d,
                                                0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a};
constexpr uint32_t kFixed = 16;  // of version 2
constexpr uint8_t kCrc = 0x03;
constexpr uint8_t kNoop = 0x04;
constexpr uint32_t kCrcBytes = 4;

ProxyResult refuse(const char* why) { return {Status::refused, 0, why}; }

uint32_t read_u16(const uint8_t* at) { return static_cast<uint32_t>(at[0] << 8 | at[1]); }

// How much of `wanted` the input begins with; nullopt: it begins otherwise.
template <typename Bytes>
std::optional<size_t> common(std::span<const uint8_t> input, const Bytes& wanted) {
  size_t count = std::min(input.size(), wanted.size());
  for (size_t i = 0; i < count; i++)
    if (input[i] != static_cast<uint8_t>(wanted[i])) return std::nullopt;
  return count;
}

// The text up to the next space, which is taken, too.
std::string_view word(std::string_view& text) {
  size_t end = text.find(' ');
  std::string_view found = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return found;
}

// Decimal, without leading zeros.
std::optional<uint16_t> port_of(std::string_view text) {
  uint16_t port = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  bool is_padded = text.size() > 1 && text[0] == '0';
  if (text.empty() || is_padded || error != std::errc() || end != text.data() + text.size())
    return std::nullopt;
  return port;
}

ProxyResult parse_line(std::string_view text, uint32_t used, ProxyHeader& header) {
  header.version = 1;
  std::string_view family = word(text);
  if (family == "UNKNOWN") {  // whatever follows
    header.local = true;
    return {Status::done, used};
  }
  if (family != "TCP4" && family != "TCP6") return refuse("PROXY v1: wanted TCP4, TCP6 or UNKNOWN");
  bool is_v6 = family == "TCP6";
  std::string source(word(text)), destination(word(text));
  std::optional<uint16_t> from = port_of(word(text));
  bool is_last = text.find(' ') == std::string_view::npos;
  std::optional<uint16_t> to = port_of(word(text));
  if (!from || !to || !is_last) return refuse("PROXY v1: wanted two ports from 0 to 65535");
  if (source.find('%') != source.npos || destination.find('%') != destination.npos)
    return refuse("PROXY v1: wanted addresses without a zone");
  std::optional<Address> first = Address::parse(source, *from);
  std::optional<Address> second = Address::parse(destination, *to);
  if (!first || !second || first->is_v6() != is_v6 || second->is_v6() != is_v6)
    return refuse("PROXY v1: wanted two addresses of the family that it names");
  header.source = *first;
  header.destination = *second;
  return {Status::done, used};
}

ProxyResult parse_v1(std::span<const uint8_t> input, ProxyHeader& header) {
  std::string_view text(reinterpret_cast<const char*>(input.data()),
                        std::min<size_t>(input.size(), kMaxLine));
  size_t end = text.find("\r\n");
  if (end == std::string_view::npos) {
    if (input.size() >= kMaxLine) return refuse("PROXY v1: wanted a line of at most 107 bytes");
    return {Status::more};
  }
  return parse_line(text.substr(kLine.size(), end - kLine.size()), static_cast<uint32_t>(end + 2),
                    header);
}

Address address_at(const uint8_t* at, size_t size, uint32_t port) {
  Address address;
  std::memcpy(address.bytes, at, size);
  address.family = size == 4 ? AF_INET : AF_INET6;
  address.port = static_cast<uint16_t>(port);
  return address;
}

// CRC32C (RFC 4960, appendix B), bit by bit: a header is short and there is one a connection.
uint32_t crc32c(std::span<const uint8_t> bytes, std::span<const uint8_t> zeroed) {
  uint32_t crc = UINT32_MAX;
  for (const uint8_t& byte : bytes) {
    bool is_zeroed = &byte >= zeroed.data() && &byte < zeroed.data() + zeroed.size();
    crc ^= is_zeroed ? 0u : byte;
    for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
  }
  return ~crc;
}

// `whole`: the header from its first byte, `at`: where the TLVs begin.
ProxyResult parse_tlvs(std::span<const uint8_t> whole, uint32_t at, ProxyHeader& header) {
  auto end = static_cast<uint32_t>(whole.size());
  while (at < end) {
    if (end - at < 3 || end - at - 3 < read_u16(&whole[at + 1]))
      return refuse("PROXY v2: wanted TLVs that end where the header does");
    uint8_t type = whole[at];
    std::span<const uint8_t> value = whole.subspan(at + 3, read_u16(&whole[at + 1]));
    at += 3 + static_cast<uint32_t>(value.size());
    if (type == kCrc) {
      uint32_t told = 0;
      for (uint8_t byte : value) told = told << 8 | byte;
      if (value.size() != kCrcBytes || told != crc32c(whole, value))
        return refuse("PROXY v2: wanted the CRC32C of the header");
    } else if (type != kNoop) {
      header.tlvs.insert(header.tlvs.end(), value.data() - 3, value.data() + value.size());
    }
  }
  return {Status::done, end};
}

ProxyResult parse_v2(std::span<const uint8_t> input, ProxyHeader& header) {
  if (input.size() > 12 && input[12] >> 4 != 2) return refuse("PROXY v2: wanted version 2");
  if (input.size() > 12 && (input[12] & 0xf) > 1)
    return refuse("PROXY v2: wanted command LOCAL or PROXY");
  if (input.size() < kFixed) return {Status::more};
  uint32_t size = kFixed + read_u16(&input[14]);
  if (size > kMaxProxyHeader) return refuse("PROXY v2: wanted a header of at most 4112 bytes");
  if (input.size() < size) return {Status::more};
  input = input.first(size);
  header.version = 2;
  header.local = (input[12] & 0xf) == 0;
  // LOCAL: the addresses are to be skipped, whatever they are.
  if (header.local) return {Status::done, size};
  uint8_t family = input[13] >> 4;
  uint32_t each = family == 1 ? 4 : family == 2 ? 16 : family == 3 ? 108 : 0;
  uint32_t addresses = each == 0 ? 0 : 2 * each + (family == 3 ? 0 : 4);
  if (family > 3 || (input[13] & 0xf) > 2)
    return refuse("PROXY v2: wanted a family and a transport that version 2 knows");
  if (size - kFixed < addresses) return refuse("PROXY v2: wanted addresses of the family it names");
  const uint8_t* at = input.data() + kFixed;
  if (family == 1 || family == 2) {
    header.source = address_at(at, each, read_u16(at + 2 * each));
    header.destination = address_at(at + each, each, read_u16(at + 2 * each + 2));
  } else {
    header.local = true;
    if (family == 0) return {Status::done, size};  // nor is it known what follows
  }
  return parse_tlvs(input, kFixed + addresses, header);
}

}  // namespace

ProxyResult parse_proxy_header(std::span<const uint8_t> input, ProxyVersions versions,
                               ProxyHeader& header) {
  header = {};
  std::optional<size_t> line = versions == ProxyVersions::v2 ? std::nullopt : common(input, kLine);
  std::optional<size_t> signature =
      versions == ProxyVersions::v1 ? std::nullopt : common(input, kSignature);
  if (line && *line == kLine.size()) return parse_v1(input, header);
  if (signature && *signature == kSignature.size()) return parse_v2(input, header);
  if (line || signature) return {Status::more};
  return refuse(versions == ProxyVersions::v1   ? "wanted a PROXY header, version 1"
                : versions == ProxyVersions::v2 ? "wanted a PROXY header, version 2"
                                                : "wanted a PROXY header");
}

}  // namespace gaidaros
