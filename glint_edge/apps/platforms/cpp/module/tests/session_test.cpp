// Sessions on a real bundle: windows, saved bytes, unknown, seen and retired items, threads.

#include <algorithm>
#include <cmath>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "bundle.h"
#include "check.h"
#include "crc32.h"
#include "manifest.h"
#include "session_bytes.h"

using glint_edge::Bundle;
using glint_edge::Item;
using glint_edge::Json;
using glint_edge::Recommender;
using glint_edge::SeenItems;
using glint_edge::Session;
using glint_edge::UnknownItems;

namespace {

using Bytes = std::vector<std::uint8_t>;
using Keys = std::vector<std::string>;

bool same(const std::vector<Item>& one, const std::vector<Item>& other) {
  return std::equal(
      one.begin(), one.end(), other.begin(), other.end(), [](const Item& a, const Item& b) {
        return a.key == b.key && a.title == b.title && std::equal_to<float>()(a.score, b.score);
      });
}

// Some history, other for each `first`; items come again in it as in life.
Keys history_of(const Bundle& bundle, std::size_t size, std::size_t first = 0) {
  Keys keys;
  for (std::size_t n = 0; n < size; ++n) {
    keys.push_back(bundle.keys[(first + n * n) % bundle.keys.size()]);
  }
  return keys;
}

glint_edge::SavedSession opened(const Bytes& saved, const Bundle& bundle) {
  return glint_edge::unpack(saved, bundle.digest, bundle.state_size, bundle.keys.size());
}

// ---- windows --------------------------------------------------------------------------------

// How far two states are apart, as a part of the first one's length.
double distance(const std::vector<float>& one, const std::vector<float>& other) {
  double apart = 0, length = 0;
  for (std::size_t n = 0; n < one.size(); ++n) {
    apart += std::pow(one[n] - other[n], 2), length += std::pow(one[n], 2);
  }
  return std::sqrt(apart / length);
}

void test_appending_is_starting_over(
    const Bundle& bundle, const Recommender& recommender, double tolerance) {
  const std::size_t edge = bundle.window.value_or(2 * bundle.chunk + 1);
  const Keys all = history_of(bundle, edge + 2);
  const std::size_t begun = edge > 3 ? edge - 3 : 0;
  Session session =
      recommender.start({all.begin(), all.begin() + static_cast<std::ptrdiff_t>(begun)});
  for (std::size_t size = begun + 1; size <= all.size(); ++size) {
    session.append(all[size - 1]);
    const Keys whole(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(size));
    const Session over = recommender.start(whole);
    CHECK(session.history() == whole);
    const auto one = opened(session.save(), bundle), other = opened(over.save(), bundle);
    CHECK(one.ids == other.ids);
    if (size <= edge) CHECK(distance(other.state, one.state) <= tolerance);
  }
}

// A state takes in a quarter more than the window; with the next item it begins again.
void test_a_full_state_begins_again(const Bundle& bundle, const Recommender& recommender) {
  if (!bundle.window) return;
  const std::size_t window = *bundle.window, longest = window + window / 4;
  const Keys all = history_of(bundle, 2 * longest);
  const auto last_of = [&](std::size_t end) {
    return Keys(
        all.begin() + static_cast<std::ptrdiff_t>(end - window),
        all.begin() + static_cast<std::ptrdiff_t>(end));
  };
  Session session = recommender.start(last_of(window));
  CHECK(bundle.most_held == longest);
  std::size_t held = window;
  for (std::size_t size = window + 1; size <= all.size(); ++size) {
    session.append(all[size - 1]);
    held = held < longest ? held + 1 : window;
    const auto saved = opened(session.save(), bundle);
    CHECK(saved.state[0] == static_cast<float>(held));
    if (held == window) {
      const auto over = opened(recommender.start(last_of(size)).save(), bundle);
      CHECK(saved.state == over.state);
    }
    if (size % 7 == 0) {  // what is saved goes on in step
      Session resumed = recommender.resume(session.save());
      CHECK(resumed.save() == session.save());
      CHECK(opened(resumed.save(), bundle).ids == saved.ids);
      session = resumed;
    }
  }
}

// ---- saved bytes ----------------------------------------------------------------------------

void test_a_saved_session_goes_on(const Bundle& bundle, const Recommender& recommender) {
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, bundle.chunk + 2}) {
    Session session = recommender.start(history_of(bundle, size));
    Session resumed = recommender.resume(session.save());
    CHECK(resumed.save() == session.save());
    CHECK(resumed.history() == history_of(bundle, size));
    session.append(bundle.keys[3]);
    resumed.append(bundle.keys[3]);
    CHECK(resumed.save() == session.save());
    CHECK(same(resumed.top(bundle.top_k), session.top(bundle.top_k)));
  }
}

// The bytes with a word changed, and a checksum that fits.
Bytes changed(Bytes saved, std::size_t place, std::uint32_t word) {
  for (std::size_t n = 0; n < 4; ++n) saved[place + n] = static_cast<std::uint8_t>(word >> 8 * n);
  const std::uint32_t sum = glint_edge::crc32(saved.data(), saved.size() - 4);
  const std::size_t end = saved.size() - 4;
  for (std::size_t n = 0; n < 4; ++n) saved[end + n] = static_cast<std::uint8_t>(sum >> 8 * n);
  return saved;
}

void test_other_bytes_are_refused(const Bundle& bundle, const Recommender& recommender) {
  const Bytes saved = recommender.start(history_of(bundle, 3)).save();
  const auto refused = [&](const std::string& part, const Bytes& bytes) {
    check_refused(part, [&] { recommender.resume(bytes); });
  };
  for (std::size_t size = 0; size < saved.size(); size += size < 64 ? 1 : 97) {
    refused("is damaged", {saved.begin(), saved.begin() + static_cast<std::ptrdiff_t>(size)});
  }
  for (std::size_t place = 0; place < saved.size(); place += place < 64 ? 1 : 97) {
    Bytes flipped = saved;
    flipped[place] ^= 0x10;
    refused(place >= 8 && place < 12 ? "upgrade the app" : "is damaged", flipped);
  }
  Bytes longer = saved;
  longer.push_back(0);
  refused("is damaged", longer);
  const std::size_t first_id = 52 + 4 * bundle.state_size;
  refused("format version 2, this app reads 1; upgrade", changed(saved, 8, 2));
  refused("of another model; start again from the history", changed(saved, 16, 0x12345678));
  refused("its sizes are not those of this model", changed(saved, 12, 4));
  refused("its sizes are not those of this model", changed(saved, 12, 0xFFFFFFFF));
  refused("its sizes are not those of this model", changed(saved, 48, 1));
  refused("its state is not made of numbers", changed(saved, 52, 0x7FC00000));
  refused("its state is not made of numbers", changed(saved, 52, 0xFF800000));
  refused("item 0 is not in the catalogue", changed(saved, first_id, 0));
  refused("item -1 is not in the catalogue", changed(saved, first_id, 0xFFFFFFFF));
  const auto beyond = static_cast<std::uint32_t>(bundle.keys.size() + 1);
  refused("is not in the catalogue", changed(saved, first_id, beyond));
}

// ---- items ----------------------------------------------------------------------------------

void test_unknown_items(
    const std::filesystem::path& folder, const Bundle& bundle, const Recommender& refusing) {
  const std::string unknown = "nobody's item";
  const std::string part = "item \"nobody's item\" is not in the catalogue";
  const Keys known = history_of(bundle, 2), mixed{unknown, known[0], unknown, known[1], ""};
  check_refused(part, [&] { refusing.start(mixed); });
  check_refused(part, [&] { refusing.recommend(mixed); });
  Session session = refusing.start(known);
  const Bytes before = session.save();
  check_refused(part, [&] { session.append(unknown); });
  CHECK(session.save() == before);

  const auto skipping = Recommender::load(folder, {UnknownItems::skip});
  Session skipped = skipping.start(mixed);
  skipped.append(unknown);
  CHECK(skipped.skipped() == 4);
  CHECK(skipped.save() == before);
}

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
  const Bytes before = session.save();
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
  const Keys seen{best[0].key, bundle.keys[0]};
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
  CHECK(same(session.top(bundle.top_k), bundle.excludes_seen() ? expected : whole));
  CHECK(same(recommender.recommend(seen, bundle.top_k), session.top(bundle.top_k)));
  // All that is recommended is taken in, and there is more.
  Session full = recommender.start();
  for (const Item& item : full.top(bundle.top_k)) full.append(item.key);
  CHECK(full.top(bundle.top_k, SeenItems::exclude).size() == bundle.top_k);
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

// ---- threads --------------------------------------------------------------------------------

void test_threads_share_a_recommender(const Bundle& bundle, const Recommender& recommender) {
  const auto run = [&](std::size_t first) {
    Session session = recommender.start(history_of(bundle, 2, first));
    for (const std::string& key : history_of(bundle, 40, first)) session.append(key);
    return session.save();
  };
  std::vector<Bytes> alone, together(4);
  for (std::size_t n = 0; n < together.size(); ++n) alone.push_back(run(n));
  std::vector<std::thread> threads;
  for (std::size_t n = 0; n < together.size(); ++n) {
    threads.emplace_back([&, n] { together[n] = run(n); });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(alone == together);
}

void test_a_session_outlives_its_recommender(const std::filesystem::path& folder) {
  Session session = Recommender::load(folder).start();
  session.append(session.top(1)[0].key);
  CHECK(session.history().size() == 1);
}

void test(const std::filesystem::path& folder) {
  const Bundle bundle = glint_edge::read_bundle(folder);
  const Json golden =
      glint_edge::read_checked(folder, glint_edge::read_manifest(folder), "golden.json");
  const auto recommender = Recommender::load(folder);
  test_appending_is_starting_over(
      bundle, recommender, golden.at("tolerance").at("relative_state_error").number());
  test_a_full_state_begins_again(bundle, recommender);
  test_a_saved_session_goes_on(bundle, recommender);
  test_other_bytes_are_refused(bundle, recommender);
  test_unknown_items(folder, bundle, recommender);
  test_lists(bundle, recommender);
  test_more_than_the_artifact_gives(bundle, recommender);
  test_filters(bundle, recommender);
  test_seen_items(bundle, recommender);
  test_retired_items(folder, bundle, recommender);
  test_threads_share_a_recommender(bundle, recommender);
  test_a_session_outlives_its_recommender(folder);
}

}  // namespace

int main(int count, char** words) { return run_on_bundle(count, words, test); }
