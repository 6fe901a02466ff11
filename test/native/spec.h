// The text of declared framers, as far as the tests write it (lib/frame/parse.ts is the real
// parser), and the escapes of test/fixtures/frames.
#pragma once

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "feed.h"

namespace test {

// \r \n \t \0 \\ \, \xHH, and \{COUNT*X} for COUNT times the character or escape X.
class Unescape {
 public:
  explicit Unescape(const std::string& text) : text_(text) {
    while (at_ < text_.size()) bytes_ += unit();
  }
  const std::string& bytes() const { return bytes_; }

 private:
  std::string unit() {
    const char c = text_.at(at_++);
    if (c != '\\') return std::string(1, c);
    const char e = text_.at(at_++);
    switch (e) {
      case 'r':
        return "\r";
      case 'n':
        return "\n";
      case 't':
        return "\t";
      case '0':
        return std::string(1, '\0');
      case '\\':
      case ',':
        return std::string(1, e);
      case 'x':
        at_ += 2;
        return std::string(1, static_cast<char>(std::stoi(text_.substr(at_ - 2, 2), nullptr, 16)));
      case '{':
        return repeated();
      default:
        throw std::runtime_error("unknown escape in " + text_);
    }
  }

  std::string repeated() {
    const size_t star = text_.find('*', at_);
    const size_t count = std::stoul(text_.substr(at_, star - at_));
    at_ = star + 1;
    const std::string one = unit();
    if (text_.at(at_++) != '}') throw std::runtime_error("no } in " + text_);
    std::string many;
    for (size_t i = 0; i < count; i++) many += one;
    return many;
  }

  std::string text_;
  size_t at_ = 0;
  std::string bytes_;
};

inline std::string unescape(const std::string& text) { return Unescape(text).bytes(); }

// Parts between commas; a comma behind a backslash is none.
inline std::vector<std::string> split_spec(const std::string& text) {
  std::vector<std::string> parts(1);
  for (size_t i = 0; i < text.size(); i++) {
    if (text[i] == ',') {
      parts.emplace_back();
      continue;
    }
    parts.back() += text[i];
    if (text[i] == '\\' && i + 1 < text.size()) parts.back() += text[++i];
  }
  return parts;
}

inline gaidaros::LengthType length_type(const std::string& name) {
  if (name == "u8") return gaidaros::LengthType::kU8;
  if (name == "u16be") return gaidaros::LengthType::kU16be;
  if (name == "u16le") return gaidaros::LengthType::kU16le;
  if (name == "u32be") return gaidaros::LengthType::kU32be;
  if (name == "u32le") return gaidaros::LengthType::kU32le;
  throw std::runtime_error("unknown length type " + name);
}

inline std::unique_ptr<gaidaros::Framer> framer_of(const std::string& text) {
  const std::vector<std::string> parts = split_spec(text);
  const size_t colon = parts[0].find(':');
  const std::string name = parts[0].substr(0, colon);
  const std::string argument = colon == std::string::npos ? "" : parts[0].substr(colon + 1);
  bool strip = false;
  gaidaros::LengthSpec length;
  for (size_t i = 1; i < parts.size(); i++) {
    if (parts[i] == "strip") strip = true;
    if (parts[i] == "inclusive") length.inclusive = true;
    if (parts[i].starts_with("offset=")) length.offset = std::stoul(parts[i].substr(7));
    if (parts[i].starts_with("adjust=")) length.adjust = std::stoll(parts[i].substr(7));
  }
  const std::string delimiter = name == "line" ? "\n" : unescape(argument);
  if (name == "line") return gaidaros::make_delimiter_framer({bytes_of(delimiter), strip, strip});
  if (name == "delimiter") return gaidaros::make_delimiter_framer({bytes_of(delimiter), strip});
  if (name == "varint") return gaidaros::make_varint_framer(strip);
  if (name == "fixed") return gaidaros::make_fixed_framer(std::stoul(argument));
  if (name == "eof") return gaidaros::make_eof_framer();
  if (name == "http") return gaidaros::make_http_framer();
  if (name != "length") throw std::runtime_error("unknown framer " + text);
  length.type = length_type(argument);
  length.strip = strip;
  return gaidaros::make_length_framer(length);
}

}  // namespace test
