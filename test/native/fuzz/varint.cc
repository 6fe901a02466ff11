// Fuzzer: varint prefixes.
// units: native/frame/*.cc
#include "fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Choices choices(data, size);
  test::NaiveSpec spec{test::NaiveSpec::Kind::kVarint};
  spec.strip = choices.flag();
  return fuzz::run(*gaidaros::make_varint_framer(spec.strip), spec, choices);
}
