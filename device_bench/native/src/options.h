// What the program is asked, on its command line.

#pragma once

#include <cstdint>
#include <string>

#include "timing.h"

namespace glint {

struct Options {
  std::string artifact, inputs, outputs, result;
  int64_t window = 0;  // items of a history that count, its last; 0: all
  int64_t cycle = 0;   // taps beyond the window, the last of which encodes it anew; 0: not timed
  int threads = 1;
  bool timed = true;
  int64_t counted = 0;  // calls of each method, if it is not timed
  Effort effort{50, 500, 10'000'000'000};
};

// Throws Error if an option is unknown or its value is no number in range.
Options parse(int count, char** arguments);

// Where the result goes, whatever else is wrong with the command.
std::string result_path(int count, char** arguments);

}  // namespace glint
