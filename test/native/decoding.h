// Feeds what decodes as filters do, by pieces and into rooms of any size.
#pragma once

#include <stdexcept>
#include <string>
#include <vector>

#include "conn/filter.h"
#include "feed.h"

namespace test {

// What a decoder made of what it was fed.
struct Taken {
  std::string plain;
  std::vector<uint8_t> reply;
  gaidaros::Filter::Status status = gaidaros::Filter::Status::kOk;
};

// Feeds `wire` by pieces of `step` bytes into rooms of `room` bytes, until its end or an end
// within.
template <typename Decoder>
void decode_all(Decoder& decoder, const std::string& wire, size_t step, size_t room, Taken& taken) {
  using Status = gaidaros::Filter::Status;
  std::vector<uint8_t> space(room);
  for (size_t at = 0; at < wire.size(); at += step) {
    const std::string piece = wire.substr(at, step);
    std::span<const uint8_t> input = bytes_of(piece);
    do {
      gaidaros::Filter::Step made = decoder.decode(input, space, taken.reply);
      input = input.subspan(made.used);
      taken.plain.append(space.begin(), space.begin() + static_cast<std::ptrdiff_t>(made.made));
      taken.status = made.status;
    } while (taken.status == Status::kMore);
    if (taken.status != Status::kOk) return;
    if (!input.empty()) throw std::runtime_error("input is left though all was well");
  }
}

}  // namespace test
