// What a worker is told of a connection whose handler looks at it: sent ahead of its records.
#pragma once

#include <cstdint>

#include "../net/address.h"

namespace gaidaros {

struct ConnectionMeta {
  Address remote;
  Address local;  // family 0: as told before
  uint64_t bytes_in = 0;
  uint64_t bytes_out = 0;
  uint64_t requests = 0;
};

}  // namespace gaidaros
