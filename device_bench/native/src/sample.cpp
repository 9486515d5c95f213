#include "sample.h"

#include <algorithm>
#include <utility>

#include "mark.h"

namespace glint {
namespace {

constexpr int64_t kColdStarts[] = {20, 50, 200};  // items
constexpr int64_t kCountWarmup = 3;               // what is done once is done by then
constexpr char kTapBeyond[] = "tap_beyond", kTapAnew[] = "tap_anew";

void add(const std::string& name, Timing timing, Result& result) {
  if (!timing.steady) {
    result.warnings.push_back(name + " was still not steady after " +
                              std::to_string(timing.warmup_calls) + " calls");
  }
  result.samples.emplace_back(name, std::move(timing.calls));
  result.cpu.emplace_back(name, timing.cpu);
  result.calibration.emplace_back(name, std::move(timing.calibration));
}

}  // namespace

Sample::Sample(
    Runtime& runtime, const Histories& histories, int64_t window, int64_t cycle)
    : runtime_(runtime),
      histories_(histories),
      size_(runtime.state_size()),
      window_(window),
      cycle_(window > 0 ? cycle : 0),
      states_(static_cast<size_t>(histories.count * size_)),
      after_(static_cast<size_t>(size_)),
      items_(static_cast<size_t>(runtime.top_k())),
      scores_(items_.size()) {
  // Up to the last item, which is what `append` is timed on.
  for (int64_t number = 0; number < histories_.count; ++number) {
    const int64_t count = histories_.length(number) - 1;
    runtime_.append_many(state(number), histories_.begin(number), count, state(number));
  }
}

void Sample::measure(const Effort& effort, Result& result) {
  each([&effort, &result](const std::string& name, const Call& call) {
    add(name, glint::measure(call, effort), result);
  });
  if (cycle_ == 0) return;
  begin_beyond();
  Timing timing =
      measure_cycles([this](int64_t number) { tap_beyond(number); }, cycle_, effort);
  const Samples calibration = timing.calibration;
  add(kTapBeyond, std::move(timing), result);
  result.samples.emplace_back(kTapAnew, anew_);
  result.calibration.emplace_back(kTapAnew, calibration);
}

void Sample::count(int64_t calls, Result& result) {
  const auto count = [calls, &result](const std::string& name, const Call& call) {
    const auto before = 2 * static_cast<unsigned long>(result.counted.size());
    for (int64_t number = 0; number < kCountWarmup; ++number) call(number);
    for (int64_t number = 0; number < calls; ++number) {
      mark(before);
      call(number);
      mark(before + 1);
    }
    result.counted.push_back(name);
  };
  each(count);
  if (cycle_ == 0) return;
  begin_beyond();
  count(kTapBeyond, [this](int64_t number) { tap_beyond(number); });
}

// Gives `visit` each method's name and how it is called, in the order in which they run.
template <typename Visit>
void Sample::each(const Visit& visit) {
  visit("append", [this](int64_t call) {
    const int64_t number = call % histories_.count;
    runtime_.append(state(number), last_item(number), after_.data());
  });
  for (int64_t number = 0; number < histories_.count; ++number) {
    runtime_.append(state(number), last_item(number), state(number));
  }
  visit("recommend", [this](int64_t call) { recommend(state(call % histories_.count)); });
  for (const int64_t length : kColdStarts) {
    const std::vector<int64_t> items = repeated(length);
    visit("cold_start_" + std::to_string(length), [this, &items, length](int64_t call) {
      encode(items.data() + call % histories_.count * length, length);
      recommend(after_.data());
    });
  }
}

int64_t Sample::last_item(int64_t number) const {
  return histories_.begin(number)[histories_.length(number) - 1];
}

// Each history's items again and again, up to a length.
std::vector<int64_t> Sample::repeated(int64_t length) const {
  std::vector<int64_t> items;
  for (int64_t number = 0; number < histories_.count; ++number) {
    for (int64_t n = 0; n < length; ++n) {
      items.push_back(histories_.begin(number)[n % histories_.length(number)]);
    }
  }
  return items;
}

void Sample::recommend(const float* state) {
  runtime_.recommend(state, items_.data(), scores_.data());
}

// From no history.
void Sample::encode(const int64_t* items, int64_t count) {
  std::fill(after_.begin(), after_.end(), 0.0f);
  runtime_.append_many(after_.data(), items, count, after_.data());
}

void Sample::begin_beyond() {
  long_ = repeated(window_);
  encode(long_.data(), window_);
}

// Taps of a session longer than its window, up to the one that encodes its last items anew.
void Sample::tap_beyond(int64_t number) {
  const int64_t* const items = long_.data() + number % histories_.count * window_;
  for (int64_t tap = 0; tap < cycle_ - 1; ++tap) {
    runtime_.append(after_.data(), items[tap % window_], after_.data());
    recommend(after_.data());
  }
  const Stopwatch watch;
  encode(items, window_);
  recommend(after_.data());
  anew_.push_back(watch.elapsed());
}

}  // namespace glint
