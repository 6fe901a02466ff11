// Fuzzer: length prefixes of all types, offsets and adjustments.
// units: native/frame/*.cc
#include "fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using gaidaros::LengthType;
  constexpr LengthType kTypes[] = {LengthType::kU8, LengthType::kU16be, LengthType::kU16le,
                                   LengthType::kU32be, LengthType::kU32le};
  constexpr size_t kFields[] = {1, 2, 2, 4, 4};
  fuzz::Choices choices(data, size);
  const size_t type = choices.byte() % 5;
  test::NaiveSpec spec{test::NaiveSpec::Kind::kLength};
  spec.field = kFields[type];
  spec.little = type == 2 || type == 4;
  spec.strip = choices.flag();
  spec.inclusive = choices.flag();
  if (!spec.strip) spec.offset = choices.byte() % 16;
  // Mostly small, sometimes any.
  spec.adjust =
      choices.flag() ? static_cast<int32_t>(choices.u32()) : static_cast<int8_t>(choices.byte());
  const auto framer = gaidaros::make_length_framer(
      {kTypes[type], static_cast<uint32_t>(spec.offset), spec.adjust, spec.inclusive, spec.strip});
  return fuzz::run(*framer, spec, choices);
}
