// A sequential recommender on this device: load a bundle, give it what the user took, ask for more.
//
//     const auto recommender = glint_edge::Recommender::load("mine.glint");
//     auto session = recommender.start({"50", "181"});  // your own item keys, the oldest first
//     session.append("172");
//     for (const glint_edge::Item& item : session.top(10)) …
//
// Nothing is ever downloaded, no picture either. Keys and titles are UTF-8.

#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace glint_edge {

// Whatever goes wrong here; what() is one line that says what to do.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// A recommended item.
struct Item {
  std::string key;
  std::optional<std::string> title;  // none: the catalogue has none for it
  float score;                       // to be compared within one list alone
  // What else the catalogue tells of it, such as its category: name and value, in its order.
  std::vector<std::pair<std::string, std::string>> fields = {};
  std::optional<std::string> image = {};  // the address of its picture, http or https
  // The key of the history's item whose neighbour it is; none: it is none's.
  std::optional<std::string> because = {};
};

// What a key that is not in the catalogue does: throw, or be left out and counted.
enum class UnknownItems { refuse, skip };

// Whether the session's own items may be recommended again; by_log: all are left out where nobody
// takes an item again in the log of the training, else the last one alone.
enum class SeenItems { keep, exclude, by_log };

// Which items a list may have, and which come first. Keys that are not in the catalogue are ignored,
// as those of a stock that is newer than the model.
struct Filters {
  std::vector<std::string> without = {};               // these never
  std::optional<std::vector<std::string>> among = {};  // none but these
  // By field: only items with one of these values.
  std::map<std::string, std::vector<std::string>> where = {};
  std::map<std::string, double> boost = {};  // by key: added to its score; 1e6 at most, or -1e6
  // By field: at most so many items of one of its values, 1 or more.
  std::map<std::string, std::size_t> most_per = {};
};

struct Options {
  UnknownItems unknown = UnknownItems::refuse;
};

class Model;  // a loaded bundle, which sessions share

// One person's history, and the state the model keeps of it: for one thread at a time. A copy goes
// its own way. It may outlive the Recommender that began it.
class Session {
 public:
  // Takes in one more item, at constant cost. Of a sliding window, the last N items are encoded again
  // once a quarter of N came after them. After an error the session is as it was.
  void append(const std::string& key);

  // The k best items that the filters let through, best first; fewer only where no more are left.
  // `neighbours` raises what is tapped near the history's last items in the log; none: where the
  // bundle has neighbours; false: the model alone.
  std::vector<Item> top(
      std::size_t k = 10, SeenItems seen = SeenItems::by_log, const Filters& filters = {},
      std::optional<bool> neighbours = {}) const;

  // The keys taken in, the oldest first: what a session of another bundle is started from.
  std::vector<std::string> history() const;

  // How many unknown items were left out since it began.
  std::size_t skipped() const { return skipped_; }

  // For Recommender::resume, on any platform, with the same bundle. What a sliding window has passed
  // is kept as seen: each item once.
  std::vector<std::uint8_t> save() const;

 private:
  friend class Recommender;
  std::vector<std::int32_t> left_out(SeenItems seen) const;  // the history's part that no list has
  explicit Session(std::shared_ptr<const Model> model);

  std::shared_ptr<const Model> model_;
  std::vector<float> state_;
  std::vector<std::int32_t> ids_;
  std::size_t skipped_ = 0;
};

// A loaded bundle. Safe to use from several threads: they, and the sessions of one bundle, take
// turns in the runtime. A copy is the same model, not a second one in memory.
class Recommender {
 public:
  // Loads a bundle's folder; the size and sha256 of every file that is read are checked first, and
  // a golden case is run: an artifact that computes anything else is refused.
  static Recommender load(const std::filesystem::path& bundle, const Options& options = {});

  // The k best items after a history of keys, the oldest first; see Session::top.
  std::vector<Item> recommend(
      const std::vector<std::string>& history, std::size_t k = 10,
      SeenItems seen = SeenItems::by_log, const Filters& filters = {},
      std::optional<bool> neighbours = {}) const;

  // The k items most like one, without it: scores are cosines, and boosts. None is like an unknown
  // item, where those are skipped.
  std::vector<Item> similar(
      const std::string& key, std::size_t k = 10, const Filters& filters = {}) const;

  // A session that has taken in a history of keys, the oldest first.
  Session start(const std::vector<std::string>& history = {}) const;

  // The session that Session::save gave these bytes of. Throws if they are damaged, or of another
  // bundle: start again from the history, which is yours to keep.
  Session resume(const std::vector<std::uint8_t>& saved) const;

 private:
  explicit Recommender(std::shared_ptr<const Model> model);

  std::shared_ptr<const Model> model_;
};

}  // namespace glint_edge
