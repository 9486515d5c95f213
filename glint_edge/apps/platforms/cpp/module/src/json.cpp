#include "json.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <locale>
#include <sstream>

#include "glint_edge/recommender.h"

namespace glint_edge {
namespace {

// A file that nests deeper is not a bundle's, and must not overflow the stack.
constexpr int kDeepest = 31;

void write_utf8(std::string& out, std::uint32_t code) {
  const auto put = [&out](std::uint32_t byte) { out += static_cast<char>(byte); };
  if (code < 0x80) return put(code);
  if (code < 0x800) {
    put(0xC0 | code >> 6);
  } else {
    if (code < 0x10000) {
      put(0xE0 | code >> 12);
    } else {
      put(0xF0 | code >> 18);
      put(0x80 | (code >> 12 & 0x3F));
    }
    put(0x80 | (code >> 6 & 0x3F));
  }
  put(0x80 | (code & 0x3F));
}

// No longer than it must be, no half of a surrogate pair, nothing beyond U+10FFFF.
bool is_utf8(std::string_view text) {
  constexpr std::uint32_t kLeast[] = {0x80, 0x800, 0x10000};
  for (std::size_t place = 0; place < text.size();) {
    const auto first = static_cast<unsigned char>(text[place++]);
    if (first < 0x80) continue;
    const std::size_t more = first >= 0xF0 ? 3 : first >= 0xE0 ? 2 : 1;
    if (first < 0xC2 || first > 0xF4 || text.size() - place < more) return false;
    std::uint32_t code = first & (0x3Fu >> more);
    for (const char letter : text.substr(place, more)) {
      const auto next = static_cast<unsigned char>(letter);
      if ((next & 0xC0) != 0x80) return false;
      code = code << 6 | (next & 0x3F);
    }
    const bool is_half = code >= 0xD800 && code <= 0xDFFF;
    if (code < kLeast[more - 1] || is_half || code > 0x10FFFF) return false;
    place += more;
  }
  return true;
}

void write_string(std::string& out, const std::string& text) {
  constexpr std::string_view kEscaped = "\"\\\b\f\n\r\t", kLetters = "\"\\bfnrt";
  out += '"';
  for (const char letter : text) {
    if (const auto place = kEscaped.find(letter); place != std::string_view::npos) {
      out += {'\\', kLetters[place]};
    } else if (static_cast<unsigned char>(letter) < 0x20) {
      constexpr std::string_view kDigits = "0123456789abcdef";
      out += {'\\', 'u', '0', '0', kDigits[static_cast<unsigned char>(letter) >> 4],
              kDigits[letter & 15]};
    } else {
      out += letter;
    }
  }
  out += '"';
}

}  // namespace

// By recursive descent, one method a rule of RFC 8259.
class JsonParser {
 public:
  explicit JsonParser(std::string_view text) : text_(text) {}

  Json document() {
    if (!is_utf8(text_)) fail("no UTF-8");
    Json root = value(0);
    skip_space();
    if (place_ != text_.size()) fail("more after the end");
    return root;
  }

 private:
  Json value(int depth) {
    if (depth > kDeepest) fail("too many levels");
    skip_space();
    Json json;
    switch (peek()) {
      case '{': json.value_ = object(depth); break;
      case '[': json.value_ = array(depth); break;
      case '"': json.value_ = string(); break;
      case 't': word("true"); json.value_ = true; break;
      case 'f': word("false"); json.value_ = false; break;
      case 'n': word("null"); break;
      default: json.value_ = number();
    }
    return json;
  }

  Json::Object object(int depth) {
    Json::Object members;
    ++place_;
    if (skip_space(), take('}')) return members;
    do {
      skip_space();
      if (peek() != '"') fail("a name was expected");
      std::string name = string();
      skip_space();
      if (!take(':')) fail("':' was expected");
      members.emplace_back(std::move(name), value(depth + 1));
      skip_space();
    } while (take(','));
    if (!take('}')) fail("',' or '}' was expected");
    return members;
  }

  Json::Array array(int depth) {
    Json::Array values;
    ++place_;
    if (skip_space(), take(']')) return values;
    do {
      values.push_back(value(depth + 1));
      skip_space();
    } while (take(','));
    if (!take(']')) fail("',' or ']' was expected");
    return values;
  }

  std::string string() {
    std::string out;
    ++place_;
    while (peek() != '"') {
      if (static_cast<unsigned char>(peek()) < 0x20) fail("a string does not end");
      if (take('\\')) {
        escape(out);
      } else {
        out += text_[place_++];
      }
    }
    ++place_;
    return out;
  }

  void escape(std::string& out) {
    constexpr std::string_view kLetters = "\"\\/bfnrt", kMeant = "\"\\/\b\f\n\r\t";
    if (take('u')) return write_utf8(out, code_point());
    const auto which = kLetters.find(peek());
    if (peek() == '\0' || which == std::string_view::npos) fail("an unknown escape");
    out += kMeant[which];
    ++place_;
  }

  // \uXXXX, or two of them that are a surrogate pair.
  std::uint32_t code_point() {
    const std::uint32_t first = four_digits();
    if (first < 0xD800 || first > 0xDFFF) return first;
    if (first > 0xDBFF || !take('\\') || !take('u')) fail("half of a surrogate pair");
    const std::uint32_t second = four_digits();
    if (second < 0xDC00 || second > 0xDFFF) fail("half of a surrogate pair");
    return 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
  }

  std::uint32_t four_digits() {
    std::uint32_t code = 0;
    const std::string_view digits = text_.substr(place_, 4);
    const auto end = digits.data() + digits.size();
    if (digits.size() < 4 || std::from_chars(digits.data(), end, code, 16).ptr != end) {
      fail("\\u takes four hexadecimal digits");
    }
    place_ += 4;
    return code;
  }

  Json::Number number() {
    const std::size_t start = place_;
    take('-');
    if (!take('0')) digits();
    if (take('.')) digits();
    if (take('e') || take('E')) {
      if (!take('-')) take('+');
      digits();
    }
    return {std::string(text_.substr(start, place_ - start))};
  }

  void digits() {
    const auto is_digit = [this] { return peek() >= '0' && peek() <= '9'; };
    if (!is_digit()) fail("a value was expected");
    while (is_digit()) ++place_;
  }

  void word(std::string_view expected) {
    if (text_.substr(place_, expected.size()) != expected) fail("a value was expected");
    place_ += expected.size();
  }

  void skip_space() {
    while (peek() == ' ' || peek() == '\t' || peek() == '\n' || peek() == '\r') ++place_;
  }

  bool take(char expected) {
    if (peek() != expected || place_ == text_.size()) return false;
    ++place_;
    return true;
  }

  // '\0' at the end, which no rule allows for.
  char peek() const { return place_ < text_.size() ? text_[place_] : '\0'; }

  [[noreturn]] void fail(const char* what) const {
    throw Error(std::string(what) + " at byte " + std::to_string(place_));
  }

  std::string_view text_;
  std::size_t place_ = 0;
};

Json Json::parse(std::string_view text) { return JsonParser(text).document(); }

template <typename T>
const T& Json::get(const char* type) const {
  if (const T* value = std::get_if<T>(&value_)) return *value;
  throw Error(std::string("a value is no ") + type);
}

const Json::Array& Json::array() const { return get<Array>("list"); }
const Json::Object& Json::object() const { return get<Object>("object"); }
const std::string& Json::string() const { return get<std::string>("string"); }

bool Json::boolean() const { return get<bool>("true or false"); }

bool Json::is_number() const { return std::holds_alternative<Number>(value_); }

bool Json::is_null() const { return std::holds_alternative<std::nullptr_t>(value_); }

std::int64_t Json::integer() const {
  const std::string& text = get<Number>("number").text;
  std::int64_t value = 0;
  const auto end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || stop != end) throw Error(text.substr(0, 40) + " is no whole number");
  return value;
}

std::int64_t Json::integer(std::int64_t least, std::int64_t most) const {
  const std::int64_t value = integer();
  if (value < least || value > most) {
    throw Error(
        "a number is " + std::to_string(value) + ", not from " + std::to_string(least) + " to " +
        std::to_string(most));
  }
  return value;
}

double Json::number() const {
  // Whatever the app's locale is: in some, strtod takes a decimal comma.
  std::istringstream text(get<Number>("number").text);
  text.imbue(std::locale::classic());
  double value = 0;
  text >> value;
  if (text.fail() || !std::isfinite(value)) throw Error("a number is too large");
  return value;
}

const Json* Json::find(std::string_view name) const {
  const Object& members = object();
  for (auto member = members.rbegin(); member != members.rend(); ++member) {
    if (member->first == name) return &member->second;
  }
  return nullptr;
}

const Json& Json::at(std::string_view name) const {
  if (const Json* member = find(name)) return *member;
  throw Error("it has no \"" + std::string(name) + "\"");
}

std::string Json::canonical() const {
  std::string out;
  write(out);
  return out;
}

Json Json::without(std::string_view name) const {
  Object rest;
  for (const auto& member : object()) {
    if (member.first != name) rest.push_back(member);
  }
  Json copy;
  copy.value_ = std::move(rest);
  return copy;
}

Json Json::with(const std::string& name, const Json& value) const {
  Object members = without(name).object();
  members.emplace_back(name, value);
  Json changed;
  changed.value_ = std::move(members);
  return changed;
}

void Json::write(std::string& out) const {
  if (const auto* number = std::get_if<Number>(&value_)) {
    out += number->text;
  } else if (const auto* text = std::get_if<std::string>(&value_)) {
    write_string(out, *text);
  } else if (const auto* values = std::get_if<Array>(&value_)) {
    out += '[';
    for (const Json& value : *values) {
      if (&value != values->data()) out += ',';
      value.write(out);
    }
    out += ']';
  } else if (const auto* members = std::get_if<Object>(&value_)) {
    std::vector<const std::pair<std::string, Json>*> sorted;
    for (const auto& member : *members) sorted.push_back(&member);
    // By UTF-8's bytes, which is by code points.
    std::sort(sorted.begin(), sorted.end(), [](auto* a, auto* b) { return a->first < b->first; });
    char before = '{';
    for (const auto* member : sorted) {
      out += before;
      write_string(out, member->first);
      out += ':';
      member->second.write(out);
      before = ',';
    }
    out += sorted.empty() ? "{}" : "}";
  } else {
    const bool* truth = std::get_if<bool>(&value_);
    out += truth == nullptr ? "null" : *truth ? "true" : "false";
  }
}

}  // namespace glint_edge
