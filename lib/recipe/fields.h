// THE list of the recipe's keys. `fields(visitor, options)` calls visitor("key", member, use) for every key
// of one struct, in the order they are written; reading (field_reader.h), writing (field_writer.h) and the
// documentation's test walk it.
//
// To add a key: a member in the options struct, a line here, a range in that folder's options.cpp, a row in
// docs/recipes.md. A key must follow the keys that its `Use` looks at.
#pragma once
#include <algorithm>
#include <initializer_list>
#include <string>
#include <string_view>

#include "core/text.h"
#include "recipe/recipe.h"

namespace qslaw {

/// When a key may and must be written.
struct Use {
  bool allowed = true;
  bool needed = false;
  std::string why;  // it is not allowed: "method rtn does not use it"
};

inline Use needed() {
  return {.allowed = true, .needed = true, .why = ""};
}

inline Use used_if(bool allowed, std::string why) {
  return {.allowed = allowed, .needed = false, .why = std::move(why)};
}

/// Allowed when `value` of the key `name` is one of `users`.
inline Use used_by(const char* name, const std::string& value,
                   std::initializer_list<std::string_view> users) {
  const bool allowed = std::find(users.begin(), users.end(), value) != users.end();
  return used_if(allowed, concat(name, " ", value, " does not use it"));
}

/// `second`, but the first's reason where `first` does not allow the key either.
inline Use and_then(const Use& first, const Use& second) {
  return first.allowed ? second : first;
}

// --- data ----------------------------------------------------------------------------------------

template <class V>
void sample_fields(V& v, DataOptions& o) {
  v("kind", o.kind, needed());
  const auto only = [&o](std::initializer_list<std::string_view> users) {
    return used_by("kind", o.kind, users);
  };
  v("path", o.path, only({"llava", "text"}));
  v("join", o.join, only({"text"}));
  v("images", o.images, only({"llava", "scienceqa"}));
  v("problems", o.problems, only({"scienceqa"}));
  v("splits", o.splits, only({"scienceqa"}));
  v("split", o.split, only({"scienceqa"}));
  v("prompt_format", o.prompt_format, only({"scienceqa"}));
  v("limit", o.limit, only({"llava", "text", "scienceqa"}));
  v("on_bad_sample", o.on_bad_sample, only({"llava", "scienceqa"}));
}

template <class V>
void fields(V& v, DataOptions& o) {
  sample_fields(v, o);
  v("max_length", o.max_length);
  v("on_long_sample", o.on_long_sample, used_by("kind", o.kind, {"llava", "scienceqa"}));
}

// --- model ---------------------------------------------------------------------------------------

template <class V>
void fields(V& v, ModelOptions& o) {
  v("path", o.source.path);
  const Use parts = used_if(o.source.path.empty(), "model.path names a whole model");
  v("language", o.source.language, parts);
  // Beside a path only for LLaVA's own layout: not written where it says nothing.
  v("vision", o.source.vision, V::kReads || !o.source.vision.empty() ? Use{} : parts);
  v("projector", o.source.projector, parts);
  v("projector_kind", o.source.projector_kind, parts);
  v("feature_layer", o.source.feature_layer, parts);
  v("random_weights", o.source.random_weights);
  v("dtype", o.dtype);
  v("template", o.template_name);
  v("image_aspect", o.image_aspect);
  v("stages", o.stages);
  v("adapter", o.adapter);
}

// --- quantize ------------------------------------------------------------------------------------

/// A source without max_length: calibration.length cuts its samples.
struct CutSource {
  DataOptions options;
};

template <class V>
void fields(V& v, CutSource& o) {
  sample_fields(v, o.options);
}

template <class V>
void cut_source_field(V& v, const char* name, std::optional<DataOptions>& o, const Use& use) {
  std::optional<CutSource> cut;
  if (o) cut = CutSource{*o};
  v(name, cut, use);
  if constexpr (V::kReads) o = cut ? std::optional(cut->options) : std::nullopt;
}

template <class V>
void fields(V& v, CalibrationOptions& o) {
  sample_fields(v, o.data);
  const Use mix = used_by("kind", o.data.kind, {"mix"});
  cut_source_field(v, "text", o.text, mix);
  cut_source_field(v, "pictures", o.pictures, mix);
  v("samples", o.samples);
  v("length", o.length);
  if constexpr (V::kReads) o.data.max_length = o.length;
}

template <class V>
void fields(V& v, OmniquantOptions& o) {
  v("start", o.start);
  v("epochs", o.epochs);
  const Use learning = used_if(o.epochs != 0, "epochs 0 learns nothing");
  v("lr", o.lr, learning);
  v("batch_size", o.batch_size, learning);
}

template <class V>
void fields(V& v, QuantizeOptions& o) {
  v("method", o.method);
  v("bits", o.bits);
  if constexpr (V::kReads) o.group_size = o.method == "nf4" ? 64 : o.group_size;
  v("group_size", o.group_size);
  const Use learned = used_by("method", o.method, {"omniquant"});
  v("omniquant", o.omniquant, learned);
  v("calibration", o.calibration,
    and_then(learned, used_if(o.omniquant.epochs != 0, "omniquant.epochs 0 learns nothing")));
}

// --- warmup, tune --------------------------------------------------------------------------------

/// The optimizer's keys, given which parts are trained beside the main ones.
struct OptimizerFields {
  OptimizerOptions& options;
  bool projector;
  bool vision;
};

template <class V>
void fields(V& v, OptimizerFields& f) {
  OptimizerOptions& o = f.options;
  v("lr", o.lr);
  v("projector_lr", o.projector_lr, used_if(f.projector, "no projector is trained beside the main weights"));
  v("vision_lr", o.vision_lr, used_if(f.vision, "the vision tower is not trained here"));
  v("schedule", o.schedule);
  v("warmup_ratio", o.warmup_ratio);
  v("weight_decay", o.weight_decay);
  v("max_grad_norm", o.max_grad_norm);
  v("states", o.states);
}

/// What follows the sources in a phase; `tune` has the same keys.
template <class V>
void mix_fields(V& v, PhaseOptions& o) {
  const bool both = o.pictures && o.text;
  if (V::kReads && both) o.text_share = {{0.0, 0.5}, {1.0, 0.5}};
  v("text_share", o.text_share, used_if(both, "only pictures and text together have a share"));
  v("epochs", o.epochs);
  v("max_steps", o.max_steps);
  v("group_by", o.group_by,
    used_if(o.pictures && !o.text, "only conversations without a second source are grouped"));
  v("template", o.template_name);
}

template <class V>
void fields(V& v, PhaseOptions& o) {
  v("pictures", o.pictures);
  v("text", o.text);
  mix_fields(v, o);
  v("batch_size", o.batch_size);
  v("lr", o.lr);
  v("projector_lr", o.projector_lr);
}

template <class V>
void fields(V& v, HeldoutOptions& o) {
  v("text", o.text);
  v("pictures", o.pictures);
  v("every", o.every);
}

/// Keys of the section itself.
template <class V>
void loop_fields(V& v, LoopOptions& o, const Use& use = {}) {
  v("batch_size", o.batch_size, use);
  v("packing", o.packing, use);
  v("packed_length", o.packed_length, and_then(use, used_if(o.packing, "packing false fills no rows")));
  v("micro_batch_size", o.micro_batch_size,
    and_then(use, used_if(o.packed_length == 0, "packed_length decides what a forward pass holds")));
  v("checkpointing", o.checkpointing, use);
  v("save_every", o.save_every, use);
  v("loader_threads", o.loader_threads, use);
}

template <class V>
void fields(V& v, WarmupOptions& o) {
  v("formula", o.formula);
  v("first_layer", o.first_layer);
  v("start", o.start);
  v("phases", o.phases, o.start.empty() ? needed() : Use{});
  const Use learning = used_if(!o.phases.empty(), "no phase learns anything");
  v("train_projector", o.train_projector, learning);
  v("optimizer", OptimizerFields{o.optimizer, o.train_projector, false}, learning);
  loop_fields(v, o.loop, learning);
  v("heldout", o.heldout, learning);
}

template <class V>
void fields(V& v, LoraOptions& o) {
  v("rank", o.rank);
  v("alpha", o.alpha);
  v("dropout", o.dropout);
}

/// `data` is the phase's pictures, or its text when that is the kind; then there is no second text source.
template <class V>
void source_fields(V& v, PhaseOptions& o) {
  std::optional<DataOptions> data = o.pictures ? o.pictures : o.text;
  v("data", data, needed());
  const bool text_alone = data && data->kind == "text";
  std::optional<DataOptions> text = o.pictures ? o.text : std::nullopt;
  v("text", text, used_if(!text_alone, "tune.data is text already"));
  o.pictures = text_alone ? std::nullopt : data;
  o.text = text_alone ? data : text;
}

template <class V>
void fields(V& v, TuneOptions& o) {
  v("method", o.method);
  v("lora", o.lora, used_by("method", o.method, {"lora"}));
  v("train_vision", o.train_vision, used_by("method", o.method, {"full"}));
  v("train_projector", o.train_projector, used_by("method", o.method, {"lora", "full"}));
  const bool beside = o.train_projector && o.method != "projector";
  v("optimizer", OptimizerFields{o.optimizer, beside, o.train_vision});
  source_fields(v, o.phase);
  mix_fields(v, o.phase);
  loop_fields(v, o.loop);
  v("heldout", o.heldout);
}

// --- eval, export --------------------------------------------------------------------------------

/// Kinds that have a key, and those of questions about a picture.
struct BenchmarkUsers {
  const BenchmarkOptions& options;

  Use only(std::initializer_list<std::string_view> users) const {
    return used_by("kind", options.kind, users);
  }
  Use with_questions(std::initializer_list<std::string_view> users) const {
    return is_question_kind(options.kind) ? Use{} : only(users);
  }
};

template <class V>
void benchmark_file_fields(V& v, BenchmarkOptions& o) {
  const BenchmarkUsers users{o};
  v("problems", o.problems, users.only({"scienceqa"}));
  v("splits", o.splits, users.only({"scienceqa"}));
  v("path", o.path, users.with_questions({"exact_match", "loss", "text_perplexity"}));
  v("join", o.join, users.only({"text_perplexity"}));
  const bool has_answers = o.kind != "vqav2" && o.path.extension() != ".jsonl";
  const Use annotated = users.only({"textvqa", "vqav2", "gqa", "vizwiz", "pope", "mme", "seed_bench"});
  v("annotations", o.annotations,
    and_then(annotated, used_if(!has_answers, "the questions' file has the answers")));
  const bool holds_pictures = o.kind == "mmbench";
  v("images", o.images,
    holds_pictures ? used_if(false, "the file holds the pictures")
                   : users.with_questions({"scienceqa", "exact_match", "loss"}));
  v("split", o.split, users.only({"scienceqa", "mmbench"}));
  v("server_questions", o.server_questions, users.only({"vqav2"}));
  v("predictions", o.predictions, users.with_questions({"scienceqa"}));
}

template <class V>
void benchmark_answer_fields(V& v, BenchmarkOptions& o) {
  const BenchmarkUsers users{o};
  // Given answers are scored without a model.
  const Use scored = used_if(false, "predictions are given");
  const bool given = !o.predictions.empty();
  const Use generates = given ? scored : users.with_questions({"scienceqa", "exact_match"});
  const Use runs = given ? scored : users.with_questions({"scienceqa", "exact_match", "loss"});
  v("prompt_format", o.prompt_format, given ? scored : users.only({"scienceqa"}));
  v("prompt_suffix", o.prompt_suffix, given ? scored : users.with_questions({"scienceqa"}));
  v("template", o.template_name, runs);
  v("max_new_tokens", o.max_new_tokens, generates);
  v("temperature", o.temperature, generates);
  v("top_p", o.top_p, and_then(generates, used_if(o.temperature > 0, "temperature 0 is greedy")));
  v("batch_size", o.batch_size,
    given ? scored : users.with_questions({"scienceqa", "exact_match", "loss", "text_perplexity"}));
  v("limit", o.limit, users.with_questions({"scienceqa", "exact_match", "loss", "text_perplexity"}));
  v("on_bad_sample", o.on_bad_sample, users.with_questions({"scienceqa", "exact_match", "loss"}));
}

template <class V>
void benchmark_window_fields(V& v, BenchmarkOptions& o) {
  const BenchmarkUsers users{o};
  v("context", o.context, users.only({"exact_match", "loss", "text_perplexity"}));
  const Use windows = users.only({"text_perplexity"});
  v("windows", o.windows, windows);
  if constexpr (V::kReads) o.stride = o.windows == "sliding" ? std::min(kDefaultStride, o.context) : 0;
  v("stride", o.stride, and_then(windows, used_by("windows", o.windows, {"sliding"})));
}

template <class V>
void fields(V& v, BenchmarkOptions& o) {
  const BenchmarkUsers users{o};
  v("kind", o.kind, needed());
  if constexpr (V::kReads) {
    o.name = o.kind;
    o.prompt_suffix = default_prompt_suffix(o.kind);
    o.max_new_tokens = default_max_new_tokens(o.kind);
    if (o.kind == "mmbench") o.split = "";
  }
  v("name", o.name);
  benchmark_file_fields(v, o);
  benchmark_answer_fields(v, o);
  benchmark_window_fields(v, o);
  v("prompt_tokens", o.prompt_tokens, users.only({"speed"}));
  v("new_tokens", o.new_tokens, users.only({"speed"}));
}

template <class V>
void fields(V& v, EvalOptions& o) {
  v("benchmarks", o.benchmarks, needed());
}

template <class V>
void fields(V& v, ExportOptions& o) {
  v("formats", o.formats, needed());
  v("dtype", o.dtype);
  v("max_shard_bytes", o.max_shard_bytes);
}

// --- the whole recipe ----------------------------------------------------------------------------

template <class V>
void fields(V& v, Recipe& o) {
  v("name", o.name, needed());
  v("seed", o.seed);
  v("output", o.output, needed());
  v("model", o.model, needed());
  v("quantize", o.quantize);
  v("warmup", o.warmup);
  v("tune", o.tune);
  v("eval", o.eval);
  v("export", o.export_);
}

}  // namespace qslaw
