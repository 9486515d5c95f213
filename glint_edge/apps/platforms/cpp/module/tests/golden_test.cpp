// Replays golden.json: does this machine compute what was exported?
//
// Each history is taken in at once, and again item by item; by ids, as one may hold an item that the
// model does not know, which has no key. Lists with filters go through the public calls. The engine is
// held to the last bit, where the file has what it gives; other runtimes round in other ways.

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "bundle.h"
#include "check.h"
#include "golden.h"
#include "manifest.h"
#include "program.h"
#include "stream.h"

using glint_edge::Bias;
using glint_edge::Bundle;
using glint_edge::GoldenList;
using glint_edge::Ids;
using glint_edge::Item;
using glint_edge::Json;
using glint_edge::Program;
using glint_edge::Recommender;
using glint_edge::SeenItems;
using glint_edge::State;
using glint_edge::Stream;
using glint_edge::TopK;

namespace {

// One case of golden.json; 0 is an item that the model does not know.
struct Case {
  Ids history;
  std::vector<std::int64_t> items;
  std::vector<double> scores;
  double state_sum, state_norm;
};

template <typename Id>
std::vector<Id> ids_of(const Json& written) {
  std::vector<Id> ids;
  for (const Json& id : written.array()) ids.push_back(static_cast<Id>(id.integer()));
  return ids;
}

Case case_of(const Json& written) {
  Case one{ids_of<std::int32_t>(written.at("history")), ids_of<std::int64_t>(written.at("items")), {},
           written.at("state_sum").number(), written.at("state_norm").number()};
  for (const Json& score : written.at("scores").array()) one.scores.push_back(score.number());
  return one;
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
void check_bits(const Json& written, const State& state, const TopK& list) {
  const Json* expected = written.find("exact");
  if (expected == nullptr || Program::kTarget != std::string("c")) return;
  ++exact;
  CHECK(hash_of(state) == expected->at("state").string());
  CHECK(list.ids == ids_of<std::int64_t>(expected->at("items")));
  const std::vector<Json>& scores = expected->at("scores").array();
  CHECK(list.scores.size() == scores.size());
  for (std::size_t place = 0; place < std::min(list.scores.size(), scores.size()); ++place) {
    CHECK(list.scores[place] == static_cast<float>(scores[place].number()));
  }
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
bool may_stand(const Case& expected, std::int64_t id, std::size_t place, double tolerance) {
  if (id == expected.items[place]) return true;
  const auto same = std::find(expected.items.begin(), expected.items.end(), id);
  const auto other = static_cast<std::size_t>(same - expected.items.begin());
  const double score = expected.scores[std::min(other, expected.scores.size() - 1)];
  return !expected.history.empty() && std::abs(expected.scores[place] - score) <= tolerance;
}

void check_list(const TopK& list, const Case& expected, double tolerance) {
  CHECK(list.ids.size() == expected.items.size());
  for (std::size_t place = 0; place < std::min(list.ids.size(), expected.items.size()); ++place) {
    CHECK(std::abs(list.scores[place] - expected.scores[place]) <= tolerance);
    CHECK(may_stand(expected, list.ids[place], place, tolerance));
    CHECK(std::count(list.ids.begin(), list.ids.end(), list.ids[place]) == 1);
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
  const Stream stream(bundle);
  for (const Json& written : golden.at("cases").array()) {
    const Case expected = case_of(written);
    State one_by_one(bundle.state_size);
    Ids before;
    for (const std::int32_t id : expected.history) {
      one_by_one = stream.append(one_by_one, before, id);
      before.push_back(id);
    }
    for (const State& state : {stream.encode(expected.history), one_by_one}) {
      check_state(state, expected, state_error);
      const TopK list = stream.top(state, Bias(bundle.rows));
      check_list(list, expected, score_error);
      check_bits(written, state, list);
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
