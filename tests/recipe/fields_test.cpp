// The list of keys: complete when written, equal when read back, documented.
#include <catch2/catch.hpp>
#include <set>

#include "core/files.h"
#include "recipe/field_reader.h"
#include "recipe_file.h"

using namespace qslaw;

namespace {

// The example of docs/recipes.md, with every section.
const std::string kExample = R"(name: digits_w4
seed: 42
output: ../../runs/digits_w4
model:
  path: base
  dtype: bfloat16
  template: vicuna_v1
quantize:
  method: omniquant
  bits: 4
  group_size: 128
  calibration: {kind: text, path: calibration.txt, samples: 128, length: 2048}
warmup:
  formula: qslaw
  first_layer: 6
  optimizer: {lr: 2.0e-3, projector_lr: 2.0e-3, schedule: cosine, warmup_ratio: 0.03}
  phases:                       # text_share: (progress, probability of a text sample), linear in between
    - {pictures: {kind: llava, path: captions.json, images: images}, epochs: 1}
    - {pictures: {kind: llava, path: train.json, images: images}, text: {kind: text, path: wiki.txt}, text_share: [[0, 0.5], [1, 0.5]], epochs: 2}
tune:
  method: lora                  # lora | full | projector
  lora: {rank: 64, alpha: 16, dropout: 0.05}
  data: {kind: llava, path: train.json, images: images}
  batch_size: 32
  micro_batch_size: 8
  epochs: 12
eval:
  benchmarks:
    - {kind: scienceqa, problems: problems.json, splits: pid_splits.json, images: images, split: test}
    - {kind: loss, path: heldout.json, images: images}
    - {kind: speed, prompt_tokens: 640, new_tokens: 128}
export:
  formats: [hf, peft]
)";

// Every section again, with the choices the example does not make and values that are not the defaults.
const std::string kOther = R"(name: "null"
seed: 18446744073709551615
output: out
model: {language: l, vision: v, projector: p.safetensors, feature_layer: -1, random_weights: true,
        dtype: float32, template: plain, image_aspect: pad, stages: [s/quantize, "with space: and colon"]}
quantize:
  method: omniquant
  bits: 3
  group_size: 64
  calibration: {kind: mix, text: {kind: text, path: t, limit: 7}, pictures: {kind: scienceqa, problems: p, splits: s}, samples: 4, length: 99}
  omniquant: {start: omni_parameters.pth, epochs: 3, lr: 1e-07, batch_size: 2}
warmup:
  first_layer: 0
  start: scaling.bin
  train_projector: false
  optimizer: {lr: 0.1, weight_decay: 0.01, max_grad_norm: 1, schedule: constant, states: int8}
  phases: [{text: {kind: text, path: t, max_length: 64}, max_steps: 5, template: llava_v1, batch_size: 64, lr: 0.5}]
  checkpointing: true
  heldout: {text: {kind: text, path: t}, pictures: {kind: llava, path: q, on_bad_sample: skip, on_long_sample: error}, every: 3}
tune:
  method: projector
  data: {kind: text, path: "é.txt"}
  epochs: 0.30000000000000004
  loader_threads: 5
  checkpointing: feed_forward
  save_every: 1
  packing: true
  packed_length: 4096
eval:
  benchmarks:
    - {kind: scienceqa, name: given, problems: p, splits: s, predictions: a.jsonl}
    - {kind: scienceqa, problems: p, splits: s, prompt_suffix: "\nAnswer with \"A\":\t", temperature: 0.2}
    - {kind: text_perplexity, path: t, context: 128}
    - {kind: text_perplexity, name: sliding, path: t.jsonl, join: " \n", context: 100, windows: sliding}
    - {kind: text_perplexity, name: guide, path: t, windows: sliding}
    - {kind: vqav2, path: q.json, annotations: a.json, images: i, server_questions: all.jsonl}
    - {kind: mmbench, path: dev.tsv, split: dev, max_new_tokens: 8}
    - {kind: textvqa, path: q.jsonl, annotations: a.json}
export: {formats: [hf], dtype: float16, max_shard_bytes: 1000000}
)";

// Nothing is learned before the adapter.
const std::string kGiven = R"(name: given
output: out
model: {path: base, adapter: lora}
quantize: {method: omniquant, omniquant: {start: omni_parameters.pth, epochs: 0}}
warmup: {start: scaling.bin, phases: []}
eval: {benchmarks: [{kind: speed}]}
)";

/// Collects every key of every section, those of nested structs included.
struct AllKeys {
  static constexpr bool kReads = false;
  std::set<std::string>* names;

  template <class T>
  void operator()(const char* name, T&& value, const Use& = {}) {
    names->insert(name);
    enter(value);
  }
  template <HasFields T>
  void enter(T& value) {
    fields(*this, value);
  }
  template <HasFields T>
  void enter(std::optional<T>&) {
    T value;
    fields(*this, value);
  }
  template <HasFields T>
  void enter(std::vector<T>&) {
    T value;
    fields(*this, value);
  }
  template <class T>
  void enter(T&) {}
};

}  // namespace

TEST_CASE("the contract's example") {
  const RecipeFile file(kExample);
  const Recipe recipe = read_recipe(file.path);
  CHECK(recipe.name == "digits_w4");
  CHECK(recipe.output == file.folder.parent_path().parent_path() / "runs/digits_w4");
  CHECK(recipe.quantize->method == "omniquant");
  CHECK(recipe.quantize->calibration->data.path == file.folder / "calibration.txt");
  CHECK(recipe.quantize->calibration->data.max_length == 2048);
  CHECK(recipe.warmup->optimizer.lr == 0.002);
  REQUIRE(recipe.warmup->phases.size() == 2);
  CHECK_FALSE(recipe.warmup->phases[0].text.has_value());
  CHECK(recipe.warmup->phases[0].text_share.empty());
  CHECK(recipe.warmup->phases[1].text_share == ShareCurve{{0.0, 0.5}, {1.0, 0.5}});
  CHECK(recipe.warmup->phases[1].epochs == 2.0);
  CHECK(recipe.tune->phase.pictures->images == file.folder / "images");
  CHECK_FALSE(recipe.tune->phase.text.has_value());
  CHECK(recipe.tune->loop.micro_batch_size == 8);
  CHECK(recipe.eval->benchmarks.at(0).name == "scienceqa");
  CHECK(recipe.eval->benchmarks.at(2).prompt_tokens == 640);
  CHECK(recipe.export_->formats == std::vector<std::string>{"hf", "peft"});
}

TEST_CASE("a recipe that is written and read back is the same recipe") {
  for (const std::string& text : {kExample, kOther, kGiven}) {
    const Recipe first = read_text(text);
    const std::string yaml = recipe_yaml(first);
    const Recipe second = read_text(yaml);  // in another folder: its paths must be absolute
    CHECK(recipe_yaml(second) == yaml);
    for (const char* section : {"model", "quantize", "warmup", "tune", "eval", "export"})
      CHECK(section_yaml(second, section) == section_yaml(first, section));
  }
  const Recipe back = read_text(recipe_yaml(read_text(kOther)));
  CHECK(back.name == "null");
  CHECK(back.seed == 18446744073709551615ULL);
  CHECK(back.model.stages.at(1).filename() == "with space: and colon");
  CHECK(back.model.source.feature_layer == -1);
  CHECK(back.model.source.random_weights);
  CHECK(back.quantize->omniquant.lr == 1e-7);
  CHECK(back.quantize->calibration->text->limit == 7);
  CHECK(back.quantize->calibration->pictures->problems.filename() == "p");
  CHECK(back.warmup->phases.at(0).template_name == "llava_v1");
  CHECK(back.warmup->phases.at(0).batch_size == 64);
  CHECK(back.warmup->phases.at(0).lr == 0.5);
  CHECK(back.warmup->heldout.pictures->on_bad_sample == BadSamplePolicy::skip);
  CHECK(back.warmup->heldout.pictures->on_long_sample == LongSamplePolicy::error);
  CHECK(back.tune->phase.text->path.filename() == "é.txt");
  CHECK_FALSE(back.tune->phase.pictures.has_value());
  CHECK(back.warmup->optimizer.states == "int8");
  CHECK(back.warmup->loop.checkpointing == Checkpointing::block);
  CHECK(back.tune->loop.checkpointing == Checkpointing::feed_forward);
  CHECK(back.tune->loop.packed_length == 4096);
  CHECK(section_yaml(back, "tune").find("micro_batch_size") == std::string::npos);
  CHECK(back.tune->phase.epochs == 0.30000000000000004);
  CHECK(back.eval->benchmarks.at(1).prompt_suffix == "\nAnswer with \"A\":\t");
  CHECK_FALSE(back.eval->benchmarks.at(2).join.has_value());
  CHECK(back.eval->benchmarks.at(2).windows == "bos");
  CHECK(back.eval->benchmarks.at(3).join == " \n");
  CHECK(back.eval->benchmarks.at(3).stride == 100);  // no wider than the window
  CHECK(back.eval->benchmarks.at(4).stride == 512);
  CHECK(back.eval->benchmarks.at(5).annotations.filename() == "a.json");
  CHECK(back.eval->benchmarks.at(5).prompt_suffix == "\nAnswer the question using a single word or phrase.");
  CHECK(back.eval->benchmarks.at(5).max_new_tokens == 128);
  CHECK(back.eval->benchmarks.at(6).split == "dev");
  CHECK(back.eval->benchmarks.at(6).max_new_tokens == 8);
  CHECK(back.export_->max_shard_bytes == 1000000);
}

TEST_CASE("every default that is used is written") {
  const Recipe recipe = read_text(
      "name: tiny\noutput: /o\nmodel: {path: /m}\n"
      "tune: {data: {kind: llava, path: /a.json}, text: {kind: text, path: /b.txt}}\n");
  CHECK(recipe_yaml(recipe) == R"(name: tiny
seed: 42
output: /o
model:
  path: /m
  random_weights: false
  dtype: bfloat16
  template: vicuna_v1
  image_aspect: ""
  stages: []
  adapter: ~
quantize: ~
warmup: ~
tune:
  method: lora
  lora:
    rank: 64
    alpha: 16
    dropout: 0.05
  train_projector: true
  optimizer:
    lr: 2.0e-04
    projector_lr: 0
    schedule: cosine
    warmup_ratio: 0.03
    weight_decay: 0
    max_grad_norm: 0
    states: float32
  data:
    kind: llava
    path: /a.json
    images: ~
    limit: 0
    on_bad_sample: error
    max_length: 2048
    on_long_sample: cut
  text:
    kind: text
    path: /b.txt
    join: ~
    limit: 0
    max_length: 2048
  text_share: [[0, 0.5], [1, 0.5]]
  epochs: 1
  max_steps: 0
  template: ~
  batch_size: 32
  packing: false
  micro_batch_size: 8
  checkpointing: false
  save_every: 200
  loader_threads: 2
  heldout:
    text: ~
    pictures: ~
    every: 0
eval: ~
export: ~
)");
  CHECK(section_yaml(recipe, "quantize").empty());
}

TEST_CASE("docs/recipes.md has a row for every key") {
  std::set<std::string> names;
  AllKeys keys{&names};
  Recipe recipe;
  fields(keys, recipe);
  CHECK(names.size() > 70);
  const std::string docs = read_file(std::string(QSLAW_SOURCE) + "/docs/recipes.md");
  for (const std::string& name : names) {
    INFO(name);
    CHECK(docs.find("| `" + name + "` |") != std::string::npos);
  }
}
