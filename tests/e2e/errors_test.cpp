// What a user can get wrong: exit code 2 and one line that names the file, the key or the sample.
#include <sys/wait.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <limits>

#include "tiny_experiment.h"

namespace fs = std::filesystem;
using namespace qslaw;
using nlohmann::json;

namespace {

void change_sample(const fs::path& file, size_t index, const std::string& key, const json& value) {
  json samples = json_file(file);
  samples.at(index)[key] = value;
  write_text(file, samples.dump());
}

// A safetensors file taken apart by hand.
struct RawTensors {
  std::string bytes;
  size_t data = 0;  // where the data section begins
  json header;
};

RawTensors read_raw(const fs::path& file) {
  RawTensors raw{file_bytes(file), 0, {}};
  uint64_t length = 0;
  std::memcpy(&length, raw.bytes.data(), sizeof length);
  raw.data = sizeof length + length;
  raw.header = json::parse(raw.bytes.substr(sizeof length, length));
  return raw;
}

// Writes a NaN over the first value of the float32 tensor whose name ends with `suffix`.
void spoil_tensor(const fs::path& file, const std::string& suffix) {
  RawTensors raw = read_raw(file);
  int spoiled = 0;
  for (const auto& [name, entry] : raw.header.items()) {
    if (name.size() < suffix.size() || name.compare(name.size() - suffix.size(), suffix.size(), suffix) != 0)
      continue;
    REQUIRE(entry.at("dtype") == "F32");
    const float nan = std::numeric_limits<float>::quiet_NaN();
    std::memcpy(raw.bytes.data() + raw.data + entry.at("data_offsets").at(0).get<size_t>(), &nan, sizeof nan);
    ++spoiled;
  }
  REQUIRE(spoiled == 1);
  write_text(file, raw.bytes);
}

}  // namespace

TEST_CASE("mistakes in the command line and the recipe") {
  const TinyExperiment experiment;
  experiment.write_recipe(kQuantize);
  const std::string commands =
      "expected one of the commands quantize, warmup, tune, eval, export, run, report, got ";
  require_user_error(run_program({}), {"[command line] " + commands + "none (see qslaw --help)"});
  require_user_error(run_program({"quantise", "x.yaml", "--resume"}),
                     {"[command line] " + commands + "\"quantise\"; did you mean \"quantize\"? (see"});
  require_user_error(run_program({"--json", "reports", "out"}), {"\"reports\"; did you mean \"report\"?"});
  require_user_error(run_program({"frobnicate", "x.yaml"}), {"got \"frobnicate\" (see qslaw --help)"});
  require_user_error(run_program({"--frobnicate"}), {"got \"--frobnicate\" (see"});
  require_user_error(run_program({"run"}), {"[command line]", "recipe is required"});
  require_user_error(run_program({"run", "x.yaml", "--frobnicate"}), {"[command line]", "--frobnicate"});
  require_user_error(run_program({"run", "x.yaml", "--drry"}),
                     {"not expected: --drry; did you mean \"--dry-run\"? (see qslaw --help)"});
  require_user_error(run_program({"report", "out", "--jsom=1"}), {"did you mean \"--json\"?"});
  require_user_error(run_program({"run", "no/such.yaml"}), {"no/such.yaml"});
  for (const std::string number : {"0", "x", "2.5", "1025", "99999999999999999999", ""})
    require_user_error(
        run_program({"quantize", "x.yaml", "--threads", number}),
        {"[command line] --threads: expected a whole number from 1 to 1024, got \"" + number + "\""});
  for (const std::string device : {"", "gpu", "cuda:x", "cuda:"})
    require_user_error(
        run_program({"quantize", "x.yaml", "--device", device}),
        {"[command line] --device: expected auto, cpu, cuda or cuda:N, got \"" + device + "\""});
  require_user_error(experiment.run("quantize", {"--set", "quantize.bots=3"}), {"quantize.bots", "bits"});
  require_user_error(experiment.run("quantize", {"--set", "quantize.bits=5"}), {"quantize.bits", "5"});
  require_user_error(experiment.run("quantize", {"--resume", "--restart"}), {"--restart", "--resume"});
  require_user_error(experiment.run("quantize", {"--out", ""}), {"--out", "empty name"});
  require_user_error(experiment.run("tune"), {"section tune", experiment.recipe().string()});
  if (!fs::exists("/dev/nvidiactl"))
    require_user_error(run_program({"run", experiment.recipe().string(), "--device", "cuda"}), {"[cuda]"});
  CHECK_FALSE(fs::exists(experiment.output()));

  experiment.write_recipe("quantize: {method: rtn, bits: 4, gruop_size: 32}\n");
  require_user_error(experiment.run("quantize"),
                     {"quantize.gruop_size", "did you mean \"group_size\"", "recipe.yaml, line 5"});
  experiment.write_recipe("quantize: {method: rtn\n");
  require_user_error(experiment.run("quantize"), {"recipe.yaml", "line"});
}

TEST_CASE("stages in the wrong order") {
  const TinyExperiment experiment;
  experiment.write_recipe(kWarmup);
  require_user_error(experiment.run("warmup"), {"warmup", "quantize"});
  experiment.write_recipe(kQuantize + kWarmup + kTune + kEval + kExport);
  require_user_error(experiment.run("warmup"), {"quantize", (experiment.output() / "quantize").string()});
  require_user_error(experiment.run("eval"), {"[eval]", "complete"});
  require_success(experiment.run("quantize"));
  require_user_error(experiment.run("tune"), {"[tune]", (experiment.output() / "warmup").string()});
  require_user_error(experiment.run("export"), {"[export]", (experiment.output() / "warmup").string()});
}

TEST_CASE("a model folder that is missing, incomplete or damaged") {
  const TinyExperiment experiment;
  experiment.write_recipe(kQuantize, "{path: nowhere, dtype: float32}");
  require_user_error(experiment.run("quantize"),
                     {(experiment.path() / "nowhere").string() + " (" + experiment.recipe().string() +
                      ", line 4, key model.path)"});
  // Configuration and tokenizer only, without random_weights.
  experiment.write_recipe(kQuantize, "{path: model, dtype: float32}");
  require_user_error(experiment.run("quantize"), {(experiment.path() / "model").string()});

  const fs::path weights = experiment.model_with_weights() / "model.safetensors";
  const std::string sound = file_bytes(weights);
  experiment.write_recipe(kQuantize, "{path: weights/export/hf, dtype: float32}");
  require_success(experiment.run("quantize"));
  write_text(weights, sound.substr(0, sound.size() - 1000));
  require_user_error(experiment.run("quantize"), {weights.string()});
}

TEST_CASE("weights that are not finite are named by quantize, tune and eval") {
  const TinyExperiment experiment;
  const fs::path weights = experiment.model_with_weights() / "model.safetensors";
  spoil_tensor(weights, "layers.1.mlp.up_proj.weight");
  experiment.write_recipe(kQuantize, "{path: weights/export/hf, dtype: float32}");
  require_user_error(experiment.run("quantize"), {"model.layers.1.mlp.up_proj", "NaN"});
  experiment.write_recipe(
      "quantize:\n  method: omniquant\n  group_size: 32\n  omniquant: {epochs: 1}\n"
      "  calibration: {kind: text, path: data/text_heldout.txt, samples: 2, length: 32}\n",
      "{path: weights/export/hf, dtype: float32}");
  require_user_error(experiment.run("quantize"), {"decoder block 1", "model.layers.1.mlp.up_proj"});

  experiment.write_recipe(kTune, "{path: weights/export/hf, dtype: float32}");
  const ProgramResult result = experiment.run("tune");
  require_user_error(result, {"step 1", "decoder block 1"});
  // The message names samples of the data.
  size_t named = 0;
  for (const json& sample : json_file(experiment.data("train.json")))
    named += error_lines(result)[0].find(sample.at("id").get<std::string>()) != std::string::npos;
  CHECK(named >= 2);  // a micro-batch has two

  experiment.write_recipe(kEval, "{path: weights/export/hf, dtype: float32}");
  require_user_error(experiment.run("eval"), {"expected finite", "of sample", "decoder block 1"});
}

TEST_CASE("bad samples are named, or skipped and counted") {
  const TinyExperiment experiment;
  // One pass, so that every sample is met.
  experiment.write_recipe(kTune);
  const std::vector<std::string> whole = {"--set", "tune.max_steps=0"};
  auto skipping = whole;
  skipping.insert(skipping.end(), {"--set", "tune.data.on_bad_sample=skip", "--restart"});
  const json samples = json_file(experiment.data("train.json"));
  const std::string id = samples.at(7).at("id"), picture = samples.at(7).at("image");
  const fs::path picture_file = experiment.data("pictures") / picture;

  std::vector<std::string> named;
  SECTION("a missing picture") {
    fs::remove(picture_file);
    named = {picture_file.string(), id};
  }
  SECTION("a broken picture") {
    write_text(picture_file, file_bytes(picture_file).substr(0, 60));
    named = {picture_file.string(), id};
  }
  SECTION("roles out of order") {
    change_sample(
        experiment.data("train.json"), 7, "conversations",
        json::array({{{"from", "gpt"}, {"value", "4"}}, {{"from", "human"}, {"value", "<image>\n3?"}}}));
    named = {experiment.data("train.json").string(), id};
  }
  require_user_error(experiment.run("tune", whole), named);
  require_success(experiment.run("tune", skipping));
  CHECK(json_file(experiment.output() / "tune" / "report.json").at("results").at("skipped_samples") == 1);
}

TEST_CASE("a sample that is cut in front of its answer is skipped and counted as a long one") {
  const TinyExperiment experiment;
  experiment.write_recipe(kTune);
  std::string question = "<image>\n";
  for (int i = 0; i < 80; ++i)
    question += "What is the digit plus 3? ";
  change_sample(experiment.data("train.json"), 7, "conversations",
                json::array({{{"from", "human"}, {"value", question}}, {{"from", "gpt"}, {"value", "4"}}}));
  require_success(experiment.run("tune", {"--set", "tune.max_steps=0"}));  // one pass: every sample is met
  const json results = json_file(experiment.output() / "tune" / "report.json").at("results");
  CHECK(results.at("skipped_samples") == 1);
  CHECK(results.at("skipped_long_samples") == 1);
}

TEST_CASE("a held-out loss is that of the good samples alone") {
  const TinyExperiment experiment;
  experiment.write_recipe(kTune +
                          "  heldout: {pictures: {kind: llava, path: data/heldout.json, images: "
                          "data/pictures, max_length: 64, on_bad_sample: skip}}\n");
  const auto loss_before = [&](const json& samples) {
    write_text(experiment.data("heldout.json"), samples.dump());
    require_success(experiment.run("tune", {"--set", "tune.max_steps=4"}));
    const json results = json_file(experiment.output() / "tune" / "report.json").at("results");
    return results.at("heldout").at("before").at("picture_loss").get<double>();
  };
  // Two neighbors are bad: neither they nor a good sample in their place count.
  json samples = json_file(experiment.data("heldout.json")), good = json::array();
  for (size_t i = 0; i < samples.size(); ++i) {
    if (i == 2 || i == 3) {
      samples[i]["image"] = "no such picture.png";
    } else {
      good.push_back(samples[i]);
    }
  }
  CHECK(loss_before(samples) == loss_before(good));
}

TEST_CASE("data files that are missing, empty or no data") {
  const TinyExperiment experiment;
  experiment.write_recipe(kTune);
  const fs::path data = experiment.data("train.json");
  const std::string content = file_bytes(data);
  fs::remove(data);
  require_user_error(experiment.run("tune"), {data.string()});
  for (const std::string& bad :
       {std::string("[]"), std::string("{"), content.substr(0, content.size() / 2)}) {
    write_text(data, bad);
    require_user_error(experiment.run("tune"), {data.string()});
  }
}

TEST_CASE("run looks for every stage's files before the first stage begins") {
  const TinyExperiment experiment;
  experiment.write_recipe(kQuantize + kTune + kEval);
  const fs::path data = experiment.data("heldout.json");
  fs::remove(data);
  require_user_error(experiment.run("run"), {data.string(), "key eval.benchmarks"});
  CHECK_FALSE(fs::exists(experiment.output()));
  require_success(experiment.run("quantize"));  // which does not read it
}

TEST_CASE("run looks at every stage's data before the first stage begins") {
  const TinyExperiment experiment;
  experiment.write_recipe(kQuantize + kEval + "export: {formats: [hf], dtype: float32}\n");
  const auto require_stopped = [&](const std::vector<std::string>& parts) {
    require_user_error(experiment.run("run", {"--dry-run"}), parts);
    require_user_error(experiment.run("run"), parts);
    CHECK_FALSE(fs::exists(experiment.output()));
  };
  const fs::path model = experiment.path() / "model";
  SECTION("no tokenizer") {
    fs::remove(model / "tokenizer.model");
    require_stopped({(model / "tokenizer.model").string()});
  }
  SECTION("an empty tokenizer") {
    write_text(model / "tokenizer.model", "");
    require_stopped({(model / "tokenizer.model").string()});
  }
  SECTION("a token without a row in the embedding") {
    write_text(model / "added_tokens.json", "{\"<far>\": 736}");
    require_stopped({"[tokenizer] expected ids of tokens below 736 (vocab_size of " +
                     (model / "config.json").string() + "), got 736 of \"<far>\" (tokenizer in " +
                     model.string() + ")"});
  }
  SECTION("a cut tokenizer.json to export") {
    write_text(model / "tokenizer.json", "{\"model\": ");
    require_stopped({(model / "tokenizer.json").string()});
  }
  SECTION("an empty text") {
    write_text(experiment.data("text_heldout.txt"), "");
    require_stopped(
        {experiment.data("text_heldout.txt").string(), "recipe.yaml, line 11, key eval.benchmarks.3.path"});
  }
  SECTION("a picture that a benchmark lacks, behind the first 500 samples") {
    const json sample = json_file(experiment.data("heldout.json")).at(0);
    json many = json::array();
    for (int i = 0; i < 1100; ++i) {
      many.push_back(sample);
      many.back()["id"] = "sample-" + std::to_string(i);
    }
    many.at(601)["image"] = "lost.png";
    write_text(experiment.data("heldout.json"), many.dump());
    require_stopped({(experiment.data("pictures") / "lost.png").string(), "sample-601"});
  }
}

TEST_CASE("numbers that no memory can hold end with one line") {
  const TinyExperiment experiment;
  experiment.write_recipe(kTune);
  for (const std::string rank : {"2000000000000", "4000000000000000000"}) {
    const std::vector<std::string> large = {"--set", "tune.lora.rank=" + rank};
    require_user_error(experiment.run("tune", large), {"[memory] expected a peak of at most the ", " of cpu",
                                                       "got an estimate of ", "for tune", "tune.lora.rank"});
    require_user_error(experiment.run("run", large), {"[memory]", "tune.lora.rank"});
    // Perhaps it is for another machine.
    const ProgramResult dry = experiment.run("tune", {"--dry-run", large[0], large[1]});
    require_success(dry);
    CHECK_THAT(dry.err, Catch::Contains("[memory]") && Catch::Contains("tune.lora.rank"));
  }
  CHECK_FALSE(fs::exists(experiment.output()));
  // 24 samples.
  require_user_error(experiment.run("tune", {"--set", "tune.max_steps=0", "--set", "tune.epochs=1e9"}),
                     {"expected at most 100000000 samples drawn in a phase, got 2.4e+10", "key tune.epochs"});
  experiment.write_recipe(kQuantize + kWarmup);
  require_success(experiment.run("quantize"));
  require_user_error(experiment.run("warmup", {"--set", "warmup.phases.1.max_steps=0", "--set",
                                               "warmup.phases.1.epochs=1e300"}),
                     {"samples drawn in a phase", "key warmup.phases.1.epochs"});
}

TEST_CASE("memory that is refused at any point ends with one line") {
  const TinyExperiment experiment;
  experiment.write_recipe(kTune);
  int refused = 0;
  // From too little to load LibTorch to enough for all.
  for (int64_t megabytes = 100; megabytes <= 800; megabytes += 20) {
    INFO(megabytes);
    const ProgramResult result =
        experiment.run("tune", {"--restart"}, {.address_bytes = megabytes * 1'000'000});
    if (result.exit_code == 0) continue;
    ++refused;
    require_user_error(result, {});
  }
  CHECK(refused > 0);
}

TEST_CASE("memory that a stage is refused ends with what it was estimated to need and what lowers it") {
  const TinyExperiment experiment;
  experiment.write_recipe(kTune);
  // 1,632 values per rank in float32 are 650 MB, with moments and gradients 2.6 GB: more than the limit, of
  // which the program without them takes most, and less than machines have, so that the stage begins.
  const ProgramResult result =
      experiment.run("tune", {"--set", "tune.lora.rank=100000"}, {.address_bytes = 1'000'000'000});
  require_user_error(result,
                     {"[memory] not enough host memory; tune was estimated to need ", " GiB",
                      "(1) optimizer and gradients, ", "tune.lora.rank", "(2) ", "(3) ", "ulimit -v"});
  CHECK_THAT(result.err,
             Catch::Contains("Estimated peak memory, disk on cpu") && Catch::Contains("checkpoints"));
}

TEST_CASE("an adapter does not go onto another base") {
  const TinyExperiment experiment;
  experiment.write_recipe(kQuantize + kTune + kEval);
  require_success(experiment.run("run"));
  // Another grid of the same shapes.
  require_success(
      experiment.run("quantize", {"--set", "seed=6", "--out", (experiment.path() / "other").string()}));
  experiment.write_recipe(kEval, "{path: model, random_weights: true, stages: [other/quantize, out/tune]}");
  require_user_error(experiment.run("eval", {"--out", (experiment.path() / "third").string()}),
                     {"[adapter]", "adapter.safetensors"});
}

TEST_CASE("an adapter for a 16-bit model does not go onto another one") {
  const TinyExperiment experiment;
  experiment.write_recipe(kTune);
  require_success(experiment.run("tune"));
  const std::string stages = "stages: [" + (experiment.output() / "tune").string() + "]";
  const auto eval_with = [&](const std::string& seed) {
    experiment.write_recipe(kEval, "{path: model, random_weights: true, " + stages + "}");
    return experiment.run("eval", {"--out", (experiment.path() / "again").string(), "--set", "seed=" + seed});
  };
  require_success(eval_with("5"));
  require_user_error(eval_with("6"), {"[adapter]", "expected the base that the adapter was tuned on"});
}

TEST_CASE("an output that cannot be written") {
  const TinyExperiment experiment;
  experiment.write_recipe(kQuantize);
  // Below a file there can be no folder, whoever asks.
  const fs::path below_a_file = experiment.recipe() / "out";
  require_user_error(experiment.run("quantize", {"--out", below_a_file.string()}), {below_a_file.string()});
  fs::create_directories(experiment.output() / "quantize" / "log.txt");
  require_user_error(experiment.run("quantize"), {(experiment.output() / "quantize" / "log.txt").string()});
}

TEST_CASE("an output that cannot be written is no success, and the reason is named") {
  const TinyExperiment experiment;
  experiment.write_recipe(kQuantize);
  const fs::path err = experiment.path() / "err", limited = experiment.path() / "limited";
  const std::pair<std::string, int> outputs[] = {
      {">/dev/full", ENOSPC}, {">&-", EBADF}, {">" + limited.string(), EFBIG}};
  for (const std::string& arguments :
       {std::string("--help"), "quantize --dry-run " + experiment.recipe().string()}) {
    for (const auto& [output, reason] : outputs) {
      INFO(arguments << " " << output);
      // The limit is not that of `cat`.
      const std::string limit = reason == EFBIG ? "ulimit -f 0; " : "";
      const std::string command = "(" + limit + "\"" QSLAW_PROGRAM "\" " + arguments + " " + output +
                                  " 2>&3) 3>&1 | cat >" + err.string() + "; exit ${PIPESTATUS[0]}";
      const int status = std::system(("bash -c '" + command + "'").c_str());
      CHECK(WEXITSTATUS(status) == 2);
      const std::string said = file_bytes(err);
      CHECK_THAT(said, Catch::Contains(std::strerror(reason)));
      CHECK((said.find("disk") != said.npos) == (reason == ENOSPC));
    }
  }
}

TEST_CASE("a recipe may come through a pipe") {
  const TinyExperiment experiment;
  experiment.write_recipe(kQuantize);
  // Relative paths start at the current folder.
  const std::string program = "cd '" + experiment.path().string() + "' && cat recipe.yaml | " QSLAW_PROGRAM;
  for (const std::string recipe : {"/dev/stdin", "/dev/fd/0", "-"}) {
    INFO(recipe);
    fs::remove_all(experiment.output());
    const std::string command = program + " quantize " + recipe + " --device cpu --threads 1 >/dev/null";
    CHECK(WEXITSTATUS(std::system(command.c_str())) == 0);
    CHECK(fs::exists(experiment.output() / "quantize" / "report.json"));
  }
}

TEST_CASE("a disk that is full before a block's inputs are whole costs no finished block") {
  const TinyExperiment experiment;
  experiment.write_recipe(
      "quantize:\n  method: omniquant\n  group_size: 32\n  omniquant: {epochs: 1}\n"
      "  calibration: {kind: llava, path: data/train.json, images: "
      "data/pictures, samples: 16, length: 64}\n");
  const fs::path quantize = experiment.output() / "quantize", blocks = quantize / "checkpoint-blocks";
  // All packed weights take less than 64 KiB; a block's inputs, 16 samples of some 40 tokens or more with 32
  // numbers of 4 bytes each, twice, are above 100.
  require_user_error(experiment.run("quantize", {}, ProgramLimits{64 << 10}),
                     {(blocks / "inputs-1.safetensors").string(), std::strerror(EFBIG)});
  CHECK(fs::exists(blocks / "block-0.json"));
  CHECK_FALSE(fs::exists(blocks / "inputs-1.safetensors"));
  CHECK_FALSE(fs::exists(blocks / "block-1.json"));
  require_success(experiment.run("quantize", {"--resume"}));
  const fs::path expected = experiment.path() / "expected";
  require_success(experiment.run("quantize", {"--out", expected.string()}));
  require_same_files(quantize, expected / "quantize", {"language.safetensors"});
}

TEST_CASE("a full disk is reported and costs nothing but time") {
  const TinyExperiment experiment;
  experiment.write_recipe(kQuantize + kWarmup);
  // 16 KiB is less than the packed weights and the projector's optimizer state take, and more than any text
  // file.
  const ProgramLimits full{16 << 10};
  require_user_error(experiment.run("quantize", {}, full), {"language.safetensors", std::strerror(EFBIG)});
  CHECK_FALSE(fs::exists(experiment.output() / "quantize" / "language.safetensors"));
  CHECK_FALSE(fs::exists(experiment.output() / "quantize" / "report.json"));
  require_success(experiment.run("quantize"));
  require_user_error(experiment.run("warmup", {}, full),
                     {(experiment.output() / "warmup").string(), std::strerror(EFBIG)});
  require_success(experiment.run("warmup", {"--resume"}));

  const fs::path expected = experiment.path() / "expected";
  require_success(experiment.run("run", {"--out", expected.string()}));
  require_same_files(experiment.output() / "warmup", expected / "warmup",
                     {"language.safetensors", "gamma.safetensors"});
}
