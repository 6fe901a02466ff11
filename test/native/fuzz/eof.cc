// Fuzzer: one frame to the end of input.
// units: native/frame/*.cc
#include "fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Choices choices(data, size);
  const test::NaiveSpec spec{test::NaiveSpec::Kind::kEof};
  return fuzz::run(*gaidaros::make_eof_framer(), spec, choices);
}
