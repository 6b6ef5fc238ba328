#include "data/llava_sample.h"

#include <nlohmann/json.hpp>

#include "core/error.h"

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

}  // namespace

LlavaSample read_llava_sample(const json& sample, const std::string& fallback_id) {
  LlavaSample read;
  read.id = fallback_id;
  try {
    require(sample.is_object(), "", "expected an object per sample, got ", sample.type_name());
    if (const std::string id = read_id(sample); !id.empty()) read.id = id;
    read.pictures = read_pictures(sample);
    read.turns = read_turns(sample);
  } catch (const UserError& problem) {
    read.problem = without_place(problem.what());
  }
  return read;
}

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

}  // namespace qslaw
