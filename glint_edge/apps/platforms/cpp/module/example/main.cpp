// Recommends at a terminal:
//
//     example BUNDLE [KEY …]
//
// prints the ten best items after a history of keys; each further line of input is a key that is
// taken in, and the new list follows, with the time that each call took.

#include <glint_edge/recommender.h>

#include <chrono>
#include <cstdio>
#include <iostream>
#include <string>
#include <vector>

#if defined(GLINT_EDGE_ON_EXECUTORCH)
#include <executorch/runtime/platform/platform.h>
#endif

namespace {

#if defined(GLINT_EDGE_ON_EXECUTORCH)
// ExecuTorch tells standard error what it looks for and does not find, as a CPU's description in many
// containers: lines that help nobody. Its errors stay. Your program may leave this out, or send the
// lines to its own log.
void log_errors(
    et_timestamp_t, et_pal_log_level_t level, const char*, const char*, std::size_t,
    const char* message, std::size_t) {
  if (level == kError || level == kFatal) std::fprintf(stderr, "%s\n", message);
}
#endif

// A text as a terminal may have it: a control character in a title could steer it.
std::string printable(std::string text) {
  for (char& letter : text) {
    if (static_cast<unsigned char>(letter) < ' ' || letter == '\x7f') letter = '?';
  }
  return text;
}

// Microseconds that a call takes.
template <typename Call>
double time_of(const Call& call) {
  const auto start = std::chrono::steady_clock::now();
  call();
  const std::chrono::duration<double, std::micro> took = std::chrono::steady_clock::now() - start;
  return took.count();
}

void show(const glint_edge::Session& session) {
  std::vector<glint_edge::Item> items;
  const double took = time_of([&] { items = session.top(10); });
  for (const glint_edge::Item& item : items) {
    std::printf(
        "%8.3f  %-8s  %s\n", static_cast<double>(item.score), printable(item.key).c_str(),
        printable(item.title.value_or("")).c_str());
  }
  std::printf("top: %.0f us\n", took);
}

void run(const std::string& bundle, const std::vector<std::string>& history) {
  const auto recommender = glint_edge::Recommender::load(bundle);
  auto session = recommender.start();
  const double took = time_of([&] { session = recommender.start(history); });
  std::printf("start, %zu items: %.0f us\n", history.size(), took);
  show(session);
  for (std::string key; std::getline(std::cin, key);) {
    try {
      std::printf("append: %.0f us\n", time_of([&] { session.append(key); }));
      show(session);
    } catch (const glint_edge::Error& error) {
      std::printf("%s\n", printable(error.what()).c_str());
    }
  }
}

}  // namespace

int main(int count, char** words) {
  if (count < 2) {
    std::fprintf(stderr, "usage: example BUNDLE [KEY ...], then a key a line\n");
    return 2;
  }
#if defined(GLINT_EDGE_ON_EXECUTORCH)
  using executorch::runtime::PalImpl;
  executorch::runtime::register_pal(PalImpl::create(log_errors, __FILE__));
#endif
  try {
    run(words[1], {words + 2, words + count});
    return 0;
  } catch (const glint_edge::Error& error) {
    std::fprintf(stderr, "%s\n", printable(error.what()).c_str());
    return 1;
  }
}
