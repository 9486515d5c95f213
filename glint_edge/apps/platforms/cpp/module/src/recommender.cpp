#include "glint_edge/recommender.h"

#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "bundle.h"
#include "session_bytes.h"
#include "stream.h"

namespace glint_edge {

class Model {
 public:
  Model(Bundle read, UnknownItems unknown)
      : bundle(std::move(read)), stream(bundle), unknown_(unknown) {
    require_golden(stream, bundle.golden, bundle.folder.string());
    for (std::size_t place = 0; place < bundle.keys.size(); ++place) {
      ids_.emplace(bundle.keys[place], static_cast<std::int32_t>(place + 1));
    }
  }

  // A key's id; none if it is unknown and to be skipped.
  std::optional<std::int32_t> id_of(const std::string& key) const {
    if (const auto found = ids_.find(key); found != ids_.end()) return found->second;
    if (unknown_ == UnknownItems::skip) return std::nullopt;
    throw Error(
        "item \"" + key + "\" is not in the catalogue; leave it out, or load with "
        "UnknownItems::skip");
  }

  Item item(std::int64_t id, float score) const {
    const std::string& key = bundle.keys[static_cast<std::size_t>(id - 1)];
    Item item{key, text_of(bundle.titles, key), score};
    for (const auto& [name, values] : bundle.fields) {
      if (auto value = text_of(values, key)) item.fields.emplace_back(name, std::move(*value));
    }
    item.image = text_of(bundle.images, key);
    return item;
  }

  const Bundle bundle;
  const Stream stream;

 private:
  static std::optional<std::string> text_of(const Bundle::Texts& texts, const std::string& key) {
    const auto found = texts.find(key);
    if (found == texts.end()) return std::nullopt;
    return found->second;
  }

  UnknownItems unknown_;
  std::unordered_map<std::string, std::int32_t> ids_;
};

// ---- Session --------------------------------------------------------------------------------

Session::Session(std::shared_ptr<const Model> model) : model_(std::move(model)) {}

void Session::append(const std::string& key) {
  const auto id = model_->id_of(key);
  if (!id) {
    ++skipped_;
    return;
  }
  state_ = model_->stream.append(state_, ids_, *id);
  ids_.push_back(*id);
}

std::vector<Item> Session::top(std::size_t k, SeenItems seen) const {
  const Bundle& bundle = model_->bundle;
  if (k < 1 || k > bundle.top_k) {
    throw Error(
        "k is " + std::to_string(k) + ", but this bundle gives 1 to " +
        std::to_string(bundle.top_k) + " items; export with a larger --top-k");
  }
  std::unordered_set<std::int64_t> without;
  if (seen == SeenItems::by_log && bundle.excludes_seen()) seen = SeenItems::exclude;
  if (seen == SeenItems::exclude) without.insert(ids_.begin(), ids_.end());
  const TopK found = model_->stream.top(state_);
  std::vector<Item> items;
  for (std::size_t place = 0; place < found.ids.size() && items.size() < k; ++place) {
    const std::int64_t id = found.ids[place];
    if (without.count(id) == 0) items.push_back(model_->item(id, found.scores[place]));
  }
  return items;
}

std::vector<std::string> Session::history() const {
  std::vector<std::string> keys;
  for (const std::int32_t id : ids_) {
    keys.push_back(model_->bundle.keys[static_cast<std::size_t>(id - 1)]);
  }
  return keys;
}

std::vector<std::uint8_t> Session::save() const {
  return pack({model_->bundle.digest, state_, ids_});
}

// ---- Recommender ----------------------------------------------------------------------------

Recommender::Recommender(std::shared_ptr<const Model> model) : model_(std::move(model)) {}

Recommender Recommender::load(const std::filesystem::path& bundle, const Options& options) {
  return Recommender(std::make_shared<const Model>(read_bundle(bundle), options.unknown));
}

std::vector<Item> Recommender::recommend(
    const std::vector<std::string>& history, std::size_t k, SeenItems seen) const {
  return start(history).top(k, seen);
}

Session Recommender::start(const std::vector<std::string>& history) const {
  Session session(model_);
  for (const std::string& key : history) {
    if (const auto id = model_->id_of(key)) {
      session.ids_.push_back(*id);
    } else {
      ++session.skipped_;
    }
  }
  session.state_ = model_->stream.encode(session.ids_);
  return session;
}

Session Recommender::resume(const std::vector<std::uint8_t>& saved) const {
  const Bundle& bundle = model_->bundle;
  SavedSession found = unpack(saved, bundle.digest, bundle.state_size, bundle.keys.size());
  Session session(model_);
  session.state_ = std::move(found.state);
  session.ids_ = std::move(found.ids);
  return session;
}

}  // namespace glint_edge
