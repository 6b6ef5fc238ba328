// What a recipe says, and what the error says when it says it wrongly.
#include <catch2/catch.hpp>

#include "recipe_file.h"

using namespace qslaw;

TEST_CASE("a file that is no recipe is answered with one line") {
  CHECK(error_of("") == "[recipe] expected a map of keys, got an empty file (recipe.yaml)");
  CHECK(error_of("# only a comment\n") == "[recipe] expected a map of keys, got an empty file (recipe.yaml)");
  CHECK(error_of("- a\n- b\n") == "[recipe] expected a map of keys, got a list (recipe.yaml, line 1)");
  CHECK(error_of("hello\n") == "[recipe] expected a map of keys, got \"hello\" (recipe.yaml, line 1)");
  CHECK(error_of("name: x\nmodel:\n\tpath: y\n") ==
        "[recipe] expected spaces as indentation, got a tab (recipe.yaml, line 3)");
  CHECK(error_of("name: x\nseed: \xff\xfe\n") ==
        "[recipe] expected UTF-8 text, got other bytes (recipe.yaml, line 2)");
  // yaml-cpp takes this byte for the end of the file.
  CHECK(error_of("name: x\noutput: a\x04z\n") ==
        "[recipe] expected UTF-8 text, got other bytes (recipe.yaml, line 2)");
  CHECK(error_of("name: x\n---\nname: y\n") ==
        "[recipe] expected one document, got 2 separated by \"---\" (recipe.yaml, line 3)");
  const std::vector<std::pair<std::string, std::string>> faults = {
      {"name: [1, 2\nseed: 3\n", "a \"[\" without its \"]\""},
      {"name: {a: 1\nseed: 3\n", "a \"{\" without its \"}\""},
      {"name: [1]]\n", "a \"]\" or"},
      {"name: \"C:\\data\"\n", "an unknown escape"},
      {"name: a: b\n", "a \":\" that cannot stand there"},
      {"name: x\n  seed: 3\n", "a \":\" that cannot stand there"},
      {"name: x\n- y\n", "(is the indentation right?)"},
      {"name: *x\n", "an alias (*)"},
      {"name: @x\n", "a character or sign that cannot stand"},
  };
  for (const auto& [text, fault] : faults) {
    INFO(text);
    CHECK_THAT(error_of(text), Catch::StartsWith("[recipe] expected YAML, got ") && Catch::Contains(fault) &&
                                   Catch::Contains("(recipe.yaml, line "));
  }
  CHECK(error_of("? [a, b]\n: 1\n") ==
        "[recipe] expected a key that is plain text, got another kind (recipe.yaml, line 1)");
  CHECK(error_of("name: !!str x\n") ==
        "[recipe] expected a value without a tag, got the tag tag:yaml.org,2002:str (recipe.yaml, line 1)");
}

TEST_CASE("quotes that are not closed are named where they open") {
  const auto open = [](int column, int line) {
    return "[recipe] expected YAML, got a text whose quotes are not closed in column " +
           std::to_string(column) + " (recipe.yaml, line " + std::to_string(line) + ")";
  };
  CHECK(error_of("name: \"t\noutput: out\nmodel:\n  path: \"/x\"\n") == open(7, 1));
  CHECK(error_of("name: t\noutput: \"out\nmodel:\n  path: /x\n") == open(9, 2));
  CHECK(error_of("name: t\noutput: 'out\nmodel: {path: /x}\n# it's\n") == open(9, 2));
  CHECK(error_of("name: t\nmodel: {path: \"/x}\noutput: out\n") == open(15, 2));
  CHECK(error_of("name: t\nmodel: {path: \"/x, dtype: a}\noutput: \"b\"\n") == open(15, 2));
  CHECK(error_of("# it's \"\nname: it's\nmodel:\n  - \"a") == open(5, 4));
  // Quotes may hold several lines, and plain text may hold quotes.
  CHECK(read_text("name: \"two\n  words\"  # it's\noutput: it's\nmodel: {path: 'it''s'}\n").name ==
        "two words");
}

TEST_CASE("a missing file and a folder") {
  const RecipeFile file(kHead);
  CHECK_THROWS_WITH(read_recipe(file.folder / "no.yaml"),
                    "[recipe] expected a recipe file, got a path that does not exist (" +
                        (file.folder / "no.yaml").string() + ")");
  CHECK_THROWS_WITH(read_recipe(file.folder),
                    "[recipe] expected a recipe file, got a folder (" + file.folder.string() + ")");
}

TEST_CASE("an alias that holds itself ends with an error") {
  CHECK(error_of("name: &x {model: *x}\n").find("[recipe] expected at most 32 levels") == 0);
  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 9; ++i) {
    const std::string last = "*a" + std::to_string(i - 1);
    bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
    for (int k = 0; k < 10; ++k)
      bomb += last + ", ";
    bomb += "]\n";
  }
  CHECK(error_of(bomb).find("100000 values, got more") != std::string::npos);
}

TEST_CASE("unknown, repeated and missing keys name the line and the nearest key") {
  CHECK(error_of(kHead + "warmpu: {}\n") ==
        "[recipe] expected a known key, got \"warmpu\"; did you mean \"warmup\"? (recipe.yaml, line 5, key "
        "warmpu)");
  CHECK(error_of(kHead + "tune:\n  data: {kind: text, path: a}\n  lora:\n    rnak: 3\n") ==
        "[recipe] expected a known key, got \"rnak\"; did you mean \"rank\"? (recipe.yaml, line 8, key "
        "tune.lora.rnak)");
  // Keys that stand elsewhere in the section.
  const std::string tune = kHead + "tune:\n  data: {kind: llava, path: a}\n  ";
  CHECK(error_of(tune + "lr: 1\n") ==
        "[recipe] expected a known key, got \"lr\"; did you mean \"tune.optimizer.lr\"? (recipe.yaml, line "
        "7, key "
        "tune.lr)");
  CHECK(error_of(tune + "optimizer: {epochs: 1}\n") ==
        "[recipe] expected a known key, got \"epochs\"; did you mean \"tune.epochs\"? (recipe.yaml, line 7, "
        "key "
        "tune.optimizer.epochs)");
  CHECK_THAT(error_of(tune + "path: b\n"),
             Catch::Contains("did you mean \"tune.data.path\" or \"tune.text.path\"? (recipe.yaml, line 7,"));
  CHECK_THAT(error_of(kHead + "quantize: {}\nwarmup: {phases: [{text: {kind: text, path: a, epochs: 3}}]}\n"),
             Catch::Contains("did you mean \"warmup.phases.epochs\"?"));
  CHECK_THAT(error_of(kHead + "bits: 4\n"), Catch::Contains("did you mean \"quantize.bits\"?"));
  CHECK_THAT(error_of(kHead + "eval: {benchmarks: [{kind: loss, path: a, max_length: 8}]}\n"),
             !Catch::Contains("did you mean \"tune"));
  CHECK(error_of(kHead + "export: {formats: [hf], zzzzzzzzz: 1}\n") ==
        "[recipe] expected the key formats, dtype or max_shard_bytes, got \"zzzzzzzzz\" (recipe.yaml, line "
        "5, key "
        "export.zzzzzzzzz)");
  CHECK(error_of(kHead + "seed: 1\nseed: 2\n") ==
        "[recipe] expected each key once, got \"seed\" again (recipe.yaml, line 6; first: recipe.yaml, line "
        "5)");
  CHECK(error_of("output: out\nmodel: {path: base}\n") ==
        "[recipe] expected the key \"name\", got none (recipe.yaml, line 1, key name)");
  CHECK(error_of(kHead + "eval:\n  benchmarks:\n    - name: x\n") ==
        "[recipe] expected the key \"kind\", got none (recipe.yaml, line 7, key eval.benchmarks.0.kind)");
  CHECK(error_of("name:\noutput: out\nmodel: {path: base}\n") ==
        "[recipe] expected a value for \"name\", got nothing (recipe.yaml, line 1, key name)");
}

TEST_CASE("values of a wrong type") {
  const auto tune = [](const std::string& line) {
    return error_of(kHead + "tune:\n  data: {kind: text, path: a}\n  " + line + "\n");
  };
  const auto expected = [](const std::string& message, const std::string& key) {
    return "[recipe] expected " + message + " (recipe.yaml, line 7, key tune." + key + ")";
  };
  CHECK(tune("batch_size: 1.5") == expected("a whole number, got \"1.5\"", "batch_size"));
  CHECK(tune("batch_size: abc") == expected("a whole number, got \"abc\"", "batch_size"));
  CHECK(tune("batch_size: \"8\"") == expected("a whole number, got \"8\" in quotes", "batch_size"));
  CHECK(tune("batch_size: 0x10") == expected("a whole number, got \"0x10\"", "batch_size"));
  CHECK(tune("batch_size: [8]") == expected("a whole number, got a list", "batch_size"));
  CHECK(tune("batch_size:") == expected("a whole number, got nothing", "batch_size"));
  CHECK(tune("batch_size: 99999999999999999999") ==
        expected(
            "a whole number from -9223372036854775808 to 9223372036854775807, got \"99999999999999999999\"",
            "batch_size"));
  CHECK(tune("loader_threads: 3000000000") ==
        expected("a whole number from -2147483648 to 2147483647, got \"3000000000\"", "loader_threads"));
  CHECK(tune("epochs: nan") == expected("a number, got \"nan\"", "epochs"));
  CHECK(tune("epochs: .inf") == expected("a number, got \".inf\"", "epochs"));
  CHECK(tune("epochs: inf") == expected("a number, got \"inf\"", "epochs"));
  CHECK(tune("epochs: 1e999") == expected("a number within double precision, got \"1e999\"", "epochs"));
  CHECK(tune("epochs: 1,5") == expected("a number, got \"1,5\"", "epochs"));
  CHECK(tune("checkpointing: yes") ==
        expected("true, false, none, feed_forward or block, got \"yes\"", "checkpointing"));
  CHECK(tune("checkpointing: 1") ==
        expected("true, false, none, feed_forward or block, got \"1\"", "checkpointing"));
  CHECK(tune("lora: 64") == expected("a map of keys, got \"64\"", "lora"));
  CHECK(tune("template: [a]") == expected("text, got a list", "template"));
  CHECK(error_of(kHead + "seed: -1\n") ==
        "[recipe] expected a whole number from 0 to 18446744073709551615, got \"-1\" (recipe.yaml, line 5, "
        "key seed)");
  CHECK(error_of(kHead + "export: {formats: hf}\n") ==
        "[recipe] expected a list, got \"hf\" (recipe.yaml, line 5, key export.formats)");
  CHECK(error_of(kHead + "tune:\n  data: {kind: llava, path: a, on_bad_sample: ignore}\n") ==
        "[recipe] expected error or skip, got \"ignore\" (recipe.yaml, line 6, key tune.data.on_bad_sample)");
  CHECK(error_of(kHead + "tune:\n  data: {kind: llava, path: a, on_long_sample: drop}\n") ==
        "[recipe] expected cut, skip or error, got \"drop\" (recipe.yaml, line 6, key "
        "tune.data.on_long_sample)");
  CHECK(error_of("name: a\noutput: \"\"\nmodel: {path: base}\n") ==
        "[recipe] expected a path, got \"\" in quotes (recipe.yaml, line 2, key output)");
}

TEST_CASE("the ways to write a number") {
  const auto rate = [](const std::string& text) {
    return read_text(kHead + "tune: {data: {kind: text, path: a}, optimizer: {lr: " + text + "}}\n")
        .tune->optimizer.lr;
  };
  CHECK(rate("2e-3") == 0.002);
  CHECK(rate("2.0e-3") == 0.002);
  CHECK(rate("2.0E-3") == 0.002);
  CHECK(rate("+0.002") == 0.002);
  CHECK(rate(".002") == 0.002);
  CHECK(rate("10") == 10.0);
}

TEST_CASE("a share curve is sorted and within 0..1") {
  const auto share = [](const std::string& text) {
    return error_of(
        kHead +
        "tune:\n  data: {kind: llava, path: a}\n  text: {kind: text, path: b}\n  text_share: " + text + "\n");
  };
  const auto expected = [](const std::string& message, const std::string& key) {
    return "[recipe] expected " + message + " (recipe.yaml, line 8, key tune.text_share" + key + ")";
  };
  CHECK(share("[[0, 1], [0.5, 0.25], [1, 0]]") == "no error");
  CHECK(share("[]") == expected("a list of pairs [progress, probability], got a list", ""));
  CHECK(share("0.5") == expected("a list of pairs [progress, probability], got \"0.5\"", ""));
  CHECK(share("[0, 0.5]") == expected("a pair [progress, probability], got \"0\"", ".0"));
  CHECK(share("[[0, 0.5, 1]]") == expected("a pair [progress, probability], got a list", ".0"));
  CHECK(share("[[0, 0.5], [1, 1.5]]") == expected("a probability from 0 to 1, got 1.5", ".1.1"));
  CHECK(share("[[-0.1, 0.5]]") == expected("a progress from 0 to 1, got -0.1", ".0.0"));
  CHECK(share("[[0.5, 0], [0.25, 1]]") == expected("pairs sorted by progress, got 0.25 after 0.5", ".1"));
}

TEST_CASE("overrides: types, lists by index, sections made, last one wins") {
  const std::string text = kHead +
                           "quantize: {method: rtn}\n"
                           "warmup:\n"
                           "  phases:\n"
                           "    - {text: &wiki {kind: text, path: wiki.txt}, epochs: 1}\n"
                           "    - {pictures: {kind: llava, path: a.json}, text: *wiki, epochs: 2}\n";
  const Recipe recipe = read_text(
      text, {"warmup.first_layer=2", "warmup.phases.1.epochs=0.5", "warmup.phases.1.text.path=other.txt",
             "warmup.phases.1.text_share=[[0, 1], [1, 0.25]]", "seed=1", "seed=7", "export.formats=[hf]",
             "quantize={method: nf4, bits: 2}", "quantize.method=rtn", "name=a=b"});
  CHECK(recipe.warmup->first_layer == 2);
  CHECK(recipe.warmup->phases.at(0).epochs == 1.0);
  CHECK(recipe.warmup->phases.at(1).epochs == 0.5);
  CHECK(recipe.warmup->phases.at(1).text_share == ShareCurve{{0.0, 1.0}, {1.0, 0.25}});
  // The alias is a copy: overriding one of its places leaves the other alone.
  CHECK(recipe.warmup->phases.at(0).text->path.filename() == "wiki.txt");
  CHECK(recipe.warmup->phases.at(1).text->path == std::filesystem::current_path() / "other.txt");
  CHECK(recipe.seed == 7);
  CHECK(recipe.model.source.seed == 7);
  CHECK(recipe.export_->formats == std::vector<std::string>{"hf"});
  CHECK(recipe.quantize->bits == 2);
  CHECK(recipe.name == "a=b");
  CHECK_FALSE(read_text(text, {"warmup=null"}).warmup.has_value());
  CHECK_FALSE(read_text(text, {"warmup="}).warmup.has_value());
}

TEST_CASE("overrides that cannot be applied") {
  const std::string text = kHead + "quantize: {}\nwarmup:\n  phases:\n    - {text: {kind: text, path: a}}\n";
  CHECK(error_of(text, {"warmup.first_leyer=2"}) ==
        "[recipe] expected a known key, got \"first_leyer\"; did you mean \"first_layer\"? (--set "
        "warmup.first_leyer=2, key warmup.first_leyer)");
  CHECK(error_of(text, {"warmpu.first_layer=2"}) ==
        "[recipe] expected a known key, got \"warmpu\"; did you mean \"warmup\"? (--set "
        "warmpu.first_layer=2, key "
        "warmpu)");
  CHECK(error_of(text, {"warmup.phases.1.epochs=2"}) ==
        "[recipe] expected an index below 1, got \"1\" (--set warmup.phases.1.epochs=2, key warmup.phases)");
  CHECK(error_of(text, {"warmup.phases.first.epochs=2"}) ==
        "[recipe] expected an index below 1, got \"first\" (--set warmup.phases.first.epochs=2, key "
        "warmup.phases)");
  CHECK(error_of(text, {"seed=abc"}) ==
        "[recipe] expected a whole number, got \"abc\" (--set seed=abc, key seed)");
  CHECK(error_of(text, {"warmup.first_layer=-1"}) ==
        "[recipe] expected at least 0, got -1 (--set warmup.first_layer=-1, key warmup.first_layer)");
  CHECK(error_of(text, {"name.first=x"}) ==
        "[recipe] expected a map or a list to set \"first\" in, got \"tiny\" (--set name.first=x, key name)");
  CHECK(error_of(text, {"seed"}) == "[recipe] expected KEY=VALUE, got \"--set seed\"");
  CHECK(error_of(text, {"=1"}) == "[recipe] expected KEY=VALUE, got \"--set =1\"");
  CHECK(error_of(text, {"warmup..first_layer=1"}) ==
        "[recipe] expected names separated by single dots, got \"warmup..first_layer\" (--set "
        "warmup..first_layer=1)");
  CHECK(error_of(text, {"seed=[1"}).find("[recipe] expected YAML, got a \"[\" without its \"]\"") == 0);
  CHECK(error_of(text, {"seed=[1"}).find("(--set seed=[1)") != std::string::npos);
}

TEST_CASE("relative paths start at the recipe's folder and become absolute") {
  const RecipeFile file(
      "name: a\noutput: ../runs/./x/\nmodel: {path: sub/../base, stages: [../old/warmup/]}\n");
  const std::filesystem::path parent = file.folder.parent_path();
  const Recipe recipe = read_recipe(file.path, {"tune.data={kind: text, path: here.txt}"});
  CHECK(recipe.output == parent / "runs/x");
  CHECK(recipe.model.source.path == file.folder / "base");
  CHECK(recipe.model.stages.at(0) == parent / "old/warmup");
  CHECK(recipe.tune->phase.text->path == std::filesystem::current_path() / "here.txt");
  CHECK(recipe.file == file.path);
  CHECK(read_text("name: a\noutput: /x/y\nmodel: {path: /z}\n").output == "/x/y");
}

TEST_CASE("keys that a choice makes useless are errors when they are written") {
  const auto unused = [](const std::string& text) { return error_of(kHead + text); };
  CHECK(unused("quantize:\n  method: rtn\n  omniquant: {epochs: 2}\n") ==
        "[recipe] expected no key \"omniquant\" as method rtn does not use it, got one (recipe.yaml, line 7, "
        "key "
        "quantize.omniquant)");
  CHECK(unused("quantize:\n  omniquant: {epochs: 2}\n  method: nf4\n").find("method nf4 does not use it") !=
        std::string::npos);
  CHECK(unused("tune:\n  method: full\n  data: {kind: llava, path: a}\n  lora: {rank: 2}\n") ==
        "[recipe] expected no key \"lora\" as method full does not use it, got one (recipe.yaml, line 8, key "
        "tune.lora)");
  CHECK(unused("tune:\n  data: {kind: text, path: a, images: b}\n") ==
        "[recipe] expected no key \"images\" as kind text does not use it, got one (recipe.yaml, line 6, key "
        "tune.data.images)");
  CHECK(unused("tune:\n  data: {kind: llava, path: a}\n  text_share: [[0, 0.5]]\n") ==
        "[recipe] expected no key \"text_share\" as only pictures and text together have a share, got one "
        "(recipe.yaml, line 7, key tune.text_share)");
  CHECK(
      unused("tune:\n  data: {kind: text, path: a}\n  group_by: none\n") ==
      "[recipe] expected no key \"group_by\" as only conversations without a second source are grouped, got "
      "one (recipe.yaml, line 7, key tune.group_by)");
  CHECK(unused("tune:\n  data: {kind: llava, path: a}\n  text: {kind: text, path: b}\n  group_by: none\n")
            .find("are grouped") != std::string::npos);
  CHECK(unused("tune:\n  data: {kind: llava, path: a}\n  group_by: length\n")
            .find("expected none or modality_length, got \"length\"") != std::string::npos);
  CHECK(unused("tune:\n  data: {kind: text, path: a}\n  text: {kind: text, path: b}\n")
            .find("is text already") != std::string::npos);
  CHECK(unused("tune: {data: {kind: text, path: a}, optimizer: {vision_lr: 1.0e-5}}\n")
            .find("the vision tower is not trained here") != std::string::npos);
  CHECK(unused("eval: {benchmarks: [{kind: speed, path: a}]}\n").find("kind speed does not use it") !=
        std::string::npos);
  CHECK(error_of("name: a\noutput: b\nmodel: {path: c, language: d}\n")
            .find("model.path names a whole model") != std::string::npos);
  // Nothing written is nothing unused; and the wrong choice itself is reported before what it makes useless.
  CHECK(unused("quantize: {method: rtn, omniquant: null}\n") == "no error");
  CHECK(unused("quantize: {method: omniqant, omniquant: {epochs: 2}}\n") ==
        "[recipe] expected rtn, omniquant, nf4 or absorbed, got \"omniqant\"; did you mean \"omniquant\"? "
        "(recipe.yaml, line "
        "5, key quantize.method)");
}
