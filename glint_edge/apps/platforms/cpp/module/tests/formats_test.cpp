// JSON, SHA-256, CRC-32, neighbours and a session's bytes, by published vectors and by what Python gives.

#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "check.h"
#include "crc32.h"
#include "json.h"
#include "neighbours.h"
#include "session_bytes.h"
#include "sha256.h"

using glint_edge::crc32;
using glint_edge::Json;
using glint_edge::Neighbours;
using glint_edge::Pull;
using glint_edge::pull_of;
using glint_edge::Pulls;
using glint_edge::sha256;

// NIST's examples for SHA-256 (FIPS 180-4), and every length around a block's end.
static void test_sha256() {
  CHECK(sha256("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(sha256("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(
      sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq") ==
      "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  CHECK(
      sha256(std::string(1'000'000, 'a')) ==
      "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
  std::string sums;
  for (std::size_t size = 0; size <= 130; ++size) sums += sha256(std::string(size, 'x'));
  CHECK(sha256(sums) == "87aca1c44bc7ba8897768170211f0a02063de70801131ff86c7edb9ce32c6a50");
  glint_edge::Sha256 pieces;
  for (const char letter : std::string(1000, 'a')) pieces.update(&letter, 1);
  CHECK(pieces.hex() == sha256(std::string(1000, 'a')));
}

// The check value of CRC-32/ISO-HDLC, and zlib's of other texts.
static void test_crc32() {
  const std::string fox = "The quick brown fox jumps over the lazy dog";
  CHECK(crc32("123456789", 9) == 0xCBF43926);
  CHECK(crc32(fox.data(), fox.size()) == 0x414FA339);
  CHECK(crc32("", 0) == 0);
  CHECK(crc32("\0\0\0\0", 4) == 0x2144DF1C);
}

static std::string parsed(const std::string& text) { return Json::parse(text).string(); }

static void test_json_strings() {
  CHECK(parsed(R"("plain \"\\\/\b\f\n\r\t")") == "plain \"\\/\b\f\n\r\t");
  CHECK(parsed(R"("\u0041\u00e9\u20AC")") == "Aé€");
  CHECK(parsed(R"("\uD834\udd1e")") == "𝄞");  // RFC 8259's own example of a surrogate pair
  CHECK(parsed(R"("\ud800\udc00\uDBFF\uDFFF")") == "\xF0\x90\x80\x80\xF4\x8F\xBF\xBF");
  CHECK(parsed("\"Zweiter – ２ 𝄞\"") == "Zweiter – ２ 𝄞");
  CHECK(parsed(R"("a\u0000b")") == std::string("a\0b", 3));
}

static void test_json_values() {
  const Json value = Json::parse(
      " {\"z\": [1, -2.5e3, true, false, null, []], \"a\\u000a\": {},\n"
      "  \"é\": \"\\u007f\\u001f\"}\n");
  CHECK(value.at("z").array().size() == 6);
  CHECK(value.at("z").array()[0].integer() == 1);
  CHECK(value.at("z").array()[1].number() == -2500);
  CHECK(value.find("b") == nullptr);
  // What Python's json.dumps makes of it.
  CHECK(
      value.canonical() ==
      "{\"a\\n\":{},\"z\":[1,-2.5e3,true,false,null,[]],\"é\":\"\x7f\\u001f\"}");
  CHECK(value.without("z").canonical() == "{\"a\\n\":{},\"é\":\"\x7f\\u001f\"}");
  check_refused("is no list", [&] { value.array(); });
  check_refused("is no whole number", [&] { value.at("z").array()[1].integer(); });
  check_refused("it has no \"b\"", [&] { value.at("b"); });
}

static void test_json_refusals() {
  for (const std::string text :
       {"", " ", "{", "[", "[1", "[1,", "[1,]", "[1 2]", "{\"a\"", "{\"a\":", "{\"a\":1",
        "{\"a\":1,}", "{a:1}", "{\"a\" 1}", "\"", "\"a", "\"\\", "\"\\x\"", "\"\\u12\"",
        "\"\\u12g4\"", "\"\\ud834\"", "\"\\ud834x\"", "\"\\ud834\\u0041\"", "\"\\udd1e\"",
        "\"a\nb\"", "tru", "nul", "+1", "-", "01", "1.", ".5", "1e", "1e+", "0x1", "NaN", "1 1",
        "[]]"}) {
    check_refused("at byte", [&] { Json::parse(text); });
  }
  check_refused("too many levels", [] { Json::parse(std::string(100'000, '[')); });
  check_refused("at byte", [] { Json::parse(std::string("[1]\0", 4)); });
  for (const std::string text :
       {"\x80", "\xC3", "\xC0\x80", "\xE0\x80\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xFF"}) {
    check_refused("no UTF-8", [&] { Json::parse("\"" + text + "\""); });
  }
  CHECK(Json::parse(std::string(31, '[') + std::string(31, ']')).array().size() == 1);
  check_refused("too large", [] { Json::parse("-1e999").number(); });
  check_refused("not from 1 to 5", [] { Json::parse("6").integer(1, 5); });
  CHECK(Json::parse("{\"a\": 1, \"a\": 2}").at("a").integer() == 2);  // as in Python and JavaScript
}

static std::string hex(const std::vector<std::uint8_t>& bytes) {
  std::string text;
  for (const unsigned byte : bytes) {
    text += {"0123456789abcdef"[byte >> 4], "0123456789abcdef"[byte & 15]};
  }
  return text;
}

// The bytes that glint_edge.runtime writes, by Python's struct and zlib.
static void test_session_bytes() {
  const std::string digest = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1eff";
  const auto bytes = glint_edge::pack({digest, {0.0f, 1.5f, -2.25e-3f}, {1, 258, 70000}});
  CHECK(
      hex(bytes) ==
      "474c494e545345530100000003000000000102030405060708090a0b0c0d0e0f1011121314151617"
      "18191a1b1c1d1eff03000000000000000000c03fbc7413bb010000000201000070110100455c7098");
  const auto session = glint_edge::unpack(bytes, digest, 3, 70000);
  CHECK(session.state == (std::vector<float>{0.0f, 1.5f, -2.25e-3f}));
  CHECK(session.ids == (std::vector<std::int32_t>{1, 258, 70000}));
  check_refused("item 70000 is not in the catalogue", [&] {
    glint_edge::unpack(bytes, digest, 3, 69999);
  });
  check_refused("its sizes are not", [&] { glint_edge::unpack(bytes, digest, 2, 70000); });
}

// Beyond a window, an item counts as seen, once.
static void test_ids_to_save() {
  using Ids = std::vector<std::int32_t>;
  const Ids ids{1, 2, 1, 3, 4, 2, 5, 6, 5};
  CHECK(glint_edge::ids_to_save(ids, 3) == (Ids{1, 3, 4, 2, 5, 6, 5}));
  CHECK(glint_edge::ids_to_save(ids, 2) == (Ids{1, 3, 4, 2, 6, 5}));
  for (const std::size_t window : {9, 10}) CHECK(glint_edge::ids_to_save(ids, window) == ids);
  CHECK(glint_edge::ids_to_save(ids, std::nullopt) == ids);
  CHECK(glint_edge::ids_to_save({}, 3).empty());
}

// The bytes with a number written over a place; this machine is little endian, as the file is.
template <typename T>
static std::string with(std::string bytes, std::size_t place, T value) {
  std::memcpy(&bytes[place], &value, sizeof value);
  return bytes;
}

// Of four rows: item 1 has the neighbours 2 and 3, item 3 has 1; c is 1.5, gamma 30.
static std::string neighbours_file() {
  std::string bytes(40 + 5 * 4 + 4 * 4 + 3 + 3 * 2, '\0');
  bytes.replace(0, 4, "GENB");
  const std::uint32_t numbers[] = {1, 4, 3, 2, 8}, starts[] = {0, 0, 2, 2, 3};
  const float reals[] = {0.7f, 1.5f, 30.0f}, scales[] = {0, 0.5f, 0, 0.125f};
  const std::uint8_t weights[] = {9, 1, 255};
  const std::uint16_t ids[] = {2, 3, 1};
  std::memcpy(&bytes[4], numbers, sizeof numbers);
  std::memcpy(&bytes[24], reals, sizeof reals);
  std::memcpy(&bytes[40], starts, sizeof starts);
  std::memcpy(&bytes[60], scales, sizeof scales);
  std::memcpy(&bytes[76], weights, sizeof weights);
  std::memcpy(&bytes[79], ids, sizeof ids);
  return bytes;
}

static void check_pull(
    const Pulls& pulls, std::int32_t id, double nearness, std::int32_t because) {
  const Pull* pull = pull_of(pulls, id);
  CHECK(pull != nullptr);
  if (pull == nullptr) return;
  CHECK(std::abs(pull->rise - 1.5 * std::log1p(30 * nearness)) < 1e-5);
  CHECK(pull->because == because);
}

static void test_what_neighbours_add() {
  const Neighbours neighbours(neighbours_file(), 5);
  CHECK(neighbours.pulls({}).empty() && neighbours.pulls({2, 4, 5, 2}).empty());
  const Pulls one = neighbours.pulls({1});
  CHECK(one.size() == 2);
  check_pull(one, 2, 4.5, 1);
  check_pull(one, 3, 0.5, 1);
  const Pulls two = neighbours.pulls({3, 1});
  CHECK(two.size() == 1);  // what is taken, and not near itself, does not come again
  check_pull(two, 2, 4.5 / 1.7, 1);
  const Neighbours itself(with<std::uint16_t>(neighbours_file(), 83, 3), 5);
  check_pull(itself.pulls({3, 1}), 3, (0.7 * 31.875 + 0.5) / 1.7, 3);
  CHECK(itself.pulls({3, 1}).size() == 2);
  check_pull(neighbours.pulls({1, 3, 1}), 2, 4.5 * 1.49 / 2.19, 1);
  check_pull(neighbours.pulls({1, 5}), 2, 0.7 * 4.5 / 1.7, 1);  // it has no row, and is a step
  const glint_edge::Ids ninth{1, 2, 2, 2, 2, 2, 2, 2, 2};  // item 1 is the ninth from the end
  CHECK(neighbours.pulls(ninth).empty());
  const auto nine = with<float>(with<std::uint32_t>(neighbours_file(), 20, 9), 24, 1);
  check_pull(Neighbours(nine, 5).pulls(ninth), 3, 0.5 / 9, 1);
  CHECK(std::abs(neighbours.rounding() - 1e-4 * 1.5 * std::log1p(30)) < 1e-9);
  // Of equal shares the later item's: item 3 has the neighbour 2 now, as near as item 1's.
  const auto equal = with<float>(with<std::uint16_t>(neighbours_file(), 83, 2), 24, 1);
  check_pull(Neighbours(with<float>(equal, 72, 4.5f / 255), 5).pulls({1, 3}), 2, 4.5, 3);
}

static void test_neighbours_that_are_none() {
  const std::string whole = neighbours_file();
  const auto refused = [](const std::string& bytes, const std::string& part) {
    check_refused(part, [&] { Neighbours(bytes, 3); });
  };
  for (const std::size_t size : {0, 4, 39}) refused(whole.substr(0, size), "it holds no neighbours");
  refused("GENC" + whole.substr(4), "it holds no neighbours");
  refused(with<std::uint32_t>(whole, 4, 0), "its version");
  CHECK(Neighbours::later_version(with<std::uint32_t>(whole, 4, 2)) == 2);
  CHECK(Neighbours::later_version(whole) == 0 && Neighbours::later_version("GENB") == 0);
  constexpr float kNone = std::numeric_limits<float>::quiet_NaN();
  constexpr float kInfinite = std::numeric_limits<float>::infinity();
  const auto numbers = [&](std::size_t place, const char* part, std::vector<std::uint32_t> values) {
    for (const std::uint32_t value : values) refused(with(whole, place, value), part);
  };
  const auto reals = [&](std::size_t place, const char* part, std::vector<float> values) {
    for (const float value : values) refused(with(whole, place, value), part);
  };
  numbers(8, "its rows", {0, 1, 5, ~0u});
  numbers(8, "its size", {3});
  numbers(12, "its size", {2, 4, ~0u});
  numbers(16, "the size of its ids", {0, 1, 3});
  numbers(16, "its size", {4});
  numbers(20, "how many items count", {0, 65, ~0u});
  reals(24, "its decay", {0, -0.5f, 1.5f, kNone, kInfinite});
  reals(28, "its c", {-0.5f, 10.5f, kNone, kInfinite});
  reals(32, "its gamma", {0, -1, 2e6f, kNone, kInfinite});
  numbers(36, "a later version", {1});
  numbers(40, "its rows begin", {1});
  numbers(52, "its rows begin", {1, 4});
  numbers(56, "its rows begin", {0, 2, 4});
  reals(60, "a scale", {-1, kNone, kInfinite});
  reals(64, "a scale", {0, -0.5f, kNone, kInfinite});
  refused(with<std::uint8_t>(whole, 77, 0), "a weight");
  for (const std::uint16_t id : std::vector<std::uint16_t>{0, 3, 4}) refused(with(whole, 79, id), "an id");
  for (const std::uint16_t id : std::vector<std::uint16_t>{1, 2, 4}) refused(with(whole, 81, id), "an id");
  refused(whole.substr(0, whole.size() - 1), "its size");
  refused(whole + "x", "its size");
}

int main() {
  test_sha256();
  test_crc32();
  test_json_strings();
  test_json_values();
  test_json_refusals();
  test_session_bytes();
  test_ids_to_save();
  test_what_neighbours_add();
  test_neighbours_that_are_none();
  return failures == 0 ? 0 : 1;
}
