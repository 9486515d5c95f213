// Runs one artifact: times its methods, then writes the lists and states it gives.
//
//     glint-runner --artifact FILE --inputs FILE --outputs FILE --result FILE [--window W]
//                  [--threads T] [--timed 0|1] [--warmup N] [--runs N] [--budget-ms M]
//                  [--counted CALLS]
//
// The files are described in `exchange.py`; what is called, and in which order, is what
// `device_bench/worker.py` does in Python. Exit code 0 with a result, 2 with an error of one line
// in the result; anything else is a crash. With --timed 0 --counted N each method is called N times
// between marks, for an instruction counter outside (qemu/count.c).

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <map>
#include <string>

#include "histories.h"
#include "mark.h"
#include "process.h"
#include "result.h"
#include "runtime.h"
#include "timing.h"

namespace glint {
namespace {

constexpr int kLoads = 5;
constexpr int64_t kColdStarts[] = {20, 50, 200};  // items
constexpr int64_t kColdWarmup = 10;
constexpr int64_t kCountWarmup = 3;  // what is done once is done by then

struct Options {
  std::string artifact, inputs, outputs, result;
  int64_t window = 0;  // items of a history that count, its last; 0: all
  int threads = 1;
  bool timed = true;
  int64_t counted = 0;  // calls of each method, if it is not timed
  Effort effort{50, 500, 10'000'000'000};
};

Options parse(int count, char** arguments) {
  std::map<std::string, std::string> given;
  for (int n = 1; n + 1 < count; n += 2) given[arguments[n]] = arguments[n + 1];
  const auto take = [&given](const char* name, const char* otherwise) {
    const auto found = given.find(name);
    if (found == given.end()) return std::string(otherwise);
    const std::string value = found->second;
    given.erase(found);
    return value;
  };
  const auto take_number = [&take](const char* name, const char* otherwise, long long least) {
    const std::string value = take(name, otherwise);
    char* end = nullptr;
    const long long number = std::strtoll(value.c_str(), &end, 10);
    if (value.empty() || *end != '\0' || number < least) {
      throw Error(std::string(name) + " takes a number of at least " + std::to_string(least));
    }
    return number;
  };
  Options options;
  // First, so that what else is wrong can be told in it.
  options.result = take("--result", "");
  options.artifact = take("--artifact", "");
  options.inputs = take("--inputs", "");
  options.outputs = take("--outputs", "");
  options.window = take_number("--window", "0", 0);
  options.threads = static_cast<int>(take_number("--threads", "1", 1));
  options.timed = take_number("--timed", "1", 0) != 0;
  options.counted = take_number("--counted", "0", 0);
  options.effort.warmup = take_number("--warmup", "50", 0);
  options.effort.runs = take_number("--runs", "500", 1);
  options.effort.budget = take_number("--budget-ms", "10000", 0) * 1'000'000;
  if (count % 2 == 0 || !given.empty()) {
    throw Error("usage: glint-runner --artifact FILE --inputs FILE --outputs FILE --result FILE …");
  }
  return options;
}

// A file that is whole when `close` returns.
class Output {
 public:
  explicit Output(const std::string& path) : path_(path), file_(std::fopen(path.c_str(), "wb")) {
    if (file_ == nullptr) throw Error("cannot write " + path_);
  }
  ~Output() {
    if (file_ != nullptr) std::fclose(file_);
  }
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  template <typename T>
  void write(const T* values, size_t count) {
    if (std::fwrite(values, sizeof(T), count, file_) != count) full();
  }

  void close() {
    std::FILE* const file = file_;
    file_ = nullptr;
    if (std::fclose(file) != 0) full();
  }

 private:
  [[noreturn]] void full() const { throw Error("cannot write " + path_ + "; is the disk full?"); }

  std::string path_;
  std::FILE* file_;
};

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

// The methods on the sample's states in turn; every history of the sample holds an item.
class Sample {
 public:
  Sample(Runtime& runtime, const Histories& histories)
      : runtime_(runtime),
        histories_(histories),
        size_(runtime.state_size()),
        states_(static_cast<size_t>(histories.count * size_)),
        after_(static_cast<size_t>(size_)),
        items_(static_cast<size_t>(runtime.top_k())),
        scores_(items_.size()) {
    // Up to the last item, which is what `append` is timed on.
    for (int64_t number = 0; number < histories_.count; ++number) {
      const int64_t count = histories_.length(number) - 1;
      runtime_.append_many(state(number), histories_.begin(number), count, state(number));
    }
  }

  void measure(const Effort& effort, Result& result) {
    each([&effort, &result](const std::string& name, const Call& call) {
      Effort own = effort;
      // A cold start is as long as many calls of the others, and has warmed up after a few.
      if (name.rfind("cold", 0) == 0) own.warmup = std::min(effort.warmup, kColdWarmup);
      add(name, glint::measure(call, own), result);
    });
  }

  // Marks 2n and 2n + 1 stand before and after each call of the nth method.
  void count(int64_t calls, Result& result) {
    each([calls, &result](const std::string& name, const Call& call) {
      const auto before = 2 * static_cast<unsigned long>(result.counted.size());
      for (int64_t number = 0; number < kCountWarmup; ++number) call(number);
      for (int64_t number = 0; number < calls; ++number) {
        mark(before);
        call(number);
        mark(before + 1);
      }
      result.counted.push_back(name);
    });
  }

 private:
  // Gives `visit` each method's name and how it is called, in the order in which they run.
  template <typename Visit>
  void each(const Visit& visit) {
    visit("append", [this](int64_t call) {
      const int64_t number = call % histories_.count;
      runtime_.append(state(number), last_item(number), after_.data());
    });
    for (int64_t number = 0; number < histories_.count; ++number) {
      runtime_.append(state(number), last_item(number), state(number));
    }
    visit("recommend", [this](int64_t call) { recommend(state(call % histories_.count)); });
    for (const int64_t length : kColdStarts) {
      const std::vector<int64_t> items = repeated(length);
      visit("cold_start_" + std::to_string(length), [this, &items, length](int64_t call) {
        std::fill(after_.begin(), after_.end(), 0.0f);
        const int64_t* const history = items.data() + call % histories_.count * length;
        runtime_.append_many(after_.data(), history, length, after_.data());
        recommend(after_.data());
      });
    }
  }

  float* state(int64_t number) { return states_.data() + number * size_; }

  int64_t last_item(int64_t number) const {
    return histories_.begin(number)[histories_.length(number) - 1];
  }

  void recommend(const float* state) { runtime_.recommend(state, items_.data(), scores_.data()); }

  // Each history's items again and again, up to a length.
  std::vector<int64_t> repeated(int64_t length) const {
    std::vector<int64_t> items;
    for (int64_t number = 0; number < histories_.count; ++number) {
      for (int64_t n = 0; n < length; ++n) {
        items.push_back(histories_.begin(number)[n % histories_.length(number)]);
      }
    }
    return items;
  }

  static void add(const std::string& name, Timing timing, Result& result) {
    if (!timing.steady) {
      result.warnings.push_back(name + " was still not steady after " +
                                std::to_string(timing.warmup_calls) + " calls");
    }
    result.samples.emplace_back(name, std::move(timing.calls));
    result.cpu.emplace_back(name, timing.cpu);
    result.calibration.insert(
        result.calibration.end(), timing.calibration.begin(), timing.calibration.end());
  }

  Runtime& runtime_;
  const Histories& histories_;
  const int64_t size_;
  std::vector<float> states_;
  std::vector<float> after_;
  std::vector<int64_t> items_;
  std::vector<float> scores_;
};

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
    Sample sample(*runtime, inputs.sample);
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

int main(int count, char** arguments) {
  std::string path;
  for (int n = 1; n + 1 < count; n += 2) {
    if (std::string(arguments[n]) == "--result") path = arguments[n + 1];
  }
  std::string text;
  int code = 0;
  try {
    text = to_json(run(parse(count, arguments)));
  } catch (const std::exception& error) {
    text = error_json(error.what());
    code = 2;
  }
  try {
    Output output(path);
    output.write(text.data(), text.size());
    output.close();
  } catch (const Error& error) {
    std::fprintf(stderr, "%s; %s", error.what(), text.c_str());
    return 3;
  }
  return code;
}

}  // namespace
}  // namespace glint

int main(int count, char** arguments) { return glint::main(count, arguments); }
