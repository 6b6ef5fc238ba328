#include "core/files.h"
#include "core/log.h"
#include "data_files.h"

using namespace qslaw;
using Catch::Contains;
using Catch::EndsWith;
using data_files::error_of;
using Ids = std::vector<int64_t>;

namespace {

// A data set file with pictures a.png and b.png beside it.
struct Files {
  data_files::Folder folder;
  DataOptions options;

  explicit Files(const std::string& content, const std::string& name = "train.json") {
    options.kind = "llava";
    options.path = folder.write(name, content);
    options.images = folder.path() / "images";
    folder.write("images/a.png", "x");
    folder.write("images/b.png", "x");
  }
  std::unique_ptr<Dataset> open(TemplateKind kind = TemplateKind::vicuna_v1,
                                int64_t tokens_per_picture = 16) const {
    return make_dataset(options, {&data_files::tokenizer(), kind, tokens_per_picture});
  }
  std::string open_error() const {
    return error_of([&] { open(); });
  }
  std::string sample_error(int64_t index = 0) const {
    const auto dataset = open();
    return error_of([&] { dataset->at(index); });
  }
};

const std::string kGood =
    R"({"id": "g", "conversations": [{"from": "human", "value": "Q"}, {"from": "gpt", "value": "A"}]})";

std::string with_image(const std::string& image, const std::string& question = "<image>\\nQ") {
  return R"({"id": "x", "image": )" + image + R"(, "conversations": [{"from": "human", "value": ")" +
         question + R"("}, {"from": "gpt", "value": "An answer."}]})";
}

std::string array_of(const std::vector<std::string>& samples) {
  return "[" + join(samples, ",\n ") + "]";
}

}  // namespace

TEST_CASE("llava data: an array and one object per line give the same samples") {
  const std::vector<std::string> samples = {
      with_image("\"a.png\""), kGood, with_image("[\"a.png\", \"b.png\"]", "Compare <image> and <image>"),
      R"({"image": ["b.png"], "conversations": [{"from": "human", "value": "What?<image>"}, {"from": "gpt", "value": "B"}]})",
      R"({"id": 17, "image": null, "model": "x", "conversations": [{"from": "human", "value": "Q"}, {"from": "gpt", "value": "é\u00e9\ud83d\ude00"}]})"};
  const Files array(array_of(samples)), lines(join(samples, "\n") + "\n\n", "train.jsonl"),
      marked("\xef\xbb\xbf" + array_of(samples)),
      marked_lines("\xef\xbb\xbf" + join(samples, "\r\n"), "train.jsonl");
  const auto reference = array.open();
  REQUIRE(reference->size() == 5);
  const std::vector<std::string> ids = {"x", "g", "x", "3", "17"};
  const std::vector<size_t> pictures = {1, 0, 2, 1, 0};
  for (int64_t i = 0; i < 5; ++i) {
    const Sample sample = reference->at(i);
    CHECK(sample.id == ids[static_cast<size_t>(i)]);
    CHECK(sample.pictures.size() == pictures[static_cast<size_t>(i)]);
    CHECK(sample.is_text() == sample.pictures.empty());
    CHECK(std::count(sample.ids.begin(), sample.ids.end(), kImagePlaceholder) ==
          static_cast<long>(sample.pictures.size()));
    for (const Files* other : {&lines, &marked, &marked_lines}) {
      const Sample same = other->open()->at(i);
      CHECK(same.id == sample.id);
      CHECK(same.ids == sample.ids);
      CHECK(same.labels == sample.labels);
    }
  }
  CHECK(reference->at(2).pictures[1] == array.options.images / "b.png");
  CHECK(data_files::bad_samples(*reference).empty());
}

TEST_CASE("llava data: samples are encoded by the template, one picture moves to the front, several stay") {
  const Files files(array_of({with_image("\"a.png\"", "What? <image>"),
                              with_image("[\"a.png\", \"b.png\"]", "Is <image> like <image>?")}));
  const std::vector<Turn> one = {{Role::human, "<image>\nWhat?"}, {Role::assistant, "An answer."}};
  const std::vector<Turn> two = {{Role::human, "Is <image> like <image>?"}, {Role::assistant, "An answer."}};
  for (const auto kind : {TemplateKind::vicuna_v1, TemplateKind::llava_v1, TemplateKind::llama_2}) {
    const auto dataset = files.open(kind);
    CHECK(dataset->at(0).ids == encode_conversation(data_files::tokenizer(), kind, one, false).ids);
    CHECK(dataset->at(0).labels == encode_conversation(data_files::tokenizer(), kind, one, false).labels);
    CHECK(dataset->at(1).ids == encode_conversation(data_files::tokenizer(), kind, two, false).ids);
  }
  CHECK(files.open(TemplateKind::plain)->at(0).ids.size() < files.open()->at(0).ids.size());
}

TEST_CASE("llava data: without a picture <image> is text, as in LLaVA") {
  const Files files(array_of(
      {R"({"conversations": [{"from": "human", "value": "What is <image> in HTML?"}, {"from": "gpt", "value": "No tag: <image>\n."}]})",
       kGood}));
  // A tokenizer that does not know "<image>", like that of the original checkpoints.
  const data_files::Folder bare;
  std::filesystem::copy_file(data_files::fixture("tokenizer") / "tokenizer.model",
                             bare.path() / "tokenizer.model");
  const Tokenizer unaware = Tokenizer::load(bare.path());
  REQUIRE(data_files::tokenizer().special_id("<image>").has_value());
  REQUIRE_FALSE(unaware.special_id("<image>").has_value());
  const std::vector<Turn> asked = {{Role::human, "What is <image> in HTML?"}};
  for (const auto kind : {TemplateKind::vicuna_v1, TemplateKind::llava_v1}) {
    const Sample sample = files.open(kind)->at(0);
    Ids expected = unaware.encode(prompt_text(kind, asked, false) + " No tag: <image>\n.</s>");
    expected.insert(expected.begin(), unaware.bos_id());
    CHECK(sample.ids == expected);
    CHECK(sample.is_text());
    CHECK(sample.image_as_text);
    CHECK_FALSE(files.open(kind)->at(1).image_as_text);
    // The answer is learned with its "<image>": its last tokens and the end.
    const size_t answer = expected.size() - unaware.encode("No tag: <image>\n.</s>").size();
    for (size_t i = answer + 2; i < expected.size(); ++i)
      CHECK(sample.labels[i] == sample.ids[i]);
    CHECK(sample.labels[2] == kIgnoreLabel);
  }
  CHECK_THAT(error_of([&] { files.open(TemplateKind::plain)->at(0); }),
             Contains("got 2 \"<image>\" and 0 picture(s)"));
}

TEST_CASE("llava data: a first turn of the assistant is left out, as LLaVA does") {
  const Files files(
      array_of({R"({"conversations": [{"from": "gpt", "value": "Hi"}, {"from": "human", "value": "Q"},
                                                    {"from": "gpt", "value": "A"}]})",
                kGood, R"({"conversations": [{"from": "gpt", "value": "Hi"}]})"}));
  const auto dataset = files.open();
  CHECK(dataset->at(0).ids == dataset->at(1).ids);
  CHECK(dataset->at(0).turn_left_out);
  CHECK_FALSE(dataset->at(1).turn_left_out);
  CHECK_THAT(error_of([&] { dataset->at(2); }),
             Contains("expected \"human\" to speak in turn 1 of 1, got \"gpt\""));
}

TEST_CASE("llava data: a sample knows what is asked before its first answer") {
  const Files files(array_of(
      {with_image("\"a.png\"", "What? <image>"),
       with_image("[\"a.png\", \"b.png\"]", "Is <image> like <image>?"),
       R"({"conversations": [{"from": "human", "value": "Q"}, {"from": "gpt", "value": "A"},
                             {"from": "human", "value": "R"}, {"from": "gpt", "value": "B"}]})",
       R"({"conversations": [{"from": "gpt", "value": "Hi"}, {"from": "human", "value": "Q"}, {"from": "gpt", "value": ""},
                             {"from": "human", "value": "R"}, {"from": "gpt", "value": "B"}]})"}));
  const std::vector<std::vector<std::string>> asked = {
      {"What? <image>"}, {"Is <image> like <image>?"}, {"Q"}, {"Q", "", "R"}};
  for (const auto kind : {TemplateKind::vicuna_v1, TemplateKind::llava_v1, TemplateKind::llama_2}) {
    const auto dataset = files.open(kind);
    for (size_t i = 0; i < asked.size(); ++i) {
      const Sample sample = dataset->at(static_cast<int64_t>(i));
      std::vector<std::string> texts;
      for (const Turn& turn : sample.asked)
        texts.push_back(turn.text);
      CHECK(texts == asked[i]);
      // As a prompt they are the tokens before the first learned one.
      const auto learned = std::find_if(sample.labels.begin(), sample.labels.end(),
                                        [](int64_t label) { return label != kIgnoreLabel; });
      const Ids prompt(sample.ids.begin(), sample.ids.begin() + (learned - sample.labels.begin()));
      CHECK(prompt ==
            encode_prompt(data_files::tokenizer(), kind, sample.asked, sample.pictures.size() == 1));
    }
  }
  // An empty caption has a line break to learn.
  const Files caption(array_of(
      {R"({"image": "a.png", "conversations": [{"from": "human", "value": "<image>"}, {"from": "gpt", "value": ""}]})"}));
  CHECK(caption.open(TemplateKind::plain)->at(0).asked.size() == 1);
}

TEST_CASE("llava data: a sample knows whether one of its answers is empty") {
  const auto talk = [](const std::string& first, const std::string& second) {
    return R"({"conversations": [{"from": "human", "value": "Q"}, {"from": "gpt", "value": ")" + first +
           R"("}, {"from": "human", "value": "R"}, {"from": "gpt", "value": ")" + second + "\"}]}";
  };
  const Files files(array_of({talk("A", "B"), talk("", "B"), talk("A", ""), talk("A", " "), talk("", "")}));
  for (const auto kind : {TemplateKind::vicuna_v1, TemplateKind::llama_2}) {
    const auto dataset = files.open(kind);
    for (const auto& [index, is_empty] : {std::pair{0, false}, {1, true}, {2, true}, {3, false}})
      CHECK(dataset->at(index).answer_empty == is_empty);
    CHECK_THAT(error_of([&] { dataset->at(4); }), Contains("expected at least one token to learn, got none"));
  }
  // Where nothing is learned anyway it is nothing to tell of.
  const EncodingContext context{&data_files::tokenizer(), TemplateKind::vicuna_v1, 16, false};
  CHECK_FALSE(make_dataset(files.options, context)->at(1).answer_empty);
}

TEST_CASE("llava data: ids that several samples have are told once") {
  const auto sample = [](const std::string& id) {
    return "{" + id + R"("conversations": [{"from": "human", "value": "Q"}, {"from": "gpt", "value": "A"}]})";
  };
  const auto with = [&](const std::string& id) { return sample("\"id\": " + id + ", "); };
  const auto opened = [](const Files& files) {
    const auto path = files.folder.path() / "log.txt";
    {
      const LogFile log(path.string());
      files.open();
      files.open();
    }
    return read_file(path);
  };
  const Files repeated(
      array_of({with("\"b\""), with("\"7\""), with("\"b\""), with("7"), with("\"c\""), with("\"b\"")}));
  const std::string said = opened(repeated);
  CHECK_THAT(said, Contains("[data] 3 of 6 samples have the id of one before them, first: [" +
                            repeated.options.path.string() + ", sample 2 (id b)] that of sample 0"));
  CHECK(said.find("3 of 6") == said.rfind("3 of 6"));
  // A sample without an id has no other's.
  CHECK(opened(Files(array_of({with("\"a\""), with("1.5"), with("\"\""), with("\"\""), with("null"),
                               with("null"), sample(""), sample("")})))
            .empty());
  Files first(array_of({with("\"a\""), with("\"b\""), with("\"a\"")}));
  first.options.limit = 2;
  CHECK(opened(first).empty());
}

TEST_CASE("llava data: the template plain shows one picture, so two are refused") {
  const Files files(array_of(
      {with_image("[\"a.png\", \"b.png\"]", "<image> <image>"), with_image("\"a.png\"", "<image> <image>")}));
  const auto dataset = files.open(TemplateKind::plain);
  CHECK_THAT(error_of([&] { dataset->at(0); }), Contains("got 1 \"<image>\" and 2 picture(s)"));
  CHECK_THAT(error_of([&] { dataset->at(1); }), Contains("got 2 \"<image>\" and 1 picture(s)"));
}

TEST_CASE("llava data: limit and fingerprint") {
  Files files(array_of({kGood, kGood, with_image("\"a.png\"")}));
  const std::string all = files.open()->fingerprint();
  CHECK(all == files.open()->fingerprint());
  CHECK(all.size() == 64);
  CHECK(files.open(TemplateKind::llava_v1)->fingerprint() != all);
  files.options.limit = 2;
  CHECK(files.open()->size() == 2);
  CHECK(files.open()->fingerprint() != all);
  files.options.limit = 9;
  CHECK(files.open()->size() == 3);
  files.options.limit = 0;
  files.options.max_length = 77;
  CHECK(files.open()->fingerprint() != all);
  CHECK(Files(array_of({kGood, kGood, with_image("\"b.png\"")})).open()->fingerprint() != all);
}

TEST_CASE("llava data: lengths are words, negative without a picture") {
  const Files files(array_of(
      {with_image("\"a.png\"", "<image>\\nWhat is this?"), kGood,
       R"({"image": null, "conversations": [{"value": "a b"}]})",
       R"({"image": [], "conversations": [{"from": "gpt", "value": " Hi\u00a0you "}, {"from": "human", "value": "a"}]})",
       with_image("[\"a.png\", \"b.png\"]", "<image> <image>"), "{}", "3",
       R"({"conversations": 4, "image": "a"})",
       // Beyond what the fast reading takes.
       R"({"count": 123456789012345678901234567890, "image": "a", "conversations": [{"from": "human", "value": "a b c"}]})"}));
  CHECK(files.open()->modality_lengths() == Ids{6, -2, -2, -3, 4, -1, -1, 1, 3});
}

TEST_CASE("llava data: a bad sample's error names file, index, id and reason") {
  const auto sample = [](const std::string& fields) {
    return array_of({kGood, "{\"id\": \"bad7\", " + fields + "}"});
  };
  const auto talk = [](const std::string& turns) { return "\"conversations\": [" + turns + "]"; };
  const std::string human = R"({"from": "human", "value": "Q"})", gpt = R"({"from": "gpt", "value": "A"})";
  const std::string pair = talk(human + "," + gpt);
  const std::vector<std::pair<std::string, std::string>> cases = {
      {talk(""), "expected conversations to be a list of turns, got an empty one"},
      {"\"conversations\": 3", "expected conversations to be a list of turns, got number"},
      {"\"messages\": []",
       "expected the keys conversations and, for pictures, image (LLaVA's form), got id, messages"},
      {talk(human + "," + human), "expected \"gpt\" to speak in turn 2 of 2, got \"human\""},
      {talk(human + "," + gpt + "," + gpt), "expected \"human\" to speak in turn 3 of 3, got \"gpt\""},
      // LLaVA leaves out the first turn here; turns are counted with it.
      {talk(gpt + "," + gpt + "," + human),
       "expected \"human\" to speak in turn 2 of 3 (behind one of \"gpt\", which is left out), got \"gpt\""},
      {talk(gpt + "," + human + "," + human), "expected \"gpt\" to speak in turn 3 of 3, got \"human\""},
      {talk(gpt), "expected \"human\" to speak in turn 1 of 1, got \"gpt\""},
      {talk(gpt + "," + human),
       "expected \"gpt\" to speak in turn 3, got a conversation that ends with \"human\" in turn 2 "
       "(behind one of \"gpt\", which is left out)"},
      {talk(R"({"from": "user", "value": "Q"})"),
       "expected \"human\" or \"gpt\" to speak in turn 1, got \"user\""},
      {talk(R"({"from": "human"})"), "expected the keys from and value in turn 1, got from"},
      {talk(human + R"(,{"from": "gpt", "value": 7})"), "expected text as value of turn 2, got number 7"},
      {talk(human + R"(,{"from": "gpt", "value": null})"), "expected text as value of turn 2, got null"},
      {talk(human + R"(,{"from": "gpt", "value": ["A"]})"), "expected text as value of turn 2, got array"},
      {talk(R"({"from": true, "value": "Q"})"), "expected text as from of turn 1, got boolean true"},
      {talk("3"), "as turn 1, got number 3"},
      {"\"image\": \"none.png\", " + pair, "none.png, got no such file"},
      {"\"image\": \".\", " + pair, "images/., got a folder"},
      {"\"image\": \"" + std::string(300, 'x') + "\", " + pair, "xxx, got File name too long"},
      {"\"image\": \"a.png\", " + pair, "got 0 \"<image>\" and 1 picture(s)"},
      // LLaVA would drop the second one.
      {R"("image": "a.png", )" + talk(R"({"from": "human", "value": "<image> like <image>?"},)" + gpt),
       "got 2 \"<image>\" and 1 picture(s)"},
      // LLaVA would splice the picture in twice.
      {R"("image": "a.png", )" + talk(R"({"from": "human", "value": "<image>"},)" + gpt +
                                      R"(,{"from": "human", "value": "<image>"},)" + gpt),
       "got 2 \"<image>\" and 1 picture(s)"},
      // Taking out the inner one makes another.
      {R"("image": "a.png", )" + talk(R"({"from": "human", "value": "<im<image>age>"},)" + gpt),
       "got 2 \"<image>\" and 1 picture(s)"},
      {R"("image": ["a.png", "b.png"], )" + talk(R"({"from": "human", "value": "<image>"},)" + gpt),
       "got 1 \"<image>\" and 2 picture(s)"},
      {"\"image\": 3, " + pair, "expected image to be a file name or a list of file names, got number"},
      {"\"image\": [\"a.png\", 3], " + pair, "got number"},
      {"\"image\": \"\", " + pair, "got an empty string"},
      {talk(human),
       "expected \"gpt\" to speak in turn 2, got a conversation that ends with \"human\" in turn 1"},
      {talk(human + R"(,{"from": "gpt", "value": ""})"), "expected at least one token to learn"},
  };
  for (const auto& [fields, message] : cases) {
    const Files files(sample(fields));
    INFO(fields);
    const std::string error = files.sample_error(1);
    CHECK_THAT(error, Contains(message));
    CHECK_THAT(error, Contains(files.options.path.string() + ", sample 1 (id bad7)"));
    CHECK(error.find('\n') == error.npos);
    const auto dataset = files.open();
    CHECK_NOTHROW(dataset->at(0));
    CHECK(data_files::bad_samples(*dataset) == std::vector<std::string>{error});
  }
  const Files wrong(array_of({kGood, "[1, {\"a\": 2}]", "\"text\"", "null"}));
  for (const int64_t i : {1, 2, 3})
    CHECK_THAT(wrong.sample_error(i), Contains("expected an object per sample"));
  CHECK_THAT(Files(array_of({kGood, R"({"id": [1]})"})).sample_error(1),
             Contains("string or number as id, got array"));
  CHECK_THAT(Files(kGood + "\n\n{\"id\": \"q\"}\n", "x.jsonl").sample_error(1),
             Contains("sample 1, line 3 (id q)"));
}

TEST_CASE("llava data: the error for a sample without anything to learn shows its mask") {
  Files files(array_of({with_image("\"a.png\"", "<image>\\nWhat is this?")}));
  files.options.max_length = 40;
  const std::string error = files.sample_error();
  CHECK_THAT(error, Contains("expected at least one token to learn, got none of"));
  CHECK_THAT(error, Contains("masked \"A chat between a curious user"));
  // Its question alone is too long: skipped like one that is not to be cut, whatever becomes of bad samples.
  const auto dataset = files.open();
  try {
    dataset->at(0);
    FAIL("expected a LongSample");
  } catch (const LongSample& problem) {
    CHECK(problem.length > 40);
    CHECK(is_skipped(problem, BadSamplePolicy::error));
  }
}

TEST_CASE("llava data: where nothing is to be learned, questions without answers are samples") {
  const std::string open_question = R"({"conversations": [{"from": "human", "value": "Q"}]})";
  const std::string no_answer =
      R"({"conversations": [{"from": "human", "value": "Q"}, {"from": "gpt", "value": ""}]})";
  Files files(array_of({open_question, no_answer, with_image("\"a.png\"", "<image>\\nWhat is this?"),
                        with_image("\"none.png\"")}));
  files.options.max_length = 40;  // in front of the picture sample's answer
  const EncodingContext context{&data_files::tokenizer(), TemplateKind::vicuna_v1, 16, false};
  const auto dataset = make_dataset(files.options, context);
  for (const int64_t i : {0, 1, 2}) {
    const Sample sample = dataset->at(i);
    CHECK(sample.ids.size() > 10);
    CHECK(std::all_of(sample.labels.begin(), sample.labels.end(),
                      [](int64_t label) { return label == kIgnoreLabel; }));
  }
  // Whatever else is wrong stays an error.
  CHECK_THAT(error_of([&] { dataset->at(3); }), Contains("none.png, got no such file"));
}

TEST_CASE("llava data: a picture's name without a folder is looked for in the current one, which is said") {
  Files files(array_of({with_image("\"no_such.png\"")}));
  files.options.images.clear();
  CHECK_THAT(files.sample_error(),
             EndsWith("expected the picture no_such.png, got no such file (no images folder is given: key "
                      "images; looked for in " +
                      std::filesystem::current_path().string() + ")"));
  files.options.images = files.folder.path() / "images";
  CHECK_THAT(files.sample_error(), EndsWith("no_such.png, got no such file"));
}

TEST_CASE("llava data: files that cannot be read as such a data set") {
  CHECK_THAT(Files("").open_error(), Contains("got an empty file"));
  CHECK_THAT(Files("plain words").open_error(),
             Contains("expected a JSON array of samples") && Contains("got something else"));
  CHECK_THAT(Files("\n<!doctype html><title>404</title>").open_error(),
             Contains("expected a JSON array of samples") && Contains("got a page of HTML or XML"));
  CHECK_THAT(Files("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n").open_error(),
             Contains("got a pointer of git-lfs, which `git lfs pull` replaces (") && Contains("train.json"));
  CHECK_THAT(Files("[]").open_error(), Contains("expected at least one sample"));
  CHECK_THAT(Files("[" + kGood + ",\n\n{\"id\": }]").open_error(),
             Contains("train.json, sample 1, got an unexpected '}' at line 3"));
  CHECK_THAT(Files("[" + kGood).open_error(), Contains("got a text that ends too early at line 1"));
  CHECK_THAT(Files(kGood + "\n" + kGood + "\n{\"id\": 1,\n", "x.jsonl").open_error(),
             Contains("got a text that ends too early at line 3, column 10"));
  CHECK_THAT(Files("[" + kGood + ",\n\"\xff\"]").open_error(), Contains("expected UTF-8 in"));
  const std::string latin = array_of({kGood, R"({"id": "caf)"}) + "\xe9\"}]";
  CHECK_THAT(Files(latin).open_error(),
             Contains(concat("another encoding at byte ", latin.size() - 4, " (line 2)")));
  CHECK_THAT(Files(std::string("\xff\xfe[\0]\0", 6)).open_error(), Contains("got UTF-16"));
  CHECK_THAT(Files(R"([{"messages": []}, {"messages": []}])").open_error(),
             Contains("expected the keys conversations"));
  Files missing(kGood);
  missing.options.path = missing.folder.path() / "none.json";
  CHECK_THAT(missing.open_error(), Contains("none.json"));
  Files kind(array_of({kGood}));
  kind.options.kind = "lava";
  CHECK_THAT(kind.open_error(), Contains("expected one of llava, text, scienceqa as kind, got \"lava\""));
  kind.options.kind = "llava";
  kind.options.limit = -1;
  CHECK_THAT(kind.open_error(), Contains("limit"));
}

TEST_CASE("llava data: a long sample is cut, never inside a picture") {
  const auto make = [](Ids ids, size_t pictures) {
    return Sample{"s", ids, ids, std::vector<std::filesystem::path>(pictures, "p")};
  };
  const Ids ids = {1, 5, kImagePlaceholder, 6, 7, kImagePlaceholder, 8};
  const std::vector<std::pair<int64_t, std::pair<size_t, size_t>>> kept = {
      // max_length: tokens and pictures kept, a picture being 10 tokens; whole length 25
      {25, {7, 2}}, {24, {6, 2}}, {23, {5, 1}}, {14, {5, 1}}, {13, {4, 1}},
      {12, {3, 1}}, {11, {2, 0}}, {3, {2, 0}},  {1, {1, 0}}};
  for (const auto& [max_length, expected] : kept) {
    Sample sample = make(ids, 2);
    cut_to_length(sample, max_length, 10);
    INFO(max_length);
    CHECK(sample.ids == Ids(ids.begin(), ids.begin() + static_cast<long>(expected.first)));
    CHECK(sample.labels.size() == expected.first);
    CHECK(sample.pictures.size() == expected.second);
  }
}

TEST_CASE("llava data: a long sample is cut, skipped or an error, as the data set says") {
  Files files(array_of({with_image("\"a.png\"")}));
  const Sample whole = files.open()->at(0);
  CHECK(whole.cut_from == 0);
  const int64_t length = static_cast<int64_t>(whole.ids.size()) + 15;  // its picture is 16 tokens
  for (const auto policy : {LongSamplePolicy::cut, LongSamplePolicy::skip, LongSamplePolicy::error}) {
    files.options.on_long_sample = policy;
    files.options.max_length = length;
    CHECK(files.open()->at(0).ids == whole.ids);
    CHECK(files.open()->at(0).cut_from == 0);
  }
  files.options.max_length = length - 1;
  for (const auto policy : {LongSamplePolicy::skip, LongSamplePolicy::error}) {
    files.options.on_long_sample = policy;
    const auto dataset = files.open();
    CHECK_THAT(error_of([&] { dataset->at(0); }),
               Contains(concat("sample 0 (id x)] expected at most max_length ", length - 1,
                               " tokens, pictures expanded, got ", length)));
    try {
      dataset->at(0);
    } catch (const LongSample& problem) {
      CHECK(problem.length == length);
      CHECK(problem.is_skipped == (policy == LongSamplePolicy::skip));
    }
  }
  files.options.on_long_sample = LongSamplePolicy::cut;
  CHECK(files.open()->at(0).cut_from == length);
  CHECK(files.open()->at(0).ids.size() == whole.ids.size() - 1);
}

TEST_CASE("llava data: require_supervised ignores the first label") {
  Sample sample{"s", {1, 300, 301}, {1, kIgnoreLabel, kIgnoreLabel}, {}};
  CHECK_THAT(error_of([&] { require_supervised(sample, data_files::tokenizer(), "here"); }),
             Contains("[here] expected at least one token to learn, got none of 3"));
  sample.labels[2] = 301;
  CHECK_NOTHROW(require_supervised(sample, data_files::tokenizer(), "here"));
}
