// The whole way through the program: every stage, what it leaves, what a second run does again.
#include <algorithm>
#include <cstdio>
#include <iterator>
#include <memory>
#include <set>

#include "core/text.h"
#include "tiny_experiment.h"

namespace fs = std::filesystem;
using namespace qslaw;
using nlohmann::json;

namespace {

const std::vector<std::string> kStages = {"quantize", "warmup", "tune", "eval", "export"};

// By the system's own program.
std::string sha256sum(const fs::path& path) {
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(
      ::popen(("sha256sum '" + path.string() + "'").c_str(), "r"), ::pclose);
  char hex[65] = {};
  REQUIRE(pipe);
  REQUIRE(std::fread(hex, 1, 64, pipe.get()) == 64);
  return hex;
}

void check_report(const fs::path& folder, const std::set<std::string>& files) {
  INFO(folder);
  const json report = json_file(folder / "report.json");
  for (const char* key :
       {"stage", "name", "status", "version", "git", "seed", "device", "seconds", "tokens_per_second",
        "peak_host_bytes", "peak_device_bytes", "memory", "results", "files", "fingerprint"}) {
    INFO(key);
    CHECK(report.contains(key));
  }
  CHECK(report.at("status") == "complete");
  CHECK(report.at("stage") == folder.filename().string());
  CHECK(report.at("seed") == 5);
  CHECK(report.at("device") == "cpu");
  CHECK(report.at("seconds") > 0.0);
  CHECK(report.at("peak_host_bytes") > 0);
  std::set<std::string> named;
  for (const auto& [file, hash] : report.at("files").items()) {
    named.insert(file);
    CHECK(hash == sha256sum(folder / file));
  }
  CHECK(named == files);
}

void check_metrics(const fs::path& folder, int64_t steps) {
  std::istringstream in(file_bytes(folder / "metrics.jsonl"));
  int64_t step = 0;
  for (std::string text; std::getline(in, text);) {
    const json line = json::parse(text);
    CHECK(line.at("step") == ++step);
    for (const char* key : {"phase", "progress", "loss", "samples_picture", "samples_text", "lr", "grad_norm",
                            "tokens_per_second", "data_wait_s", "step_s", "host_bytes"}) {
      INFO(key);
      CHECK(line.contains(key));
    }
  }
  CHECK(step == steps);
}

void check_results(const fs::path& out) {
  const json quantize = json_file(out / "quantize" / "report.json").at("results");
  CHECK(quantize.at("layers").size() == 21);  // seven linears in each of three blocks
  const json warmup = json_file(out / "warmup" / "report.json").at("results");
  CHECK(warmup.at("steps") == 16);
  CHECK(warmup.at("gamma").size() == 2);  // blocks 1 and 2
  CHECK(warmup.at("codes_changed_share") > 0.0);
  const json tune = json_file(out / "tune" / "report.json").at("results");
  CHECK(tune.at("steps") == 12);
  CHECK(tune.at("method") == "lora");
  const json eval = json_file(out / "eval" / "report.json").at("results");
  for (const char* key : {"accuracy", "accuracy_low", "accuracy_high", "n", "unparsed", "missing", "NAT",
                          "SOC", "LAN", "TXT", "IMG", "NO", "G1-6", "G7-12"})
    CHECK(eval.at("scienceqa").contains(key));
  CHECK(eval.at("scienceqa").at("n") == 6);
  CHECK(eval.at("loss").at("n") == 6);
  CHECK(eval.at("exact_match").at("n") == 6);
  CHECK(eval.at("text_perplexity").at("context") == 32);
}

void check_predictions(const fs::path& folder) {
  for (const char* name : {"scienceqa", "loss", "exact_match"}) {
    INFO(name);
    CHECK(count_lines(folder / (std::string(name) + ".jsonl")) == 6);
  }
  std::istringstream in(file_bytes(folder / "scienceqa.jsonl"));
  for (std::string text; std::getline(in, text);) {
    const json line = json::parse(text);
    for (const char* key : {"id", "question", "prompt", "text", "parsed", "correct", "answer", "picture"})
      CHECK(line.contains(key));
    CHECK(fs::exists(line.at("picture").get<std::string>()));
  }
}

std::set<std::string> files_below(const fs::path& stage, const std::vector<std::string>& folders) {
  std::set<std::string> names;
  for (const std::string& folder : folders) {
    for (const auto& [name, time] : file_times(stage / folder))
      names.insert(folder + "/" + name);
  }
  return names;
}

// The row of `kind` in the table that quantize prints, by report.json's list of all linears.
std::vector<std::string> kind_row(const json& layers, const std::string& kind) {
  double sum = 0, worst = 0, largest = 0;
  int count = 0;
  std::string worst_layer;
  for (const json& linear : layers) {
    const std::string name = linear.at("name");
    if (name.substr(name.rfind('.') + 1) != kind) continue;
    const double error = linear.at("relative_error");
    if (error > worst) worst_layer = name.substr(std::string("model.layers.").size(), 1);
    worst = std::max(worst, error);
    largest = std::max(largest, linear.at("max_error").get<double>());
    sum += error;
    ++count;
  }
  return {kind,        std::to_string(count),   format_fixed(sum / count, 5), format_fixed(worst, 5),
          worst_layer, format_fixed(largest, 5)};
}

// The words of the line of `text` that begins with `start`.
std::vector<std::string> words_of_line(const std::string& text, const std::string& start) {
  const size_t at = text.find("\n" + start);
  REQUIRE(at != std::string::npos);
  std::istringstream line(text.substr(at + 1, text.find('\n', at + 1) - at - 1));
  return {std::istream_iterator<std::string>(line), std::istream_iterator<std::string>()};
}

// The stages whose report is another one than at the last call.
class RunAgain {
 public:
  explicit RunAgain(fs::path out) : out_(std::move(out)) { changed(); }
  std::set<std::string> changed() {
    std::set<std::string> stages;
    for (const std::string& stage : kStages) {
      const auto time = fs::last_write_time(out_ / stage / "report.json");
      if (times_[stage] != time) stages.insert(stage);
      times_[stage] = time;
    }
    return stages;
  }

 private:
  fs::path out_;
  std::map<std::string, fs::file_time_type> times_;
};

using Stages = std::set<std::string>;

}  // namespace

TEST_CASE("run does every stage, and later only what has changed") {
  const TinyExperiment experiment;
  experiment.write_recipe(kQuantize + kWarmup + kTune + kEval + kExport);
  const ProgramResult first = experiment.run("run");
  require_success(first);
  const fs::path out = experiment.output();

  check_report(out / "quantize", {"language.safetensors"});
  check_report(out / "warmup", {"gamma.safetensors", "projector.safetensors", "language.safetensors"});
  check_report(out / "tune", {"adapter.safetensors", "projector.safetensors"});
  check_report(out / "eval", {"predictions/exact_match.jsonl", "predictions/loss.jsonl",
                              "predictions/scienceqa.jsonl", "predictions/text_perplexity.jsonl"});
  check_report(out / "export", files_below(out / "export", {"hf", "hf_base", "peft"}));
  check_metrics(out / "warmup", 16);
  check_metrics(out / "tune", 12);
  check_results(out);
  check_predictions(out / "eval" / "predictions");
  for (const std::string& stage : kStages) {
    CHECK(count_lines(out / stage / "log.txt") >= 2);
    CHECK_THAT(first.out, Catch::Contains(stage == "eval" ? "ScienceQA" : stage));
  }
  using Words = std::vector<std::string>;
  CHECK(words_of_line(first.out, "text_perplexity  context") == Words{"text_perplexity", "context", "32"});
  CHECK(words_of_line(first.out, "text_perplexity  windows") == Words{"text_perplexity", "windows", "bos"});
  CHECK(words_of_line(first.out, "exact_match      n ") == Words{"exact_match", "n", "6"});
  const size_t low = first.out.find("\nexact_match      accuracy_low "),
               high = first.out.find("\nexact_match      accuracy_high ");
  REQUIRE(low != std::string::npos);
  CHECK(high == first.out.find('\n', low + 1));  // the next line
  const std::string log = file_bytes(out / "eval" / "log.txt");
  CHECK_THAT(log, Catch::Contains("eval: text_perplexity: context 32, loss ") &&
                      Catch::Contains("eval: exact_match: accuracy ") && !Catch::Contains("{"));
  CHECK(words_of_line(first.out, "group_size") == Words{"group_size", "32"});
  CHECK(words_of_line(first.out, "packed_bytes").back() == "KiB");
  for (const char* file :
       {"hf/model.safetensors", "hf_base/model.safetensors", "peft/adapter_model.safetensors",
        "peft/adapter_config.json", "hf/tokenizer.model", "hf/config.json"})
    CHECK(fs::file_size(out / "export" / file) > 0);
  const std::string page = file_bytes(out / "report.html");
  CHECK_THAT(page, Catch::Contains("<html") && Catch::Contains("ScienceQA") && Catch::Contains("</html>"));

  // The page is written anew, the stages are left alone.
  auto before = file_times(out);
  const ProgramResult second = experiment.run("run");
  require_success(second);
  auto after = file_times(out);
  before.erase("report.html");
  after.erase("report.html");
  CHECK(before == after);
  CHECK_THAT(second.out, Catch::StartsWith("ScienceQA, percent\n") && !Catch::Contains("peak host memory"));
  CHECK_THAT(first.out, Catch::Contains(second.out));

  RunAgain again(out);
  change(experiment.data("heldout.json"));
  require_success(experiment.run("run"));
  CHECK(again.changed() == Stages{"eval"});
  // Other bytes of the same meaning: what was learned of them is the same, so nothing behind it runs.
  change(experiment.data("train.json"));
  require_success(experiment.run("run"));
  CHECK(again.changed() == Stages{"warmup", "tune"});
  require_success(experiment.run("run", {"--set", "tune.optimizer.lr=0.001"}));
  CHECK(again.changed() == Stages{"tune", "eval", "export"});
  require_success(experiment.run("run", {"--set", "tune.optimizer.lr=0.001", "--set", "quantize.bits=3"}));
  CHECK(again.changed() == Stages{"quantize", "warmup", "tune", "eval", "export"});
}

TEST_CASE("quantize prints its errors by kind of linear, not every layer's") {
  const TinyExperiment experiment;
  experiment.write_recipe(kQuantize);
  const ProgramResult result = experiment.run("quantize");
  require_success(result);
  const json layers = json_file(experiment.output() / "quantize" / "report.json").at("results").at("layers");
  CHECK(layers.size() == 21);
  for (const char* kind : {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"})
    CHECK(words_of_line(result.out, kind) == kind_row(layers, kind));
  CHECK_THAT(result.out, !Catch::Contains("model.layers"));
  // Asked for by name, a stage that is complete is shown too.
  const ProgramResult again = experiment.run("quantize");
  require_success(again);
  CHECK(again.out == result.out);
}

TEST_CASE("each stage's peak of memory is its own") {
  const TinyExperiment experiment;
  json samples = json_file(experiment.data("train.json"));
  constexpr size_t kUnused = 100 << 20;  // of the data file, which only tune reads
  samples.at(0)["unused"] = std::string(kUnused, 'x');
  write_text(experiment.data("train.json"), samples.dump());
  experiment.write_recipe(kTune + "eval: {benchmarks: [{kind: speed, prompt_tokens: 8, new_tokens: 2}]}\n");
  require_success(experiment.run("run"));
  const auto peak = [&](const char* stage) {
    const json report = json_file(experiment.output() / stage / "report.json");
    return report.at("peak_host_bytes").get<int64_t>();
  };
  CHECK(peak("eval") < peak("tune") - static_cast<int64_t>(kUnused / 2));
}

TEST_CASE("flag --json prints one object and nothing else") {
  const TinyExperiment experiment;
  // No sample is longer, which would be a warning.
  std::string tune = kTune;
  tune.replace(tune.find("max_length: 64"), 14, "max_length: 128");
  experiment.write_recipe(kQuantize + tune);
  const ProgramResult run = experiment.run("run", {"--json", "--quiet"});
  require_success(run);
  CHECK(run.err.empty());
  CHECK_THAT(file_bytes(experiment.output() / "tune" / "log.txt"),
             Catch::Contains("info tune: starting") && Catch::Contains("info tune: done"));
  const json all = json::parse(run.out);  // throws for anything behind the object
  CHECK(all.at("tune").at("results").at("steps") == 12);
  CHECK(all.at("quantize").at("files").at("language.safetensors") ==
        sha256sum(experiment.output() / "quantize" / "language.safetensors"));
  const ProgramResult second = experiment.run("run", {"--json"});
  require_success(second);
  CHECK(json::parse(second.out) == all);
  for (const char* command : {"quantize", "tune"}) {
    const ProgramResult stage = experiment.run(command, {"--json"});
    require_success(stage);
    CHECK(json::parse(stage.out) == all.at(command));
  }
  const ProgramResult page = run_program({"report", experiment.output().string(), "--json"});
  require_success(page);
  CHECK(json::parse(page.out).at("page") == (experiment.output() / "report.html").string());
}

TEST_CASE("flag --dry-run prints the complete recipe and estimates, and runs no stage") {
  const TinyExperiment experiment;
  experiment.write_recipe(kQuantize + kWarmup + kTune + kEval + kExport);
  const ProgramResult text = experiment.run("run", {"--dry-run"});
  require_success(text);
  CHECK_FALSE(fs::exists(experiment.output()));
  const ProgramResult object = experiment.run("run", {"--dry-run", "--json"});
  require_success(object);
  const json both = json::parse(object.out);
  const std::string recipe = both.at("recipe");
  CHECK(text.out.rfind(recipe, 0) == 0);
  CHECK_THAT(text.out, Catch::Contains("Estimated peak memory"));
  for (const std::string& stage : kStages)
    CHECK_THAT(text.out.substr(recipe.size()), Catch::Contains(stage));
  for (const char* line :
       {"first_layer: 1", "weight_decay: 0", "temperature: 0", "max_shard_bytes: 5000000000"})
    CHECK_THAT(recipe, Catch::Contains(line));

  // Read back, it says the same, and it is what the stages keep.
  write_text(experiment.recipe(), recipe);
  const ProgramResult back = experiment.run("run", {"--dry-run", "--json"});
  require_success(back);
  CHECK(json::parse(back.out).at("recipe") == recipe);
  require_success(experiment.run("quantize"));
  CHECK(file_bytes(experiment.output() / "quantize" / "recipe.yaml") == recipe);

  // It finds what would stop the run later.
  fs::remove(experiment.data("pictures") /
             json_file(experiment.data("train.json")).at(3).at("image").get<std::string>());
  const ProgramResult missing = experiment.run("run", {"--dry-run"});
  require_user_error(missing, {json_file(experiment.data("train.json")).at(3).at("id").get<std::string>()});
}

TEST_CASE("flag --help and --version") {
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"--help"}, std::vector<std::string>{"run", "--help"}}) {
    const ProgramResult help = run_program(arguments);
    require_success(help);
    CHECK(help.err.empty());
    CHECK_THAT(help.out, Catch::Contains(arguments[0] == "run" ? "--resume" : "quantize"));
  }
  const ProgramResult help = run_program({"--help"});
  for (const std::string& stage : kStages)
    CHECK_THAT(help.out, Catch::Contains(stage));
  CHECK_THAT(help.out, Catch::Contains("report") && Catch::Contains("75"));
  std::vector<std::string> commands = kStages;
  commands.insert(commands.end(), {"run", "report"});
  for (const std::string& command : commands) {
    const std::string text = run_program({command, "--help"}).out;
    for (const std::string flag : {"--help", "--json", "--quiet", "--threads", "--out"})
      CHECK_THAT(text, Catch::Contains(flag));
    CHECK_THAT(text, Catch::Contains("Example:\n  qslaw " + command + " "));
    CHECK((text.find("  --resume") != std::string::npos) == (command != "report"));
  }
  CHECK(run_program({"--version"}).exit_code == 0);
}
