// Fuzzer: frames of one size.
// units: native/frame/*.cc
#include "fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Choices choices(data, size);
  test::NaiveSpec spec{test::NaiveSpec::Kind::kFixed};
  spec.size = choices.flag() ? choices.u32() : choices.byte();
  if (spec.size == 0) spec.size = 1;
  return fuzz::run(*gaidaros::make_fixed_framer(static_cast<uint32_t>(spec.size)), spec, choices);
}
