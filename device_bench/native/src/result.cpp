#include "result.h"

#include <cstdio>

namespace glint {
namespace {

std::string quoted(const std::string& text) {
  std::string quoted = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') quoted += '\\';
    // What a runtime says of a damaged file may be no text; the reader replaces what is no UTF-8.
    quoted += byte < 0x20 || byte == 0x7f ? ' ' : c;
  }
  return quoted + '"';
}

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.6g", value);
  return text;
}

std::string number(const std::optional<int64_t>& value) {
  return value ? std::to_string(*value) : "null";
}

template <typename Values, typename Write>
std::string list(const Values& values, Write write) {
  std::string text = "[";
  for (const auto& value : values) {
    if (text.size() > 1) text += ", ";
    text += write(value);
  }
  return text + "]";
}

std::string list(const Samples& samples) {
  return list(samples, [](Nanoseconds value) { return std::to_string(value); });
}

std::string by_name(const std::vector<std::pair<std::string, Samples>>& samples) {
  std::string text = "{";
  for (const auto& [name, values] : samples) {
    if (text.size() > 1) text += ",\n  ";
    text += quoted(name) + ": " + list(values);
  }
  return text + "}";
}

std::string by_name(const std::vector<std::pair<std::string, double>>& figures) {
  std::string text = "{";
  for (const auto& [name, value] : figures) {
    if (text.size() > 1) text += ", ";
    text += quoted(name) + ": " + number(value);
  }
  return text + "}";
}

}  // namespace

std::string to_json(const Result& result) {
  const auto microseconds = [](Nanoseconds value) { return static_cast<double>(value) / 1e3; };
  const auto milliseconds = [&](Nanoseconds value) { return number(microseconds(value) / 1e3); };
  return "{\"samples_ns\": " + by_name(result.samples) +
         ",\n \"cpu_ns\": " + by_name(result.cpu) +
         ",\n \"calibration_ns\": " + by_name(result.calibration) +
         ",\n \"counted\": " + list(result.counted, quoted) +
         ",\n \"load_ms\": " + list(result.loads, milliseconds) +
         ",\n \"first_call_us\": {\"append\": " + number(microseconds(result.first_append)) +
         ", \"recommend\": " + number(microseconds(result.first_recommend)) + "}" +
         ",\n \"peak_memory_bytes\": " + number(result.peak_memory) +
         ",\n \"steady_memory_bytes\": " + number(result.steady_memory) +
         ",\n \"memory_before_load_bytes\": " + number(result.memory_before_load) +
         ",\n \"threads\": " + std::to_string(result.threads) +
         ",\n \"state_size\": " + std::to_string(result.state_size) +
         ",\n \"top_k\": " + std::to_string(result.top_k) +
         ",\n \"warnings\": " + list(result.warnings, quoted) + "}\n";
}

std::string error_json(const std::string& message) {
  return "{\"error\": " + quoted(message) + "}\n";
}

}  // namespace glint
