// Warm up until steady, then time single calls: `device_bench/measure/sampling.py` in C++.

#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace glint {

using Nanoseconds = int64_t;
using Samples = std::vector<Nanoseconds>;
// Given the number of the call, so that it can take its input from a list.
using Call = std::function<void(int64_t)>;

class Stopwatch {
 public:
  Nanoseconds elapsed() const {
    using std::chrono::duration_cast;
    return duration_cast<std::chrono::nanoseconds>(Clock::now() - start_).count();
  }

 private:
  using Clock = std::chrono::steady_clock;  // monotonic
  Clock::time_point start_ = Clock::now();
};

struct Effort {
  int64_t warmup;      // untimed calls at least; more until the times are steady
  int64_t runs;        // timed calls
  Nanoseconds budget;  // of timed calls; when it is used up, some being done, they end
};

// A series of timed calls. The runs of a fixed piece of work between them tell how fast the
// machine itself was meanwhile.
struct Timing {
  Samples calls;
  Samples calibration;
  double cpu = 0;  // CPU time a call over all threads, averaged: what other work took is not in it
  int64_t warmup_calls = 0;
  bool steady = false;
};

Timing measure(const Call& call, const Effort& effort);

// Times cycles of `taps` calls as wholes; the figures are of one call, the mean over its cycle.
// What a cycle calls was measured before, so there is no warm-up.
Timing measure_cycles(const Call& cycle, int64_t taps, const Effort& effort);

}  // namespace glint
