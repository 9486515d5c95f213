// Lists of a real bundle: what they tell of items, how long they are, filters, seen and retired items.

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "bundle.h"
#include "check.h"
#include "histories.h"
#include "manifest.h"

using glint_edge::Bundle;
using glint_edge::Item;
using glint_edge::Json;
using glint_edge::Recommender;
using glint_edge::SeenItems;
using glint_edge::Session;

namespace {

void test_lists(const Bundle& bundle, const Recommender& recommender) {
  const Session session = recommender.start(history_of(bundle, 4));
  const auto whole = session.top(bundle.top_k, SeenItems::keep);
  CHECK(whole.size() == bundle.top_k);
  CHECK(same(session.top(1, SeenItems::keep), {whole[0]}));
  CHECK(same(recommender.recommend(session.history(), bundle.top_k, SeenItems::keep), whole));
  for (const Item& item : whole) {
    const auto title = bundle.titles.find(item.key);
    CHECK(item.title.has_value() == (title != bundle.titles.end()));
    CHECK(item.title.value_or("") == (item.title ? title->second : ""));
    const auto image = bundle.images.find(item.key);
    CHECK(item.image.value_or("") == (image == bundle.images.end() ? "" : image->second));
    auto field = item.fields.begin();
    for (const auto& [name, values] : bundle.fields) {
      const auto value = values.find(item.key);
      if (value == values.end()) continue;
      CHECK(field != item.fields.end() && *field == std::make_pair(name, value->second));
      ++field;
    }
    CHECK(field == item.fields.end());
  }
  check_refused("k is at least 1, not 0", [&] { session.top(0); });
}

// The artifact is asked again: it gives top_k at once.
void test_more_than_the_artifact_gives(const Bundle& bundle, const Recommender& recommender) {
  const Session session = recommender.start(history_of(bundle, 4));
  const auto whole = session.top(bundle.top_k, SeenItems::keep);
  const auto all = session.top(bundle.items + 5, SeenItems::keep);
  CHECK(all.size() > bundle.top_k && all.size() <= bundle.items);
  CHECK(same({all.begin(), all.begin() + static_cast<std::ptrdiff_t>(bundle.top_k)}, whole));
  CHECK(std::is_sorted(all.begin(), all.end(), [](auto& a, auto& b) { return a.score > b.score; }));
  std::set<std::string> keys;
  for (const Item& item : all) keys.insert(item.key);
  CHECK(keys.size() == all.size());
  const auto alike = recommender.similar(bundle.keys[0], bundle.items);
  CHECK(alike.size() == all.size() - 1);
  for (const Item& item : alike) CHECK(item.key != bundle.keys[0]);
  check_refused("is not in the catalogue", [&] { recommender.similar("nobody's item"); });
}

void test_filters(const Bundle& bundle, const Recommender& recommender) {
  const Keys seen = history_of(bundle, 4);
  const Session session = recommender.start(seen);
  const auto best = session.top(3, SeenItems::keep);
  glint_edge::Filters others, two, none;
  for (const Item& item : best) others.without.push_back(item.key);
  for (const Item& item : session.top(bundle.top_k, SeenItems::keep, others)) {
    for (const Item& left : best) CHECK(item.key != left.key);
  }
  two.among = Keys{best[2].key, "newer than the model", best[0].key};
  CHECK(same(session.top(5, SeenItems::keep, two), {best[0], best[2]}));
  CHECK(same(recommender.recommend(seen, 5, SeenItems::keep, two), {best[0], best[2]}));
  two.boost[best[2].key] = 1e5;
  CHECK(session.top(5, SeenItems::keep, two)[0].key == best[2].key);
  none.among.emplace();
  CHECK(session.top(5, SeenItems::keep, none).empty());
  const auto before = session.save();
  for (const auto& [name, values] : bundle.fields) {
    glint_edge::Filters shelf, each;
    shelf.where[name] = {values.begin()->second};
    for (const Item& item : session.top(bundle.top_k, SeenItems::keep, shelf)) {
      CHECK(values.count(item.key) != 0 && values.at(item.key) == values.begin()->second);
    }
    each.most_per[name] = 1;
    std::set<std::string> taken;
    for (const Item& item : recommender.similar(seen[0], bundle.top_k, each)) {
      CHECK(values.count(item.key) == 0 || taken.insert(values.at(item.key)).second);
    }
  }
  CHECK(session.save() == before);
}

void test_seen_items(const Bundle& bundle, const Recommender& recommender) {
  const auto best = recommender.recommend({bundle.keys[0]}, bundle.top_k, SeenItems::keep);
  const Keys seen{bundle.keys[0], best[0].key};
  const Session session = recommender.start(seen);
  const auto whole = session.top(bundle.top_k, SeenItems::keep);
  auto expected = session.top(bundle.top_k + seen.size(), SeenItems::keep);
  const auto is_seen = [&](const Item& item) {
    return std::find(seen.begin(), seen.end(), item.key) != seen.end();
  };
  expected.erase(std::remove_if(expected.begin(), expected.end(), is_seen), expected.end());
  expected.resize(bundle.top_k, whole[0]);
  CHECK(same(session.top(bundle.top_k, SeenItems::exclude), expected));
  // Where nobody says, it is as the log is.
  Bundle logged;
  CHECK(!logged.excludes_seen());
  for (const double share : {0.0, 0.0099, 0.01, 0.4}) {
    logged.repeats = share;
    CHECK(logged.excludes_seen() == (share < 0.01));
  }
  glint_edge::Filters but_last;
  but_last.without = {seen.back()};
  const auto others = session.top(bundle.top_k, SeenItems::keep, but_last);
  CHECK(!same(others, whole) && !same(others, expected));
  CHECK(same(session.top(bundle.top_k), bundle.excludes_seen() ? expected : others));
  CHECK(recommender.recommend({}, bundle.top_k).size() == bundle.top_k);
  CHECK(same(recommender.recommend(seen, bundle.top_k), session.top(bundle.top_k)));
  // All that is recommended is taken in, and there is more.
  Session full = recommender.start();
  for (const Item& item : full.top(bundle.top_k)) full.append(item.key);
  CHECK(full.top(bundle.top_k, SeenItems::exclude).size() == bundle.top_k);
}

// Each item that is near the history's last ones names one of them.
void test_neighbours(const Bundle& bundle, const Recommender& recommender) {
  const Keys seen = history_of(bundle, 3);
  const Session session = recommender.start(seen);
  const auto alone = session.top(bundle.items, SeenItems::keep, {}, false);
  for (const Item& item : alone) CHECK(!item.because);
  for (const Item& item : recommender.similar(seen[0])) CHECK(!item.because);
  if (!bundle.neighbours) {
    check_refused("this bundle has no neighbours; export it with --neighbours 32", [&] {
      session.top(1, SeenItems::keep, {}, true);
    });
    return;
  }
  const auto pulls = bundle.neighbours->pulls({1, 2, 5});  // those of history_of
  CHECK(seen == (Keys{bundle.keys[0], bundle.keys[1], bundle.keys[4]}));
  std::map<std::string, glint_edge::Pull> by_key;
  for (const auto& [id, pull] : pulls) by_key[bundle.keys[static_cast<std::size_t>(id - 1)]] = pull;
  std::map<std::string, float> scores;
  for (const Item& item : alone) scores[item.key] = item.score;
  const auto list = recommender.recommend(seen, bundle.items, SeenItems::keep);
  CHECK(list.size() == alone.size());
  CHECK(same(list, session.top(bundle.items, SeenItems::keep, {}, true)));
  CHECK(same(list, recommender.resume(session.save()).top(bundle.items, SeenItems::keep)));
  for (const Item& item : list) {
    const auto pull = by_key.find(item.key);
    const bool is_pulled = pull != by_key.end();
    CHECK(std::abs(item.score - scores[item.key] - (is_pulled ? pull->second.rise : 0)) < 1e-4f);
    CHECK(item.because.has_value() == is_pulled);
    if (!is_pulled) continue;
    CHECK(*item.because == bundle.keys[static_cast<std::size_t>(pull->second.because - 1)]);
  }
}

void test_retired_items(
    const std::filesystem::path& folder, const Bundle& bundle, const Recommender& recommender) {
  const Json items =
      glint_edge::read_checked(folder, glint_edge::read_manifest(folder), "items.json");
  const Json* retired = items.find("retired");
  if (retired == nullptr) return;
  for (const Json& key : retired->array()) {
    const Session session = recommender.start({key.string(), bundle.keys[0]});  // known
    for (const Item& item : session.top(bundle.top_k)) CHECK(item.key != key.string());
  }
}

void test(const std::filesystem::path& folder) {
  const Bundle bundle = glint_edge::read_bundle(folder);
  const auto recommender = Recommender::load(folder);
  test_lists(bundle, recommender);
  test_more_than_the_artifact_gives(bundle, recommender);
  test_filters(bundle, recommender);
  test_seen_items(bundle, recommender);
  test_neighbours(bundle, recommender);
  test_retired_items(folder, bundle, recommender);
}

}  // namespace

int main(int count, char** words) { return run_on_bundle(count, words, test); }
