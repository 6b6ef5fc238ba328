#include "io/pickle.h"

#include <bit>
#include <unordered_map>

#include "core/error.h"
#include "core/one_line.h"
#include "io/pickle_bytes.h"

namespace qslaw {
namespace {

constexpr size_t kMaxBytes = 16 << 20;  // a checkpoint's takes about 100 bytes per tensor
constexpr size_t kMaxValues = 4 << 20;

using Kind = PickleValue::Kind;

}  // namespace

class PickleMachine {
 public:
  PickleMachine(std::string_view bytes, const PickleRules& rules, const std::string& file, Pickle& out)
      : in_(bytes, file), rules_(rules), file_(file), out_(out) {}

  const PickleValue* run() {
    in_.check(in_.size() <= kMaxBytes, concat("a pickle of at most ", kMaxBytes, " bytes"),
              concat(in_.size()));
    while (true) {
      const auto code = static_cast<unsigned char>(in_.take(1)[0]);
      if (code == '.') return pop();
      if (!plain_value(code) && !memo(code) && !container(code) && !special(code)) {
        in_.check(false, "the operations of tensors and plain values", concat("operation ", int{code}));
      }
    }
  }

 private:
  // --- stack ---
  PickleValue& push(Kind kind) {
    in_.check(out_.values_.size() < kMaxValues, concat("at most ", kMaxValues, " values"), "more");
    PickleValue& value = out_.values_.emplace_back();
    value.kind = kind;
    stack_.push_back(&value);
    return value;
  }
  size_t floor() const { return marks_.empty() ? 0 : marks_.back(); }
  PickleValue* pop() {
    in_.check(stack_.size() > floor(), "a value on the stack", "none");
    PickleValue* value = stack_.back();
    stack_.pop_back();
    return value;
  }
  PickleValue& top() {
    in_.check(stack_.size() > floor(), "a value on the stack", "none");
    return *stack_.back();
  }
  std::vector<const PickleValue*> pop_many(size_t count) {
    in_.check(stack_.size() - floor() >= count, concat(count, " values on the stack"),
              concat(stack_.size() - floor()));
    std::vector<const PickleValue*> items(stack_.end() - static_cast<std::ptrdiff_t>(count), stack_.end());
    stack_.resize(stack_.size() - count);
    return items;
  }
  std::vector<const PickleValue*> pop_to_mark() {
    in_.check(!marks_.empty(), "a mark on the stack", "none");
    auto items = pop_many(stack_.size() - marks_.back());
    marks_.pop_back();
    return items;
  }

  // --- operations ---
  bool plain_value(unsigned char code) {
    switch (code) {
      case 'N':
        push(Kind::none);
        return true;
      case 0x88:  // NEWTRUE
      case 0x89:  // NEWFALSE
        push(Kind::boolean).integer = code == 0x88 ? 1 : 0;
        return true;
      case 'J':
        push(Kind::integer).integer = static_cast<int32_t>(in_.number(4));
        return true;
      case 'K':
        push(Kind::integer).integer = static_cast<int64_t>(in_.number(1));
        return true;
      case 'M':
        push(Kind::integer).integer = static_cast<int64_t>(in_.number(2));
        return true;
      case 0x8a:  // LONG1
        push(Kind::integer).integer = in_.long_integer(in_.number(1));
        return true;
      case 'G': {
        const uint64_t big_endian = in_.number(8);
        push(Kind::real).real = std::bit_cast<double>(__builtin_bswap64(big_endian));
        return true;
      }
      case 'X':
        push(Kind::text).text = in_.take(in_.number(4));
        return true;
      case 0x8c:  // SHORT_BINUNICODE
        push(Kind::text).text = in_.take(in_.number(1));
        return true;
      default:
        return false;
    }
  }

  bool memo(unsigned char code) {
    switch (code) {
      case 'q':
        memo_[in_.number(1)] = &top();
        return true;
      case 'r':
        memo_[in_.number(4)] = &top();
        return true;
      case 0x94:  // MEMOIZE
        memo_[memo_.size()] = &top();
        return true;
      case 'h':
        recall(in_.number(1));
        return true;
      case 'j':
        recall(in_.number(4));
        return true;
      default:
        return false;
    }
  }
  void recall(uint64_t index) {
    const auto found = memo_.find(index);
    in_.check(found != memo_.end(), "a value that was stored", concat("entry ", index));
    stack_.push_back(found->second);
  }

  bool container(unsigned char code) {
    switch (code) {
      case '(':
        marks_.push_back(stack_.size());
        return true;
      case ')':
        push(Kind::tuple);
        return true;
      case ']':
        push(Kind::list);
        return true;
      case '}':
        push(Kind::dict);
        return true;
      case 't':
        tuple(pop_to_mark());
        return true;
      case 0x85:  // TUPLE1 to TUPLE3
      case 0x86:
      case 0x87:
        tuple(pop_many(code - 0x84));
        return true;
      case 'a':
        extend(pop_many(1), Kind::list);
        return true;
      case 'e':
        extend(pop_to_mark(), Kind::list);
        return true;
      case 's':
        extend(pop_many(2), Kind::dict);
        return true;
      case 'u':
        extend(pop_to_mark(), Kind::dict);
        return true;
      default:
        return false;
    }
  }
  void tuple(std::vector<const PickleValue*> items) { push(Kind::tuple).items = std::move(items); }
  void extend(const std::vector<const PickleValue*>& items, Kind kind) {
    PickleValue& target = top();
    const bool takes = target.kind == kind || (kind == Kind::dict && is_mapping(target));
    in_.check(takes, "a list or dictionary that takes items", "something else");
    in_.check(kind != Kind::dict || items.size() % 2 == 0, "keys and values", "a key alone");
    target.items.insert(target.items.end(), items.begin(), items.end());
  }
  bool is_mapping(const PickleValue& value) const {
    return value.kind == Kind::call && rules_.mappings.contains(value.text);
  }

  bool special(unsigned char code) {
    switch (code) {
      case 0x80:  // PROTO
        in_.check(in_.number(1) <= 4, "a pickle of protocol 2 to 4", "another one");
        return true;
      case 0x95:  // FRAME
        in_.take(8);
        return true;
      case 'c': {
        const std::string module = in_.line();
        global(module, in_.line());
        return true;
      }
      case 0x93: {  // STACK_GLOBAL
        const PickleValue *name = pop(), *module = pop();
        in_.check(name->kind == Kind::text && module->kind == Kind::text, "a global's name",
                  "something else");
        global(module->text, name->text);
        return true;
      }
      case 'R':
        call();
        return true;
      case 'Q': {
        const PickleValue* id = pop();
        in_.check(id->kind == Kind::tuple, "a storage's description", "something else");
        push(Kind::persistent).arguments = id;
        return true;
      }
      case 'b': {  // BUILD: a state dict's version numbers are set as an attribute, which nothing here needs
        pop();
        const PickleValue& target = top();
        require(is_mapping(target), "weights", "expected tensors and plain values only, got the state of ",
                target.kind == Kind::call ? target.text : "a plain value", " in ", file_,
                " (nothing was run)");
        return true;
      }
      default:
        return false;
    }
  }
  void global(const std::string& module, const std::string& name) {
    const std::string full = module + "." + name;
    require(rules_.values.contains(full) || rules_.calls.contains(full), "weights",
            "expected tensors and plain values only, got ", one_line(full), " in ", file_,
            " (nothing was run)");
    push(Kind::global).text = full;
  }
  void call() {
    const PickleValue *arguments = pop(), *callee = pop();
    const bool may = callee->kind == Kind::global && rules_.calls.contains(callee->text);
    require(may, "weights", "expected tensors and plain values only, got a call of ",
            callee->kind == Kind::global ? callee->text : "what is no known function", " in ", file_,
            " (nothing was run)");
    in_.check(arguments->kind == Kind::tuple, "arguments", "something else");
    PickleValue& result = push(Kind::call);
    result.text = callee->text;
    result.arguments = arguments;
  }

  PickleBytes in_;
  const PickleRules& rules_;
  const std::string& file_;
  Pickle& out_;
  std::vector<PickleValue*> stack_;
  std::vector<size_t> marks_;
  std::unordered_map<uint64_t, PickleValue*> memo_;
};

Pickle::Pickle(std::string_view bytes, const PickleRules& rules, const std::string& file) {
  root_ = PickleMachine(bytes, rules, file, *this).run();
}

}  // namespace qslaw
