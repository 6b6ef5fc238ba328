// Ranges and contradictions.
#include <catch2/catch.hpp>

#include "recipe_file.h"

using namespace qslaw;

namespace {

struct Wrong {
  std::string text;     // appended to kHead, so it starts on line 5
  std::string message;  // after "[recipe] expected "
};

void check_all(const std::vector<Wrong>& cases) {
  for (const auto& [text, message] : cases) {
    INFO(text);
    CHECK(error_of(kHead + text) == "[recipe] expected " + message);
  }
}

const std::string kData = "data: {kind: llava, path: a}";

}  // namespace

TEST_CASE("check: quantize") {
  check_all({
      {"quantize: {bits: 5}\n",
       "2, 3, 4 or 8 for method rtn, got 5 (recipe.yaml, line 5, key quantize.bits)"},
      {"quantize: {group_size: 100}\n",
       "32, 64 or 128 for method rtn, got 100 (recipe.yaml, line 5, key quantize.group_size)"},
      {"quantize: {method: nf4, bits: 8}\n",
       "2, 3 or 4 for method nf4, got 8 (recipe.yaml, line 5, key quantize.bits)"},
      {"quantize: {method: absorbed, bits: 8}\n",
       "2, 3 or 4 for method absorbed, got 8 (recipe.yaml, line 5, key quantize.bits)"},
      {"quantize: {method: nf4, group_size: 128}\n",
       "64 for method nf4, got 128 (recipe.yaml, line 5, key quantize.group_size)"},
      {"quantize:\n  method: omniquant\n",
       "calibration samples for method omniquant, got none (recipe.yaml, line 5, key quantize.calibration)"},
      {"quantize:\n  method: omniquant\n  calibration:\n    kind: mix\n    text: {kind: text, path: a}\n",
       "a picture source for kind mix, got none (recipe.yaml, line 7, key quantize.calibration.pictures)"},
      {"quantize: {method: omniquant, calibration: {kind: text, path: a, samples: 0}}\n",
       "1 to 1000000, got 0 (recipe.yaml, line 5, key quantize.calibration.samples)"},
      {"quantize: {method: omniquant, calibration: {kind: text}}\n",
       "a path for kind text, got none (recipe.yaml, line 5, key quantize.calibration.path)"},
      {"quantize: {method: omniquant, calibration: {kind: text, path: a}, omniquant: {lr: 0}}\n",
       "more than 0, at most 100, got 0 (recipe.yaml, line 5, key quantize.omniquant.lr)"},
      {"quantize: {method: omniquant, calibration: {kind: text, path: a}, omniquant: {epochs: 0}}\n",
       "1 to 100000, got 0 (recipe.yaml, line 5, key quantize.omniquant.epochs)"},
      {"quantize: {method: omniquant, omniquant: {start: a.pth}}\n",
       "calibration samples for method omniquant, got none (recipe.yaml, line 5, key quantize.calibration)"},
      {"quantize:\n  method: omniquant\n  omniquant: {start: a.pth, epochs: 0}\n"
       "  calibration: {kind: text, path: a}\n",
       "no key \"calibration\" as omniquant.epochs 0 learns nothing, got one (recipe.yaml, line 8, key "
       "quantize.calibration)"},
      {"quantize: {method: omniquant, omniquant: {start: a.pth, epochs: 0, lr: 0.1}}\n",
       "no key \"lr\" as epochs 0 learns nothing, got one (recipe.yaml, line 5, key quantize.omniquant.lr)"},
  });
  CHECK(read_text(kHead + "quantize: {method: nf4}\n").quantize->group_size == 64);
  CHECK(read_text(kHead + "quantize: {bits: 8}\n").quantize->group_size == 128);
}

TEST_CASE("check: a given adapter") {
  const std::string head = "name: a\noutput: b\nmodel: {path: base, adapter: lora}\n";
  const auto error = [&](const std::string& sections) { return error_of(head + sections); };
  const std::string data = "data: {kind: llava, path: a.json}";
  CHECK(error("tune: {" + data + "}\n") == "no error");
  CHECK(error("export: {formats: [peft]}\n") == "no error");
  CHECK(error("quantize: {}\nwarmup: {start: scaling.bin, phases: []}\n") == "no error");
  CHECK_THAT(
      error("tune: {method: projector, " + data + "}\n"),
      Catch::Contains("expected lora beside model.adapter, got \"projector\" (recipe.yaml, line 4, key "
                      "tune.method)"));
  CHECK_THAT(error("quantize: {method: absorbed}\nwarmup: {start: scaling.bin, phases: []}\n"),
             Catch::Contains("expected none beside quantize.method absorbed") &&
                 Catch::Contains("(recipe.yaml, line 5, key warmup.start)"));
  CHECK_THAT(error("quantize: {}\nwarmup: {phases: [{text: {kind: text, path: a}}]}\n"),
             Catch::Contains("expected none beside model.adapter") &&
                 Catch::Contains("got 1 (recipe.yaml, line 5, key warmup.phases)"));
}

TEST_CASE("check: warmup") {
  const std::string quantize = "quantize: {}\nwarmup:\n  phases:\n";
  check_all({
      {"warmup: {phases: [{text: {kind: text, path: a}}]}\n",
       "a quantize section or model.stages whose scales are to be learned, got neither (recipe.yaml, line 5, "
       "key "
       "warmup)"},
      {"quantize: {}\nwarmup: {phases: []}\n",
       "at least one phase, got none (recipe.yaml, line 6, key warmup.phases)"},
      {"quantize: {}\nwarmup: {start: scaling.bin, phases: [], batch_size: 4}\n",
       "no key \"batch_size\" as no phase learns anything, got one (recipe.yaml, line 6, key "
       "warmup.batch_size)"},
      {"quantize: {}\nwarmup: {}\n", "the key \"phases\", got none (recipe.yaml, line 6, key warmup.phases)"},
      {quantize + "    - {epochs: 2}\n",
       "pictures or text to train on, got neither (recipe.yaml, line 8, key warmup.phases.0)"},
      {quantize + "    - {pictures: {kind: text, path: a}}\n",
       "llava or scienceqa, got \"text\" (recipe.yaml, line 8, key warmup.phases.0.pictures.kind)"},
      {quantize + "    - {text: {kind: llava, path: a}}\n",
       "text, got \"llava\" (recipe.yaml, line 8, key warmup.phases.0.text.kind)"},
      {quantize + "    - {text: {kind: text, path: a}, epochs: 0}\n",
       "more than 0, got 0 (recipe.yaml, line 8, key warmup.phases.0.epochs)"},
      {quantize + "    - {text: {kind: text, path: a}, template: vicuna}\n",
       "one of vicuna_v1, llava_v1, plain, llama_2, got \"vicuna\" (recipe.yaml, line 8, key "
       "warmup.phases.0.template)"},
      {quantize + "    - {text: {kind: text, path: a}}\n  formula: qslow\n",
       "qslaw, got \"qslow\"; did you mean \"qslaw\"? (recipe.yaml, line 9, key warmup.formula)"},
      {quantize + "    - {text: {kind: text, path: a}}\n  heldout: {every: 5}\n",
       "held-out text or pictures to measure, got neither (recipe.yaml, line 9, key warmup.heldout.every)"},
  });
  CHECK(error_of(
            "name: a\noutput: b\nmodel: {path: c, stages: [d]}\nwarmup: {phases: [{text: {kind: text, path: "
            "a}}]}\n") == "no error");
}

TEST_CASE("check: steps of any size fill rows of a packed length") {
  const std::string full = "packing: true, packed_length: 64, ", text = "{kind: text, path: a}";
  CHECK(error_of(kHead + "tune: {" + full + "batch_size: 6, data: " + text + "}\n") == "no error");
  CHECK(error_of(kHead + "quantize: {bits: 4}\nwarmup: {" + full + "phases: [{text: " + text +
                 ", batch_size: 12}]}\n") == "no error");
  // As 0 is no length, samples are counted.
  CHECK_THAT(error_of(kHead + "tune: {packing: true, packed_length: 0, batch_size: 6, data: " + text + "}\n"),
             Catch::Contains("a divisor of batch_size = 6, got 8"));
}

TEST_CASE("check: a phase's own batch size and rates") {
  const auto phase = [](const std::string& keys) {
    return error_of(
        "name: a\noutput: b\nmodel: {path: c, stages: [d]}\nwarmup: {phases: [{text: {kind: text, path: "
        "a}, " +
        keys + "}]}\n");
  };
  CHECK(phase("batch_size: 24, lr: 0.1") == "no error");
  CHECK_THAT(phase("batch_size: 12"), Catch::Contains("a multiple of micro_batch_size = 8, got 12") &&
                                          Catch::Contains("key warmup.phases.0.batch_size"));
  CHECK_THAT(phase("batch_size: 2000000"), Catch::Contains("expected 0 to 1000000, got 2000000") &&
                                               Catch::Contains("key warmup.phases.0.batch_size"));
  // Steps are counted with the phase's own batch size; the product of these numbers would overflow.
  CHECK(phase("batch_size: 8, max_steps: 12500000") == "no error");
  CHECK_THAT(phase("batch_size: 8, max_steps: 12500001"),
             Catch::Contains("at most 12500000 (100000000 samples, 8 per step), got 12500001") &&
                 Catch::Contains("key warmup.phases.0.max_steps"));
  CHECK_THAT(phase("max_steps: 9223372036854775807"), Catch::Contains("at most 3125000 ("));
  CHECK_THAT(phase("lr: -1"), Catch::Contains("got -1") && Catch::Contains("key warmup.phases.0.lr"));
}

TEST_CASE("check: tune") {
  const std::string tune = "tune:\n  " + kData + "\n  ";
  check_all({
      {tune + "method: loar\n",
       "lora, full or projector, got \"loar\"; did you mean \"lora\"? (recipe.yaml, line 7, key "
       "tune.method)"},
      {tune + "batch_size: 6\n  micro_batch_size: 4\n",
       "a divisor of batch_size = 6, got 4 (recipe.yaml, line 8, key tune.micro_batch_size)"},
      {tune + "packed_length: 64\n",
       "no key \"packed_length\" as packing false fills no rows, got one (recipe.yaml, line 7, key "
       "tune.packed_length)"},
      {tune + "packing: true\n  packed_length: -1\n",
       "0 to 1048576, got -1 (recipe.yaml, line 8, key tune.packed_length)"},
      {tune + "packing: true\n  packed_length: 64\n  micro_batch_size: 4\n",
       "no key \"micro_batch_size\" as packed_length decides what a forward pass holds, got one "
       "(recipe.yaml, line 9, key tune.micro_batch_size)"},
      {tune + "batch_size: 0\n", "1 to 1000000, got 0 (recipe.yaml, line 7, key tune.batch_size)"},
      {tune + "batch_size: 2147483648\n",
       "1 to 1000000, got 2147483648 (recipe.yaml, line 7, key tune.batch_size)"},
      {tune + "max_steps: 3125001\n",
       "at most 3125000 (100000000 samples, 32 per step), got 3125001 (recipe.yaml, line 7, key "
       "tune.max_steps)"},
      {tune + "save_every: 0\n", "at least 1, got 0 (recipe.yaml, line 7, key tune.save_every)"},
      {tune + "lora: {dropout: 1}\n", "less than 1, got 1 (recipe.yaml, line 7, key tune.lora.dropout)"},
      {tune + "lora: {rank: 0}\n", "at least 1, got 0 (recipe.yaml, line 7, key tune.lora.rank)"},
      {tune + "optimizer: {schedule: cosin}\n",
       "cosine or constant, got \"cosin\"; did you mean \"cosine\"? (recipe.yaml, line 7, key "
       "tune.optimizer.schedule)"},
      {tune + "optimizer: {states: int4}\n",
       "float32 or int8, got \"int4\"; did you mean \"int8\"? (recipe.yaml, line 7, key "
       "tune.optimizer.states)"},
      {tune + "optimizer: {warmup_ratio: 1.5}\n",
       "0 to 1, got 1.5 (recipe.yaml, line 7, key tune.optimizer.warmup_ratio)"},
      {tune + "text: {kind: llava, path: b}\n",
       "text, got \"llava\" (recipe.yaml, line 7, key tune.text.kind)"},
      {"tune: {epochs: 1}\n", "the key \"data\", got none (recipe.yaml, line 5, key tune.data)"},
      {"tune: {data: {kind: lava, path: a}}\n",
       "llava, text or scienceqa, got \"lava\"; did you mean \"llava\"? (recipe.yaml, line 5, key "
       "tune.data.kind)"},
      {"quantize: {}\ntune: {method: full, " + kData + "}\n",
       "lora or projector after quantize, as packed weights are not trained, got \"full\" (recipe.yaml, line "
       "6, key "
       "tune.method)"},
  });
  // Steps replace epochs, so that a short trial run needs one override only.
  CHECK(error_of(kHead + tune + "epochs: 12\n", {"tune.max_steps=3"}) == "no error");
}

TEST_CASE("check: eval and export") {
  const std::string eval = "eval:\n  benchmarks:\n    - ";
  check_all({
      {eval + "{kind: exact_match, path: a, top_p: 0.5}\n",
       "no key \"top_p\" as temperature 0 is greedy, got one (recipe.yaml, line 7, key "
       "eval.benchmarks.0.top_p)"},
      {eval + "{kind: exact_match, path: a, temperature: 1, top_p: 2}\n",
       "more than 0, at most 1, got 2 (recipe.yaml, line 7, key eval.benchmarks.0.top_p)"},
      {eval + "{kind: loss, path: a}\n    - {kind: scienseqa}\n",
       "exact_match, gqa, loss, mmbench, mme, pope, scienceqa, seed_bench, speed, text_perplexity, textvqa, "
       "vizwiz or "
       "vqav2, got \"scienseqa\"; did you mean "
       "\"scienceqa\"? "
       "(recipe.yaml, line "
       "8, key eval.benchmarks.1.kind)"},
      {eval + "{kind: loss, path: a}\n    - {kind: loss, path: b}\n",
       "names that differ (the default is the kind), got \"loss\" as in eval.benchmarks.0 (recipe.yaml, line "
       "8, key "
       "eval.benchmarks.1.name)"},
      {eval + "{kind: scienceqa, problems: p}\n",
       "a path for kind scienceqa, got none (recipe.yaml, line 7, key eval.benchmarks.0.splits)"},
      {eval + "{kind: scienceqa, problems: p, splits: s, prompt_format: QCM}\n",
       "QCM-LEA or CQM-A, got \"QCM\" (recipe.yaml, line 7, key "
       "eval.benchmarks.0.prompt_format)"},
      {eval + "{kind: loss, name: a/b, path: a}\n",
       "letters, digits, \"_\", \"-\" and \".\", not starting with \".\", got \"a/b\" (recipe.yaml, line 7, "
       "key "
       "eval.benchmarks.0.name)"},
      {eval + "{kind: text_perplexity, path: a, context: 1}\n",
       "2 to 1048576, got 1 (recipe.yaml, line 7, key eval.benchmarks.0.context)"},
      {eval + "{kind: text_perplexity, path: a, windows: llama_cpp, context: 2}\n",
       "3 to 1048576, got 2 (recipe.yaml, line 7, key eval.benchmarks.0.context)"},
      {eval + "{kind: loss}\n",
       "a path for kind loss, got none (recipe.yaml, line 7, key eval.benchmarks.0.path)"},
      {eval + "{kind: text_perplexity}\n",
       "a path for kind text_perplexity, got none (recipe.yaml, line 7, key eval.benchmarks.0.path)"},
      {eval + "{kind: pope}\n",
       "a path for kind pope, got none (recipe.yaml, line 7, key eval.benchmarks.0.path)"},
      {eval + "{kind: text_perplexity, path: a, windows: slide}\n",
       "bos, stream, sliding or llama_cpp, got \"slide\" (recipe.yaml, line 7, "
       "key "
       "eval.benchmarks.0.windows)"},
      {eval + "{kind: text_perplexity, path: a, windows: sliding, context: 64, stride: 65}\n",
       "at most context, 64, got 65 (recipe.yaml, line 7, key eval.benchmarks.0.stride)"},
      {eval + "{kind: text_perplexity, path: a, windows: sliding, stride: 0}\n",
       "at least 1, got 0 (recipe.yaml, line 7, key eval.benchmarks.0.stride)"},
      {eval + "{kind: text_perplexity, path: a, windows: stream, stride: 64}\n",
       "no key \"stride\" as windows stream does not use it, got one (recipe.yaml, line 7, key "
       "eval.benchmarks.0.stride)"},
      {eval + "{kind: loss, path: a, windows: bos}\n",
       "no key \"windows\" as kind loss does not use it, got one (recipe.yaml, line 7, key "
       "eval.benchmarks.0.windows)"},
      {"eval: {benchmarks: []}\n",
       "at least one benchmark, got none (recipe.yaml, line 5, key eval.benchmarks)"},
      {"export: {formats: [hf, gptq]}\n",
       "hf, hf_base or peft, got \"gptq\" (recipe.yaml, line 5, key export.formats.1)"},
      {"export: {formats: [hf, hf]}\n",
       "each format once, got \"hf\" again (recipe.yaml, line 5, key export.formats.1)"},
      {"export: {formats: [peft]}\n",
       "tune.method lora, model.adapter or model.stages for an adapter to export, got \"peft\" without one "
       "(recipe.yaml, "
       "line 5, key "
       "export.formats.0)"},
      {"export: {formats: [hf], dtype: bf16}\n",
       "bfloat16, float16 or float32, got \"bf16\" (recipe.yaml, line 5, key export.dtype)"},
  });
}

TEST_CASE("check: numbers that can only be a slip of the pen") {
  const std::string tune = "tune: {" + kData + ", ", eval = "eval: {benchmarks: [{kind: ";
  const std::string learned = "quantize: {method: omniquant, ", text = "calibration: {kind: text, path: a";
  const std::string wide = "9223372036854775807";
  const auto beyond = [](const std::string& sections, const std::string& range, const std::string& value,
                         const std::string& key) {
    INFO(sections);
    CHECK(error_of(kHead + sections) ==
          "[recipe] expected " + range + ", got " + value + " (recipe.yaml, line 5, key " + key + ")");
  };
  const std::string rate = "more than 0, at most 100", or_none = "0 to 100";
  beyond(tune + "optimizer: {lr: 1e40}}\n", rate, "1e+40", "tune.optimizer.lr");
  beyond(tune + "optimizer: {projector_lr: 101}}\n", or_none, "101", "tune.optimizer.projector_lr");
  beyond(tune + "method: full, train_vision: true, optimizer: {vision_lr: 101}}\n", or_none, "101",
         "tune.optimizer.vision_lr");
  beyond(learned + text + "}, omniquant: {lr: 1000}}\n", rate, "1000", "quantize.omniquant.lr");
  beyond(learned + text + "}, omniquant: {epochs: " + wide + "}}\n", "1 to 100000", wide,
         "quantize.omniquant.epochs");
  beyond(learned + text + ", samples: 1000001}}\n", "1 to 1000000", "1000001",
         "quantize.calibration.samples");
  beyond(learned + text + ", length: 1048577}}\n", "2 to 1048576", "1048577", "quantize.calibration.length");
  beyond("tune: {data: {kind: llava, path: a, max_length: 1048577}}\n", "2 to 1048576", "1048577",
         "tune.data.max_length");
  beyond(tune + "lora: {alpha: 1e30}}\n", "more than 0, at most 1e+06", "1e+30", "tune.lora.alpha");
  beyond(tune + "loader_threads: 2000}\n", "1 to 1024", "2000", "tune.loader_threads");
  beyond(eval + "loss, path: a, context: 1000000000}]}\n", "2 to 1048576", "1000000000",
         "eval.benchmarks.0.context");
  beyond(eval + "loss, path: a, batch_size: " + wide + "}]}\n", "1 to 1000000", wide,
         "eval.benchmarks.0.batch_size");
  beyond(eval + "exact_match, path: a, max_new_tokens: " + wide + "}]}\n", "1 to 1048576", wide,
         "eval.benchmarks.0.max_new_tokens");
  for (const std::string key : {"prompt_tokens", "new_tokens"})
    beyond(eval + "speed, " + key + ": " + wide + "}]}\n", "1 to 1048576", wide, "eval.benchmarks.0." + key);
  beyond("export: {formats: [hf], max_shard_bytes: 1}\n", "at least 1000000", "1", "export.max_shard_bytes");
  // The bounds themselves are none.
  CHECK(error_of(kHead + tune + "optimizer: {lr: 100}}\n" + eval + "loss, path: a, context: 1048576}]}\n" +
                 "export: {formats: [hf], max_shard_bytes: 1000000}\n") == "no error");
}

TEST_CASE("check: model") {
  const auto model = [](const std::string& keys) {
    return error_of("name: a\noutput: b\nmodel: {" + keys + "}\n");
  };
  const std::string end = " (recipe.yaml, line 3, key model";
  CHECK(model("") == "[recipe] expected path, or language and vision, got neither" + end + ")");
  CHECK(model("language: a") ==
        "[recipe] expected a path beside model.language, got none" + end + ".vision)");
  CHECK(model("language: a, vision: b") == "no error");
  CHECK(model("language: a, vision: b, projector_kind: linear") == "no error");
  CHECK(model("language: a, vision: b, projector_kind: mlp") ==
        "[recipe] expected projector_kind linear or mlp2x_gelu, got mlp" + end + ".projector_kind)");
  CHECK(model("path: a, dtype: float64") ==
        "[recipe] expected bfloat16, float16 or float32, got \"float64\"; did you mean \"float16\"?" + end +
            ".dtype)");
  CHECK(model("path: a, template: x") ==
        "[recipe] expected one of vicuna_v1, llava_v1, plain, llama_2, got \"x\"" + end + ".template)");
  CHECK(model("path: a, image_aspect: crop") ==
        "[recipe] expected pad or square, got \"crop\"" + end + ".image_aspect)");
}

TEST_CASE("check: an export that could not be written is refused before anything runs") {
  const auto with_model = [](const std::string& model, const std::string& formats) {
    return error_of("name: a\noutput: b\nmodel: {" + model + "}\ntune: {" + kData +
                    "}\nexport:\n  formats: " + formats + "\n");
  };
  const std::string parts = "language: l, vision: v";
  CHECK(with_model("path: a", "[hf, peft]") == "no error");
  CHECK(with_model(parts, "[hf_base, peft]") == "no error");
  CHECK(with_model(parts, "[hf, peft]").find("expected hf_base beside peft") != std::string::npos);
  CHECK(with_model(parts, "[hf, peft]").find("(recipe.yaml, line 6, key export.formats.1)") !=
        std::string::npos);
  CHECK(with_model("path: a, random_weights: true", "[peft]").find("expected hf_base beside peft") !=
        std::string::npos);
  CHECK(with_model(parts + ", projector_kind: linear", "[hf]").find("key model.projector_kind") !=
        std::string::npos);
}
