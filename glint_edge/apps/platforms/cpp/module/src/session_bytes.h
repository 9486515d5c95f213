// A session as bytes, the same on every platform; all numbers little endian.
//
//     0   "GLINTSES"
//     8   uint32, version of this format: 1
//    12   uint32 n, items of the history
//    16   32 bytes, the digest of the bundle's manifest
//    48   uint32 S, floats of the state
//    52   S × float32, the state; then n × int32, item ids, the oldest first
//   end   uint32, CRC-32 of all before it

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace glint_edge {

struct SavedSession {
  std::string digest;  // 64 hexadecimal digits
  std::vector<float> state;
  std::vector<std::int32_t> ids;
};

// What is kept of a history: of a window its last items and, before them, each item that was seen
// earlier and is not among them, once, in the order of their last times.
std::vector<std::int32_t> ids_to_save(
    const std::vector<std::int32_t>& ids, std::optional<std::size_t> window);

std::vector<std::uint8_t> pack(const SavedSession& session);

// Throws Error if the bytes are damaged, of another version of the format, or not of the bundle
// with this digest, whose states have `state_size` floats and whose catalogue `items` items.
SavedSession unpack(
    const std::vector<std::uint8_t>& saved, const std::string& digest, std::size_t state_size,
    std::size_t items);

}  // namespace glint_edge
