#include "neighbours.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "glint_edge/recommender.h"

namespace glint_edge {
namespace {

constexpr std::size_t kHeader = 40;
constexpr std::uint32_t kMostRowsOfShortIds = 65'536, kMostLast = 64;
constexpr float kMostC = 10, kMostGamma = 1e6f;
// Platforms round otherwise: so much of the largest rise is allowed beside a golden score.
constexpr double kRounding = 1e-4;
constexpr std::size_t kExpected = 256;  // shares of a history, of 32 neighbours and 8 steps

// A number of so many bytes, on any machine.
std::uint32_t word(const std::string& bytes, std::size_t place, std::size_t size = 4) {
  std::uint32_t value = 0;
  for (std::size_t n = 0; n < size; ++n) {
    value |= std::uint32_t{static_cast<std::uint8_t>(bytes[place + n])} << (8 * n);
  }
  return value;
}

float real(const std::string& bytes, std::size_t place) {
  const std::uint32_t bits = word(bytes, place);
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

void require(bool holds, const char* what) {
  if (!holds) throw Error(what);
}

bool is_one(const std::string& bytes) {
  return bytes.size() >= kHeader && bytes.compare(0, 4, "GENB") == 0;
}

}  // namespace

std::uint32_t Neighbours::later_version(const std::string& bytes) {
  return is_one(bytes) && word(bytes, 4) > kVersion ? word(bytes, 4) : 0;
}

Neighbours::Neighbours(const std::string& bytes, std::size_t items) {
  require(is_one(bytes), "it holds no neighbours");
  rows_ = word(bytes, 8), count_ = word(bytes, 12);
  id_bytes_ = word(bytes, 16), last_ = word(bytes, 20);
  decay_ = real(bytes, 24), c_ = real(bytes, 28), gamma_ = real(bytes, 32);
  check_numbers(items, bytes);
  std::size_t place = kHeader;
  for (std::size_t row = 0; row <= rows_; ++row, place += 4) starts_.push_back(word(bytes, place));
  for (std::size_t row = 0; row < rows_; ++row, place += 4) scales_.push_back(real(bytes, place));
  weights_.assign(bytes.begin() + static_cast<std::ptrdiff_t>(place),
                  bytes.begin() + static_cast<std::ptrdiff_t>(place + count_));
  place += count_;
  for (std::size_t n = 0; n < count_; ++n, place += id_bytes_) {
    ids_.push_back(word(bytes, place, id_bytes_));
  }
  check_rows();
}

void Neighbours::check_numbers(std::size_t items, const std::string& bytes) const {
  require(word(bytes, 4) == kVersion, "its version");
  require(rows_ >= 2 && rows_ <= items + 1, "its rows are not those of this model");
  const bool fits = id_bytes_ == 4 || (id_bytes_ == 2 && rows_ <= kMostRowsOfShortIds);
  require(fits, "the size of its ids");
  require(last_ >= 1 && last_ <= kMostLast, "how many items count");
  // Each is false of a NaN.
  require(decay_ > 0 && decay_ <= 1, "its decay");
  require(c_ >= 0 && c_ <= kMostC, "its c");
  require(gamma_ > 0 && gamma_ <= kMostGamma, "its gamma");
  require(word(bytes, 36) == 0, "a number of a later version");
  const std::uint64_t size = kHeader + 4 * (2 * std::uint64_t{rows_} + 1) +
                             std::uint64_t{count_} * (1 + std::uint64_t{id_bytes_});
  require(bytes.size() == size, "its size");
}

void Neighbours::check_rows() const {
  require(starts_[0] == 0 && starts_[rows_] == count_, "where its rows begin");
  for (std::size_t row = 0; row < rows_; ++row) {
    const std::uint32_t start = starts_[row], end = starts_[row + 1];
    require(start <= end && end <= count_, "where its rows begin");
    const float scale = scales_[row];
    require(std::isfinite(scale) && (scale > 0 || (scale >= 0 && start == end)), "a scale");
    std::uint32_t before = 0;
    for (std::uint32_t place = start; place < end; ++place) {
      require(ids_[place] > before && ids_[place] < rows_, "an id, or the order of ids");
      require(weights_[place] != 0, "a weight");
      before = ids_[place];
    }
  }
}

double Neighbours::rise(double nearness) const { return c_ * std::log1p(gamma_ * nearness); }

double Neighbours::rounding() const { return kRounding * rise(1); }

Pulls Neighbours::pulls(const Ids& history) const {
  struct Share {
    std::uint64_t place;  // the id, and then how many steps back
    double share;
  };
  std::vector<Share> shares;
  shares.reserve(kExpected);
  std::vector<std::size_t> taken;  // those that count, and never come again
  double weight = 1, total = 0;
  const std::size_t steps = std::min<std::size_t>(history.size(), last_);
  for (std::size_t step = 0; step < steps; ++step) {
    const auto row = static_cast<std::size_t>(history[history.size() - 1 - step]);
    const std::size_t end = row < rows_ ? starts_[row + 1] : 0;
    bool again = false;
    for (std::size_t at = row < rows_ ? starts_[row] : 0; at < end; ++at) {
      again |= ids_[at] == row;
      const float own = scales_[row] * static_cast<float>(weights_[at]);
      const std::uint64_t place = std::uint64_t{ids_[at]} * kMostLast + step;
      shares.push_back({place, weight * static_cast<double>(own)});
    }
    if (!again) taken.push_back(row);
    total += weight;
    weight *= static_cast<double>(decay_);
  }
  std::sort(taken.begin(), taken.end());
  auto next = taken.begin();
  std::sort(shares.begin(), shares.end(), [](const Share& a, const Share& b) {
    return a.place < b.place;
  });
  Pulls pulls;
  for (std::size_t first = 0, end = 0; first < shares.size(); first = end) {
    const std::uint64_t id = shares[first].place / kMostLast;
    while (next != taken.end() && *next < id) ++next;
    double sum = 0;
    std::size_t largest = first;  // of equals, the later item's
    for (end = first; end < shares.size() && shares[end].place / kMostLast == id; ++end) {
      sum += shares[end].share;
      if (shares[end].share > shares[largest].share) largest = end;
    }
    if (next != taken.end() && *next == id) continue;
    const std::size_t step = shares[largest].place % kMostLast;
    const Pull pull{static_cast<float>(rise(sum / total)), history[history.size() - 1 - step]};
    pulls.emplace_back(static_cast<std::int32_t>(id), pull);
  }
  return pulls;
}

const Pull* pull_of(const Pulls& pulls, std::int64_t id) {
  const auto before = [](const Pulls::value_type& pull, std::int64_t wanted) {
    return pull.first < wanted;
  };
  const auto place = std::lower_bound(pulls.begin(), pulls.end(), id, before);
  return place != pulls.end() && place->first == id ? &place->second : nullptr;
}

}  // namespace glint_edge
