// Sessions on a real bundle: windows, saved bytes, unknown items, threads.

#include <algorithm>
#include <cmath>
#include <string>
#include <thread>
#include <vector>

#include "bundle.h"
#include "check.h"
#include "crc32.h"
#include "histories.h"
#include "manifest.h"
#include "session_bytes.h"

using glint_edge::Bundle;
using glint_edge::Json;
using glint_edge::Recommender;
using glint_edge::Session;
using glint_edge::UnknownItems;

namespace {

using Bytes = std::vector<std::uint8_t>;

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
  test_threads_share_a_recommender(bundle, recommender);
  test_a_session_outlives_its_recommender(folder);
}

}  // namespace

int main(int count, char** words) { return run_on_bundle(count, words, test); }
