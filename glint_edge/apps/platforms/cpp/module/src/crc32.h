// zlib's CRC-32.

#pragma once

#include <cstddef>
#include <cstdint>

namespace glint_edge {

std::uint32_t crc32(const void* data, std::size_t size);

}  // namespace glint_edge
