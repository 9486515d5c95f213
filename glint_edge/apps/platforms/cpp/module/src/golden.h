// Golden vectors: does this machine compute what was exported?

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "glint_edge/recommender.h"
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

// One list of golden.json that was asked for with filters, best first.
struct GoldenList {
  std::vector<std::int32_t> history;
  std::optional<std::int32_t> item;  // what the list is like; none: it comes after the history
  std::size_t k;
  bool exclude_seen;
  bool neighbours;  // whether the bundle's have a part in it
  Filters filters;
  std::vector<std::int64_t> items;
  std::vector<double> scores;
  // Other items that another machine's rounding may put in, with their scores.
  std::unordered_map<std::int64_t, double> near;
  double error;  // what is allowed: of each score
  double swap;   // the same of two items that swap; without a history the order is exact
};

// The lists after a history, then those of what is like an item; without those that neighbours have a
// part in where the bundle has none. Throws as `longest_case` does.
std::vector<GoldenList> lists_of(const Json& golden, const Bundle& bundle);

// Runs the bundle's case once, by each of the three methods: what a load can afford. It also sets up
// in the runtime what later calls use. Throws Error with what differs.
void require_golden(const Stream& stream, const Bundle& bundle);

}  // namespace glint_edge
