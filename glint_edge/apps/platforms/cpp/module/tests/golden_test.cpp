// Replays golden.json through the public calls: does this machine compute what was exported?
//
// Each history is taken in at once, and again item by item. States are read from saved sessions. The
// engine is held to the last bit, where the file has what it gives; other runtimes round in other ways.

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "bundle.h"
#include "check.h"
#include "golden.h"
#include "manifest.h"
#include "program.h"
#include "session_bytes.h"

using glint_edge::Bundle;
using glint_edge::GoldenList;
using glint_edge::Item;
using glint_edge::Json;
using glint_edge::Program;
using glint_edge::Recommender;
using glint_edge::SeenItems;
using glint_edge::Session;
using glint_edge::State;

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

std::size_t exact = 0;  // how many were held to the last bit

// 32-bit FNV-1a of a state's bytes, in hexadecimal; this machine is little endian.
std::string hash_of(const State& state) {
  std::uint32_t hash = 0x811c9dc5;
  const auto* bytes = reinterpret_cast<const unsigned char*>(state.data());
  for (std::size_t at = 0; at < state.size() * sizeof(float); ++at) {
    hash = (hash ^ bytes[at]) * 0x01000193;
  }
  char text[9];
  std::snprintf(text, sizeof text, "%08x", static_cast<unsigned>(hash));
  return text;
}

// The engine gives the same on every machine: that, where the file has it.
void check_bits(
    const Json& told, const State& state, const std::vector<Item>& list, const Bundle& bundle) {
  const Json* expected = told.find("exact");
  if (expected == nullptr || Program::kTarget != std::string("c")) return;
  ++exact;
  CHECK(hash_of(state) == expected->at("state").string());
  const std::vector<std::string> keys = keys_of(expected->at("items"), bundle);
  const std::vector<Json>& scores = expected->at("scores").array();
  CHECK(keys.size() == list.size() && scores.size() == list.size());
  for (std::size_t place = 0; place < std::min(list.size(), scores.size()); ++place) {
    CHECK(list[place].key == keys.at(place));
    CHECK(list[place].score == static_cast<float>(scores[place].number()));
  }
}

State state_of(const Session& session, const Bundle& bundle) {
  return glint_edge::unpack(session.save(), bundle.digest, bundle.state_size, bundle.keys.size())
      .state;
}

// Both errors are relative to the state's norm.
void check_state(const State& state, const Case& expected, double error) {
  double sum = 0, squares = 0;
  for (const double value : state) sum += value, squares += value * value;
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
      const State state = state_of(session, bundle);
      check_state(state, expected, state_error);
      const auto list = session.top(bundle.top_k, SeenItems::keep, {}, false);
      check_list(list, expected, score_error);
      check_bits(told, state, list, bundle);
    }
  }
  const std::vector<GoldenList> lists = glint_edge::lists_of(golden, bundle);
  for (const GoldenList& expected : lists) {
    check_filtered(expected, listed(expected, recommender, bundle), bundle);
  }
  std::printf(
      "%zu cases and %zu lists replayed, %zu times to the last bit\n",
      golden.at("cases").array().size(), lists.size(), exact);
}

}  // namespace

int main(int count, char** words) { return run_on_bundle(count, words, replay); }
