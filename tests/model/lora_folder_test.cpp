// LoRA folders of PEFT and LLaVA. Oracle: the logits of PEFT's model
// (scripts/fixtures/make_lora_fixtures.py).
#include "model/lora_folder.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <functional>

#include "core/error.h"
#include "io/json.h"
#include "model_fixture.h"
#include "temporary_folder.h"

namespace fs = std::filesystem;
using namespace qslaw;
using nlohmann::json;

namespace {

using Tensors = std::map<std::string, at::Tensor>;

// As oracle_test.cpp: float32 sums in another order; a value missed changes the logits by more than 1e-1.
constexpr double kTolerance = 1e-4;
const std::string kPeftDecoder = "base_model.model.model.language_model.";
const std::string kUp = kPeftDecoder + "layers.1.mlp.up_proj.lora_A.weight";
const std::string kProjector = "base_model.model.model.multi_modal_projector.linear_1.";

fs::path lora_fixture(const std::string& name) {
  return fs::path(QSLAW_FIXTURES) / "lora" / name;
}

LlavaConfig gqa_config() {
  return read_config(source_of(model_fixture("gqa")));
}

Llava adapted_model(const LoraFolder& folder, std::vector<LoraLinear*>& layers) {
  Llava model = load_dense(source_of(model_fixture("gqa")));
  layers = attach_lora(model.language, folder.options(), std::make_shared<DropoutKey>(), 0, at::kCPU);
  folder.lay_over(model, layers);
  return model;
}

// The fixture `peft` with another configuration and other tensors.
class ChangedFolder {
 public:
  ChangedFolder() {
    fs::copy(lora_fixture("peft"), path(), fs::copy_options::recursive);
    tensors_ = read_safetensors(path() / "adapter_model.safetensors");
  }
  void set(const std::string& key, const json& value) const {
    json config = read_json(path() / "adapter_config.json");
    config[key] = value;
    write_json(path() / "adapter_config.json", config);
  }
  void change(const std::function<void(Tensors&)>& change) {
    for (auto& [name, tensor] : tensors_)
      tensor = tensor.clone();
    change(tensors_);
    write_safetensors(path() / "adapter_model.safetensors", NamedTensors(tensors_.begin(), tensors_.end()));
  }
  const fs::path& path() const { return folder_.path(); }

 private:
  TemporaryFolder folder_;
  Tensors tensors_;
};

std::string error_of(const fs::path& folder, const LlavaConfig& config = gqa_config()) {
  try {
    LoraFolder(folder, config).check_values();
  } catch (const UserError& error) {
    CHECK_THAT(error.what(), Catch::Contains("(key model.adapter)") && Catch::Contains(folder.string()));
    return error.what();
  }
  return "no error";
}

std::string error_with(const std::string& key, const json& value) {
  const ChangedFolder folder;
  folder.set(key, value);
  return error_of(folder.path());
}

std::string error_behind(const std::function<void(Tensors&)>& change) {
  ChangedFolder folder;
  folder.change(change);
  return error_of(folder.path());
}

}  // namespace

TEST_CASE("adapters and projectors of PEFT and LLaVA compute what PEFT computes") {
  at::NoGradGuard no_grad;
  const Expected batch = read_expected(model_fixture("gqa"));
  const at::Tensor expected = read_safetensors(lora_fixture("expected.safetensors")).at("logits");
  const at::Tensor mask = batch.at("attention_mask").unsqueeze(-1);
  for (const char* name : {"peft", "llava"}) {
    INFO(name);
    const LoraFolder folder(lora_fixture(name), gqa_config());
    CHECK(folder.options().rank == 2);
    CHECK(folder.options().alpha == 3.0);
    CHECK(folder.base_sha256().empty());
    std::vector<LoraLinear*> layers;
    const Llava model = adapted_model(folder, layers);
    CHECK(relative_error(all_logits(model, batch.batch) * mask, expected) < kTolerance);
  }
}

TEST_CASE("an adapter under transformers' older names, and one without a projector") {
  ChangedFolder older;
  older.change([](Tensors& tensors) {
    Tensors renamed;
    for (const auto& [name, tensor] : tensors) {
      if (name.starts_with(kPeftDecoder))
        renamed["base_model.model.language_model.model." + name.substr(kPeftDecoder.size())] = tensor;
    }
    tensors = renamed;
  });
  std::vector<LoraLinear*> as_written, as_older;
  Llava written = adapted_model(LoraFolder(lora_fixture("peft"), gqa_config()), as_written);
  Llava model = adapted_model(LoraFolder(older.path(), gqa_config()), as_older);
  for (size_t i = 0; i < as_older.size(); ++i) {
    CHECK(at::equal(as_older[i]->a_RK(), as_written[i]->a_RK()));
    CHECK(at::equal(as_older[i]->b_NR(), as_written[i]->b_NR()));
  }
  Llava base = load_dense(source_of(model_fixture("gqa")));
  CHECK(at::equal(model.projector.first.weight, base.projector.first.weight));
  CHECK_FALSE(at::equal(written.projector.first.weight, base.projector.first.weight));
}

TEST_CASE("what is no plain LoRA of the whole decoder is refused in one line") {
  CHECK(error_of(lora_fixture("peft")) == "no error");
  CHECK_THAT(error_with("use_rslora", true), Catch::Contains("with use_rslora false, got true"));
  CHECK_THAT(error_with("use_dora", true), Catch::Contains("with use_dora false, got true"));
  CHECK_THAT(error_with("bias", "all"), Catch::Contains("with bias \"none\", got \"all\""));
  CHECK_THAT(error_with("peft_type", "IA3"), Catch::Contains("with peft_type \"LORA\", got \"IA3\""));
  CHECK_THAT(error_with("rank_pattern", {{"q_proj", 4}}), Catch::Contains("with rank_pattern {}"));
  CHECK_THAT(error_with("r", 4), Catch::Contains("lora_A.weight: expected shape [4, 48], got [2, 48]"));
  CHECK_THAT(error_with("r", "two"), Catch::Contains("a number above 0 as r, got \"two\""));
  CHECK_THAT(error_with("r", 2.5), Catch::Contains("a whole number as r, got 2.5"));
  CHECK_THAT(error_with("lora_alpha", 0), Catch::Contains("a number above 0 as lora_alpha, got 0"));

  CHECK_THAT(error_behind([](Tensors& t) { t.erase(kUp); }),
             Catch::Contains("expected the tensor " + kUp) && Catch::Contains("seven linears"));
  CHECK_THAT(error_behind([](Tensors& t) {
               std::erase_if(t, [](const auto& entry) { return entry.first.starts_with(kPeftDecoder); });
             }),
             Catch::Contains("layers.0.self_attn.q_proj.lora_A.weight or another known name"));
  CHECK_THAT(
      error_behind([](Tensors& t) { t["base_model.model.model.vision_tower.x.lora_A.weight"] = t[kUp]; }),
      Catch::Contains("in 3 blocks and a projector, got base_model.model.model.vision_tower.x"));
  CHECK_THAT(error_behind([](Tensors& t) { t[kProjector + "lora_A.weight"] = t[kUp]; }),
             Catch::Contains("got " + kProjector + "lora_A.weight"));
  CHECK_THAT(error_behind([](Tensors& t) { t.erase(kProjector + "bias"); }),
             Catch::Contains("the 4 tensors of a mlp2x_gelu projector or none, got 3"));
  CHECK_THAT(error_behind([](Tensors& t) { t[kProjector + "bias"] = at::zeros({4}); }),
             Catch::Contains("linear_1.bias: expected shape [48], got [4]"));
  CHECK_THAT(error_behind([](Tensors& t) { t[kUp][0][3] = std::nan(""); }),
             Catch::Contains(kUp + ": expected finite numbers, got NaN or infinity"));
  CHECK_THAT(error_behind([](Tensors& t) { t[kUp] = t[kUp].to(at::kLong); }),
             Catch::Contains("expected floating-point numbers, got int64"));
  CHECK_THAT(error_of(lora_fixture("peft"), read_config(three_parts_source())),
             Catch::Contains("expected shape"));
}

TEST_CASE("a LoRA folder that is incomplete, damaged or holds too much is refused in one line") {
  const ChangedFolder folder;
  fs::copy_file(lora_fixture("llava") / "non_lora_trainables.bin", folder.path() / "non_lora_trainables.bin");
  CHECK_THAT(error_of(folder.path()), Catch::Contains("expected one projector, got one in"));
  fs::copy_file(lora_fixture("llava") / "adapter_model.bin", folder.path() / "non_lora_trainables.bin",
                fs::copy_options::overwrite_existing);
  CHECK_THAT(error_of(folder.path()),
             Catch::Contains("expected the projector alone, got base_model.model.model.la"));
  fs::remove(folder.path() / "non_lora_trainables.bin");
  fs::remove(folder.path() / "adapter_model.safetensors");
  CHECK_THAT(error_of(folder.path()),
             Catch::Contains("adapter_model.safetensors or adapter_model.bin, got none"));
  fs::copy_file(lora_fixture("llava") / "adapter_model.bin", folder.path() / "adapter_model.bin");
  CHECK(error_of(folder.path()) == "no error");
  fs::resize_file(folder.path() / "adapter_model.bin", 9000);
  CHECK_THAT(error_of(folder.path()), Catch::Contains("adapter_model.bin"));
  fs::copy_file(fs::path(QSLAW_FIXTURES) / "start" / "runs_code.pth", folder.path() / "adapter_model.bin",
                fs::copy_options::overwrite_existing);
  CHECK_THAT(error_of(folder.path()), Catch::Contains("posix.system"));
  CHECK_FALSE(fs::exists(fs::current_path() / "executed"));
  fs::remove(folder.path() / "adapter_config.json");
  CHECK_THAT(error_of(folder.path()), Catch::Contains("adapter_config.json"));
  CHECK_THAT(error_of(lora_fixture("expected.safetensors")),
             Catch::Contains("expected a LoRA folder, got a file"));
}
