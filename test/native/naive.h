// What a framer must do, written for obviousness and not for speed: the reference of the fuzzers.
// It judges the beginnings of the input one by one, so that its answer cannot depend on how input
// is cut.
#pragma once

#include <optional>
#include <string>

namespace test {

// A declared framer; fields that its kind does not have are unused.
struct NaiveSpec {
  enum class Kind { kDelimiter, kLength, kVarint, kFixed, kEof } kind;
  bool strip = false;
  std::string delimiter{};
  bool cr = false;
  size_t field = 4;
  bool little = false;
  uint64_t offset = 0;
  int64_t adjust = 0;
  bool inclusive = false;
  uint64_t size = 0;
};

struct Verdict {
  enum class Kind { kMore, kFrame, kTooLong, kMalformed } kind = Kind::kMore;
  std::string payload;
  uint64_t wanted = 0;
};

inline bool ends_with(const std::string& text, const std::string& end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

inline Verdict known_total(const std::string& bytes, __int128 total, uint64_t header,
                           uint64_t limit, bool strip) {
  if (total < static_cast<__int128>(header)) return {Verdict::Kind::kMalformed, "", 0};
  if (total > static_cast<__int128>(limit)) return {Verdict::Kind::kTooLong, "", 0};
  if (total != static_cast<__int128>(bytes.size())) {
    return {Verdict::Kind::kMore, "", static_cast<uint64_t>(total)};
  }
  return {Verdict::Kind::kFrame, bytes.substr(strip ? header : 0), 0};
}

inline Verdict judge_delimiter(const NaiveSpec& spec, const std::string& bytes, uint64_t limit) {
  if (ends_with(bytes, spec.delimiter)) {
    if (bytes.size() > limit) return {Verdict::Kind::kTooLong, "", 0};
    std::string payload = bytes;
    if (spec.strip) payload.resize(bytes.size() - spec.delimiter.size());
    if (spec.strip && spec.cr && ends_with(payload, "\r")) payload.pop_back();
    return {Verdict::Kind::kFrame, payload, 0};
  }
  if (bytes.size() + spec.delimiter.size() <= limit) return {};
  // The shortest frame that these bytes can still become: by the fewest bytes of a delimiter's end.
  for (size_t n = 1; n <= spec.delimiter.size(); n++) {
    const std::string whole = bytes + spec.delimiter.substr(spec.delimiter.size() - n);
    if (!ends_with(whole, spec.delimiter)) continue;
    return {whole.size() > limit ? Verdict::Kind::kTooLong : Verdict::Kind::kMore, "", 0};
  }
  return {};
}

inline Verdict judge_length(const NaiveSpec& spec, const std::string& bytes, uint64_t limit) {
  const uint64_t header = spec.offset + spec.field;
  if (header > limit) return {Verdict::Kind::kTooLong, "", 0};
  if (bytes.size() < header) return {};
  uint64_t value = 0;
  for (size_t i = 0; i < spec.field; i++) {
    const size_t place = spec.little ? spec.field - 1 - i : i;
    value = value * 256 + static_cast<unsigned char>(bytes[spec.offset + place]);
  }
  __int128 total = value;
  total += spec.adjust;
  if (!spec.inclusive) total += header;
  return known_total(bytes, total, header, limit, spec.strip);
}

struct NaiveVarint {
  bool whole = false;
  bool malformed = false;
  uint64_t value = 0;
  size_t bytes = 0;
};

// Its bits, lowest first, as a text.
inline NaiveVarint read_varint(const std::string& bytes) {
  std::string bits;
  NaiveVarint v;
  for (const char c : bytes) {
    for (int bit = 0; bit < 7; bit++) bits += (c >> bit) & 1 ? '1' : '0';
    v.bytes++;
    v.whole = (c & 0x80) == 0;
    v.malformed = v.bytes > 5 || (v.bytes == 5 && !v.whole) || (v.whole && v.bytes > 1 && c == 0) ||
                  bits.find('1', 32) != std::string::npos;
    if (v.whole || v.malformed) break;
  }
  for (size_t i = bits.size(); i-- > 0;) v.value = v.value * 2 + (bits[i] == '1' ? 1 : 0);
  return v;
}

inline Verdict judge_varint(const NaiveSpec& spec, const std::string& bytes, uint64_t limit) {
  const NaiveVarint v = read_varint(bytes);
  if (v.malformed) return {Verdict::Kind::kMalformed, "", 0};
  if (v.whole) return known_total(bytes, __int128{v.value} + v.bytes, v.bytes, limit, spec.strip);
  // The smallest number that these bytes can still become ends with a byte 1.
  const NaiveVarint least = read_varint(bytes + '\x01');
  return {least.value + least.bytes > limit ? Verdict::Kind::kTooLong : Verdict::Kind::kMore, "",
          0};
}

// `bytes`, not empty, is a beginning of which no shorter beginning was decided.
inline Verdict judge(const NaiveSpec& spec, const std::string& bytes, uint64_t limit) {
  switch (spec.kind) {
    case NaiveSpec::Kind::kDelimiter:
      return judge_delimiter(spec, bytes, limit);
    case NaiveSpec::Kind::kLength:
      return judge_length(spec, bytes, limit);
    case NaiveSpec::Kind::kVarint:
      return judge_varint(spec, bytes, limit);
    case NaiveSpec::Kind::kFixed:
      return known_total(bytes, spec.size, 0, limit, false);
    case NaiveSpec::Kind::kEof:
      return {bytes.size() > limit ? Verdict::Kind::kTooLong : Verdict::Kind::kMore, "", 0};
  }
  return {};
}

}  // namespace test
