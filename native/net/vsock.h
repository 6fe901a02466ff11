// What this kernel has of AF_VSOCK (vsock(7)). Called by the bridge.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace gaidaros {

struct VsockProbe {
  std::string refusal;          // why nobody can listen; empty where one can
  std::string unreachable;      // why nobody could connect all the same, as far as that is known
  std::optional<uint32_t> cid;  // this machine's own, where /dev/vsock tells
};

VsockProbe probe_vsock();

}  // namespace gaidaros
