// Histories to test with, and lists beside one another.

#pragma once

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "bundle.h"
#include "glint_edge/recommender.h"

using Keys = std::vector<std::string>;

inline bool same(const std::vector<glint_edge::Item>& one, const std::vector<glint_edge::Item>& other) {
  return std::equal(
      one.begin(), one.end(), other.begin(), other.end(), [](const glint_edge::Item& a, const glint_edge::Item& b) {
        return a.key == b.key && a.title == b.title && std::equal_to<float>()(a.score, b.score);
      });
}

// Some history, other for each `first`; items come again in it as in life.
inline Keys history_of(const glint_edge::Bundle& bundle, std::size_t size, std::size_t first = 0) {
  Keys keys;
  for (std::size_t n = 0; n < size; ++n) {
    keys.push_back(bundle.keys[(first + n * n) % bundle.keys.size()]);
  }
  return keys;
}
