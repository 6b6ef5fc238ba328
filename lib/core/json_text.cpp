#include "core/json_text.h"

#include <algorithm>

#include "core/error.h"

namespace qslaw {
namespace {

using nlohmann::json;

// What handles a value level by level, as printing it does, would run out of stack far below.
constexpr int kMaxLevels = 64;
constexpr std::string_view kBlank = " \t\r\n";

bool says(const json::exception& problem, std::string_view part) {
  return std::string_view(problem.what()).find(part) != std::string_view::npos;
}

// What nlohmann says between its first two quotation marks: the number that is too large.
std::string quoted_part(const json::exception& problem) {
  const std::string what = problem.what();
  const size_t begin = what.find('\'') + 1, end = what.find('\'', begin);
  return begin == 0 || end == what.npos ? "" : what.substr(begin, end - begin);
}

std::string fault_at(std::string_view text, size_t offset, const json::parse_error& problem) {
  if (offset >= text.size() || says(problem, "unexpected end of input")) return "a text that ends too early";
  if (says(problem, "ill-formed UTF-8")) return "bytes that are not UTF-8";
  const char c = text[offset];
  if (says(problem, "control character")) return "a line break or control character within a string";
  return c > ' ' && c <= '~' ? concat("an unexpected '", c, "'") : "an unexpected character";
}

std::string position(std::string_view text, size_t offset, size_t first_line) {
  const std::string_view before = text.substr(0, offset);
  const size_t begin = before.rfind('\n') + 1;  // 0 when there is none
  const auto characters =
      std::count_if(before.begin() + static_cast<std::ptrdiff_t>(begin), before.end(),
                    [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; });
  return concat("line ", first_line + static_cast<size_t>(std::count(before.begin(), before.end(), '\n')),
                ", column ", characters + 1);
}

[[noreturn]] void fail_malformed(std::string_view text, const json::parse_error& problem,
                                 const std::string& where, const std::string& place, size_t first_line) {
  const size_t end = text.find_last_not_of(kBlank) + 1;  // 0 when there is nothing but blanks
  if (end == 0) fail(where, "expected valid JSON in ", place, ", got nothing (line ", first_line, ")");
  // nlohmann counts bytes from 1, and up to the end of the bad token.
  const size_t offset = std::min(end, problem.byte > 0 ? problem.byte - 1 : 0);
  fail(where, "expected valid JSON in ", place, ", got ", fault_at(text.substr(0, end), offset, problem),
       " at ", position(text, offset, first_line));
}

}  // namespace

json parse_json(std::string_view text, const std::string& where, const std::string& place, size_t first_line,
                const json::parser_callback_t& keep) {
  const auto keep_within = [&](int depth, json::parse_event_t event, json& value) {
    const bool opens =
        event == json::parse_event_t::object_start || event == json::parse_event_t::array_start;
    require(!opens || depth < kMaxLevels, where, "expected at most ", kMaxLevels, " levels of JSON in ",
            place, ", got more");
    return !keep || keep(depth, event, value);
  };
  try {
    return json::parse(text.begin(), text.end(), keep_within);
  } catch (const json::parse_error& problem) {
    fail_malformed(text, problem, where, place, first_line);
  } catch (const json::out_of_range& problem) {
    fail(where, "expected valid JSON in ", place, ", got a number out of range: ", quoted_part(problem));
  }
}

}  // namespace qslaw
