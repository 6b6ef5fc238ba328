#include "core/json_text.h"

#include <algorithm>

#include "core/error.h"
#include "core/text.h"

namespace qslaw {
namespace {

using nlohmann::json;

// What handles a value level by level, as printing it does, would run out of stack far below.
constexpr int kMaxLevels = 64;
constexpr std::string_view kBlank = " \t\r\n";

struct TooDeep {};

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
  if (offset >= text.size() || says(problem, "unexpected end of input")) return unexpected_at("", 0);
  if (says(problem, "ill-formed UTF-8")) return "bytes that are not UTF-8";
  if (says(problem, "control character")) return "a line break or control character within a string";
  return unexpected_at(text, offset);
}

JsonFault malformed(std::string_view text, const json::parse_error& problem) {
  const size_t end = text.find_last_not_of(kBlank) + 1;  // 0 when there is nothing but blanks
  if (end == 0) return {0, "nothing"};
  // nlohmann counts bytes from 1, and up to the end of the bad token.
  const size_t offset = std::min(end, problem.byte > 0 ? problem.byte - 1 : 0);
  return {offset, fault_at(text.substr(0, end), offset, problem)};
}

enum class FaultKind { malformed, number, depth };

struct Parsed {
  json value;
  std::optional<JsonFault> fault;
  FaultKind kind = FaultKind::malformed;
};

// Whether more than kMaxLevels are open somewhere. Exact up to the first fault of a text that has one.
bool is_deep(std::string_view text) {
  int levels = 0;
  bool in_string = false;
  for (size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (c == '"') in_string = !in_string;
    if (in_string) {
      at += c == '\\' ? 1 : 0;  // what follows ends no string
    } else if (c == '[' || c == '{') {
      if (++levels > kMaxLevels) return true;
    } else if (c == ']' || c == '}') {
      --levels;
    }
  }
  return false;
}

// `keep`: as parse_json's. A callback is given only where one is needed: with it, nlohmann's parser goes
// through all that an object or array has so far behind each object in it, hours for 100,000 of them. What
// `keep` drops is not gone through again.
Parsed parse(std::string_view text, const json::parser_callback_t& keep) {
  const auto visit = [&keep](int depth, json::parse_event_t event, json& value) {
    const bool opens =
        event == json::parse_event_t::object_start || event == json::parse_event_t::array_start;
    if (opens && depth >= kMaxLevels) throw TooDeep();
    return !keep || keep(depth, event, value);
  };
  try {
    if (!keep && !is_deep(text)) return {json::parse(text.begin(), text.end()), std::nullopt};
    return {json::parse(text.begin(), text.end(), visit), std::nullopt};
  } catch (const json::parse_error& problem) {
    return {nullptr, malformed(text, problem), FaultKind::malformed};
  } catch (const json::out_of_range& problem) {
    return {nullptr, JsonFault{0, "a number out of range: " + quoted_part(problem)}, FaultKind::number};
  } catch (const TooDeep&) {
    return {nullptr, JsonFault{0, concat("more than ", kMaxLevels, " levels")}, FaultKind::depth};
  }
}

std::string place_of(std::string_view text, const JsonFault& fault, size_t first_line) {
  const bool blank = text.find_first_not_of(kBlank) == text.npos;
  return blank ? concat(" (line ", first_line, ")") : " at " + text_position(text, fault.offset, first_line);
}

}  // namespace

json parse_json(std::string_view text, const std::string& where, const std::string& place, size_t first_line,
                const json::parser_callback_t& keep) {
  Parsed parsed = parse(text, keep);
  if (!parsed.fault) return std::move(parsed.value);
  require(parsed.kind != FaultKind::depth, where, "expected at most ", kMaxLevels, " levels of JSON in ",
          place, ", got more");
  fail(where, "expected valid JSON in ", place, ", got ", parsed.fault->what,
       parsed.kind == FaultKind::malformed ? place_of(text, *parsed.fault, first_line) : "");
}

std::optional<JsonFault> find_json_fault(std::string_view text) {
  return parse(text, [](int, json::parse_event_t, json&) { return false; }).fault;
}

std::string dump_lenient(const json& value, int indent) {
  return value.dump(indent, ' ', false, json::error_handler_t::replace);
}

std::string valid_utf8(const std::string& text) {
  return is_valid_utf8(text) ? text : json::parse(dump_lenient(text)).get<std::string>();
}

std::string unexpected_at(std::string_view text, size_t offset) {
  if (offset >= text.size()) return "a text that ends too early";
  const char c = text[offset];
  return c > ' ' && c <= '~' ? concat("an unexpected '", c, "'") : "an unexpected character";
}

std::string text_position(std::string_view text, size_t offset, size_t first_line) {
  const std::string_view before = text.substr(0, offset);
  const size_t begin = before.rfind('\n') + 1;  // 0 when there is none
  const auto characters =
      std::count_if(before.begin() + static_cast<std::ptrdiff_t>(begin), before.end(),
                    [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; });
  return concat("line ", first_line + static_cast<size_t>(std::count(before.begin(), before.end(), '\n')),
                ", column ", characters + 1);
}

}  // namespace qslaw
