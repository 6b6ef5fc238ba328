#include "report/samples.h"

#include <algorithm>
#include <fstream>
#include <optional>
#include <set>
#include <string_view>

#include "core/error.h"
#include "core/files.h"
#include "core/json_text.h"
#include "report/number_text.h"

namespace fs = std::filesystem;
using nlohmann::json;

namespace qslaw {
namespace {

constexpr uintmax_t kLargestPicture = 1 << 20;
constexpr size_t kLongestText = 1500;

bool begins_with(const std::string& bytes, std::string_view start, size_t at = 0) {
  return bytes.size() >= at + start.size() && bytes.compare(at, start.size(), start) == 0;
}

const char* picture_type(const std::string& bytes) {
  if (begins_with(bytes, "\xFF\xD8\xFF")) return "image/jpeg";
  if (begins_with(bytes, "\x89PNG\r\n\x1A\n")) return "image/png";
  if (begins_with(bytes, "GIF87a") || begins_with(bytes, "GIF89a")) return "image/gif";
  if (begins_with(bytes, "RIFF") && begins_with(bytes, "WEBP", 8)) return "image/webp";
  if (begins_with(bytes, "BM")) return "image/bmp";
  return nullptr;
}

// Answers are texts, choice indices or lists of accepted answers.
std::string value_text(const json& value) {
  if (value.is_null()) return "";
  if (value.is_string()) return value.get<std::string>();
  if (!value.is_array()) return dump_lenient(value);
  std::vector<std::string> parts;
  for (const json& part : value) {
    const std::string text = value_text(part);
    if (std::find(parts.begin(), parts.end(), text) == parts.end()) parts.push_back(text);
  }
  return join(parts);
}

std::string trimmed(std::string text) {
  for (std::string_view marker : {"<image>", "<im_start>", "<im_end>"}) {
    for (size_t at = text.find(marker); at != std::string::npos; at = text.find(marker))
      text.erase(at, marker.size());
  }
  const size_t first = text.find_first_not_of(" \n\t\r");
  if (first == std::string::npos) return "";
  text = text.substr(first, text.find_last_not_of(" \n\t\r") - first + 1);
  return text.size() > kLongestText ? shorten(text, static_cast<int>(kLongestText)) : text;
}

PictureSample to_sample(const std::string& benchmark, const json& line) {
  PictureSample sample;
  sample.benchmark = benchmark;
  sample.id = value_text(member_at(line, "id"));
  // Older files have the prompt only.
  sample.question = trimmed(text_at(line, "question", text_at(line, "prompt")));
  sample.text = trimmed(text_at(line, "text"));
  sample.parsed = value_text(member_at(line, "parsed"));
  sample.answer = value_text(member_at(line, "answer"));
  sample.correct = member_at(line, "correct") == json(true);
  return sample;
}

std::vector<json> picture_lines(const fs::path& path) {
  std::vector<json> lines;
  std::ifstream in(path, std::ios::binary);
  for (std::string text; std::getline(in, text);) {
    json line = json::parse(text, nullptr, false);
    if (!text_at(line, "picture").empty() && member_at(line, "correct").is_boolean())
      lines.push_back(std::move(line));
  }
  return lines;
}

bool is_there(const fs::path& path) {
  std::error_code ignored;  // of a name that no file can have, or a folder that is closed to us
  return fs::exists(path, ignored);
}

fs::path picture_path(const RunFolder& run, const std::string& name) {
  const fs::path path(name), in_eval = run.path / "eval" / path;  // an absolute path stays itself
  return is_there(in_eval) ? in_eval : run.path / path;
}

PictureSample read_sample(const RunFolder& run, const std::string& benchmark, const json& line) {
  PictureSample sample = to_sample(benchmark, line);
  const fs::path path = picture_path(run, text_at(line, "picture"));
  sample.data_uri = picture_data_uri(path);
  sample.has_picture = is_there(path);
  return sample;
}

using Lines = std::vector<const json*>;

// Of the lines [begin, end), the first whose picture can be shown and has not been, else one that can be
// shown, else the first.
PictureSample best_sample(const RunFolder& run, const std::string& benchmark, const Lines& lines,
                          size_t begin, size_t end, std::set<std::string>& shown) {
  std::optional<PictureSample> shown_before;
  for (size_t i = begin; i < end; ++i) {
    const std::string picture = text_at(*lines[i], "picture");
    const bool is_new = shown.count(picture) == 0;
    if (!is_new && shown_before) continue;
    PictureSample sample = read_sample(run, benchmark, *lines[i]);
    if (sample.data_uri.empty()) continue;
    if (is_new) {
      shown.insert(picture);
      return sample;
    }
    shown_before = std::move(sample);
  }
  return shown_before ? *shown_before : read_sample(run, benchmark, *lines[begin]);
}

// Half of each; what one side lacks the other may fill. Spread evenly, in turn.
void add_mixed(const RunFolder& run, const std::string& benchmark, const std::vector<json>& all, size_t most,
               std::set<std::string>& shown, std::vector<PictureSample>& out) {
  Lines right, wrong;
  for (const json& line : all)
    (line["correct"].get<bool>() ? right : wrong).push_back(&line);
  const size_t right_count =
      std::min(right.size(), std::max(most - most / 2, most - std::min(most, wrong.size())));
  const size_t wrong_count = std::min(wrong.size(), most - right_count);
  const auto add = [&](const Lines& lines, size_t k, size_t count) {
    if (k >= count) return;
    out.push_back(
        best_sample(run, benchmark, lines, k * lines.size() / count, (k + 1) * lines.size() / count, shown));
  };
  for (size_t k = 0; k < std::max(right_count, wrong_count); ++k) {
    add(right, k, right_count);
    add(wrong, k, wrong_count);
  }
}

std::vector<fs::path> prediction_files(const RunFolder& run) {
  std::vector<fs::path> files;
  const fs::path folder = run.path / "eval" / "predictions";
  if (!fs::is_directory(folder)) return files;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() == ".jsonl") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

std::string picture_data_uri(const fs::path& path) {
  std::error_code ignored;
  if (!fs::is_regular_file(path, ignored) || fs::file_size(path, ignored) > kLargestPicture) return "";
  const std::string bytes = read_file(path);
  const char* type = picture_type(bytes);
  return type ? concat("data:", type, ";base64,", base64(bytes)) : "";
}

std::vector<PictureSample> choose_samples(const RunFolder& run, size_t most) {
  std::vector<PictureSample> samples;
  std::set<std::string> shown;
  std::vector<std::pair<std::string, std::vector<json>>> benchmarks;
  for (const fs::path& file : prediction_files(run)) {
    auto lines = picture_lines(file);
    if (!lines.empty()) benchmarks.emplace_back(file.stem().string(), std::move(lines));
  }
  for (size_t b = 0; b < benchmarks.size(); ++b) {
    const auto& [name, lines] = benchmarks[b];
    const size_t share = most * (b + 1) / benchmarks.size() - most * b / benchmarks.size();
    add_mixed(run, name, lines, share, shown, samples);
  }
  return samples;
}

}  // namespace qslaw
