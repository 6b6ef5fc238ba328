// LLaVA's instruction files: a JSON array, or one JSON object per line, of
// {"id": ..., "image": "a.jpg" or ["a.jpg", ...], "conversations": [{"from": "human" or "gpt", "value":
// "..."}, ...]}.
#include "core/error.h"
#include "core/files.h"
#include "core/json_text.h"
#include "data/conversation_sample.h"
#include "data/sample_store.h"
#include "data/text_file.h"

namespace fs = std::filesystem;

namespace qslaw {
namespace {

using nlohmann::json;

std::string keys_of(const json& object) {
  std::vector<std::string> keys;
  for (const auto& item : object.items())
    keys.push_back(item.key());
  return keys.empty() ? "no keys" : join(keys);
}

std::string read_id(const json& sample) {
  const auto id = sample.find("id");
  if (id == sample.end() || id->is_null()) return "";
  require(id->is_string() || id->is_number(), "", "expected a string or number as id, got ", id->type_name());
  return id->is_string() ? id->get<std::string>() : id->dump();
}

std::string picture_name(const json& value) {
  require(value.is_string() && !value.get_ref<const std::string&>().empty(), "",
          "expected image to be a file name or a list of file names, got ",
          value.is_string() ? "an empty string" : value.type_name());
  return value.get<std::string>();
}

std::vector<std::string> read_pictures(const json& sample) {
  const auto image = sample.find("image");
  if (image == sample.end() || image->is_null()) return {};
  if (!image->is_array()) return {picture_name(*image)};
  std::vector<std::string> names;
  for (const json& name : *image)
    names.push_back(picture_name(name));
  return names;
}

// A value as a message names it: "number 7", "null", "array".
std::string describe(const json& value) {
  const bool is_short = value.is_number() || value.is_boolean();
  return is_short ? concat(value.type_name(), " ", value.dump()) : value.type_name();
}

const char* speaker(Role role) {
  return role == Role::human ? "human" : "gpt";
}

Turn read_turn(const json& turn, size_t number) {
  require(turn.is_object(), "", "expected {\"from\": ..., \"value\": ...} as turn ", number, ", got ",
          describe(turn));
  const auto text = [&](const char* key) {
    if (!turn.contains(key)) {
      fail("", "expected the keys from and value in turn ", number, ", got ", keys_of(turn));
    }
    require(turn[key].is_string(), "", "expected text as ", key, " of turn ", number, ", got ",
            describe(turn[key]));
    return turn[key].get<std::string>();
  };
  const std::string from = text("from");
  require(from == "human" || from == "gpt", "", "expected \"human\" or \"gpt\" to speak in turn ", number,
          ", got \"", from, "\"");
  return {from == "human" ? Role::human : Role::assistant, text("value")};
}

// LLaVA leaves out a first turn that is not the human's. The order is checked here, where turns are still
// counted as the file has them.
std::vector<Turn> from_the_human_on(std::vector<Turn> turns, bool needs_answer, const std::string& where) {
  const size_t first = turns.front().role == Role::assistant && turns.size() > 1 ? 1 : 0;
  const char* left_out = first == 1 ? " (behind one of \"gpt\", which is left out)" : "";
  for (size_t i = first; i < turns.size(); ++i) {
    const Role due = (i - first) % 2 == 0 ? Role::human : Role::assistant;
    require(turns[i].role == due, where, "expected \"", speaker(due), "\" to speak in turn ", i + 1, " of ",
            turns.size(), i == first ? left_out : "", ", got \"", speaker(turns[i].role), "\"");
  }
  require(!needs_answer || turns.size() > first + 1, where, "expected \"gpt\" to speak in turn ", first + 2,
          ", got a conversation that ends with \"human\" in turn ", first + 1, left_out);
  turns.erase(turns.begin(), turns.begin() + static_cast<std::ptrdiff_t>(first));
  return turns;
}

std::vector<Turn> read_turns(const json& sample) {
  const auto list = sample.find("conversations");
  if (list == sample.end()) {
    fail("", "expected the keys conversations and, for pictures, image (LLaVA's form), got ",
         keys_of(sample));
  }
  require(list->is_array() && !list->empty(), "", "expected conversations to be a list of turns, got ",
          list->is_array() ? "an empty one" : describe(*list));
  std::vector<Turn> turns;
  for (const json& turn : *list)
    turns.push_back(read_turn(turn, turns.size() + 1));
  return turns;
}

// A malformed sample is kept as its error, which `at` throws: the loader may be told to skip it.
void store_sample(const json& sample, size_t line, SampleStore& store) {
  StoredSample stored;
  stored.id = std::to_string(store.size());
  stored.line = line;
  try {
    require(sample.is_object(), "", "expected an object per sample, got ", sample.type_name());
    if (const std::string id = read_id(sample); !id.empty()) stored.id = id;
    stored.pictures = read_pictures(sample);
    stored.turns = read_turns(sample);
  } catch (const UserError& problem) {
    stored.problem = std::string(problem.what()).substr(3);  // behind "[] "
  }
  store.add(stored);
}

// Samples are stored and dropped one by one while the array is parsed, so that the file's JSON tree never
// exists.
void read_array(const std::string& text, const fs::path& file, int64_t limit, SampleStore& store) {
  parse_json(text, "data", file.string(), 1, [&](int depth, json::parse_event_t event, json& value) {
    const bool whole = event == json::parse_event_t::value || event == json::parse_event_t::object_end ||
                       event == json::parse_event_t::array_end;
    if (depth != 1 || !whole) return true;
    if (limit == 0 || store.size() < limit) store_sample(value, 0, store);
    return false;
  });
}

void read_lines(const std::string& text, const fs::path& file, int64_t limit, SampleStore& store) {
  size_t line = 1;
  for (size_t begin = 0, end; begin < text.size() && (limit == 0 || store.size() < limit);
       begin = end + 1, ++line) {
    end = std::min(text.find('\n', begin), text.size());
    const std::string_view content(text.data() + begin, end - begin);
    if (content.find_first_not_of(" \t\r") == content.npos) continue;
    store_sample(parse_json(content, "data", file.string(), line), line, store);
  }
}

class LlavaDataset : public Dataset {
 public:
  LlavaDataset(const DataOptions& options, const EncodingContext& context)
      : options_(options), context_(context) {
    const std::string text = read_utf8(options.path);
    const size_t first = text.find_first_not_of(" \t\r\n");
    require(first != text.npos && (text[first] == '[' || text[first] == '{'), "data",
            "expected a JSON array of samples, or one JSON object per line, in ", options.path.string(),
            ", got ", first == text.npos ? "an empty file" : "something else");
    (text[first] == '[' ? read_array : read_lines)(text, options.path, options.limit, store_);
    require(store_.size() > 0, "data", "expected at least one sample in ", options.path.string(),
            ", got none");
    // All bad: another format, not a few bad rows.
    if (store_.bad_count() == store_.size()) fail(place(0, store_.at(0)), store_.at(0).problem);
    fingerprint_ = sha256(concat("llava ", sha256(text), " ", options.limit, " ", options.max_length, " ",
                                 template_name(context.template_kind), " ", context.tokens_per_picture));
  }

  int64_t size() const override { return store_.size(); }
  std::string fingerprint() const override { return fingerprint_; }

  Sample at(int64_t index) const override {
    QSLAW_CHECK(index >= 0 && index < size());
    StoredSample stored = store_.at(index);
    const std::string where = place(index, stored);
    require(stored.problem.empty(), where, stored.problem);
    ConversationSample conversation{
        .id = stored.id,
        .turns = from_the_human_on(std::move(stored.turns), context_.supervised, where),
        .pictures = {}};
    for (const std::string& name : stored.pictures)
      conversation.pictures.push_back(options_.images / name);
    return encode_sample(conversation, context_, options_.max_length, where);
  }

 private:
  std::string place(int64_t index, const StoredSample& stored) const {
    const std::string line = stored.line > 0 ? concat(", line ", stored.line) : "";
    return concat(options_.path.string(), ", sample ", index, line, " (id ", stored.id, ")");
  }

  DataOptions options_;
  EncodingContext context_;
  SampleStore store_;
  std::string fingerprint_;
};

}  // namespace

std::unique_ptr<Dataset> make_llava_dataset(const DataOptions& options, const EncodingContext& context) {
  return std::make_unique<LlavaDataset>(options, context);
}

}  // namespace qslaw
