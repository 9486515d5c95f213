// What filters let through, beside what sorting all scores gives.

#include "filters.h"

#include <algorithm>
#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "bundle.h"
#include "check.h"

using glint_edge::Bias;
using glint_edge::Bundle;
using glint_edge::FilterIndex;
using glint_edge::Filters;
using glint_edge::Ids;
using glint_edge::TopK;

namespace {

constexpr std::size_t kItems = 40, kTopK = 5;

// A shop of two fields: each item has a kind, each third a brand.
Bundle shop() {
  Bundle bundle{};
  bundle.items = kItems;
  bundle.top_k = kTopK;
  bundle.rows = kItems + 7;
  bundle.fields = {{"kind", {}}, {"brand", {}}, {"none", {{"nobody's", "x"}}}};
  for (std::size_t id = 1; id <= kItems; ++id) {
    const std::string key = "k" + std::to_string(id);
    bundle.keys.push_back(key);
    bundle.fields[0].second[key] = std::string(1, static_cast<char>('A' + id % 4));
    if (id % 3 == 0) bundle.fields[1].second[key] = std::string(1, static_cast<char>('A' + id % 2));
  }
  return bundle;
}

// An artifact with these scores of all rows, by id, as it answers at once.
FilterIndex::Ask artifact_of(const std::vector<float>& scores, std::size_t& asked) {
  return [&scores, &asked](const Bias& bias) {
    ++asked;
    CHECK(bias.size() == scores.size());
    std::vector<std::int64_t> ids;
    for (std::size_t id = 1; id < scores.size(); ++id) ids.push_back(static_cast<int>(id));
    const auto score = [&](std::int64_t id) {
      return scores[static_cast<std::size_t>(id)] + bias[static_cast<std::size_t>(id)];
    };
    std::sort(ids.begin(), ids.end(), [&](auto a, auto b) { return score(a) > score(b); });
    TopK best;
    for (const std::int64_t id : ids) {
      if (best.ids.size() == kTopK || score(id) < glint_edge::kNothingLeft) break;
      best.ids.push_back(id);
      best.scores.push_back(score(id));
    }
    return best;
  };
}

bool has(const std::vector<std::string>& words, const std::string& word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

std::string value_of(const Bundle& bundle, const std::string& field, const std::string& key) {
  for (const auto& [name, values] : bundle.fields) {
    if (name == field && values.count(key) != 0) return values.at(key);
  }
  return "";
}

// The list by its definition: all scores, sorted, and what may stand is taken.
std::vector<std::int64_t> expected_of(
    const Bundle& bundle, std::vector<float> scores, std::size_t k, const Filters& filters,
    const Ids& seen) {
  std::vector<std::int64_t> order, list;
  for (std::size_t id = 1; id <= kItems; ++id) {
    const std::string& key = bundle.keys[id - 1];
    bool allowed = !has(filters.without, key) && (!filters.among || has(*filters.among, key)) &&
                   std::find(seen.begin(), seen.end(), static_cast<int>(id)) == seen.end();
    for (const auto& [field, values] : filters.where) {
      allowed = allowed && has(values, value_of(bundle, field, key));
    }
    if (allowed) order.push_back(static_cast<std::int64_t>(id));
    if (filters.boost.count(key) != 0) scores[id] += static_cast<float>(filters.boost.at(key));
  }
  std::sort(order.begin(), order.end(), [&](auto a, auto b) {
    return scores[static_cast<std::size_t>(a)] > scores[static_cast<std::size_t>(b)];
  });
  std::map<std::pair<std::string, std::string>, std::size_t> taken;
  for (const std::int64_t id : order) {
    bool fits = list.size() < k;
    const auto value = [&](const std::string& field) {
      return value_of(bundle, field, bundle.keys[static_cast<std::size_t>(id - 1)]);
    };
    for (const auto& [field, most] : filters.most_per) {
      fits = fits && (value(field).empty() || taken[{field, value(field)}] < most);
    }
    if (!fits) continue;
    list.push_back(id);
    for (const auto& [field, most] : filters.most_per) ++taken[{field, value(field)}];
  }
  return list;
}

void test_every_list_is_the_sorted_one(const Bundle& bundle, const FilterIndex& index) {
  std::mt19937 random(7);
  const auto below = [&](std::size_t end) { return random() % end; };
  const auto some_keys = [&](std::size_t size) {
    std::vector<std::string> keys{"not in the catalogue"};
    while (keys.size() <= size) keys.push_back(bundle.keys[below(kItems)]);
    return keys;
  };
  for (int round = 0; round < 300; ++round) {
    std::vector<float> scores(bundle.rows, -1e30f);  // of the rows that are no items
    for (std::size_t id = 1; id <= kItems; ++id) scores[id] = static_cast<float>(below(100'000)) / 7;
    Filters filters;
    if (below(2) == 0) filters.without = some_keys(below(6));
    if (below(3) == 0) filters.among = some_keys(below(20));
    if (below(3) == 0) filters.where["kind"] = {"A", "C", "no value"};
    if (below(6) == 0) filters.where["brand"] = {"B"};
    for (const std::string& key : some_keys(below(4))) filters.boost[key] = 1e6 - 250. * round;
    if (below(3) == 0) filters.most_per["kind"] = 1 + below(3);
    if (below(4) == 0) filters.most_per["brand"] = 1;
    const Ids seen(below(12), static_cast<std::int32_t>(1 + below(kItems)));
    const std::size_t k = 1 + below(2 * kTopK + 3);
    std::size_t asked = 0;
    const TopK list = index.best(k, filters, seen, artifact_of(scores, asked));
    CHECK(list.ids == expected_of(bundle, scores, k, filters, seen));
    CHECK(std::is_sorted(list.scores.rbegin(), list.scores.rend()));
  }
}

// What neighbours add counts as if the artifact had it in its scores; what is left out stays out.
void test_what_neighbours_add(const Bundle& bundle, const FilterIndex& index) {
  std::vector<float> scores(bundle.rows, -1e30f), raised;
  for (std::size_t id = 1; id <= kItems; ++id) scores[id] = -static_cast<float>(id);
  raised = scores;
  const glint_edge::Pulls pulls{{7, {30, 1}}, {40, {45.5f, 2}}, {1, {0.25f, 2}}, {12, {99, 1}}};
  for (const auto& [id, pull] : pulls) raised[static_cast<std::size_t>(id)] += pull.rise;
  Filters filters, among;
  filters.boost["k7"] = -28.5;
  among.among = std::vector<std::string>{"k40", "k7", "k2"};
  for (const Filters& each : {Filters(), filters, among}) {
    for (const std::size_t k : {std::size_t{3}, kTopK + 2}) {
      std::size_t asked = 0;
      const TopK list = index.best(k, each, {12}, artifact_of(scores, asked), pulls);
      CHECK(list.ids == expected_of(bundle, raised, k, each, {12}));
    }
  }
}

void test_how_often_the_artifact_is_asked(const Bundle& bundle, const FilterIndex& index) {
  std::vector<float> scores(bundle.rows, -1e30f);
  for (std::size_t id = 1; id <= kItems; ++id) scores[id] = -static_cast<float>(id);
  const auto count = [&](std::size_t k, const Filters& filters) {
    std::size_t asked = 0;
    index.best(k, filters, {}, artifact_of(scores, asked));
    return asked;
  };
  CHECK(count(kTopK, {}) == 1);
  CHECK(count(kTopK + 1, {}) == 2);
  CHECK(count(1'000'000, {}) == kItems / kTopK + 1);
  Filters none;
  none.among.emplace();
  CHECK(count(10, none) == 1);
}

void test_what_cannot_be_meant_is_refused(const FilterIndex& index, const Bundle& bundle) {
  const std::vector<float> scores(bundle.rows, 1.0f);
  std::size_t asked = 0;
  const auto ask = artifact_of(scores, asked);
  const auto refused = [&](const std::string& part, const Filters& filters, std::size_t k = 3) {
    check_refused(part, [&] { index.best(k, filters, {}, ask); });
  };
  refused("k is at least 1, not 0", {}, 0);
  for (const std::string name : {"colour", "none"}) {
    const std::string part = "no item has the field '" + name + "'; the fields are kind, brand";
    Filters where, most;
    where.where[name] = {"red"};
    most.most_per[name] = 1;
    refused(part, where);
    refused(part, most);
  }
  Filters zero;
  zero.most_per["kind"] = 0;
  refused("most_per of 'kind' is at least 1", zero);
  for (const double push : {1e7, -1000000.5, std::nan(""), HUGE_VAL}) {
    Filters boost;
    boost.boost["k1"] = push;
    refused("boost of \"k1\" is a number from -1000000 to 1000000", boost);
  }
  CHECK(asked == 0);
  Bundle bare = bundle;
  bare.fields.clear();
  Filters where;
  where.where["kind"] = {"A"};
  const FilterIndex without(bare);
  check_refused("'kind'; this bundle has no fields", [&] { without.best(1, where, {}, ask); });
}

// It would be asked for ever.
void test_an_artifact_that_ignores_filters_is_refused(const FilterIndex& index) {
  const auto stubborn = [](const Bias&) { return TopK{{1, 2, 3, 4, 5}, {5, 4, 3, 2, 1}}; };
  check_refused("lists items that a filter leaves out", [&] { index.best(3, {}, {2}, stubborn); });
  check_refused("lists items that a filter leaves out", [&] { index.best(kTopK + 1, {}, {}, stubborn); });
}

}  // namespace

int main() {
  const Bundle bundle = shop();
  const FilterIndex index(bundle);
  test_every_list_is_the_sorted_one(bundle, index);
  test_what_neighbours_add(bundle, index);
  test_how_often_the_artifact_is_asked(bundle, index);
  test_what_cannot_be_meant_is_refused(index, bundle);
  test_an_artifact_that_ignores_filters_is_refused(index);
  return failures == 0 ? 0 : 1;
}
