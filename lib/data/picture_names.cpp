#include "data/picture_names.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string_view>

#include "core/files.h"
#include "data/scienceqa.h"

namespace fs = std::filesystem;

namespace qslaw {
namespace {

using nlohmann::json;

// Where the values of the keys "image" begin: texts and lists, not null. The file is searched, not parsed,
// which would take ten seconds per GB. Inside a text the key's quotes are escaped, so that it is not found.
std::vector<size_t> image_values(const std::string& text, int64_t limit) {
  constexpr std::string_view kKey = "\"image\"", kBlank = " \t\r\n";
  std::vector<size_t> found;
  for (size_t at = text.find(kKey); at != text.npos; at = text.find(kKey, at)) {
    at += kKey.size();
    const size_t colon = text.find_first_not_of(kBlank, at);
    if (colon == text.npos || text[colon] != ':') continue;
    const size_t value = text.find_first_not_of(kBlank, colon + 1);
    if (value == text.npos || (text[value] != '"' && text[value] != '[')) continue;
    found.push_back(value);
    if (limit > 0 && static_cast<int64_t>(found.size()) == limit) break;
  }
  return found;
}

// Behind the text or list that begins at `begin`.
size_t end_of_value(const std::string& text, size_t begin) {
  bool in_text = false;
  for (size_t i = begin; i < text.size(); ++i) {
    if (in_text && text[i] == '\\') {
      ++i;
      continue;
    }
    if (text[i] == '"') in_text = !in_text;
    if (!in_text && text[i] == (text[begin] == '[' ? ']' : '"')) return i + 1;
  }
  return text.size();
}

void add_names(const std::string& text, size_t begin, const fs::path& images, std::vector<fs::path>& out) {
  const std::string_view written(text.data() + begin, end_of_value(text, begin) - begin);
  const json value = json::parse(written, nullptr, /*allow_exceptions=*/false);
  const json list = value.is_array() ? value : json::array({value});
  for (const json& name : list) {
    if (name.is_string()) out.push_back(images / name.get<std::string>());
  }
}

// Every how many of `count` are looked at.
size_t stride(size_t count, int64_t at_most) {
  const auto most = static_cast<size_t>(at_most);
  return std::max<size_t>(1, (count + most - 1) / most);
}

std::vector<fs::path> llava_pictures(const DataOptions& options, int64_t at_most) {
  const std::string text = read_file(options.path);
  const std::vector<size_t> values = image_values(text, options.limit);
  std::vector<fs::path> pictures;
  for (size_t i = 0; i < values.size(); i += stride(values.size(), at_most))
    add_names(text, values[i], options.images, pictures);
  return pictures;
}

std::vector<fs::path> scienceqa_pictures(const DataOptions& options, int64_t at_most) {
  auto problems = read_scienceqa(options.problems, options.splits, options.split, options.images);
  if (options.limit > 0) problems.resize(std::min(problems.size(), static_cast<size_t>(options.limit)));
  std::vector<fs::path> pictures;
  for (size_t i = 0; i < problems.size(); i += stride(problems.size(), at_most)) {
    if (!problems[i].picture.empty()) pictures.push_back(problems[i].picture);
  }
  return pictures;
}

}  // namespace

std::vector<fs::path> named_pictures(const DataOptions& options, int64_t at_most) {
  std::vector<fs::path> pictures;
  if (options.kind == "llava") pictures = llava_pictures(options, at_most);
  if (options.kind == "scienceqa") pictures = scienceqa_pictures(options, at_most);
  std::sort(pictures.begin(), pictures.end());
  pictures.erase(std::unique(pictures.begin(), pictures.end()), pictures.end());
  return pictures;
}

}  // namespace qslaw
