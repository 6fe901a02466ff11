// PROXY headers: what is taken, what is refused, and that it does not matter how they arrive.
#include <string>
#include <vector>

#include "conn/proxy_header.h"
#include "harness.h"

namespace {

using namespace gaidaros;
using Status = ProxyResult::Status;
using std::string_literals::operator""s;

const std::string kSignature = "\r\n\r\n\0\r\nQUIT\n"s;

std::span<const uint8_t> bytes_of(const std::string& text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

std::string u16(size_t value) {
  return {static_cast<char>(value >> 8), static_cast<char>(value & 0xff)};
}

std::string v2(char command, char family, const std::string& rest) {
  return kSignature + command + family + u16(rest.size()) + rest;
}

const std::string kV4 = "\x0a\x01\x02\x03\x0a\x01\x02\x04\x30\x39\x01\xbb"s;

struct Parsed {
  ProxyResult result;
  ProxyHeader header;
};

// However many of its bytes are there, the header is the same and nothing before its end is one.
Parsed parse(const std::string& text, ProxyVersions versions = ProxyVersions::either) {
  Parsed whole;
  whole.result = parse_proxy_header(bytes_of(text), versions, whole.header);
  ProxyHeader part;
  if (whole.result.status == Status::done)
    for (size_t i = 0; i < whole.result.used; i++)
      CHECK(parse_proxy_header(bytes_of(text).first(i), versions, part).status == Status::more);
  return whole;
}

void refused(const std::string& text, ProxyVersions versions = ProxyVersions::either) {
  Parsed parsed = parse(text, versions);
  if (parsed.result.status != Status::refused) CHECK_EQ(text, "refused");
  CHECK(parsed.result.why != nullptr);
}

TEST_CASE("PROXY v1: TCP4, TCP6, UNKNOWN") {
  Parsed four = parse("PROXY TCP4 10.1.2.3 10.1.2.4 12345 443\r\nGET /");
  CHECK(four.result.status == Status::done);
  CHECK_EQ(four.result.used, 40u);
  CHECK_EQ(four.header.source.text(), "10.1.2.3");
  CHECK_EQ(four.header.source.port, 12345);
  CHECK_EQ(four.header.destination.text(), "10.1.2.4");
  CHECK_EQ(four.header.destination.port, 443);
  Parsed six = parse("PROXY TCP6 2001:db8::1 ::1 0 65535\r\n");
  CHECK_EQ(six.header.source.text(), "2001:db8::1");
  CHECK_EQ(six.header.destination.port, 65535);
  CHECK(parse("PROXY UNKNOWN\r\n").header.local);
  CHECK(parse("PROXY UNKNOWN ffff::1 ::1 65535 65535\r\n").header.local);
}

TEST_CASE("PROXY v1: what is no header") {
  for (const char* text : {
           "GET / HTTP/1.1\r\n",
           "PROXX TCP4 1.2.3.4 1.2.3.4 1 2\r\n",
           "PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n",
           "PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n",
           "PROXY TCP4  1.2.3.4 1.2.3.4 1 2\r\n",
           "PROXY TCP4 1.2.3.4 1.2.3.4 1 65536\r\n",
           "PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n",
           "PROXY TCP4 1.2.3.4 1.2.3.4 -1 2\r\n",
           "PROXY TCP4 ::1 ::1 1 2\r\n",
           "PROXY TCP6 1.2.3.4 1.2.3.4 1 2\r\n",
           "PROXY TCP4 1.2.3.256 1.2.3.4 1 2\r\n",
           "PROXY UDP4 1.2.3.4 1.2.3.4 1 2\r\n",
       })
    refused(text);
  refused("PROXY UNKNOWN " + std::string(100, 'x') + "\r\n");
  refused("PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r\n", ProxyVersions::v2);
  refused(v2(0x21, 0x11, kV4), ProxyVersions::v1);
}

TEST_CASE("PROXY v2: addresses, LOCAL, families that have no address of ours") {
  Parsed four = parse(v2(0x21, 0x11, kV4) + "rest");
  CHECK(four.result.status == Status::done);
  CHECK_EQ(four.result.used, 28u);
  CHECK_EQ(four.header.source.text(), "10.1.2.3");
  CHECK_EQ(four.header.source.port, 12345);
  CHECK_EQ(four.header.destination.port, 443);
  std::string six(36, '\0');
  six[15] = 1;
  six[31] = 2;
  Parsed parsed = parse(v2(0x21, 0x21, six));
  CHECK_EQ(parsed.header.source.text(), "::1");
  CHECK_EQ(parsed.header.destination.text(), "::2");
  CHECK(parse(v2(0x20, 0x00, "")).header.local);
  CHECK(parse(v2(0x20, 0x11, "whatever")).header.local);
  CHECK(parse(v2(0x21, 0x00, "whatever")).header.local);
  CHECK(parse(v2(0x21, 0x31, std::string(216, 'p'))).header.local);
}

TEST_CASE("PROXY v2: TLVs and their checksum") {
  std::string tlvs = "\x01\x00\x02h2\x04\x00\x01x\x02\x00\x01n"s;
  Parsed parsed = parse(v2(0x21, 0x11, kV4 + tlvs));
  std::string seen;
  each_tlv(parsed.header.tlvs, [&](uint8_t type, std::span<const uint8_t> value) {
    seen += std::to_string(type) + "=" + std::string(value.begin(), value.end()) + ";";
  });
  CHECK_EQ(seen, "1=h2;2=n;");
  refused(v2(0x21, 0x11, kV4 + "\x01\x00\x03h2"s));
  refused(v2(0x21, 0x11, kV4 + "\x01"s));
  refused(v2(0x21, 0x11, kV4 + "\x03\x00\x04\0\0\0\0"s));
  refused(v2(0x21, 0x11, kV4 + "\x03\x00\x03\0\0\0"s));
  // Of the same header by another implementation (Python, crc32c of its bytes with zeros there).
  Parsed summed = parse(v2(0x21, 0x11, kV4 + "\x03\x00\x04"s + "\x8a\xf4\x70\xe3"s));
  CHECK(summed.result.status == Status::done);
  CHECK(summed.header.tlvs.empty());
}

TEST_CASE("PROXY v2: what is no header") {
  refused(v2(0x11, 0x11, kV4));
  refused(v2(0x22, 0x11, kV4));
  refused(v2(0x21, 0x41, kV4));
  refused(v2(0x21, 0x13, kV4));
  refused(v2(0x21, 0x21, kV4));
  refused(kSignature + "\x21\x11\xff\xff"s);
  refused("\r\n\r\n\r\n"s);
}

}  // namespace
