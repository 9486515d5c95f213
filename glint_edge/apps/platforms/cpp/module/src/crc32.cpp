#include "crc32.h"

namespace glint_edge {

// Bit by bit: a session has a few kilobytes, for which a table would not pay.
std::uint32_t crc32(const void* data, std::size_t size) {
  const auto* bytes = static_cast<const unsigned char*>(data);
  std::uint32_t crc = ~std::uint32_t{0};
  for (std::size_t place = 0; place < size; ++place) {
    crc ^= bytes[place];
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0xEDB88320u : 0u);
  }
  return ~crc;
}

}  // namespace glint_edge
