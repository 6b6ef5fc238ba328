#include "recipe/scalars.h"

#include <charconv>
#include <cmath>
#include <limits>

#include "core/text.h"

namespace qslaw {
namespace {

/// The scalar's text without a leading plus, or "" when it cannot be a number.
std::string_view number_of(const YamlNode& node) {
  if (node.kind != YamlNode::Kind::scalar || node.quoted) return {};
  std::string_view text = node.text;
  if (text.size() > 1 && text[0] == '+' && text[1] != '-') text.remove_prefix(1);
  return text;
}

template <class Integer>
void read_integer(const YamlNode& node, const std::string& key, Integer& value) {
  const std::string_view text = number_of(node);
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (!text.empty() && error == std::errc() && stop == text.data() + text.size()) return;
  using Limits = std::numeric_limits<Integer>;
  const bool negative = !text.empty() && text[0] == '-' && Limits::min() == 0;
  if (error == std::errc::result_out_of_range || negative)
    fail_at(node, key, "expected a whole number from ", Limits::min(), " to ", Limits::max(), ", got ",
            describe(node));
  fail_at(node, key, "expected a whole number, got ", describe(node));
}

const YamlNode& require_pair(const YamlNode& node, const std::string& key) {
  const bool is_pair = node.kind == YamlNode::Kind::list && node.values.size() == 2;
  if (!is_pair) fail_at(node, key, "expected a pair [progress, probability], got ", describe(node));
  return node;
}

double read_share(const YamlNode& node, const std::string& key, const char* what) {
  double value = 0.0;
  read_value(node, key, value);
  if (value < 0.0 || value > 1.0) fail_at(node, key, "expected a ", what, " from 0 to 1, got ", node.text);
  return value;
}

}  // namespace

void read_value(const YamlNode& node, const std::string& key, int64_t& value) {
  read_integer(node, key, value);
}
void read_value(const YamlNode& node, const std::string& key, uint64_t& value) {
  read_integer(node, key, value);
}
void read_value(const YamlNode& node, const std::string& key, int& value) {
  read_integer(node, key, value);
}

void read_value(const YamlNode& node, const std::string& key, double& value) {
  const std::string_view text = number_of(node);
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc::result_out_of_range)
    fail_at(node, key, "expected a number within double precision, got ", describe(node));
  const bool whole_text = !text.empty() && error == std::errc() && stop == text.data() + text.size();
  if (!whole_text || !std::isfinite(value)) fail_at(node, key, "expected a number, got ", describe(node));
}

void read_value(const YamlNode& node, const std::string& key, bool& value) {
  const bool plain = node.kind == YamlNode::Kind::scalar && !node.quoted;
  if (!plain || (node.text != "true" && node.text != "false"))
    fail_at(node, key, "expected true or false, got ", describe(node));
  value = node.text == "true";
}

void read_value(const YamlNode& node, const std::string& key, std::string& value) {
  if (node.kind == YamlNode::Kind::null && value.empty()) return;
  if (node.kind != YamlNode::Kind::scalar) fail_at(node, key, "expected text, got ", describe(node));
  value = node.text;
}

void read_value(const YamlNode& node, const std::string& key, std::filesystem::path& value) {
  value.clear();
  if (node.kind == YamlNode::Kind::null) return;
  if (node.kind != YamlNode::Kind::scalar || node.text.empty())
    fail_at(node, key, "expected a path, got ", describe(node));
  value = (node.base / node.text).lexically_normal();
  if (!value.has_filename()) value = value.parent_path();  // "folder/" and "folder" are the same
}

void read_value(const YamlNode& node, const std::string& key, BadSamplePolicy& value) {
  const std::string word = node.kind == YamlNode::Kind::scalar ? node.text : "";
  if (word != "error" && word != "skip") fail_at(node, key, "expected error or skip, got ", describe(node));
  value = word == "skip" ? BadSamplePolicy::skip : BadSamplePolicy::error;
}

void read_value(const YamlNode& node, const std::string& key, LongSamplePolicy& value) {
  const std::string word = node.kind == YamlNode::Kind::scalar ? node.text : "";
  for (const auto policy : {LongSamplePolicy::cut, LongSamplePolicy::skip, LongSamplePolicy::error}) {
    if (word != policy_text(policy)) continue;
    value = policy;
    return;
  }
  fail_at(node, key, "expected cut, skip or error, got ", describe(node));
}

void read_value(const YamlNode& node, const std::string& key, Checkpointing& value) {
  const std::string word = node.kind == YamlNode::Kind::scalar ? node.text : "";
  if (word == "false" || word == "none") {
    value = Checkpointing::none;
  } else if (word == "true" || word == "block") {
    value = Checkpointing::block;
  } else if (word == "feed_forward") {
    value = Checkpointing::feed_forward;
  } else {
    fail_at(node, key, "expected true, false, none, feed_forward or block, got ", describe(node));
  }
}

void read_value(const YamlNode& node, const std::string& key, ShareCurve& value) {
  if (node.kind != YamlNode::Kind::list || node.values.empty())
    fail_at(node, key, "expected a list of pairs [progress, probability], got ", describe(node));
  value.clear();
  for (size_t i = 0; i < node.values.size(); ++i) {
    const std::string item_key = join_key(key, std::to_string(i));
    const YamlNode& pair = require_pair(node.values[i], item_key);
    const double progress = read_share(pair.values[0], item_key + ".0", "progress");
    const double probability = read_share(pair.values[1], item_key + ".1", "probability");
    if (!value.empty() && progress < value.back().first)
      fail_at(pair, item_key, "expected pairs sorted by progress, got ", progress, " after ",
              value.back().first);
    value.emplace_back(progress, probability);
  }
}

std::string number_text(double value) {
  char buffer[64];
  const auto result = std::to_chars(buffer, buffer + sizeof buffer, value);
  std::string text(buffer, result.ptr);
  const size_t exponent = text.find('e');
  if (exponent != std::string::npos && text.find('.') == std::string::npos) text.insert(exponent, ".0");
  return text;
}

std::string checkpointing_text(Checkpointing value) {
  if (value == Checkpointing::feed_forward) return "feed_forward";
  return value == Checkpointing::block ? "true" : "false";
}

std::string policy_text(BadSamplePolicy value) {
  return value == BadSamplePolicy::skip ? "skip" : "error";
}

std::string policy_text(LongSamplePolicy value) {
  if (value == LongSamplePolicy::cut) return "cut";
  return value == LongSamplePolicy::skip ? "skip" : "error";
}

}  // namespace qslaw
