#include "tiny_experiment.h"

#include <algorithm>
#include <chrono>
#include <fstream>
#include <iterator>
#include <sstream>

namespace fs = std::filesystem;
using nlohmann::json;

namespace qslaw {

const std::string kQuantize = "quantize: {method: rtn, bits: 4, group_size: 32}\n";

// Block 0 stays packed, blocks 1 and 2 learn scales; two phases of 8 steps, the second with text.
const std::string kWarmup = R"(warmup:
  first_layer: 1
  phases:
    - {pictures: {kind: llava, path: data/captions.json, images: data/pictures, max_length: 64}, max_steps: 8}
    - {pictures: {kind: llava, path: data/train.json, images: data/pictures, max_length: 64}, text: {kind: text, path: data/text.txt, max_length: 32}, max_steps: 8}
  batch_size: 4
  micro_batch_size: 2
  checkpointing: true
  save_every: 2
  loader_threads: 3
)";

const std::string kTune = R"(tune:
  method: lora
  lora: {rank: 4, alpha: 8, dropout: 0.1}
  data: {kind: llava, path: data/train.json, images: data/pictures, max_length: 64}
  max_steps: 12
  batch_size: 4
  micro_batch_size: 2
  checkpointing: true
  save_every: 2
  loader_threads: 3
)";

const std::string kEval = R"(eval:
  benchmarks:
    - {kind: scienceqa, problems: data/problems.json, splits: data/splits.json, images: data/pictures, max_new_tokens: 3}
    - {kind: loss, path: data/heldout.json, images: data/pictures}
    - {kind: exact_match, path: data/heldout.json, images: data/pictures, max_new_tokens: 3}
    - {kind: text_perplexity, path: data/text_heldout.txt, context: 32}
)";

const std::string kExport = "export: {formats: [hf, hf_base, peft], dtype: float32}\n";

namespace {

const fs::path kDemo = fs::path(QSLAW_SOURCE) / "recipes" / "demo";

void write_model(const fs::path& folder) {
  fs::create_directories(folder);
  for (const auto& entry : fs::directory_iterator(kDemo / "base" / "init"))
    fs::copy_file(entry.path(), folder / entry.path().filename());
  json config = json_file(kDemo / "base" / "init" / "config.json");
  config["image_seq_length"] = 4;
  config["text_config"].update({{"hidden_size", 32},
                                {"num_hidden_layers", 3},
                                {"num_attention_heads", 2},
                                {"num_key_value_heads", 2},
                                {"intermediate_size", 64},
                                {"vocab_size", 736}});
  config["vision_config"].update({{"hidden_size", 32},
                                  {"num_hidden_layers", 2},
                                  {"num_attention_heads", 2},
                                  {"intermediate_size", 64},
                                  {"patch_size", 16}});
  write_text(folder / "config.json", config.dump(2));
}

void copy_picture(const fs::path& data, const std::string& name) {
  fs::copy_file(kDemo / "data" / "pictures" / name, data / "pictures" / name,
                fs::copy_options::skip_existing);
}

void cut_conversations(const fs::path& data, const std::string& from, const std::string& to, size_t count) {
  const json all = json_file(kDemo / "data" / from);
  json some = json::array();
  for (size_t i = 0; i < count; ++i) {
    copy_picture(data, all.at(i).at("image"));
    some.push_back(all[i]);
  }
  write_text(data / to, some.dump());
}

void cut_lines(const fs::path& data, const std::string& name, int count) {
  std::ifstream in(kDemo / "data" / name);
  std::string text, line;
  for (int i = 0; i < count && std::getline(in, line); ++i)
    text += line + "\n";
  write_text(data / name, text);
}

void cut_problems(const fs::path& data, size_t count) {
  const json all = json_file(kDemo / "data" / "problems.json"),
             splits = json_file(kDemo / "data" / "pid_splits.json");
  json problems, ids = json::array();
  for (size_t i = 0; i < count; ++i) {
    const std::string id = splits.at("test").at(i);
    ids.push_back(id);
    problems[id] = all.at(id);
    if (all[id].at("image").is_string()) copy_picture(data, all[id]["image"]);
  }
  write_text(data / "problems.json", problems.dump());
  write_text(data / "splits.json", json{{"test", ids}}.dump());
}

}  // namespace

TinyExperiment::TinyExperiment(int threads) : threads_(threads) {
  write_model(path() / "model");
  const fs::path folder = path() / "data";
  fs::create_directories(folder / "pictures");
  cut_conversations(folder, "captions.json", "captions.json", 16);
  cut_conversations(folder, "train.json", "train.json", 24);
  cut_conversations(folder, "heldout_new.json", "heldout.json", 6);
  cut_lines(folder, "text.txt", 10);
  cut_lines(folder, "text_heldout.txt", 3);
  cut_lines(folder, "calibration.txt", 6);
  cut_problems(folder, 6);
}

void TinyExperiment::write_recipe(const std::string& sections, const std::string& model) const {
  const std::string random = "{path: model, random_weights: true, dtype: float32}";
  write_text(recipe(), "name: tiny\nseed: 5\noutput: out\nmodel: " + (model.empty() ? random : model) + "\n" +
                           sections);
}

std::vector<std::string> TinyExperiment::arguments(const std::string& command,
                                                   const std::vector<std::string>& more) const {
  std::vector<std::string> all = {
      command, recipe().string(), "--threads", std::to_string(threads_), "--device", "cpu"};
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

ProgramResult TinyExperiment::run(const std::string& command, const std::vector<std::string>& more,
                                  const ProgramLimits& limits) const {
  return run_program(arguments(command, more), limits);
}

fs::path TinyExperiment::model_with_weights() const {
  write_recipe("export: {formats: [hf], dtype: float32}\n");
  require_success(run("export", {"--out", (path() / "weights").string()}));
  return path() / "weights" / "export" / "hf";
}

std::string file_bytes(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

void write_text(const fs::path& path, const std::string& text) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out << text;
  out.close();
  INFO(path);
  REQUIRE(out);
}

json json_file(const fs::path& path) {
  INFO(path);
  return json::parse(file_bytes(path));
}

void cut_picture(const fs::path& picture) {
  const std::string bytes = file_bytes(picture);
  write_text(picture, bytes.substr(0, bytes.size() - 100));
}

void touch(const fs::path& path) {
  fs::last_write_time(path, fs::last_write_time(path) + std::chrono::seconds(10));
}

void flip_bit(const fs::path& path, size_t position) {
  std::string bytes = file_bytes(path);
  char& byte = bytes.at(bytes.size() - position);
  byte = static_cast<char>(byte ^ 1);
  write_text(path, bytes);
}

void change(const fs::path& path) {
  write_text(path, file_bytes(path) + "\n");
}

std::vector<json> repeatable_metrics(const fs::path& stage) {
  std::vector<json> lines;
  std::istringstream in(file_bytes(stage / "metrics.jsonl"));
  for (std::string text; std::getline(in, text);) {
    json line = json::parse(text);
    for (const char* key : {"tokens_per_second", "data_wait_s", "step_s", "host_bytes", "device_bytes"})
      line.erase(key);
    lines.push_back(line);
  }
  return lines;
}

int64_t count_lines(const fs::path& path) {
  const std::string bytes = file_bytes(path);
  return std::count(bytes.begin(), bytes.end(), '\n');
}

std::map<std::string, fs::file_time_type> file_times(const fs::path& folder) {
  std::map<std::string, fs::file_time_type> times;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) times[fs::relative(entry.path(), folder).string()] = entry.last_write_time();
  }
  return times;
}

void require_same_files(const fs::path& actual, const fs::path& expected,
                        const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    INFO(name);
    REQUIRE(fs::exists(actual / name));
    // Not compared inside the macro: a difference would print both files.
    const bool same = file_bytes(actual / name) == file_bytes(expected / name);
    REQUIRE(same);
  }
}

}  // namespace qslaw
