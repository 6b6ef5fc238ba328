// Every fixture against what transformers computed from the same folder.
#include <catch2/catch.hpp>

#include "model_fixture.h"

using namespace qslaw;

namespace {

struct Case {
  std::string fixture;
  ModelSource source;
};

std::vector<Case> all_cases() {
  std::vector<Case> cases;
  for (const char* name :
       {"gqa", "legacy", "new_naming", "tied", "rope_linear", "rope_llama3", "sparse_config"}) {
    cases.push_back({name, source_of(model_fixture(name))});
  }
  cases.push_back({"three_parts", three_parts_source()});
  cases.push_back({"three_parts", three_parts_source("vision_full")});
  cases.push_back({"three_parts", source_of(model_fixture("original"))});
  return cases;
}

// Both sides compute in float32 with other summation orders: over 3 blocks and widths up to 100 the rounding
// of 6e-8 grows to a few 1e-6 of the largest value; a wrong weight, mask or position is off by more than
// 1e-2.
constexpr double kTolerance = 1e-4;

std::vector<int64_t> to_vector(const at::Tensor& row) {
  const at::Tensor flat = row.contiguous();
  return {flat.const_data_ptr<int64_t>(), flat.const_data_ptr<int64_t>() + flat.numel()};
}

}  // namespace

TEST_CASE("logits, features and loss agree with transformers") {
  at::NoGradGuard no_grad;
  const auto cases = all_cases();
  for (const Case& one : cases) {
    INFO(one.fixture << " " << one.source.vision.string());
    const Llava model = load_dense(one.source);
    const Expected expected = read_expected(model_fixture(one.fixture));
    const at::Tensor features =
        project_features(model.projector, clip_features(model.vision, expected.batch.pixels_N3SS));
    CHECK(relative_error(features, expected.at("image_features")) < kTolerance);
    const at::Tensor mask = expected.at("attention_mask").unsqueeze(-1);
    CHECK(relative_error(all_logits(model, expected.batch) * mask, expected.at("logits")) < kTolerance);
    const TokenLosses losses = token_losses(model, expected.batch);
    CHECK(losses.nll_M.numel() == 10);
    CHECK(to_vector(losses.rows_M) == std::vector<int64_t>{0, 0, 0, 0, 0, 1, 1, 1, 1, 1});
    CHECK(losses.nll_M.mean().item<double>() ==
          Approx(expected.at("loss").item<double>()).epsilon(kTolerance));
  }
}

TEST_CASE("a right-padded row computes what the row alone computes") {
  at::NoGradGuard no_grad;
  for (const Case& one : all_cases()) {
    INFO(one.fixture);
    const Llava model = load_dense(one.source);
    const Expected expected = read_expected(model_fixture(one.fixture));
    for (int64_t b = 0; b < 2; ++b) {
      const Batch row = single_row(expected.batch, b);
      const at::Tensor logits = all_logits(model, row);
      CHECK(relative_error(logits[0], expected.at("logits")[b].narrow(0, 0, logits.size(1))) < kTolerance);
    }
  }
}

TEST_CASE("greedy generation agrees with transformers, row by row and batched") {
  at::NoGradGuard no_grad;
  for (const Case& one : all_cases()) {
    INFO(one.fixture);
    const Llava model = load_dense(one.source);
    const Expected expected = read_expected(model_fixture(one.fixture));
    const at::Tensor ids = expected.at("greedy");
    CHECK(at::equal(greedy(model, expected.batch, ids.size(1)), ids));
    for (int64_t b = 0; b < 2; ++b) {
      CHECK(at::equal(greedy(model, single_row(expected.batch, b), ids.size(1))[0], ids[b]));
    }
  }
}

TEST_CASE("16-bit activations stay near float32") {
  at::NoGradGuard no_grad;
  // On virtual machines that announce AMX but withhold its tiles, oneDNN 3.10 fails in 16 bits ("could not
  // create a primitive"); LibTorch's own kernels do not.
  struct OneDnnOff {
    bool before = at::globalContext().userEnabledMkldnn();
    OneDnnOff() { at::globalContext().setUserEnabledMkldnn(false); }
    ~OneDnnOff() { at::globalContext().setUserEnabledMkldnn(before); }
  } without_one_dnn;
  const Expected expected = read_expected(model_fixture("gqa"));
  const at::Tensor mask = expected.at("attention_mask").unsqueeze(-1);
  // bfloat16 keeps 8 bits (2^-9 relative error per rounding), float16 11; about 40 roundings in a row add up
  // at random.
  const std::vector<std::pair<at::ScalarType, double>> cases = {{at::kBFloat16, 0.08}, {at::kHalf, 0.01}};
  for (const auto& [dtype, tolerance] : cases) {
    INFO(c10::toString(dtype));
    const Llava model = load_dense(source_of(model_fixture("gqa")), dtype);
    CHECK(model.language.embedding_VD.scalar_type() == dtype);
    CHECK(relative_error(all_logits(model, expected.batch) * mask, expected.at("logits")) < tolerance);
  }
}

TEST_CASE("a table of embeddings left in its file gives the same logits, in any dtype") {
  at::NoGradGuard no_grad;
  const auto dtype = GENERATE(at::kFloat, at::kHalf);
  const auto load = [&](const std::string& name, EmbeddingTable table) {
    const ModelSource source = source_of(model_fixture(name));
    return load_llava(source, read_config(source), dtype, at::kCPU, dense_maker(dtype, at::kCPU), table);
  };
  const Expected expected = read_expected(model_fixture("gqa"));
  const Llava mapped = load("gqa", EmbeddingTable::mapped);
  CHECK(mapped.language.maps_embedding);
  CHECK(mapped.language.embedding_VD.scalar_type() == at::kHalf);  // the file's
  CHECK(at::equal(all_logits(mapped, expected.batch),
                  all_logits(load("gqa", EmbeddingTable::copied), expected.batch)));
  // Where it is the head, too, it is computed with.
  const Llava tied = load("tied", EmbeddingTable::mapped);
  CHECK_FALSE(tied.language.maps_embedding);
  CHECK(tied.language.head_VD.scalar_type() == dtype);
}
