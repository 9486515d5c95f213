// Golden vectors: does this machine compute what was exported?

#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "json.h"

namespace glint_edge {

class Stream;
struct Bundle;

// One case of golden.json: a history and what it must give, best first.
struct GoldenCase {
  std::size_t number;  // its place in the file
  std::vector<std::int32_t> history;
  double state_sum, state_norm;
  std::vector<std::int64_t> items;
  std::vector<double> scores;
  double state_error, score_error;  // what is allowed: of the state's norm, and of each score
};

// The longest case of golden.json that no window cuts. Throws Error if any case is of another model.
GoldenCase longest_case(const Json& golden, const Bundle& bundle);

// Runs a case once, by each of the three methods: what a load can afford. It also sets up in the
// runtime what later calls use. Throws Error with what differs; `place` is the bundle's folder.
void require_golden(const Stream& stream, const GoldenCase& expected, const std::string& place);

}  // namespace glint_edge
