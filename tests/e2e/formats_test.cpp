// docs/formats.md names every key and tensor that the stages write.
#include <cstdint>
#include <cstring>
#include <set>
#include <sstream>

#include "dry_run.h"

namespace fs = std::filesystem;
using namespace qslaw;
using nlohmann::json;

namespace {

const std::string kCalibrated =
    "quantize:\n  method: omniquant\n  group_size: 32\n  omniquant: {epochs: 1}\n"
    "  calibration: {kind: llava, path: data/captions.json, images: data/pictures, samples: 4, length: 64}\n";
const std::string kMeasured =
    "  heldout: {text: {kind: text, path: data/text_heldout.txt, max_length: 32, limit: 2}, pictures: "
    "{kind: llava, path: data/heldout.json, images: data/pictures, max_length: 64, limit: 2}}\n";
const std::string kSpeed = "    - {kind: speed, prompt_tokens: 4, new_tokens: 2}\n";

/// What the documents call by its name: `name` in the text, "name" in JSON.
class Documented {
 public:
  Documented() : text_(file_bytes(fs::path(QSLAW_SOURCE) / "docs" / "formats.md")) {}

  void check(const std::string& name) const {
    INFO(name);
    const bool named = text_.find("`" + name + "`") != std::string::npos ||
                       text_.find("\"" + name + "\"") != std::string::npos;
    CHECK(named);
  }
  /// Each part of what stands behind a linear's name: ".lora_A.first".
  void check_ending(const std::string& ending) const {
    std::istringstream parts(ending.substr(1));
    for (std::string part; std::getline(parts, part, '.');) {
      INFO(part);
      const bool named = text_.find("`." + part + "`") != std::string::npos ||
                         text_.find("<linear>." + part + "`") != std::string::npos;
      CHECK(named);
    }
  }
  /// Keys of an object and of all within; not of objects below a key of `named`, whose keys are names.
  void check_keys(const json& value, const std::set<std::string>& named = {}) const {
    if (value.is_array()) {
      for (const json& item : value)
        check_keys(item, named);
    }
    if (!value.is_object()) return;
    for (const auto& [key, inner] : value.items()) {
      check(key);
      if (named.count(key) == 0) check_keys(inner, named);
    }
  }
  void check_lines(const fs::path& path) const {
    REQUIRE(fs::exists(path));
    std::istringstream in(file_bytes(path));
    for (std::string line; std::getline(in, line);)
      check_keys(json::parse(line));
  }

 private:
  std::string text_;
};

json tensors_header(const fs::path& file) {
  const std::string bytes = file_bytes(file);
  uint64_t length = 0;
  REQUIRE(bytes.size() > sizeof length);
  std::memcpy(&length, bytes.data(), sizeof length);
  return json::parse(bytes.substr(sizeof length, length));
}

// Metadata keys, and of linears' tensors what stands behind the linear's name.
void check_tensors(const Documented& docs, const fs::path& file) {
  INFO(file);
  const json header = tensors_header(file);
  docs.check_keys(header.at("__metadata__"));
  for (const auto& [name, entry] : header.items()) {
    const size_t linear = name.find("_proj.");
    if (linear != std::string::npos) docs.check_ending(name.substr(name.find('.', linear)));
  }
}

}  // namespace

TEST_CASE("docs/formats.md has every key that a run writes") {
  const TinyExperiment experiment;
  experiment.write_recipe(kCalibrated + kWarmup + kMeasured + kTune + kMeasured + kEval + kSpeed + kExport);
  require_success(experiment.run("run"));
  const Documented docs;
  const fs::path out = experiment.output();
  for (const char* stage : {"quantize", "warmup", "tune", "eval", "export"}) {
    INFO(stage);
    json report = json_file(out / stage / "report.json");
    for (const auto& [file, hash] : report.at("files").items()) {
      if (file.find("predictions/") == std::string::npos) docs.check(file.substr(file.rfind('/') + 1));
    }
    // A benchmark's results stand under the name that the recipe gives it.
    if (report.at("stage") == "eval") {
      for (const auto& [benchmark, metrics] : report.at("results").items())
        docs.check_keys(metrics);
      report.erase("results");
    }
    docs.check_keys(report, {"files"});
    for (const auto& entry : fs::directory_iterator(out / stage)) {
      const std::string name = entry.path().filename().string();
      if (entry.is_regular_file()) docs.check(name);
      if (entry.path().extension() == ".safetensors") check_tensors(docs, entry.path());
    }
  }
  for (const char* stage : {"warmup", "tune"})
    docs.check_lines(out / stage / "metrics.jsonl");
  for (const char* benchmark : {"scienceqa", "loss", "exact_match", "text_perplexity"})
    docs.check_lines(out / "eval" / "predictions" / (std::string(benchmark) + ".jsonl"));
  CHECK(tensors_header(out / "export" / "peft" / "adapter_model.safetensors")
            .at("__metadata__")
            .contains("base_sha256"));
}

TEST_CASE("docs/formats.md has the keys of the other code kind") {
  const TinyExperiment experiment;
  json config = json_file(experiment.path() / "model" / "config.json");
  config["text_config"]["hidden_size"] = 64;  // nf4 works in blocks of 64 inputs
  write_text(experiment.path() / "model" / "config.json", config.dump());
  experiment.write_recipe("quantize: {method: nf4}\n");
  require_success(experiment.run("quantize"));
  check_tensors(Documented(), experiment.output() / "quantize" / "language.safetensors");
}

TEST_CASE("docs/formats.md has every key of a checkpoint") {
  const TinyExperiment experiment;
  experiment.write_recipe(kTune);
  // The run ends in its first step, behind its first checkpoint.
  const std::string name = json_file(experiment.data("train.json")).at(7).at("image");
  cut_picture(experiment.data("pictures") / name);
  const std::string states = GENERATE("float32", "int8");
  CHECK(experiment.run("tune", {"--set", "tune.batch_size=24", "--set", "tune.optimizer.states=" + states})
            .exit_code == 2);
  const fs::path checkpoint = experiment.output() / "tune" / "checkpoint-0";
  const Documented docs;
  for (const auto& entry : fs::directory_iterator(checkpoint)) {
    docs.check(entry.path().filename().string());
    if (entry.path().extension() == ".safetensors") check_tensors(docs, entry.path());
  }
  docs.check_keys(json_file(checkpoint / "state.json"), {"initial_hashes"});
}
