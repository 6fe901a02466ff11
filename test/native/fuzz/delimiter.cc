// Fuzzer: line and delimiter framers.
// units: native/frame/*.cc
#include "fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Choices choices(data, size);
  test::NaiveSpec spec{test::NaiveSpec::Kind::kDelimiter};
  spec.strip = choices.flag();
  spec.cr = choices.flag();
  spec.delimiter = choices.text(1 + choices.byte() % 6);
  const auto framer =
      gaidaros::make_delimiter_framer({test::bytes_of(spec.delimiter), spec.strip, spec.cr});
  return fuzz::run(*framer, spec, choices);
}
