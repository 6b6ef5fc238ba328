// A strict reader of the markup that the reports use, as the tests' oracle: elements must nest and close,
// attributes be quoted and given once, & and < stand only where XML 1.0 allows them, text be UTF-8 without
// control characters.
#pragma once
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/text.h"

class XmlCheck {
 public:
  /// "" when `text` is well-formed, else what is wrong and where.
  static std::string fault(std::string_view text) {
    XmlCheck check(text);
    check.run();
    return check.fault_;
  }

 private:
  explicit XmlCheck(std::string_view text) : text_(text) {}

  void run() {
    if (!qslaw::is_valid_utf8(text_)) return report("invalid UTF-8");
    skip("<!DOCTYPE html>");
    while (fault_.empty() && at_ < text_.size()) {
      if (text_[at_] == '<') {
        tag();
      } else if (open_.empty() && text_[at_] != '\n') {
        report("text outside of the root");
      } else {
        character();
      }
    }
    if (fault_.empty() && !open_.empty()) report("not closed: " + open_.back());
    if (fault_.empty() && roots_ != 1) report("expected one root element");
  }

  void tag() {
    ++at_;
    const bool closing = skip("/");
    const std::string name = word();
    if (name.empty()) return report("expected an element's name");
    if (closing) return close(name);
    std::set<std::string> seen;
    while (fault_.empty() && skip_space() && peek() != '>' && peek() != '/')
      attribute(seen);
    const bool empty = skip("/");
    if (fault_.empty() && !skip(">")) return report("expected > of " + name);
    if (open_.empty()) ++roots_;
    if (!empty) open_.push_back(name);
  }

  void close(const std::string& name) {
    if (!skip(">")) return report("expected > of /" + name);
    if (open_.empty() || open_.back() != name) return report("unexpected end of " + name);
    open_.pop_back();
  }

  void attribute(std::set<std::string>& seen) {
    const std::string name = word();
    if (name.empty() || !skip("=\"")) return report("expected name=\"");
    if (!seen.insert(name).second) return report("given twice: " + name);
    while (fault_.empty() && peek() != '"') {
      if (peek() == '<' || at_ >= text_.size()) return report("< or the end in the value of " + name);
      character();
    }
    skip("\"");
  }

  void character() {
    const auto c = static_cast<unsigned char>(text_[at_]);
    if (c == '&') return reference();
    if (c < 0x20 && c != '\n' && c != '\t') return report("control character");
    ++at_;
  }

  void reference() {
    for (const char* known : {"&amp;", "&lt;", "&gt;", "&quot;", "&#39;"}) {
      if (skip(known)) return;
    }
    report("unknown reference");
  }

  std::string word() {
    const size_t begin = at_;
    const auto is_name = [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
             c == ':';
    };
    while (at_ < text_.size() && is_name(text_[at_]))
      ++at_;
    return std::string(text_.substr(begin, at_ - begin));
  }

  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  bool skip(std::string_view part) {
    if (text_.substr(at_, part.size()) != part) return false;
    at_ += part.size();
    return true;
  }
  bool skip_space() {
    while (peek() == ' ' || peek() == '\n')
      ++at_;
    return at_ < text_.size();
  }
  void report(const std::string& what) { fault_ = what + " at byte " + std::to_string(at_); }

  std::string_view text_;
  size_t at_ = 0;
  int roots_ = 0;
  std::vector<std::string> open_;
  std::string fault_;
};
