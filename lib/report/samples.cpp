#include "report/samples.h"

#include <algorithm>
#include <fstream>
#include <string_view>

#include "core/error.h"
#include "core/files.h"
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
  if (!value.is_array()) return value.dump(-1, ' ', false, json::error_handler_t::replace);
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

std::string find_picture(const RunFolder& run, const std::string& name) {
  const fs::path path(name);
  if (path.is_absolute()) return picture_data_uri(path);
  const std::string in_eval = picture_data_uri(run.path / "eval" / path);
  return in_eval.empty() ? picture_data_uri(run.path / path) : in_eval;
}

// `wanted` of the lines with `correct`, evenly spread. Where a picture cannot be read, the next lines are
// tried.
std::vector<PictureSample> pick(const RunFolder& run, const std::string& benchmark,
                                const std::vector<json>& lines, bool correct, size_t wanted) {
  std::vector<const json*> matching;
  for (const json& line : lines) {
    if (line["correct"].get<bool>() == correct) matching.push_back(&line);
  }
  std::vector<PictureSample> picked;
  size_t next = 0;
  for (size_t k = 0; k < wanted; ++k) {
    for (next = std::max(next, k * matching.size() / wanted); next < matching.size(); ++next) {
      PictureSample sample = to_sample(benchmark, *matching[next]);
      sample.data_uri = find_picture(run, text_at(*matching[next], "picture"));
      if (sample.data_uri.empty()) continue;
      picked.push_back(std::move(sample));
      ++next;
      break;
    }
  }
  return picked;
}

std::vector<PictureSample> mixed(std::vector<PictureSample> wrong, std::vector<PictureSample> right,
                                 size_t most) {
  // Half of each; what one side lacks the other may fill.
  const size_t right_count =
      std::min(right.size(), std::max(most - most / 2, most - std::min(most, wrong.size())));
  wrong.resize(std::min(wrong.size(), most - right_count));
  right.resize(right_count);
  std::vector<PictureSample> out;
  for (size_t i = 0; i < std::max(wrong.size(), right.size()); ++i) {
    if (i < right.size()) out.push_back(std::move(right[i]));
    if (i < wrong.size()) out.push_back(std::move(wrong[i]));
  }
  return out;
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

Html html_sample(const PictureSample& sample) {
  Html verdict = html_text(sample.correct ? "\xE2\x9C\x93 Right " : "\xE2\x9C\x97 Wrong ");
  verdict += html_element("span", "id", html_text(sample.benchmark + " " + sample.id));
  Html answers = html_element("dt", "", html_text("Model"));
  answers += html_element("dd", "", html_text(sample.text.empty() ? "(nothing)" : sample.text));
  answers += html_element("dt", "", html_text("Read as"));
  answers += html_element("dd", "", html_text(sample.parsed.empty() ? "no answer found" : sample.parsed));
  answers += html_element("dt", "", html_text("Correct"));
  answers += html_element("dd", "", html_text(sample.answer));
  Html body = html_element("p", "verdict", verdict);
  body += html_element("p", "question", html_text(sample.question));
  body += html_element("dl", "", answers);
  Html out{"<img alt=\"" + escape_markup("Picture of sample " + sample.id) + "\" src=\"" + sample.data_uri +
           "\"/>"};
  out += html_element("div", "body", body);
  return html_element("article", sample.correct ? "sample right" : "sample wrong", out);
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
  std::vector<std::pair<std::string, std::vector<json>>> benchmarks;
  for (const fs::path& file : prediction_files(run)) {
    auto lines = picture_lines(file);
    if (!lines.empty()) benchmarks.emplace_back(file.stem().string(), std::move(lines));
  }
  for (size_t b = 0; b < benchmarks.size(); ++b) {
    const auto& [name, lines] = benchmarks[b];
    const size_t share = most * (b + 1) / benchmarks.size() - most * b / benchmarks.size();
    for (auto& sample :
         mixed(pick(run, name, lines, false, share), pick(run, name, lines, true, share), share)) {
      samples.push_back(std::move(sample));
    }
  }
  return samples;
}

Html html_samples(const std::vector<PictureSample>& samples) {
  Html out;
  for (const PictureSample& sample : samples)
    out += html_sample(sample);
  return html_element("div", "samples", out);
}

}  // namespace qslaw
