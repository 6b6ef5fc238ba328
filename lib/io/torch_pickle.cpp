#include "io/torch_pickle.h"

#include "core/error.h"
#include "core/one_line.h"
#include "io/dtypes.h"
#include "io/pickle.h"

namespace qslaw {
namespace {

using Kind = PickleValue::Kind;
using Entry = TorchFile::Entry;

constexpr size_t kMaxDepth = 16;        // of dictionaries in dictionaries
constexpr size_t kMaxVisits = 4 << 20;  // values may be shared, so a small pickle can spell a large tree
constexpr size_t kMaxKeyBytes = 1024;
constexpr size_t kMaxSizes = 64;  // PyTorch's own limit; many tensors may share one long tuple

const char* const kTensor = "torch._utils._rebuild_tensor_v2";
const char* const kParameter = "torch._utils._rebuild_parameter";
const char* const kOrderedDict = "collections.OrderedDict";

const PickleRules& rules() {
  static const PickleRules rules = [] {
    PickleRules made;
    made.calls = {kTensor, kParameter, kOrderedDict, "torch.Size"};
    made.mappings = {kOrderedDict};
    for (const Dtype& row : kDtypes)
      made.values.insert({row.storage, concat("torch.", row.name)});
    return made;
  }();
  return rules;
}

class TensorWalk {
 public:
  TensorWalk(const std::map<std::string, std::string_view>& records, const std::string& folder,
             const std::string& file)
      : records_(records), folder_(folder), file_(file) {}

  void visit(const PickleValue& value, const std::string& name, size_t depth) {
    require(depth <= kMaxDepth && ++visits_ <= kMaxVisits, "weights",
            "expected dictionaries of tensors, at most ", kMaxDepth,
            " deep, got more (or one inside itself) in ", file_);
    if (value.is_call(kTensor)) {
      add(name, tensor(value, name));
    } else if (value.is_call(kParameter)) {
      visit(argument(value, 0, name), name, depth + 1);
    } else if (value.kind == Kind::dict || value.is_call(kOrderedDict)) {
      if (value.arguments != nullptr) visit_pairs(*value.arguments, name, depth);
      for (size_t i = 0; i + 1 < value.items.size(); i += 2)
        visit(*value.items[i + 1], key_below(name, *value.items[i]), depth + 1);
    } else if (value.kind == Kind::list || value.kind == Kind::tuple) {
      for (size_t i = 0; i < value.items.size(); ++i)
        visit(*value.items[i], joined(name, std::to_string(i)), depth + 1);
    }
  }

  std::map<std::string, Entry> take() { return std::move(entries_); }

 private:
  // OrderedDict([(key, value), ...]).
  void visit_pairs(const PickleValue& arguments, const std::string& name, size_t depth) {
    if (arguments.items.empty()) return;
    for (const PickleValue* pair : arguments.items[0]->items) {
      const bool two = (pair->kind == Kind::tuple || pair->kind == Kind::list) && pair->items.size() == 2;
      require(two, "weights", "expected pairs in an OrderedDict, got something else in ", file_);
      visit(*pair->items[1], key_below(name, *pair->items[0]), depth + 1);
    }
  }

  std::string key_below(const std::string& name, const PickleValue& key) const {
    const bool fits =
        key.kind == Kind::integer || (key.kind == Kind::text && key.text.size() <= kMaxKeyBytes);
    require(fits, "weights", "expected texts or integers as keys below \"", one_line(name),
            "\", got something else in ", file_);
    return joined(name, key.kind == Kind::integer ? std::to_string(key.integer) : key.text);
  }
  static std::string joined(const std::string& name, const std::string& key) {
    return name.empty() ? key : name + "." + key;
  }

  void add(const std::string& name, Entry entry) {
    const bool added = entries_.emplace(name, std::move(entry)).second;
    require(added, "weights", "expected one tensor ", one_line(name), ", got two in ", file_);
  }

  const PickleValue& argument(const PickleValue& call, size_t index, const std::string& name) const {
    check(call.arguments->items.size() > index, name, "all arguments of " + call.text, "too few");
    return *call.arguments->items[index];
  }
  void check(bool good, const std::string& name, const std::string& expected, const std::string& got) const {
    require(good, "weights", "tensor ", one_line(name), ": expected ", expected, ", got ", got, " (", file_,
            ")");
  }

  int64_t natural(const PickleValue& value, const std::string& name) const {
    check(value.kind == Kind::integer && value.integer >= 0, name, "sizes and strides from 0",
          "another value");
    return value.integer;
  }
  // A tuple, or torch.Size of a tuple or list; never torch.Size of another, which could go on without end.
  std::vector<int64_t> naturals(const PickleValue& value, const std::string& name) const {
    const bool is_size = value.is_call("torch.Size");
    const PickleValue& sizes = is_size ? argument(value, 0, name) : value;
    check(sizes.kind == Kind::tuple || (is_size && sizes.kind == Kind::list), name, "a tuple of sizes",
          "something else");
    check(sizes.items.size() <= kMaxSizes, name, concat("at most ", kMaxSizes, " sizes"),
          concat(sizes.items.size()));
    std::vector<int64_t> all;
    for (const PickleValue* item : sizes.items)
      all.push_back(natural(*item, name));
    return all;
  }

  // _rebuild_tensor_v2(storage, offset, sizes, strides, ...)
  Entry tensor(const PickleValue& call, const std::string& name) const {
    Entry entry;
    read_storage(argument(call, 0, name), name, entry);
    entry.offset = natural(argument(call, 1, name), name);
    entry.shape = naturals(argument(call, 2, name), name);
    entry.strides = naturals(argument(call, 3, name), name);
    check(entry.shape.size() == entry.strides.size(), name, "a stride for each size",
          concat(entry.strides.size()));
    require_inside(entry, name);
    return entry;
  }

  // ("storage", class, key, device, elements)
  void read_storage(const PickleValue& value, const std::string& name, Entry& entry) const {
    const bool is_id = value.kind == Kind::persistent && value.arguments->items.size() >= 5;
    check(is_id, name, "a storage", "something else");
    const auto& id = value.arguments->items;
    const bool described = id[0]->text == "storage" && id[1]->kind == Kind::global &&
                           id[2]->kind == Kind::text && id[4]->kind == Kind::integer;
    check(described, name, "a storage with class, key and size", "something else");
    entry.dtype = dtype_of(id[1]->text, name);
    const auto record = records_.find(folder_ + "data/" + id[2]->text);
    check(record != records_.end(), name, "the record data/" + one_line(id[2]->text), "none");
    const int64_t elements = natural(*id[4], name),
                  item = static_cast<int64_t>(c10::elementSize(entry.dtype));
    const auto held = static_cast<int64_t>(record->second.size()) / item;
    check(elements <= held, name, concat("a storage of ", elements, " elements"),
          concat("one of ", held, " (is the file cut?)"));
    entry.storage = record->second.substr(0, static_cast<size_t>(elements * item));
  }
  at::ScalarType dtype_of(const std::string& storage, const std::string& name) const {
    for (const Dtype& row : kDtypes) {
      if (storage == row.storage) return row.type;
    }
    check(false, name, "a storage's class", storage);
    return at::kFloat;
  }

  void require_inside(const Entry& entry, const std::string& name) const {
    const auto held = static_cast<int64_t>(entry.storage.size() / c10::elementSize(entry.dtype));
    int64_t end = entry.offset, count = 1;
    bool fits = true, empty = false;
    for (size_t i = 0; i < entry.shape.size(); ++i) {
      int64_t reach = 0;
      empty = empty || entry.shape[i] == 0;
      fits = fits && !__builtin_mul_overflow(entry.shape[i] - 1, entry.strides[i], &reach) &&
             !__builtin_add_overflow(end, reach, &end) &&
             !__builtin_mul_overflow(count, entry.shape[i], &count);
    }
    check(empty ? entry.offset <= held : fits && end < held, name,
          concat("sizes, strides and offset within its storage of ", held, " elements"), "others");
  }

  const std::map<std::string, std::string_view>& records_;
  const std::string& folder_;
  const std::string& file_;
  std::map<std::string, Entry> entries_;
  size_t visits_ = 0;
};

}  // namespace

std::map<std::string, TorchFile::Entry> read_torch_pickle(
    std::string_view bytes, const std::map<std::string, std::string_view>& records, const std::string& folder,
    const std::string& file) {
  const Pickle pickle(bytes, rules(), file);
  TensorWalk walk(records, folder, file);
  walk.visit(pickle.root(), "", 0);
  return walk.take();
}

}  // namespace qslaw
