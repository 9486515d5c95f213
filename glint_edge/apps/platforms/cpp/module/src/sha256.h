// SHA-256, as FIPS 180-4 describes it.

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace glint_edge {

class Sha256 {
 public:
  void update(const void* data, std::size_t size);

  // 64 lower-case hexadecimal digits. Ends it: nothing may be added after.
  std::string hex();

 private:
  void mix_block();

  std::array<std::uint32_t, 8> sum_{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                    0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  std::array<unsigned char, 64> block_{};
  std::size_t filled_ = 0;
  std::uint64_t bytes_ = 0;
};

std::string sha256(std::string_view data);

}  // namespace glint_edge
