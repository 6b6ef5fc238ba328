#include "data/picture_names.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string_view>

#include "data/json_scan.h"
#include "data/scienceqa.h"
#include "io/mapped_file.h"

namespace fs = std::filesystem;

namespace qslaw {
namespace {

using nlohmann::json;

// Where the values of the keys "image" begin: texts and lists, not null. The file is searched, not parsed,
// which would take ten seconds per GB. Inside a text the key's quotes are escaped, so that it is not found.
std::vector<size_t> image_values(const MappedFile& file, int64_t limit) {
  constexpr std::string_view kKey = "\"image\"";
  const std::string_view text = file.bytes();
  PassingPages pages(file);
  std::vector<size_t> found;
  for (size_t at = text.find(kKey); at != text.npos; at = text.find(kKey, at)) {
    at += kKey.size();
    pages.passed(at);
    const size_t colon = skip_blanks(text, at);
    if (text.substr(colon, 1) != ":") continue;
    const size_t value = skip_blanks(text, colon + 1);
    if (value == text.size() || (text[value] != '"' && text[value] != '[')) continue;
    found.push_back(value);
    if (limit > 0 && static_cast<int64_t>(found.size()) == limit) break;
  }
  return found;
}

void add_names(std::string_view text, size_t begin, const fs::path& images, std::vector<fs::path>& out) {
  const std::string_view written = text.substr(begin, end_of_json_value(text, begin) - begin);
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
  const MappedFile file(options.path, "read");
  const std::vector<size_t> values = image_values(file, options.limit);
  PassingPages pages(file);
  std::vector<fs::path> pictures;
  for (size_t i = 0; i < values.size(); i += stride(values.size(), at_most)) {
    add_names(file.bytes(), values[i], options.images, pictures);
    pages.passed(values[i]);
  }
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
