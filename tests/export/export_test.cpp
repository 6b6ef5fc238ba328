#include <catch2/catch.hpp>
#include <fstream>

#include "core/error.h"
#include "core/files.h"
#include "core/interrupt.h"
#include "core/key_error.h"
#include "export/hf_files.h"
#include "export/rounding_errors.h"
#include "export/staged_folder.h"
#include "export_fixture.h"
#include "io/json.h"
#include "temporary_folder.h"

namespace fs = std::filesystem;
using namespace qslaw;

namespace {

std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder))
    names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

void write_text(const fs::path& path, const std::string& text) {
  fs::create_directories(path.parent_path());
  std::ofstream(path) << text;
}

// A stop is asked for while this one is written.
class StoppingLinear final : public Linear {
 public:
  explicit StoppingLinear(at::Tensor weight_NK) : weight_NK_(std::move(weight_NK)) {}
  at::Tensor forward(const at::Tensor& x) const override { return at::linear(x, weight_NK_); }
  at::Tensor dense_weight(at::ScalarType dtype) const override {
    request_stop();
    return weight_NK_.to(dtype);
  }
  int64_t weight_bytes() const override { return static_cast<int64_t>(weight_NK_.nbytes()); }

 private:
  at::Tensor weight_NK_;
};

}  // namespace

TEST_CASE("models that a format cannot hold are refused before anything is written") {
  TemporaryFolder folder;
  Trained trained = trained_model(source_of(model_fixture("gqa")));
  const auto error = [&](const ExportTask& task) -> std::string {
    try {
      export_model(task);
    } catch (const UserError& problem) {
      CHECK(names_in(folder.path()).empty());
      return problem.what();
    }
    return "";
  };
  ExportTask bare = export_task(trained, folder.path(), {"hf", "peft"});
  bare.adapter.clear();
  CHECK_THAT(error(bare), Catch::Contains("peft") && Catch::Contains("adapter"));

  trained.source.random_weights = true;
  CHECK_THAT(error(export_task(trained, folder.path(), {"peft"})), Catch::Contains("hf_base"));
  trained.source.random_weights = false;

  trained.model.projector.kind = ProjectorKind::linear;
  for (const char* format : {"hf", "hf_base", "peft"}) {
    CHECK_THAT(error(export_task(trained, folder.path(), {format})),
               Catch::Contains("mlp2x_gelu") && Catch::Contains("linear"));
  }
}

TEST_CASE("the export section is checked") {
  const auto options = [](std::vector<std::string> formats) {
    ExportOptions value;
    value.formats = std::move(formats);
    return value;
  };
  CHECK_NOTHROW(check(options({"hf", "hf_base", "peft"})));
  CHECK_THROWS_WITH(check(options({})), Catch::Contains("export.formats"));
  CHECK_THROWS_WITH(check(options({"hf", "hf"})), Catch::Contains("export.formats.1"));
  CHECK_THROWS_WITH(check(options({"hf_bas"})),
                    Catch::Contains("hf_base") && Catch::Contains("export.formats.0"));
  ExportOptions bad = options({"hf"});
  bad.dtype = "int8";
  CHECK_THROWS_WITH(check(bad), Catch::Contains("export.dtype"));
  bad = options({"hf"});
  bad.max_shard_bytes = 0;
  CHECK_THROWS_WITH(check(bad), Catch::Contains("export.max_shard_bytes"));
}

TEST_CASE("an older export is replaced whole, and kept when the new one fails") {
  TemporaryFolder folder;
  const Trained trained = trained_model(source_of(model_fixture("gqa")));
  write_text(folder.path() / "hf" / "stale.txt", "old");
  write_text(folder.path() / "hf.tmp" / "left.txt", "from a killed run");
  export_model(export_task(trained, folder.path(), {"hf"}));
  CHECK(names_in(folder.path()) == std::vector<std::string>{"hf"});
  const std::vector<std::string> complete = {"config.json", "generation_config.json", "model.safetensors",
                                             "preprocessor_config.json"};
  CHECK(names_in(folder.path() / "hf") == complete);

  trained.model.language.norm_D.fill_(1e6);  // beyond float16
  CHECK_THROWS_WITH(export_model(export_task(trained, folder.path(), {"hf"}, "float16")),
                    Catch::Contains("language_model.model.norm.weight") && Catch::Contains("float16"));
  CHECK(names_in(folder.path()) == std::vector<std::string>{"hf"});
  CHECK(names_in(folder.path() / "hf") == complete);
}

TEST_CASE("a stopped export leaves the older one whole") {
  TemporaryFolder folder;
  Trained trained = trained_model(source_of(model_fixture("gqa")));
  export_model(export_task(trained, folder.path(), {"hf", "hf_base"}));
  const fs::path file = folder.path() / "hf" / "model.safetensors";
  const std::string before = read_file(file);
  trained.model.language.norm_D.fill_(2.0);  // so that another export would write something else
  ExportTask task = export_task(trained, folder.path(), {"hf"});
  SECTION("before it began") {
    request_stop();
  }
  SECTION("between two tensors") {
    task.adapter.clear();
    std::unique_ptr<Linear>& linear = trained.model.language.blocks[0].up;
    linear = std::make_unique<StoppingLinear>(linear->dense_weight(at::kFloat));
  }
  CHECK_THROWS_AS(export_model(task), Stopped);
  request_stop(false);
  CHECK(names_in(folder.path()) == std::vector<std::string>{"hf", "hf_base"});
  const bool same = read_file(file) == before;
  CHECK(same);
}

TEST_CASE("formats that are not asked for are gone once the new ones are there") {
  TemporaryFolder folder;
  const Trained trained = trained_model(source_of(model_fixture("gqa")));
  export_model(export_task(trained, folder.path(), {"hf", "hf_base", "peft"}));
  write_text(folder.path() / "hf.tmp" / "left.txt", "from a killed run");
  write_text(folder.path() / "hf_base.old" / "left.txt", "from a killed run");
  write_text(folder.path() / "notes" / "mine.txt", "no export");
  const ExportTask peft = export_task(trained, folder.path(), {"peft"});
  fs::create_directories(folder.path() / "kept");
  fs::rename(folder.path() / "peft", folder.path() / "kept" / "peft");
  write_text(folder.path() / "peft", "a file");
  CHECK_THROWS_WITH(export_model(peft), Catch::Contains("got a file"));
  CHECK(fs::exists(folder.path() / "hf_base" / "config.json"));  // nothing is lost to a failure
  fs::remove(folder.path() / "peft");
  export_model(peft);
  CHECK(names_in(folder.path()) == std::vector<std::string>{"kept", "notes", "peft"});
}

TEST_CASE("a file in the folder's place is refused") {
  TemporaryFolder folder;
  write_text(folder.path() / "hf", "a file");
  CHECK_THROWS_WITH(StagedFolder(folder.path() / "hf"), Catch::Contains("got a file"));
}

TEST_CASE("the picture token of a joined model is its tokenizer's own, or the next that a tokenizer gives") {
  const auto settled = [](const fs::path& tokenizer, int64_t rows) {
    ModelSource source;
    source.language = tokenizer;
    LlavaConfig config;
    config.language.vocab = rows;
    config.image_token_id = rows;  // as reading a configuration without one leaves it
    settle_picture_token(source, config);
    CHECK(config.source.at("image_token_index") == config.image_token_id);
    return config.image_token_id;
  };
  const fs::path known = fs::path(QSLAW_FIXTURES) / "tokenizer";  // 1,200 pieces, <image> 1200, <pad> 1201
  CHECK(settled(known, 1264) == 1200);
  CHECK(settled(known, 1200) == 1200);
  const TemporaryFolder folder;
  fs::copy_file(known / "tokenizer.model", folder.path() / "tokenizer.model");  // without added tokens
  CHECK(settled(folder.path(), 1200) == 1200);
  CHECK(settled(folder.path(), 1264) == 1200);
  write_file_atomic(folder.path() / "added_tokens.json", R"({"<pad>": 1200, "<more>": 1201})");
  CHECK(settled(folder.path(), 1264) == 1202);
}

TEST_CASE("config.json says what was written") {
  LlavaConfig config = read_config(source_of(model_fixture("rope_llama3")));
  config.source["quantization_config"] = {{"quant_method", "gptq"}};
  config.source["text_config"]["quantization_config"] = {{"quant_method", "gptq"}};
  const auto written = hf_config(config, "bfloat16");
  CHECK_FALSE(written.contains("quantization_config"));
  CHECK_FALSE(written["text_config"].contains("quantization_config"));
  for (const auto* part : {&written, &written["text_config"], &written["vision_config"]}) {
    CHECK(part->at("torch_dtype") == "bfloat16");
    CHECK_FALSE(part->contains("dtype"));
  }
  const auto& text = written["text_config"];
  CHECK(text["vocab_size"] == 131);
  CHECK(text["rope_theta"] == 500000.0);
  CHECK(text["rope_scaling"]["rope_type"] == "llama3");
  CHECK(text["rope_scaling"]["original_max_position_embeddings"] == 32);
  CHECK_FALSE(text["rope_scaling"].contains("rope_theta"));
  CHECK(text["rope_parameters"] == config.source["text_config"]["rope_parameters"]);
  // As `default`, which reading takes it for.
  config.source["text_config"]["rope_parameters"]["rope_type"] = nullptr;
  CHECK_FALSE(hf_config(config, "bfloat16")["text_config"].contains("rope_scaling"));
}

TEST_CASE("what rounding to 16 bits costs is reported for each linear's weight as it was merged") {
  TemporaryFolder folder;
  const Trained trained = trained_model(source_of(model_fixture("gqa")));
  const auto specs = linear_specs(trained.model.config.language);
  REQUIRE(specs.size() == trained.adapter.size());
  // A base that 16 bits do not hold either.
  at::NoGradGuard no_grad;
  for (LoraLinear* layer : trained.adapter)
    dynamic_cast<DenseLinear&>(const_cast<Linear&>(layer->base())).weight().mul_(0.7);
  const std::string dtype = GENERATE("bfloat16", "float16");
  const auto results = export_model(export_task(trained, folder.path(), {"hf", "hf_base", "peft"}, dtype));
  CHECK(results.at("peft").size() == 2);  // path and bytes
  for (const std::string format : {"hf", "hf_base"}) {
    INFO(format << " " << dtype);
    const SafetensorsFile file(folder.path() / format / "model.safetensors");
    double sum = 0.0, largest = 0.0;
    std::map<std::string, double> errors;
    for (size_t i = 0; i < specs.size(); ++i) {
      LoraLinear& layer = *trained.adapter[i];
      at::Tensor weight = layer.base().dense_weight(at::kFloat).to(at::kDouble);
      if (format == "hf") {
        weight = weight + trained.lora.alpha / static_cast<double>(trained.lora.rank) *
                              at::mm(layer.b_NR().to(at::kDouble), layer.a_RK().to(at::kDouble));
      }
      const std::string name = "language_model." + specs[i].name + ".weight";
      const at::Tensor written = file.tensor(name).to(at::kDouble);
      const double error = ((written - weight).square().sum() / weight.square().sum()).sqrt().item<double>();
      sum += error;
      largest = std::max(largest, error);
      errors[specs[i].name] = error;
    }
    const auto& result = results.at(format);
    // The merge itself is in float32: 1e-7 against 2e-4 and more.
    CHECK(largest > 1e-4);
    CHECK(result.at("rounding_error_mean").get<double>() ==
          Approx(sum / static_cast<double>(specs.size())).epsilon(1e-3));
    CHECK(result.at("rounding_error_max").get<double>() == Approx(largest).epsilon(1e-3));
    CHECK(errors.at(result.at("rounding_error_max_layer")) == Approx(largest).epsilon(1e-5));
  }
}

TEST_CASE("a float32 export rounds nothing") {
  TemporaryFolder folder;
  const Trained trained = trained_model(source_of(model_fixture("gqa")));
  const auto results = export_model(export_task(trained, folder.path(), {"hf"}));
  CHECK(results.at("hf").at("rounding_error_mean") == 0.0);
  CHECK(results.at("hf").at("rounding_error_max") == 0.0);
}

TEST_CASE("a rounding error is the same over many rows as over few") {
  at::manual_seed(3);
  const at::Tensor weight = at::randn({3000, 1024}), rounded = weight.to(at::kBFloat16);  // three tiles
  const at::Tensor lost = rounded.to(at::kDouble) - weight.to(at::kDouble);
  CHECK(rounding_error(weight, rounded) ==
        Approx((lost.norm() / weight.to(at::kDouble).norm()).item<double>()).epsilon(1e-5));
  CHECK(rounding_error(at::zeros({3, 2}), at::zeros({3, 2})) == 0.0);
}

TEST_CASE("every written tensor is one that transformers' own checkpoint has") {
  TemporaryFolder folder;
  const Trained trained =
      trained_model(source_of(model_fixture("legacy")));  // written by transformers with these names
  export_model(export_task(trained, folder.path(), {"hf_base"}));
  const auto index = read_json(model_fixture("legacy") / "model.safetensors.index.json")["weight_map"];
  const SafetensorsFile file(folder.path() / "hf_base" / "model.safetensors");
  CHECK(file.entries().size() == index.size());
  for (const auto& [name, entry] : file.entries()) {
    INFO(name);
    CHECK(index.contains(name));
  }
}

TEST_CASE("shards hold at most the asked bytes") {
  TemporaryFolder folder;
  const Trained trained = trained_model(source_of(model_fixture("gqa")));
  ExportTask task = export_task(trained, folder.path(), {"hf"});
  task.options.max_shard_bytes = 40'000;
  export_model(task);
  const auto index = read_json(folder.path() / "hf" / "model.safetensors.index.json");
  int64_t total = 0;
  std::set<std::string> files;
  for (const auto& item : index["weight_map"].items())
    files.insert(item.value().get<std::string>());
  CHECK(files.size() > 5);
  for (const auto& file : files) {
    int64_t bytes = 0;
    const SafetensorsFile shard(folder.path() / "hf" / file);
    for (const auto& [name, entry] : shard.entries()) {
      bytes += static_cast<int64_t>(entry.end - entry.begin);
    }
    CHECK(bytes <= 40'000);
    total += bytes;
  }
  CHECK(index["metadata"]["total_size"] == total);
}

TEST_CASE("the adapter's README names its base") {
  TemporaryFolder folder;
  const Trained trained = trained_model(source_of(model_fixture("gqa")));
  ExportTask task = export_task(trained, folder.path(), {"peft"});
  task.base_sha256 = sha256("codes");
  export_model(task);
  const std::string readme = read_file(folder.path() / "peft" / "README.md");
  CHECK_THAT(readme, Catch::Contains(task.base_sha256) && Catch::Contains("dequantized"));
  const SafetensorsFile adapter(folder.path() / "peft" / "adapter_model.safetensors");
  CHECK(adapter.metadata().at("base_sha256") == task.base_sha256);
  const auto config = read_json(folder.path() / "peft" / "adapter_config.json");
  CHECK(config["base_model_name_or_path"] == model_fixture("gqa").string());
  CHECK(config["lora_alpha"].is_number_integer());
}
