// Timeouts as poll(2) takes them: milliseconds, -1 for none.
#pragma once

#include <algorithm>

namespace gaidaros {

inline int sooner(int a, int b) {
  if (a < 0 || b < 0) return std::max(a, b);
  return std::min(a, b);
}

}  // namespace gaidaros
