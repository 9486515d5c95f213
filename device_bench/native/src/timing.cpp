#include "timing.h"

#include <algorithm>
#include <cmath>
#include <ctime>
#include <vector>

namespace glint {
namespace {

constexpr int64_t kBlock = 25;      // calls whose median is held against the next 25's
constexpr int64_t kMostBlocks = 40;
constexpr double kSteady = 0.05;    // of the median
constexpr int64_t kLeastRuns = 20;  // whatever the budget
constexpr int64_t kCalibrateEvery = 10;
constexpr int64_t kCycles = 20, kLeastCycles = 5;

Nanoseconds timed(const Call& call, int64_t number) {
  const Stopwatch watch;
  call(number);
  return watch.elapsed();
}

Nanoseconds median(Samples& samples) {
  const auto middle = samples.begin() + static_cast<int64_t>(samples.size() / 2);
  std::nth_element(samples.begin(), middle, samples.end());
  return *middle;
}

void warm_up(const Call& call, const Effort& effort, Timing& timing) {
  Samples block(kBlock);
  double before = 0;  // so that the first block is not steady
  Nanoseconds spent = 0;
  timing.steady = false;
  for (int64_t number = 0; number < kMostBlocks; ++number) {
    for (auto& sample : block) {
      sample = timed(call, timing.warmup_calls++);
      spent += sample;
    }
    const auto now = static_cast<double>(median(block));
    if (timing.warmup_calls >= effort.warmup) {
      timing.steady = std::abs(now - before) <= kSteady * before;
      if (timing.steady || spent > effort.budget) return;
    }
    before = now;
  }
}

// y += A x of a fixed square matrix, column by column: what compilers vectorise as it stands.
void multiply(const std::vector<float>& matrix, std::vector<float>& y) {
  const size_t size = y.size();
  for (size_t column = 0; column < size; ++column) {
    const float* values = &matrix[column * size];
    const float x = values[column];
    for (size_t row = 0; row < size; ++row) y[row] += values[row] * x;
  }
}

// A fixed piece of work that is like a model's step: products from the first cache and from the
// second, as a neighbour does not slow them alike. 20 to 100 microseconds.
Nanoseconds calibrate() {
  static const std::vector<float> small(64 * 64, 0.01F), large(256 * 256, 0.01F);
  static std::vector<float> narrow(64), wide(256);
  const Stopwatch watch;
  for (int time = 0; time < 24; ++time) multiply(small, narrow);
  for (int time = 0; time < 4; ++time) multiply(large, wide);
  static volatile float sink;
  sink = narrow[0] + wide[0];
  return watch.elapsed();
}

// Of all threads of this process.
Nanoseconds cpu_time() {
  timespec time;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

void time_calls(
    const Call& call, int64_t runs, int64_t least, Nanoseconds budget, Timing& timing) {
  // Taken before, so that no allocation lands in a call's time.
  timing.calls.reserve(static_cast<size_t>(runs));
  timing.calibration.reserve(static_cast<size_t>(runs / kCalibrateEvery + 1));
  Nanoseconds spent = 0;
  Nanoseconds cpu = cpu_time();
  for (int64_t number = 0; number < runs; ++number) {
    if (number >= least && spent > budget) break;
    if (number % kCalibrateEvery == 0) {
      const Nanoseconds aside = cpu_time();
      timing.calibration.push_back(calibrate());
      call(number);  // untimed: the calibration has taken the first cache
      cpu += cpu_time() - aside;
    }
    timing.calls.push_back(timed(call, number));
    spent += timing.calls.back();
  }
  timing.cpu = static_cast<double>(cpu_time() - cpu) / static_cast<double>(timing.calls.size());
}

}  // namespace

Timing measure(const Call& call, const Effort& effort) {
  Timing timing;
  warm_up(call, effort, timing);
  time_calls(call, effort.runs, kLeastRuns, effort.budget, timing);
  return timing;
}

Timing measure_cycles(const Call& cycle, int64_t taps, const Effort& effort) {
  Timing timing;
  timing.steady = true;
  const int64_t runs = std::max(kCycles, (effort.runs + taps - 1) / taps);
  time_calls(cycle, runs, kLeastCycles, effort.budget, timing);
  for (auto& call : timing.calls) call /= taps;
  timing.cpu /= static_cast<double>(taps);
  return timing;
}

}  // namespace glint
