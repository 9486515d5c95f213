// What a run found out, as JSON; the keys are described in `exchange.py`.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "timing.h"

namespace glint {

struct Result {
  std::vector<std::pair<std::string, Samples>> samples;  // by what was called
  std::vector<std::pair<std::string, double>> cpu;       // nanoseconds a call
  std::vector<std::pair<std::string, Samples>> calibration;  // beside those calls
  std::vector<std::string> counted;  // the method that marks 2n and 2n + 1 are about
  std::vector<Nanoseconds> loads;
  Nanoseconds first_append = 0;
  Nanoseconds first_recommend = 0;
  std::optional<int64_t> peak_memory;
  std::optional<int64_t> steady_memory;
  std::optional<int64_t> memory_before_load;
  int64_t threads = 0;
  int64_t state_size = 0;
  int64_t top_k = 0;
  std::vector<std::string> warnings;
};

std::string to_json(const Result& result);

// `{"error": …}`, on one line.
std::string error_json(const std::string& message);

}  // namespace glint
