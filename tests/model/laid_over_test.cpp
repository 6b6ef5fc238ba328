// Tuned tensors that lie over a checkpoint's.
#include <catch2/catch.hpp>

#include "core/error.h"
#include "model/named_tensors.h"
#include "model/weight_names.h"
#include "model_fixture.h"
#include "temporary_folder.h"

using namespace qslaw;

namespace {

const std::string kUp = "model.layers.1.mlp.up_proj";

// Doubled tensors of the model whose names begin with `prefix`, under the names that are written.
NamedTensors doubled(const ModelSource& source, const std::string& prefix) {
  Llava model = load_dense(source);
  NamedTensors tensors;
  for (const auto& slots : {language_slots(model), vision_slots(model), projector_slots(model)}) {
    for (const auto& [name, tensor] : slots) {
      if (name.rfind(prefix, 0) == 0) tensors.emplace_back(name, *tensor * 2);
    }
  }
  return tensors;
}

LinearSpec up_of(const LlavaConfig& config) {
  for (const LinearSpec& spec : linear_specs(config.language)) {
    if (spec.name == kUp) return spec;
  }
  FAIL("no " + kUp);
  return {};
}

class LaidOverCase {
 public:
  std::filesystem::path write(const std::string& name, const NamedTensors& tensors) const {
    write_safetensors(folder_.path() / name, tensors);
    return folder_.path() / name;
  }
  // The fixture's source with these files over it.
  static ModelSource over(const std::vector<std::filesystem::path>& files) {
    ModelSource source = source_of(model_fixture("gqa"));
    source.laid_over = files;
    return source;
  }

 private:
  TemporaryFolder folder_;
};

}  // namespace

TEST_CASE("tensors laid over a checkpoint take its tensors' place, the rest stays") {
  const LaidOverCase files;
  const ModelSource plain = LaidOverCase::over({});
  const WeightNames names = written_names();
  const auto language = files.write("language", doubled(plain, names.language)),
             head = files.write("head", doubled(plain, names.head)),
             vision = files.write("vision", doubled(plain, names.vision)),
             projector = files.write("projector", doubled(plain, names.projector));
  Llava base = load_dense(plain), tuned = load_dense(LaidOverCase::over({language, head, projector}));
  const auto equal = [](const TensorSlots& actual, const TensorSlots& expected, double factor) {
    REQUIRE(actual.size() == expected.size());
    for (size_t i = 0; i < actual.size(); ++i) {
      INFO(actual[i].first);
      CHECK(at::equal(*actual[i].second, *expected[i].second * factor));
    }
  };
  equal(language_slots(tuned), language_slots(base), 2);
  equal(projector_slots(tuned), projector_slots(base), 2);
  equal(vision_slots(tuned), vision_slots(base), 1);
  Llava seeing = load_dense(LaidOverCase::over({vision}));
  equal(vision_slots(seeing), vision_slots(base), 2);
  equal(language_slots(seeing), language_slots(base), 1);

  // One linear after another, as quantization reads them.
  const LlavaConfig config = read_config(plain);
  const LinearSpec up = up_of(config);
  const at::Tensor weight = DecoderWeights(plain, config).weight(up);
  CHECK(at::equal(DecoderWeights(LaidOverCase::over({language}), config).weight(up).to(at::kFloat),
                  weight.to(at::kFloat) * 2));
}

TEST_CASE("a later file lies over an earlier one, which keeps what the later lacks") {
  const LaidOverCase files;
  const ModelSource plain = LaidOverCase::over({});
  const std::string norm = written_names().language + "norm.weight";
  NamedTensors two = doubled(plain, norm);
  REQUIRE(two.size() == 1);
  const auto first = files.write("first",
                                 {{norm, two[0].second * 2}, doubled(plain, written_names().head).at(0)}),
             second = files.write("second", two);
  const Llava base = load_dense(plain), tuned = load_dense(LaidOverCase::over({first, second}));
  CHECK(at::equal(tuned.language.norm_D, base.language.norm_D * 2));
  CHECK(at::equal(tuned.language.head_VD, base.language.head_VD * 2));
}

TEST_CASE("tensors that do not fit under them are refused by name") {
  const LaidOverCase files;
  const ModelSource plain = LaidOverCase::over({});
  const std::string norm = written_names().language + "norm.weight";
  const auto refused = [&](const NamedTensors& tensors, const std::vector<std::string>& parts) {
    const auto file = files.write("bad", tensors);
    for (const std::string& part : parts)
      CHECK_THROWS_WITH(load_dense(LaidOverCase::over({file})), Catch::Contains(part));
  };
  refused({{norm, at::zeros({3})}}, {norm, "expected shape", "bad"});
  refused({{norm + "s", at::zeros({3})}}, {norm + "s", "bad"});
  NamedTensors projector = doubled(plain, written_names().projector);
  projector.pop_back();
  refused(projector, {"multi_modal_projector", "got none"});
}
