// A tap by the calls of the C++ module, with the neighbours and without, and by the engine's own
// calls, session by session in turn:
//
//     app-tap BUNDLE SESSIONS KEY …
//
// prints {"with": [nanoseconds, …], "without": […], "artifact": […]}: a session takes in the keys,
// one after the other, and a list of ten follows each.

#include <glint.h>
#include <glint_edge/recommender.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;
using Times = std::vector<long long>;  // nanoseconds

template <typename Call>
void time(Times& times, const Call& call) {
  const auto start = Clock::now();
  call();
  const std::chrono::nanoseconds spent = Clock::now() - start;
  times.push_back(spent.count());
}

// Of one session.
void taps(
    Times& times, const glint_edge::Recommender& recommender, const std::vector<std::string>& keys,
    bool neighbours) {
  auto session = recommender.start();
  for (const std::string& key : keys) {
    time(times, [&] {
      session.append(key);
      session.top(10, glint_edge::SeenItems::by_log, {}, neighbours);
    });
  }
}

// The engine around the same artifact, without keys, titles and filters.
class Artifact {
 public:
  explicit Artifact(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    bytes_.assign(std::istreambuf_iterator<char>(file), {});
    if (glint_open(&model_, bytes_.data(), bytes_.size()) != GLINT_OK) std::exit(1);
    workspace_.resize(glint_workspace_bytes(&model_));
  }

  void taps(Times& times, std::size_t count) {
    std::vector<float> state(glint_state_floats(&model_));
    std::int32_t items[10];
    float scores[10];
    for (std::size_t n = 0; n < count; ++n) {
      time(times, [&] {
        glint_append(
            &model_, workspace_.data(), state.data(), static_cast<std::int32_t>(1 + n * 7));
        glint_recommend(&model_, workspace_.data(), state.data(), nullptr, 10, items, scores);
      });
    }
  }

 private:
  std::vector<unsigned char> bytes_, workspace_;
  glint_model model_;
};

void print(const char* name, const Times& took, const char* end) {
  std::printf("\"%s\": [", name);
  for (std::size_t n = 0; n < took.size(); ++n) std::printf("%s%lld", n ? ", " : "", took[n]);
  std::printf("]%s", end);
}

}  // namespace

int main(int count, char** arguments) {
  const auto recommender = glint_edge::Recommender::load(arguments[1]);
  const std::vector<std::string> keys(arguments + 3, arguments + count);
  Artifact artifact(std::string(arguments[1]) + "/model.glnt");
  Times with, without, alone;
  for (int sessions = std::atoi(arguments[2]); sessions > 0; --sessions) {
    taps(with, recommender, keys, true);
    taps(without, recommender, keys, false);
    artifact.taps(alone, keys.size());
  }
  std::printf("{");
  print("with", with, ", ");
  print("without", without, ", ");
  print("artifact", alone, "}\n");
}
