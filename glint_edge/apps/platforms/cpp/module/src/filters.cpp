#include "filters.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "bundle.h"

namespace glint_edge {
namespace {

std::size_t index_of(std::int64_t id) { return static_cast<std::size_t>(id); }

}  // namespace

FilterIndex::FilterIndex(const Bundle& bundle) : top_k_(bundle.top_k), no_bias_(bundle.rows) {
  ids_.reserve(bundle.keys.size());
  for (std::size_t place = 0; place < bundle.keys.size(); ++place) {
    ids_.emplace(bundle.keys[place], static_cast<std::int32_t>(place + 1));
  }
  for (const auto& [name, values] : bundle.fields) {
    Field field{name, {}, Ids(bundle.keys.size() + 1)};
    for (const auto& [key, value] : values) {
      const auto id = id_of(key);
      if (!id) continue;
      const auto next = static_cast<std::int32_t>(field.values.size() + 1);
      field.by_id[index_of(*id)] = field.values.emplace(value, next).first->second;
    }
    if (!field.values.empty()) fields_.push_back(std::move(field));
  }
}

std::optional<std::int32_t> FilterIndex::id_of(const std::string& key) const {
  const auto place = ids_.find(key);
  if (place == ids_.end()) return std::nullopt;
  return place->second;
}

TopK FilterIndex::best(
    std::size_t k, const Filters& filters, const Ids& without, const Ask& ask,
    const Pulls& pulls) const {
  if (k < 1) throw Error("k is at least 1, not 0");
  std::vector<Limit> limits = limits_of(filters);
  Bias bias = bias_of(filters, without, pulls);
  TopK taken;
  for (;;) {
    const TopK list = ask(bias.empty() ? no_bias_ : bias);
    for (std::size_t place = 0; place < list.ids.size() && taken.ids.size() < k; ++place) {
      const std::size_t id = index_of(list.ids[place]);
      if (!bias.empty() && bias[id] < kNothingLeft) {
        throw Error("the artifact lists items that a filter leaves out; export the bundle again");
      }
      if (!take(limits, id)) continue;
      taken.ids.push_back(list.ids[place]);
      taken.scores.push_back(list.scores[place]);
    }
    if (taken.ids.size() == k || list.ids.size() < top_k_) return taken;
    // The artifact has more: it is asked again, without what it gave.
    if (bias.empty()) bias = no_bias_;
    for (const std::int64_t id : list.ids) bias[index_of(id)] = kLeftOut;
    leave_out_full(bias, limits);
  }
}

const FilterIndex::Field& FilterIndex::field(const std::string& name) const {
  std::string names;
  for (const Field& field : fields_) {
    if (field.name == name) return field;
    names += (names.empty() ? "" : ", ") + field.name;
  }
  throw Error(
      "no item has the field '" + name + "'; " +
      (names.empty() ? "this bundle has no fields" : "the fields are " + names));
}

// What is added to the scores; empty: nothing.
Bias FilterIndex::bias_of(const Filters& filters, const Ids& without, const Pulls& pulls) const {
  const bool filtered = !without.empty() || !filters.without.empty() || filters.among ||
                        !filters.where.empty() || !filters.boost.empty() || !pulls.empty();
  if (!filtered) return {};
  Bias bias(no_bias_.size(), filters.among ? kLeftOut : 0.0f);
  const auto set = [&](const std::vector<std::string>& keys, float value) {
    for (const std::string& key : keys) {
      if (const auto id = id_of(key)) bias[index_of(*id)] = value;
    }
  };
  if (filters.among) set(*filters.among, 0.0f);
  set(filters.without, kLeftOut);
  for (const std::int32_t id : without) bias[index_of(id)] = kLeftOut;
  for (const auto& [name, values] : filters.where) {
    const Field& of = field(name);
    std::vector<bool> wanted(of.values.size() + 1);
    for (const std::string& value : values) {
      const auto place = of.values.find(value);
      if (place != of.values.end()) wanted[index_of(place->second)] = true;
    }
    for (std::size_t id = 1; id < of.by_id.size(); ++id) {
      if (!wanted[index_of(of.by_id[id])]) bias[id] = kLeftOut;
    }
  }
  for (const auto& [key, push] : filters.boost) {
    if (!(std::abs(push) <= kMostBoost)) {  // so that NaN is wrong
      throw Error("boost of \"" + key + "\" is a number from -1000000 to 1000000");
    }
    // What is left out stays out: beside its number, a push is nothing.
    if (const auto id = id_of(key)) bias[index_of(*id)] += static_cast<float>(push);
  }
  for (const auto& [id, pull] : pulls) bias[index_of(id)] += pull.rise;
  return bias;
}

std::vector<FilterIndex::Limit> FilterIndex::limits_of(const Filters& filters) const {
  std::vector<Limit> limits;
  for (const auto& [name, most] : filters.most_per) {
    const Field& of = field(name);
    if (most < 1) throw Error("most_per of '" + name + "' is at least 1, not 0");
    limits.push_back({&of, most, std::vector<std::size_t>(of.values.size() + 1)});
  }
  return limits;
}

// Counts an item, unless there are enough of a value of its.
bool FilterIndex::take(std::vector<Limit>& limits, std::size_t id) {
  const auto is_full = [id](const Limit& limit) {
    const std::size_t value = index_of(limit.field->by_id[id]);
    return value != 0 && limit.taken[value] >= limit.most;
  };
  if (std::any_of(limits.begin(), limits.end(), is_full)) return false;
  for (Limit& limit : limits) ++limit.taken[index_of(limit.field->by_id[id])];
  return true;
}

void FilterIndex::leave_out_full(Bias& bias, const std::vector<Limit>& limits) {
  for (const Limit& limit : limits) {
    for (std::size_t id = 1; id < limit.field->by_id.size(); ++id) {
      const std::size_t value = index_of(limit.field->by_id[id]);
      if (value != 0 && limit.taken[value] >= limit.most) bias[id] = kLeftOut;
    }
  }
}

}  // namespace glint_edge
