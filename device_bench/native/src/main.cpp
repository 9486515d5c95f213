// Runs one artifact: times its methods, then writes the lists and states it gives.
//
//     glint-runner --artifact FILE --inputs FILE --outputs FILE --result FILE [--window W]
//                  [--cycle TAPS] [--threads T] [--timed 0|1] [--warmup N] [--runs N]
//                  [--budget-ms M] [--counted CALLS]
//
// The files are described in `exchange.py`; what is called, and in which order, is what
// `device_bench/measure/worker.py` does in Python. Exit code 0 with a result, 2 with an error of one line
// in the result; anything else is a crash. With --timed 0 --counted N each method is called N times
// between marks, for an instruction counter outside (qemu/count.c).

#include <algorithm>
#include <cstdio>
#include <exception>
#include <memory>
#include <string>
#include <vector>

#include "histories.h"
#include "options.h"
#include "output.h"
#include "process.h"
#include "result.h"
#include "runtime.h"
#include "sample.h"
#include "timing.h"

namespace glint {
namespace {

constexpr int kLoads = 5;

// Runtimes say little of what is not there.
void require_file(const std::string& path) {
  std::FILE* const file = std::fopen(path.c_str(), "rb");
  const bool readable = file != nullptr && std::fgetc(file) != EOF;  // a folder can be opened
  if (file != nullptr) std::fclose(file);
  if (!readable) throw Error("cannot read the artifact " + path + ", or it is empty");
}

std::unique_ptr<Runtime> load_timed(const Options& options, Result& result) {
  require_file(options.artifact);
  std::unique_ptr<Runtime> runtime;
  for (int number = 0; number < (options.timed ? kLoads : 1); ++number) {
    runtime.reset();  // or the peak would hold two
    const Stopwatch watch;
    runtime = load(options.artifact, options.threads);
    result.loads.push_back(watch.elapsed());
  }
  result.threads = runtime->threads();
  result.state_size = runtime->state_size();
  result.top_k = runtime->top_k();
  return runtime;
}

// The first call of each method, which may have to do more than the others.
void call_first(Runtime& runtime, Result& result) {
  std::vector<float> state(static_cast<size_t>(runtime.state_size()));
  std::vector<int64_t> items(static_cast<size_t>(runtime.top_k()));
  std::vector<float> scores(items.size());
  const Stopwatch append;
  runtime.append(state.data(), 1, state.data());
  result.first_append = append.elapsed();
  const Stopwatch recommend;
  runtime.recommend(state.data(), items.data(), scores.data());
  result.first_recommend = recommend.elapsed();
}

// After each golden history: the state item by item, then the state by `append_many`.
void write_states(Runtime& runtime, const Histories& golden, Output& output) {
  const auto size = static_cast<size_t>(runtime.state_size());
  std::vector<float> state(size);
  for (const bool at_once : {false, true}) {
    for (int64_t number = 0; number < golden.count; ++number) {
      std::fill(state.begin(), state.end(), 0.0f);
      const int64_t* const items = golden.begin(number);
      const int64_t count = golden.length(number);
      if (at_once) {
        runtime.append_many(state.data(), items, count, state.data());
      } else {
        for (int64_t n = 0; n < count; ++n) runtime.append(state.data(), items[n], state.data());
      }
      output.write(state.data(), size);
    }
  }
}

// The top-k after each history's last `window` items: all items, then all scores.
void write_lists(
    Runtime& runtime, const Histories& histories, int64_t window, Output& output) {
  const auto k = static_cast<size_t>(runtime.top_k());
  const auto count = static_cast<size_t>(histories.count);
  std::vector<float> state(static_cast<size_t>(runtime.state_size()));
  std::vector<int64_t> items(count * k);
  std::vector<float> scores(count * k);
  for (size_t number = 0; number < count; ++number) {
    const auto n = static_cast<int64_t>(number);
    const int64_t length = histories.length(n);
    const int64_t kept = window == 0 ? length : std::min(window, length);
    std::fill(state.begin(), state.end(), 0.0f);
    runtime.append_many(state.data(), histories.begin(n) + length - kept, kept, state.data());
    runtime.recommend(state.data(), items.data() + number * k, scores.data() + number * k);
  }
  output.write(items.data(), items.size());
  output.write(scores.data(), scores.size());
}

Result run(const Options& options) {
  pin(options.threads);
  const Inputs inputs(options.inputs);
  Result result;
  result.memory_before_load = resident_memory();
  const std::unique_ptr<Runtime> runtime = load_timed(options, result);
  call_first(*runtime, result);
  {
    Sample sample(*runtime, inputs.sample, options.window, options.cycle);
    if (options.timed) {
      sample.measure(options.effort, result);
    } else if (options.counted > 0) {
      sample.count(options.counted, result);
    }
    // Read here: the lists below are this program's memory, not the artifact's.
    result.steady_memory = resident_memory();
    result.peak_memory = peak_memory();
  }
  Output output(options.outputs);
  write_states(*runtime, inputs.golden, output);
  write_lists(*runtime, inputs.golden, options.window, output);
  write_lists(*runtime, inputs.all, options.window, output);
  output.close();
  return result;
}

// Returns the exit code; the result, or an error, is in `text`.
int run_told(int count, char** arguments, std::string& text) {
  try {
    text = to_json(run(parse(count, arguments)));
    return 0;
  } catch (const std::exception& error) {
    text = error_json(error.what());
    return 2;
  }
}

}  // namespace
}  // namespace glint

int main(int count, char** arguments) {
  std::string text;
  const int code = glint::run_told(count, arguments, text);
  try {
    glint::Output output(glint::result_path(count, arguments));
    output.write(text.data(), text.size());
    output.close();
  } catch (const glint::Error& error) {
    std::fprintf(stderr, "%s; %s", error.what(), text.c_str());
    return 3;
  }
  return code;
}
