// The least that a test needs: what does not hold is printed, and the test fails at its end.

#pragma once

#include <cstdio>
#include <filesystem>
#include <string>

#include "glint_edge/recommender.h"

#define CHECK(condition) check((condition), #condition, __FILE__, __LINE__)

inline int failures = 0;

inline void check(bool holds, const std::string& what, const char* file, int line) {
  if (holds) return;
  ++failures;
  std::printf("%s:%d: %s\n", file, line, what.c_str());
}

// A call must throw an Error of one line that has `part` in it.
template <typename Call>
void check_refused(const std::string& part, const Call& call) {
  try {
    call();
  } catch (const glint_edge::Error& error) {
    const std::string said = error.what();
    if (said.find(part) != std::string::npos && said.find('\n') == std::string::npos) return;
    ++failures;
    std::printf("refused with \"%s\", without \"%s\"\n", said.c_str(), part.c_str());
    return;
  }
  ++failures;
  std::printf("not refused: \"%s\"\n", part.c_str());
}

// Runs a test on the bundle that is the program's one argument; its exit code.
template <typename Test>
int run_on_bundle(int count, char** words, const Test& test) {
  if (count != 2) return std::printf("usage: %s BUNDLE\n", words[0]), 2;
  try {
    test(std::filesystem::path(words[1]));
  } catch (const std::exception& error) {
    ++failures;
    std::printf("%s\n", error.what());
  }
  return failures == 0 ? 0 : 1;
}
