// Replays golden.json through the public calls: does this machine compute what was exported?
//
// Each history is taken in at once, and again item by item. States are read from saved sessions.

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "bundle.h"
#include "check.h"
#include "golden.h"
#include "manifest.h"
#include "session_bytes.h"

using glint_edge::Bundle;
using glint_edge::GoldenList;
using glint_edge::Item;
using glint_edge::Json;
using glint_edge::Recommender;
using glint_edge::SeenItems;
using glint_edge::Session;

namespace {

// One case of golden.json, in the user's own keys.
struct Case {
  std::vector<std::string> history, items;
  std::vector<double> scores;
  double state_sum, state_norm;
};

std::vector<std::string> keys_of(const Json& ids, const Bundle& bundle) {
  std::vector<std::string> keys;
  for (const Json& id : ids.array()) {
    keys.push_back(bundle.keys.at(static_cast<std::size_t>(id.integer() - 1)));
  }
  return keys;
}

Case case_of(const Json& told, const Bundle& bundle) {
  Case found{keys_of(told.at("history"), bundle), keys_of(told.at("items"), bundle), {},
             told.at("state_sum").number(), told.at("state_norm").number()};
  for (const Json& score : told.at("scores").array()) found.scores.push_back(score.number());
  return found;
}

// Both errors are relative to the state's norm.
void check_state(const Session& session, const Case& expected, const Bundle& bundle, double error) {
  const auto saved =
      glint_edge::unpack(session.save(), bundle.digest, bundle.state_size, bundle.keys.size());
  double sum = 0, squares = 0;
  for (const double value : saved.state) sum += value, squares += value * value;
  CHECK(std::abs(sum - expected.state_sum) <= error * expected.state_norm);
  CHECK(std::abs(std::sqrt(squares) - expected.state_norm) <= error * expected.state_norm);
}

// Items may swap places if their scores differ by no more than the tolerance, and one from beyond
// the list may come in where the score is that near to the last. Without a history nothing is
// computed, and the order is exact.
bool may_stand(const Case& expected, const std::string& key, std::size_t place, double tolerance) {
  if (key == expected.items[place]) return true;
  const auto found = std::find(expected.items.begin(), expected.items.end(), key);
  const auto other = static_cast<std::size_t>(found - expected.items.begin());
  const double score = expected.scores[std::min(other, expected.scores.size() - 1)];
  return !expected.history.empty() && std::abs(expected.scores[place] - score) <= tolerance;
}

void check_list(const std::vector<Item>& list, const Case& expected, double tolerance) {
  CHECK(list.size() == expected.items.size());
  for (std::size_t place = 0; place < list.size(); ++place) {
    const Item& item = list[place];
    CHECK(std::abs(item.score - expected.scores[place]) <= tolerance);
    CHECK(may_stand(expected, item.key, place, tolerance));
    const auto same = [&](const Item& other) { return other.key == item.key; };
    CHECK(std::count_if(list.begin(), list.end(), same) == 1);
  }
}

std::vector<Item> listed(
    const GoldenList& expected, const Recommender& recommender, const Bundle& bundle) {
  const auto key = [&](std::int32_t id) { return bundle.keys.at(static_cast<std::size_t>(id - 1)); };
  if (expected.item) return recommender.similar(key(*expected.item), expected.k, expected.filters);
  std::vector<std::string> history;
  for (const std::int32_t id : expected.history) history.push_back(key(id));
  const auto seen = expected.exclude_seen ? SeenItems::exclude : SeenItems::keep;
  return recommender.recommend(history, expected.k, seen, expected.filters, expected.neighbours);
}

// An item in another's place must be one whose score is known to be as near as the tolerance.
void check_filtered(const GoldenList& expected, const std::vector<Item>& list, const Bundle& bundle) {
  CHECK(list.size() == expected.items.size());
  if (list.size() != expected.items.size()) return;
  std::unordered_map<std::string, double> known;
  const auto key = [&](std::int64_t id) { return bundle.keys.at(static_cast<std::size_t>(id - 1)); };
  for (const auto& [id, score] : expected.near) known[key(id)] = score;
  for (std::size_t place = 0; place < list.size(); ++place) {
    known[key(expected.items[place])] = expected.scores[place];
  }
  for (std::size_t place = 0; place < list.size(); ++place) {
    const Item& item = list[place];
    const double score = expected.scores[place];
    CHECK(std::abs(item.score - score) <= expected.error);
    const auto own = known.find(item.key);
    CHECK(
        item.key == key(expected.items[place]) ||
        (own != known.end() && std::abs(own->second - score) <= expected.swap));
    known.erase(item.key);  // no item twice
  }
}

void replay(const std::filesystem::path& folder) {
  const Bundle bundle = glint_edge::read_bundle(folder);
  const Json golden =
      glint_edge::read_checked(folder, glint_edge::read_manifest(folder), "golden.json");
  const double state_error = golden.at("tolerance").at("relative_state_error").number();
  const double score_error = golden.at("tolerance").at("score_error").number();
  const auto recommender = Recommender::load(folder);
  for (const Json& told : golden.at("cases").array()) {
    const Case expected = case_of(told, bundle);
    Session one_by_one = recommender.start();
    for (const std::string& key : expected.history) one_by_one.append(key);
    for (const Session& session : {recommender.start(expected.history), one_by_one}) {
      check_state(session, expected, bundle, state_error);
      const auto list = session.top(bundle.top_k, SeenItems::keep, {}, false);
      check_list(list, expected, score_error);
    }
  }
  const std::vector<GoldenList> lists = glint_edge::lists_of(golden, bundle);
  for (const GoldenList& expected : lists) {
    check_filtered(expected, listed(expected, recommender, bundle), bundle);
  }
  std::printf("%zu cases and %zu lists replayed\n", golden.at("cases").array().size(), lists.size());
}

}  // namespace

int main(int count, char** words) { return run_on_bundle(count, words, replay); }
