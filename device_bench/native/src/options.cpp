#include "options.h"

#include <cstdlib>
#include <map>

#include "runtime.h"

namespace glint {

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
  options.result = take("--result", "");
  options.artifact = take("--artifact", "");
  options.inputs = take("--inputs", "");
  options.outputs = take("--outputs", "");
  options.window = take_number("--window", "0", 0);
  options.cycle = take_number("--cycle", "0", 0);
  options.threads = static_cast<int>(take_number("--threads", "1", 1));
  options.timed = take_number("--timed", "1", 0) != 0;
  options.counted = take_number("--counted", "0", 0);
  options.effort.warmup = take_number("--warmup", "50", 0);
  options.effort.runs = take_number("--runs", "500", 1);
  options.effort.budget = take_number("--budget-ms", "10000", 0) * 1'000'000;
  if (count % 2 == 0 || !given.empty()) {
    throw Error(
        "usage: glint-runner --artifact FILE --inputs FILE --outputs FILE --result FILE [options]");
  }
  return options;
}

std::string result_path(int count, char** arguments) {
  for (int n = 1; n + 1 < count; n += 2) {
    if (std::string(arguments[n]) == "--result") return arguments[n + 1];
  }
  return "";
}

}  // namespace glint
