#include "glint_edge/recommender.h"

#include <utility>

#include "bundle.h"
#include "filters.h"
#include "session_bytes.h"
#include "stream.h"

namespace glint_edge {

class Model {
 public:
  Model(Bundle read, UnknownItems unknown)
      : bundle(std::move(read)), index(bundle), stream(bundle), unknown_(unknown) {
    require_golden(stream, bundle);
  }

  // A key's id; none if it is unknown and to be skipped.
  std::optional<std::int32_t> id_of(const std::string& key) const {
    if (const auto id = index.id_of(key)) return id;
    if (unknown_ == UnknownItems::skip) return std::nullopt;
    throw Error(
        "item \"" + key + "\" is not in the catalogue; leave it out, or load with "
        "UnknownItems::skip");
  }

  // What neighbours do to the items after a history, where nobody says otherwise.
  Pulls pulls(std::optional<bool> wanted, const Ids& history) const {
    if (wanted.value_or(false) && !bundle.neighbours) {
      throw Error("this bundle has no neighbours; export it with --neighbours 32");
    }
    return wanted.value_or(true) && bundle.neighbours ? bundle.neighbours->pulls(history) : Pulls();
  }

  std::vector<Item> items(const TopK& list, const Pulls& pulls = {}) const {
    std::vector<Item> items;
    for (std::size_t place = 0; place < list.ids.size(); ++place) {
      items.push_back(item(list.ids[place], list.scores[place]));
      const Pull* pull = pull_of(pulls, list.ids[place]);
      if (pull != nullptr) items.back().because = key_of(pull->because);
    }
    return items;
  }

  const std::string& key_of(std::int64_t id) const {
    return bundle.keys[static_cast<std::size_t>(id - 1)];
  }

  const Bundle bundle;
  const FilterIndex index;
  const Stream stream;

 private:
  Item item(std::int64_t id, float score) const {
    const std::string& key = key_of(id);
    Item item{key, text_of(bundle.titles, key), score};
    for (const auto& [name, values] : bundle.fields) {
      if (auto value = text_of(values, key)) item.fields.emplace_back(name, std::move(*value));
    }
    item.image = text_of(bundle.images, key);
    return item;
  }

  static std::optional<std::string> text_of(const Bundle::Texts& texts, const std::string& key) {
    const auto place = texts.find(key);
    if (place == texts.end()) return std::nullopt;
    return place->second;
  }

  UnknownItems unknown_;
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

std::vector<Item> Session::top(
    std::size_t k, SeenItems seen, const Filters& filters, std::optional<bool> neighbours) const {
  const Pulls pulls = model_->pulls(neighbours, ids_);
  const auto ask = [this](const Bias& bias) { return model_->stream.top(state_, bias); };
  return model_->items(model_->index.best(k, filters, left_out(seen), ask, pulls), pulls);
}

std::vector<std::int32_t> Session::left_out(SeenItems seen) const {
  if (seen == SeenItems::keep || ids_.empty()) return {};
  if (seen == SeenItems::exclude || model_->bundle.excludes_seen()) return ids_;
  return {ids_.back()};
}

std::vector<std::string> Session::history() const {
  std::vector<std::string> keys;
  for (const std::int32_t id : ids_) keys.push_back(model_->key_of(id));
  return keys;
}

std::vector<std::uint8_t> Session::save() const {
  return pack({model_->bundle.digest, state_, ids_to_save(ids_, model_->bundle.kept())});
}

// ---- Recommender ----------------------------------------------------------------------------

Recommender::Recommender(std::shared_ptr<const Model> model) : model_(std::move(model)) {}

Recommender Recommender::load(const std::filesystem::path& bundle, const Options& options) {
  return Recommender(std::make_shared<const Model>(read_bundle(bundle), options.unknown));
}

std::vector<Item> Recommender::recommend(
    const std::vector<std::string>& history, std::size_t k, SeenItems seen, const Filters& filters,
    std::optional<bool> neighbours) const {
  return start(history).top(k, seen, filters, neighbours);
}

std::vector<Item> Recommender::similar(
    const std::string& key, std::size_t k, const Filters& filters) const {
  const auto id = model_->id_of(key);
  if (!id) return {};
  return model_->items(model_->index.best(k, filters, {*id}, [&](const Bias& bias) {
    return model_->stream.similar(*id, bias);
  }));
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
  SavedSession unpacked = unpack(saved, bundle.digest, bundle.state_size, bundle.keys.size());
  Session session(model_);
  session.state_ = std::move(unpacked.state);
  session.ids_ = std::move(unpacked.ids);
  return session;
}

}  // namespace glint_edge
