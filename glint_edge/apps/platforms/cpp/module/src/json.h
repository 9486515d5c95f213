// A JSON value, as much of it as a bundle's files need.

#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace glint_edge {

class Json {
 public:
  // As the text spells it, so that the text can be written again as it was.
  struct Number {
    std::string text;
  };
  using Array = std::vector<Json>;
  using Object = std::vector<std::pair<std::string, Json>>;  // in the text's order

  // Throws Error with what is wrong and at which byte.
  static Json parse(std::string_view text);

  // Each throws Error if it is another type than the one asked for, or a number out of range.
  const Array& array() const;
  const Object& object() const;
  const std::string& string() const;
  std::int64_t integer() const;
  std::int64_t integer(std::int64_t least, std::int64_t most) const;
  double number() const;
  bool boolean() const;

  bool is_number() const;
  bool is_null() const;

  // A member of an object, by name, the last of several; nullptr, or an Error, if there is none.
  const Json* find(std::string_view name) const;
  const Json& at(std::string_view name) const;

  // The one text of this value: no spaces, members in the order of their names. It is what
  // json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False) writes in Python.
  std::string canonical() const;

  // The value without a member, and with another in its place.
  Json without(std::string_view name) const;
  Json with(const std::string& name, const Json& value) const;

 private:
  friend class JsonParser;
  template <typename T>
  const T& get(const char* type) const;
  void write(std::string& out) const;

  std::variant<std::nullptr_t, bool, Number, std::string, Array, Object> value_;
};

}  // namespace glint_edge
