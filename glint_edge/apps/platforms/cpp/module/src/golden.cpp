#include "golden.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <utility>

#include "bundle.h"
#include "filters.h"
#include "stream.h"

namespace glint_edge {
namespace {

constexpr std::int64_t kMostK = 100'000'000;

std::string state_error(const GoldenCase& expected, const State& state) {
  double sum = 0, squares = 0;
  for (const double value : state) sum += value, squares += value * value;
  const double allowed = expected.state_error * expected.state_norm;
  // So that a NaN is wrong.
  const auto near = [&](double figure, double wanted) {
    return std::abs(figure - wanted) <= allowed;
  };
  if (near(sum, expected.state_sum) && near(std::sqrt(squares), expected.state_norm)) return "";
  return "the state's sum is " + std::to_string(sum) + ", not " +
         std::to_string(expected.state_sum);
}

// Items whose scores differ by no more than the tolerance may swap, and one from beyond the list
// may come in where the score is that near to the last. Without a history nothing is computed, and
// the order is exact.
bool may_stand(const GoldenCase& expected, std::int64_t id, std::size_t place) {
  if (id == expected.items[place]) return true;
  const auto match = std::find(expected.items.begin(), expected.items.end(), id);
  const auto other = static_cast<std::size_t>(match - expected.items.begin());
  const double score = expected.scores[std::min(other, expected.scores.size() - 1)];
  return !expected.history.empty() &&
         std::abs(expected.scores[place] - score) <= expected.score_error;
}

std::string list_error(const GoldenCase& expected, const TopK& list) {
  if (list.ids.size() != expected.items.size()) {
    return "it recommends " + std::to_string(list.ids.size()) + " items, not " +
           std::to_string(expected.items.size());
  }
  for (std::size_t place = 0; place < list.ids.size(); ++place) {
    const double score = list.scores[place];
    const std::string where = " in place " + std::to_string(place + 1);
    if (!(std::abs(score - expected.scores[place]) <= expected.score_error)) {
      return "the score" + where + " is " + std::to_string(score) + ", not " +
             std::to_string(expected.scores[place]);
    }
    const bool twice = std::count(list.ids.begin(), list.ids.end(), list.ids[place]) > 1;
    if (twice || !may_stand(expected, list.ids[place], place)) {
      return "item " + std::to_string(list.ids[place]) + where + " should be " +
             std::to_string(expected.items[place]);
    }
  }
  return "";
}

// A number that is not below 0.
double positive(const Json& value) {
  const double number = value.number();
  if (number < 0) throw Error("a number is below 0");
  return number;
}

template <typename Id>
std::vector<Id> ids_of(const Json& list, std::int64_t least, const Bundle& bundle) {
  std::vector<Id> ids;
  for (const Json& id : list.array()) {
    ids.push_back(static_cast<Id>(id.integer(least, static_cast<std::int64_t>(bundle.items))));
  }
  return ids;
}

GoldenCase case_of(
    const Json& entry, std::size_t number, const Json& tolerance, const Bundle& bundle) {
  GoldenCase expected{
      number, {}, entry.at("state_sum").number(), positive(entry.at("state_norm")), {}, {},
      positive(tolerance.at("relative_state_error")), positive(tolerance.at("score_error"))};
  if (expected.state_error > 1) throw Error("its tolerance is above 1");
  expected.history = ids_of<std::int32_t>(entry.at("history"), 0, bundle);
  expected.items = ids_of<std::int64_t>(entry.at("items"), 1, bundle);
  for (const Json& score : entry.at("scores").array()) expected.scores.push_back(score.number());
  if (expected.items.size() != bundle.top_k || expected.scores.size() != bundle.top_k) {
    throw Error("a case has not as many items and scores as a list");
  }
  return expected;
}

std::vector<std::string> texts_of(const Json& list) {
  std::vector<std::string> texts;
  for (const Json& text : list.array()) texts.push_back(text.string());
  return texts;
}

void read_filter(GoldenList& list, const Json& filter) {
  for (const auto& [word, value] : filter.object()) {
    if (word == "exclude_seen") {
      list.exclude_seen = value.boolean();
    } else if (word == "without") {
      list.filters.without = texts_of(value);
    } else if (word == "among") {
      list.filters.among = texts_of(value);
    } else if (word == "where") {
      for (const auto& [field, of] : value.object()) list.filters.where[field] = texts_of(of);
    } else if (word == "boost") {
      for (const auto& [key, push] : value.object()) {
        list.filters.boost[key] = push.number();
        if (std::abs(push.number()) > kMostBoost) throw Error("a boost is too large");
      }
    } else if (word == "most_per") {
      for (const auto& [field, most] : value.object()) {
        list.filters.most_per[field] = static_cast<std::size_t>(most.integer(1, kMostK));
      }
    } else {
      throw Error("a filter is unknown");
    }
  }
}

GoldenList list_of(const Json& entry, const Bundle& bundle) {
  GoldenList list{};
  list.k = static_cast<std::size_t>(entry.at("k").integer(1, kMostK));
  read_filter(list, entry.at("filter"));
  list.items = ids_of<std::int64_t>(entry.at("items"), 1, bundle);
  for (const Json& score : entry.at("scores").array()) list.scores.push_back(score.number());
  if (list.items.size() != list.scores.size()) throw Error("a list has not a score an item");
  if (list.items.size() > list.k) throw Error("a list has more than k items");
  for (const auto& [text, score] : entry.at("near").object()) {
    list.near[Json::parse(text).integer(1, static_cast<std::int64_t>(bundle.items))] =
        score.number();
  }
  return list;
}

}  // namespace

GoldenCase longest_case(const Json& golden, const Bundle& bundle) {
  std::optional<GoldenCase> longest;
  std::size_t number = 0;
  for (const Json& entry : golden.at("cases").array()) {
    GoldenCase candidate = case_of(entry, number++, golden.at("tolerance"), bundle);
    const std::size_t size = candidate.history.size();
    if (size > bundle.longest || (longest && size <= longest->history.size())) continue;
    longest = std::move(candidate);
  }
  if (!longest) throw Error("it has no case for this model");
  return *longest;
}

std::vector<GoldenList> lists_of(const Json& golden, const Bundle& bundle) {
  const double score_error = positive(golden.at("tolerance").at("score_error"));
  const double cosine_error = positive(golden.at("tolerance").at("cosine_error"));
  std::vector<GoldenList> lists;
  for (const Json& entry : golden.at("lists").array()) {
    GoldenList list = list_of(entry, bundle);
    list.history = ids_of<std::int32_t>(entry.at("history"), 1, bundle);
    const Json* neighbours = entry.find("neighbours");
    list.neighbours = neighbours != nullptr && neighbours->boolean();
    if (list.neighbours && !bundle.neighbours) continue;
    list.error = score_error + (list.neighbours ? bundle.neighbours->rounding() : 0);
    list.swap = list.history.empty() ? 0 : list.error;
    lists.push_back(std::move(list));
  }
  for (const Json& entry : golden.at("similar").array()) {
    lists.push_back(list_of(entry, bundle));
    const auto most = static_cast<std::int64_t>(bundle.items);
    lists.back().item = static_cast<std::int32_t>(entry.at("item").integer(1, most));
    lists.back().error = lists.back().swap = cosine_error;
  }
  return lists;
}

void require_golden(const Stream& stream, const Bundle& bundle) {
  const GoldenCase& expected = bundle.golden;
  Ids before = expected.history;
  if (!before.empty()) before.pop_back();
  State state = stream.encode(before);
  if (!expected.history.empty()) state = stream.append(state, before, expected.history.back());
  std::string wrong = list_error(expected, stream.top(state, Bias(bundle.rows)));
  if (wrong.empty()) wrong = state_error(expected, state);
  if (wrong.empty()) return;
  throw Error(
      bundle.folder.string() + " does not compute what was exported (golden case " +
      std::to_string(expected.number) + ": " + wrong + "); copy the bundle again");
}

}  // namespace glint_edge
