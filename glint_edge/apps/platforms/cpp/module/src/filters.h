// Filters as numbers that the artifact adds to its scores, and the lists that this gives.

#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "glint_edge/recommender.h"
#include "neighbours.h"

namespace glint_edge {

struct Bundle;

// Of each row of the artifact's table, by id: what is added to its score.
using Bias = std::vector<float>;

constexpr float kLeftOut = -1e30f;
constexpr float kNothingLeft = -1e29f;  // of lower scores all items were left out

constexpr double kMostBoost = 1e6;

// Best first.
struct TopK {
  std::vector<std::int64_t> ids;
  std::vector<float> scores;
};

// A catalogue by key and by the values of its fields.
class FilterIndex {
 public:
  explicit FilterIndex(const Bundle& bundle);

  // None: the key is not in the catalogue.
  std::optional<std::int32_t> id_of(const std::string& key) const;

  // The artifact's list for a bias; shorter than its top_k where no more items are left.
  using Ask = std::function<TopK(const Bias&)>;

  // The k best that a filter lets through, but for the items `without`, by their scores and what
  // neighbours add. Throws Error if k is 0, or a filter names a field that no item has, or a number out
  // of bounds.
  TopK best(
      std::size_t k, const Filters& filters, const Ids& without, const Ask& ask,
      const Pulls& pulls = {}) const;

 private:
  struct Field {
    std::string name;
    std::unordered_map<std::string, std::int32_t> values;  // their numbers, from 1 on
    Ids by_id;                                             // the item's value; 0: it has none
  };
  struct Limit {  // at most so many items of each value
    const Field* field;
    std::size_t most;
    std::vector<std::size_t> taken;  // by value
  };

  const Field& field(const std::string& name) const;
  Bias bias_of(const Filters& filters, const Ids& without, const Pulls& pulls) const;
  std::vector<Limit> limits_of(const Filters& filters) const;
  static bool take(std::vector<Limit>& limits, std::size_t id);
  static void leave_out_full(Bias& bias, const std::vector<Limit>& limits);

  std::unordered_map<std::string, std::int32_t> ids_;
  std::vector<Field> fields_;
  std::size_t top_k_;
  const Bias no_bias_;  // of all lists without a filter
};

}  // namespace glint_edge
