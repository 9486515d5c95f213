// The bundle's .glnt on the engine, which is plain C and stands in engine/.

#include <glint.h>

#include <string>
#include <vector>

#include "bundle.h"
#include "mapped_file.h"
#include "program.h"

namespace glint_edge {
namespace {

class Engine : public Program {
 public:
  explicit Engine(const Bundle& bundle) : top_k_(bundle.top_k), file_(bundle.artifact) {
    const int error = glint_open(&model_, file_.bytes(), file_.size());
    if (error == GLINT_NEWER) {
      throw Error(
          bundle.artifact.string() + " is of a later version than this app's engine; upgrade the app");
    }
    if (error != GLINT_OK) {
      throw Error(bundle.artifact.string() + " is no model of the engine; export the bundle again");
    }
    if (glint_state_floats(&model_) != bundle.state_size || model_.rows != bundle.rows) {
      throw Error("the artifact is of another model than its manifest; export the bundle again");
    }
    workspace_.resize(glint_workspace_bytes(&model_));
  }

  State append(const State& state, std::int32_t item) override {
    State after = state;
    glint_append(&model_, workspace_.data(), after.data(), item);
    return after;
  }

  State append_many(const State& state, const Ids& items) override {
    State after = state;
    glint_append_many(&model_, workspace_.data(), after.data(), items.data(), items.size());
    return after;
  }

  TopK recommend(const State& state, const Bias& bias) override {
    return list([&](std::int32_t k, std::int32_t* items, float* scores) {
      return glint_recommend(
          &model_, workspace_.data(), state.data(), bias.data(), k, items, scores);
    });
  }

  TopK similar(std::int32_t item, const Bias& bias) override {
    return list([&](std::int32_t k, std::int32_t* items, float* scores) {
      return glint_similar(&model_, workspace_.data(), item, bias.data(), k, items, scores);
    });
  }

 private:
  template <typename Ask>
  TopK list(const Ask& ask) const {
    Ids items(top_k_);
    std::vector<float> scores(top_k_);
    const auto count = static_cast<std::size_t>(
        ask(static_cast<std::int32_t>(top_k_), items.data(), scores.data()));
    items.resize(count);
    scores.resize(count);
    return {{items.begin(), items.end()}, scores};
  }

  const std::size_t top_k_;
  const MappedFile file_;
  glint_model model_;
  std::vector<unsigned char> workspace_;
};

}  // namespace

const char* const Program::kTarget = "c";
const char* const Program::kRuntime = "the engine";

std::unique_ptr<Program> Program::open(const Bundle& bundle) {
  return std::make_unique<Engine>(bundle);
}

}  // namespace glint_edge
