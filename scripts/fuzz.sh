#!/bin/sh
# Builds and runs the fuzzers of test/native/fuzz: scripts/fuzz.sh [seconds each] [name...]
# A fuzzer names the sources it needs in a line `// units: PATTERN...`, and libraries in a line
# `// libraries: NAME...`. What is found grows in
# build-fuzz/corpus; inputs that crash are kept in build-fuzz/crashes.
# Exit: 0 nothing found, 1 a crash or a build that failed, 77 no clang with libFuzzer here.
set -eu
cd "$(dirname "$0")/.."

seconds=${1:-10}
case $seconds in '' | *[!0-9]*)
  echo "fuzz.sh: '$seconds' is no number of seconds; wanted fuzz.sh [seconds] [name...]" >&2
  exit 1
  ;;
esac
[ $# -eq 0 ] || shift

out=build-fuzz
mkdir -p $out/obj $out/bin $out/corpus $out/crashes

find_clang() {
  for name in ${CLANGXX:-clang++ clang++-19 clang++-18 clang++-17 clang++-16 clang++-15 clang++-14}; do
    if command -v "$name" >/dev/null; then
      echo "$name"
      return
    fi
  done
}
clang=$(find_clang)
if [ -z "$clang" ]; then
  echo "fuzz.sh: no clang++ found; wanted clang with libFuzzer (Debian: clang-14, libclang-rt-14-dev)" >&2
  exit 77
fi
probe=$out/probe.cc
echo '#include <cstddef>
extern "C" int LLVMFuzzerTestOneInput(const unsigned char*, size_t) { return 0; }' >$probe
if ! "$clang" -fsanitize=fuzzer,address,undefined $probe -o $out/probe 2>$out/probe.log; then
  echo "fuzz.sh: $clang has no libFuzzer or sanitizers (Debian: libclang-rt-14-dev): $(tail -n 1 $out/probe.log)" >&2
  exit 77
fi

flags="-std=c++20 -O1 -g -D_GNU_SOURCE -Wall -Wextra -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined -I native"

object() { echo "$out/obj/$(echo "$1" | tr / -).o"; }

# A source is compiled when it, or any header, is newer than its object.
is_stale() {
  [ ! -e "$2" ] || [ -n "$(find "$1" native test/native \( -path "$1" -o -name '*.h' \) -newer "$2" -print -quit)" ]
}

units_of() {
  # The patterns are meant to be expanded here.
  # shellcheck disable=SC2046
  printf '%s\n' $(sed -n 's|^// units: ||p' "$1")
}

fuzzers=
for source in test/native/fuzz/*.cc; do
  name=$(basename "$source" .cc)
  if [ $# -eq 0 ]; then
    fuzzers="$fuzzers $name"
  else
    for wanted in "$@"; do [ "$wanted" != "$name" ] || fuzzers="$fuzzers $name"; done
  fi
done
if [ -z "$fuzzers" ]; then
  echo "fuzz.sh: no fuzzer named $*; there are: $(cd test/native/fuzz && echo *.cc)" >&2
  exit 1
fi

for name in $fuzzers; do
  echo "test/native/fuzz/$name.cc"
  units_of "test/native/fuzz/$name.cc"
done | sort -u | while read -r source; do
  object=$(object "$source")
  ! is_stale "$source" "$object" || echo "$source $object"
done >$out/stale
# Two compilers at most; each takes one line, source and object.
xargs -r -P 2 -L 1 sh -c 'exec $1 $2 -c "$3" -o "$4"' compile "$clang" "$flags" <$out/stale

for name in $fuzzers; do
  objects=
  for source in "test/native/fuzz/$name.cc" $(units_of "test/native/fuzz/$name.cc"); do
    objects="$objects $(object "$source")"
  done
  libraries=$(sed -n 's|^// libraries: ||p' "test/native/fuzz/$name.cc")
  # Functions of OpenSSL are weak: alone they would not make the linker keep it.
  # shellcheck disable=SC2086
  "$clang" -fsanitize=fuzzer,address,undefined $objects -Wl,--no-as-needed $libraries -o "$out/bin/$name"
done

for name in $fuzzers; do
  mkdir -p "$out/corpus/$name"
  if ! "$out/bin/$name" -max_total_time="$seconds" -max_len=400 -timeout=10 -rss_limit_mb=1024 \
    -verbosity=0 -print_final_stats=1 -artifact_prefix="$out/crashes/$name-" \
    "$out/corpus/$name" "test/native/fuzz/seeds/$name" >"$out/$name.log" 2>&1; then
    echo "not ok $name"
    cat "$out/$name.log" >&2
    exit 1
  fi
  runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$out/$name.log")
  echo "ok $name: $runs runs in $seconds s"
done
