// A run's figures as JSON for the runner, or as lines for people.
#pragma once

#include "client.h"

namespace bench {

// Round trip of a cache line before and after the run, in ns; -1 when it was not asked for.
struct Distance {
  double before_ns = -1, after_ns = -1;
};

void print_json(const Options& options, const Result& result, const Distance& distance);
void print_text(const Options& options, const Result& result, const Distance& distance);

}  // namespace bench
