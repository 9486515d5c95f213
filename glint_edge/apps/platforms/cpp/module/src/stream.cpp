#include "stream.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "bundle.h"
#include "program.h"

namespace glint_edge {
namespace {

void require_numbers(const std::vector<float>& values) {
  const auto is_number = [](float value) { return std::isfinite(value); };
  if (!std::all_of(values.begin(), values.end(), is_number)) {
    throw Error("the artifact computes what are no numbers; export the bundle again");
  }
}

State checked(State state) {
  require_numbers(state);
  return state;
}

// A list without those that were left out, which come last.
TopK left_of(TopK list, std::int64_t items) {
  require_numbers(list.scores);
  const auto is_left_out = [](float score) { return score < kNothingLeft; };
  const auto end = std::find_if(list.scores.begin(), list.scores.end(), is_left_out);
  list.ids.resize(static_cast<std::size_t>(end - list.scores.begin()));
  list.scores.resize(list.ids.size());
  const auto is_known = [items](std::int64_t id) { return id >= 1 && id <= items; };
  if (!std::all_of(list.ids.begin(), list.ids.end(), is_known)) {
    throw Error(
        "the artifact recommends items that are not in the catalogue; export the bundle again");
  }
  return list;
}

}  // namespace

Stream::Stream(const Bundle& bundle)
    : state_size_(bundle.state_size),
      items_(static_cast<std::int64_t>(bundle.keys.size())),
      window_(bundle.window),
      most_held_(bundle.most_held),
      program_(Program::open(bundle)) {}

Stream::~Stream() = default;

State Stream::encode(const Ids& history) const {
  const std::size_t kept = std::min(history.size(), window_.value_or(history.size()));
  const Ids last(history.end() - static_cast<std::ptrdiff_t>(kept), history.end());
  const std::lock_guard lock(turn_);
  return checked(program_->append_many(State(state_size_), last));
}

State Stream::append(const State& state, const Ids& history, std::int32_t item) const {
  // A state begins with how many items it holds.
  if (window_ && state[0] >= static_cast<float>(most_held_)) {
    // It cannot forget the oldest of them: a full one begins again from the last items.
    const std::size_t kept = std::min(history.size(), *window_ - 1);
    Ids last(history.end() - static_cast<std::ptrdiff_t>(kept), history.end());
    last.push_back(item);
    return encode(last);
  }
  const std::lock_guard lock(turn_);
  return checked(program_->append(state, item));
}

TopK Stream::top(const State& state, const Bias& bias) const {
  const std::lock_guard lock(turn_);
  return left_of(program_->recommend(state, bias), items_);
}

TopK Stream::similar(std::int32_t item, const Bias& bias) const {
  const std::lock_guard lock(turn_);
  return left_of(program_->similar(item, bias), items_);
}

}  // namespace glint_edge
