// Exports as transformers and peft read them: check_export.py compares with what this program computes.
#include <catch2/catch.hpp>

#include "core/files.h"
#include "export/hf_files.h"
#include "export_fixture.h"
#include "io/json.h"
#include "io/tokenizer.h"
#include "project_python.h"
#include "temporary_folder.h"

namespace fs = std::filesystem;
using namespace qslaw;

namespace {

bool check_with_python(const std::string& check, const std::vector<fs::path>& folders) {
  std::vector<std::string> arguments = {std::string(QSLAW_SOURCE) + "/tests/export/check_export.py", check};
  for (const auto& folder : folders)
    arguments.push_back(folder.string());
  return run_python(arguments);
}

// Zero where the batch is padding.
at::Tensor masked_logits(const Llava& model, const Expected& fixture) {
  at::NoGradGuard no_grad;
  return all_logits(model, fixture.batch) * fixture.at("attention_mask").unsqueeze(-1);
}

// Loss, and its gradients under PEFT's names.
void add_gradients(NamedTensors& expected, Trained& trained, const Batch& batch) {
  NamedTensors parameters;
  for (LoraLinear* layer : trained.adapter) {
    const std::string name = "language_model." + layer->name().substr(6);
    parameters.emplace_back(name + ".lora_A", layer->a_RK());
    parameters.emplace_back(name + ".lora_B", layer->b_NR());
  }
  for (const auto& [name, tensor] : projector_to_named(trained.model.projector))
    parameters.emplace_back(name, tensor);
  for (auto& [name, tensor] : parameters)
    tensor.requires_grad_(true);
  const at::Tensor loss = token_losses(trained.model, batch).nll_M.mean();
  torch::autograd::backward({loss}, {});
  expected.emplace_back("loss", loss.detach());
  for (auto& [name, tensor] : parameters)
    expected.emplace_back("grad." + name, tensor.grad());
}

// The fixture three_parts (original is the same model), whose vocabulary has no picture token of its own.
void export_with_picture_token(const Trained& trained, const fs::path& folder) {
  REQUIRE(trained.model.config.image_token_id == 131);
  export_model(export_task(trained, folder, {"hf"}));
  const Expected fixture = read_expected(model_fixture("three_parts"));
  NamedTensors expected;
  const at::Tensor ids = fixture.at("input_ids");
  expected.emplace_back("input_ids", ids.masked_fill(ids == kFixtureImageId, 131));
  for (const char* name : {"attention_mask", "pixel_values"})
    expected.emplace_back(name, fixture.at(name));
  // The added rows' logits are the mean of the others.
  const at::Tensor logits = masked_logits(trained.model, fixture);
  const at::Tensor mean = logits.mean(-1, true).expand({-1, -1, 192 - 131});
  expected.emplace_back("logits", at::cat({logits, mean}, -1));
  write_safetensors(folder / "expected.safetensors", expected);
}

}  // namespace

TEST_CASE("transformers and peft compute what this program computes") {
  TemporaryFolder folder;
  Trained trained = trained_model(source_of(model_fixture("gqa")));
  const Expected fixture = read_expected(model_fixture("gqa"));
  NamedTensors expected;
  for (const char* name : {"input_ids", "attention_mask", "pixel_values", "labels", "lengths"}) {
    expected.emplace_back(name, fixture.at(name));
  }
  expected.emplace_back("logits", masked_logits(trained.model, fixture));
  {
    at::NoGradGuard no_grad;
    expected.emplace_back("greedy", greedy(trained.model, fixture.batch, 20));
  }
  ExportTask task = export_task(trained, folder.path(), {"hf", "hf_base", "peft"});
  task.options.max_shard_bytes = 60'000;  // several files
  task.base_sha256 = sha256("codes");
  const auto written = export_model(task);
  for (const char* format : {"hf", "hf_base", "peft"}) {
    CHECK(written.at(format).at("path") == (folder.path() / format).string());
    CHECK(written.at(format).at("bytes").get<int64_t>() > 10'000);
  }
  CHECK(fs::exists(folder.path() / "hf" / "model.safetensors.index.json"));
  add_gradients(expected, trained, fixture.batch);
  Trained base = trained_model(trained.source);
  for (LoraLinear* layer : base.adapter)
    layer->b_NR().zero_();
  expected.emplace_back("logits_base", masked_logits(base.model, fixture));
  write_safetensors(folder.path() / "expected.safetensors", expected);
  check_with_python("adapter", {folder.path()});
}

TEST_CASE("16-bit exports hold the merged weights rounded once") {
  for (const at::ScalarType type : {at::kBFloat16, at::kHalf}) {
    TemporaryFolder folder;
    Trained trained = trained_model(source_of(model_fixture("gqa")));
    export_model(export_task(trained, folder.path(), {"hf"}, type == at::kHalf ? "float16" : "bfloat16"));
    Llava back = load_dense(source_of(folder.path() / "hf"));
    for (size_t l = 0; l < back.language.blocks.size(); ++l) {
      const auto ours = block_linears(trained.model.language.blocks[l]);
      const auto read = block_linears(back.language.blocks[l]);
      for (size_t i = 0; i < ours.size(); ++i) {
        CHECK(at::equal((*read[i].second)->dense_weight(at::kFloat),
                        (*ours[i].second)->dense_weight(at::kFloat).to(type).to(at::kFloat)));
      }
    }
    CHECK(at::equal(back.projector.second.weight,
                    trained.model.projector.second.weight.to(type).to(at::kFloat)));
  }
}

TEST_CASE("transformers reads every kind of model as this program reads it") {
  TemporaryFolder folder;
  std::vector<fs::path> folders;
  for (const std::string fixture : {"gqa", "tied", "rope_llama3", "rope_linear", "legacy", "sparse_config"}) {
    const Trained trained = trained_model(source_of(model_fixture(fixture)));
    folders.push_back(folder.path() / fixture);
    export_model(export_task(trained, folders.back(), {"hf"}, "bfloat16"));
    const Expected batch = read_expected(model_fixture(fixture));
    NamedTensors expected;
    for (const char* name : {"input_ids", "attention_mask", "pixel_values"})
      expected.emplace_back(name, batch.at(name));
    expected.emplace_back("logits", masked_logits(load_dense(source_of(folders.back() / "hf")), batch));
    write_safetensors(folders.back() / "expected.safetensors", expected);
  }
  check_with_python("hf", folders);
}

TEST_CASE("a model joined from parts gets room for its picture token") {
  TemporaryFolder folder;
  Trained trained = trained_model(three_parts_source());
  trained.adapter.clear();
  export_with_picture_token(trained, folder.path());
  check_with_python("hf", {folder.path()});
}

TEST_CASE("transformers computes the same with what LLaVA's own layout is exported to") {
  TemporaryFolder folder;
  const Trained trained = trained_model(source_of(model_fixture("original")));
  export_with_picture_token(trained, folder.path());
  CHECK(read_json(folder.path() / "hf" / "config.json").at("model_type") == "llava");
  check_with_python("hf", {folder.path()});
}

TEST_CASE("transformers prepares pictures as this program does") {
  const fs::path photo = fs::path(QSLAW_FIXTURES) / "images" / "photo.png";
  for (const AspectMode mode : {AspectMode::pad, AspectMode::square}) {
    TemporaryFolder folder;
    ImageTransform transform;
    transform.size = 56;
    transform.mode = mode;
    fs::copy(photo, folder.path() / "picture.png");
    write_preprocessor(transform, folder.path());
    write_safetensors(folder.path() / "expected.safetensors",
                      {{"pixels", transform_image(read_image(photo), transform)}});
    check_with_python("pictures", {folder.path()});
  }
}

TEST_CASE("a preprocessor's other settings stay") {
  TemporaryFolder folder;
  const fs::path path = folder.path() / "preprocessor_config.json";
  const nlohmann::json settings = {
      {"image_processor_type", "CLIPImageProcessor"}, {"do_pad", true}, {"mine", 1}};
  const fs::path processor = folder.path() / "processor_config.json";
  const bool nested = GENERATE(false, true);
  write_json(processor, nested ? nlohmann::json{{"image_processor", settings}} : nlohmann::json::object());
  if (!nested) write_json(path, settings);
  ImageTransform square;
  square.mode = AspectMode::square;
  write_preprocessor(square, folder.path());
  CHECK(read_json(processor) == nlohmann::json::object());
  const nlohmann::json written = read_json(path);
  CHECK(written.at("mine") == 1);
  CHECK(written.at("do_pad") == false);
  CHECK(written.at("image_processor_type") == "CLIPImageProcessor");
}

TEST_CASE("a picture token is added to the tokenizer's files") {
  TemporaryFolder folder;
  ModelSource source;
  source.language = folder.path() / "language";
  const fs::path exported = folder.path() / "exported";
  fs::create_directories(source.language);
  fs::create_directories(exported);
  LlavaConfig config;
  SECTION("the SentencePiece model, read by this program") {
    fs::copy(fs::path(QSLAW_FIXTURES) / "tokenizer" / "tokenizer.model", source.language);
    write_json(source.language / "chat_template.json", {{"chat_template", "{{ messages }}"}});
    config.language.vocab = config.image_token_id = Tokenizer::load(source.language).size();
    copy_companion_files(source, config, exported);
    CHECK(Tokenizer::load(exported).special_id("<image>") == config.image_token_id);
    CHECK(read_file(exported / "chat_template.json") == read_file(source.language / "chat_template.json"));
  }
  SECTION("the tokenizers library's file, read by transformers") {
    if (!check_with_python("make_tokenizer", {source.language})) return;
    config.language.vocab = config.image_token_id = 12;
    copy_companion_files(source, config, exported);
    check_with_python("tokenizer", {folder.path()});
  }
}
