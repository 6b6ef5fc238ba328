// Pickles of plain data and of named calls, read without running anything: what a call means is up to the
// caller, and a name that is not on its list is refused.
#pragma once
#include <cstdint>
#include <deque>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace qslaw {

struct PickleValue {
  enum class Kind {
    none,
    boolean,  // integer: 0 or 1
    integer,
    real,
    text,
    global,     // text: "module.name"
    tuple,      // items
    list,       // items
    dict,       // items: key, value, key, value, ...
    call,       // text: the called global; arguments; items as of a dict, when some were set
    persistent  // arguments: what the id was made of
  };
  Kind kind = Kind::none;
  int64_t integer = 0;
  double real = 0.0;
  std::string text;
  std::vector<const PickleValue*> items;
  const PickleValue* arguments = nullptr;  // a tuple

  bool is_call(std::string_view name) const { return kind == Kind::call && text == name; }
};

/// What a pickle may hold beside plain data.
struct PickleRules {
  std::set<std::string, std::less<>> values;    // globals that may only be mentioned
  std::set<std::string, std::less<>> calls;     // globals that may be called
  std::set<std::string, std::less<>> mappings;  // of those, the ones whose results take items as a dict does
};

class Pickle {
 public:
  /// Reads a pickle of protocol 2 to 4 (Python's pickletools.py). Values may contain each other: walk with a
  /// limit. UserError naming `file` for anything damaged, and the name for a global that `rules` do not list.
  Pickle(std::string_view bytes, const PickleRules& rules, const std::string& file);
  Pickle(const Pickle&) = delete;
  Pickle& operator=(const Pickle&) = delete;

  const PickleValue& root() const { return *root_; }

 private:
  friend class PickleMachine;
  std::deque<PickleValue> values_;
  const PickleValue* root_ = nullptr;
};

}  // namespace qslaw
