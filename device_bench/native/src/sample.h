// The methods on a few histories: timed call by call, or called between marks.

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "histories.h"
#include "result.h"
#include "runtime.h"
#include "timing.h"

namespace glint {

// Every history of the sample holds an item; the methods take their states in turn.
class Sample {
 public:
  // `cycle`: taps of a session longer than the window, see `tap_beyond`; 0: there are none.
  Sample(Runtime& runtime, const Histories& histories, int64_t window, int64_t cycle);

  // Adds a series of each method to the result.
  void measure(const Effort& effort, Result& result);

  // Marks 2n and 2n + 1 stand before and after each call of the nth method, see mark.h.
  void count(int64_t calls, Result& result);

 private:
  template <typename Visit>
  void each(const Visit& visit);

  float* state(int64_t number) { return states_.data() + number * size_; }
  int64_t last_item(int64_t number) const;
  std::vector<int64_t> repeated(int64_t length) const;
  void recommend(const float* state);
  void encode(const int64_t* items, int64_t count);
  void begin_beyond();
  void tap_beyond(int64_t number);

  Runtime& runtime_;
  const Histories& histories_;
  const int64_t size_;
  const int64_t window_, cycle_;
  std::vector<float> states_;
  std::vector<float> after_;
  std::vector<int64_t> long_;  // each history's items again and again, up to the window
  Samples anew_;               // what the last tap of each cycle took
  std::vector<int64_t> items_;
  std::vector<float> scores_;
};

}  // namespace glint
