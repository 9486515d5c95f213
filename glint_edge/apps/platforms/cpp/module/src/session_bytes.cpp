#include "session_bytes.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <iterator>
#include <string_view>
#include <unordered_set>

#include "crc32.h"
#include "glint_edge/recommender.h"

namespace glint_edge {
namespace {

using Bytes = std::vector<std::uint8_t>;

constexpr std::string_view kMagic = "GLINTSES";
constexpr std::uint32_t kVersion = 1;
constexpr std::size_t kVersionAt = 8, kItemsAt = 12, kDigestAt = 16, kFloatsAt = 48, kStateAt = 52;
constexpr std::size_t kDigestSize = 32, kWord = 4;

void put(Bytes& bytes, std::uint32_t word) {
  for (int shift = 0; shift < 32; shift += 8) {
    bytes.push_back(static_cast<std::uint8_t>(word >> shift));
  }
}

std::uint32_t word_at(const Bytes& bytes, std::size_t place) {
  std::uint32_t word = 0;
  for (std::size_t n = 0; n < kWord; ++n) word |= std::uint32_t{bytes[place + n]} << (8 * n);
  return word;
}

// Numbers of 32 bits by their bits, so that the order of bytes is the file's and not the machine's.
template <typename To, typename From>
To same_bits(From from) {
  static_assert(sizeof(To) == sizeof(From));
  To to;
  std::memcpy(&to, &from, sizeof to);
  return to;
}

void put_digest(Bytes& bytes, const std::string& hex) {
  for (std::size_t n = 0; n < kDigestSize; ++n) {
    bytes.push_back(static_cast<std::uint8_t>(std::stoul(hex.substr(2 * n, 2), nullptr, 16)));
  }
}

bool begins_with_magic(const Bytes& bytes) {
  return bytes.size() >= kStateAt + kWord &&
         std::equal(kMagic.begin(), kMagic.end(), bytes.begin());
}

Error damaged(const std::string& reason) {
  return Error("the saved session is damaged (" + reason + "); start again from the history");
}

// Whole, of this version of the format, and as it was written.
void check_envelope(const Bytes& saved) {
  if (!begins_with_magic(saved)) throw damaged("it is no saved session, or its end is missing");
  if (const auto version = word_at(saved, kVersionAt); version != kVersion) {
    throw Error(
        "the saved session has format version " + std::to_string(version) + ", this app reads " +
        std::to_string(kVersion) + "; upgrade the app, or start again from the history");
  }
  if (word_at(saved, saved.size() - kWord) != crc32(saved.data(), saved.size() - kWord)) {
    throw damaged("its checksum does not match");
  }
}

}  // namespace

std::vector<std::int32_t> ids_to_save(
    const std::vector<std::int32_t>& ids, std::optional<std::size_t> window) {
  if (!window || ids.size() <= *window) return ids;
  // From the end to the beginning: the first time that an id comes is its last.
  const auto passed = ids.rbegin() + static_cast<std::ptrdiff_t>(*window);
  std::vector<std::int32_t> saved(ids.rbegin(), passed);
  std::unordered_set<std::int32_t> seen(saved.begin(), saved.end());
  std::copy_if(passed, ids.rend(), std::back_inserter(saved), [&](std::int32_t id) {
    return seen.insert(id).second;
  });
  std::reverse(saved.begin(), saved.end());
  return saved;
}

std::vector<std::uint8_t> pack(const SavedSession& session) {
  Bytes bytes(kMagic.begin(), kMagic.end());
  bytes.reserve(kStateAt + kWord * (session.state.size() + session.ids.size() + 1));
  put(bytes, kVersion);
  put(bytes, static_cast<std::uint32_t>(session.ids.size()));
  put_digest(bytes, session.digest);
  put(bytes, static_cast<std::uint32_t>(session.state.size()));
  for (const float value : session.state) put(bytes, same_bits<std::uint32_t>(value));
  for (const std::int32_t id : session.ids) put(bytes, same_bits<std::uint32_t>(id));
  put(bytes, crc32(bytes.data(), bytes.size()));
  return bytes;
}

SavedSession unpack(
    const std::vector<std::uint8_t>& saved, const std::string& digest, std::size_t state_size,
    std::size_t items) {
  check_envelope(saved);
  Bytes own;
  put_digest(own, digest);
  if (!std::equal(own.begin(), own.end(), saved.begin() + kDigestAt)) {
    throw Error("the saved session is of another model; start again from the history");
  }
  const std::uint64_t floats = word_at(saved, kFloatsAt), count = word_at(saved, kItemsAt);
  if (floats != state_size || saved.size() != kStateAt + kWord * (floats + count + 1)) {
    throw damaged("its sizes are not those of this model");
  }
  SavedSession session{digest, {}, {}};
  std::size_t place = kStateAt;
  for (; session.state.size() < floats; place += kWord) {
    session.state.push_back(same_bits<float>(word_at(saved, place)));
    if (!std::isfinite(session.state.back())) throw damaged("its state is not made of numbers");
  }
  for (; session.ids.size() < count; place += kWord) {
    const auto id = same_bits<std::int32_t>(word_at(saved, place));
    if (id < 1 || static_cast<std::size_t>(id) > items) {
      throw damaged("item " + std::to_string(id) + " is not in the catalogue");
    }
    session.ids.push_back(id);
  }
  return session;
}

}  // namespace glint_edge
