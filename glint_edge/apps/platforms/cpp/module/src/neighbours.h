// What was tapped near what, in a log: it raises the scores of the items near a history's last ones.
//
// neighbours.bin, a file that a bundle may have; all numbers little endian:
//
//     0   "GENB"
//     4   u32 version of this format, 1
//     8   u32 R, rows of the item table, as the log had them; an item after these has no neighbours
//     12  u32 C, neighbours of all rows together
//     16  u32 bytes of an id: 2 or 4; 2 is too few where R is above 65,536
//     20  u32 L, how many of a history's last items count
//     24  float32 decay, of each step back; then float32 c and float32 gamma
//     36  u32 0
//     40  (R + 1) × u32, where each row's neighbours begin, then R × float32 scales,
//         C × u8 weights, C × ids, ascending in a row, to the file's end
//
// A neighbour's weight is its row's scale times its own number. An item's nearness e to a history is
// the mean of its weights in the rows of the last L items, of which the one s steps back counts
// decay^s times; its score rises by c · log(1 + gamma · e). One of these last L items itself does
// not rise, unless it is in its own row: what is never tapped again is not brought back.

#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace glint_edge {

using Ids = std::vector<std::int32_t>;

// What neighbours do to an item.
struct Pull {
  float rise;            // added to its score
  std::int32_t because;  // the history's item that has the largest share in it
};

using Pulls = std::vector<std::pair<std::int32_t, Pull>>;  // by id, ascending

// What neighbours do to an item; null: nothing.
const Pull* pull_of(const Pulls& pulls, std::int64_t id);

class Neighbours {
 public:
  static constexpr const char* kFile = "neighbours.bin";
  static constexpr std::uint32_t kVersion = 1;

  // Throws Error if the bytes are no file for a catalogue of so many items.
  Neighbours(const std::string& bytes, std::size_t items);

  // The version that some bytes name, above `kVersion`; 0: they are of no later one.
  static std::uint32_t later_version(const std::string& bytes);

  // What a history does to the items that are near its last ones.
  Pulls pulls(const Ids& history) const;

  // How many of a history's last items count.
  std::size_t last() const { return last_; }

  // By how much a list's scores may differ from those of another platform.
  double rounding() const;

 private:
  double rise(double nearness) const;
  void check_numbers(std::size_t items, const std::string& bytes) const;
  void check_rows() const;

  std::uint32_t rows_, count_, id_bytes_, last_;
  float decay_, c_, gamma_;
  std::vector<std::uint32_t> starts_, ids_;
  std::vector<float> scales_;
  std::vector<std::uint8_t> weights_;
};

}  // namespace glint_edge
