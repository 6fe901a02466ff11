// What most framers do alike: nothing is left at the end of input, nothing is put around a reply,
// and no client is told why.
#include "framer.h"

namespace gaidaros {

bool Framer::finish(std::span<const uint8_t>, Frame&) const { return false; }

int Framer::prefix(uint32_t, uint8_t*) const { return 0; }

std::span<const uint8_t> Framer::suffix() const { return {}; }

void Framer::limit(const HttpLimits&) {}

std::string Framer::refusal(uint16_t, int64_t) const { return {}; }

}  // namespace gaidaros
