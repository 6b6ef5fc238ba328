// Pictures found by searching a file are those that the data set gives.
#include "data/picture_names.h"

#include <set>

#include "data_files.h"

using namespace qslaw;
using data_files::Folder;
namespace fs = std::filesystem;

namespace {

DataOptions llava(const fs::path& path, int64_t limit = 0) {
  DataOptions options;
  options.kind = "llava";
  options.path = path;
  options.images = "/pictures";
  options.limit = limit;
  return options;
}

using Paths = std::vector<fs::path>;

std::string sample(const std::string& image) {
  return R"({"id": "a", "image": )" + image +
         R"(, "conversations": [{"from": "human", "value": "what?"}, {"from": "gpt", "value": "that"}]})";
}

}  // namespace

TEST_CASE("the pictures of a llava file are found whatever the JSON looks like") {
  const Folder folder;
  const std::string text =
      sample(R"("coco/train/1.jpg")") + ",\n" + sample("null") + "," +
      sample(R"(["b.png", "c \"d\" [e].png"])") + "," + sample(R"("x\/\u00e4.png")") +
      R"(, {"image" : "gap.png"}, {"conversations": [{"value": "\"image\": \"no.png\""}]},
                              {"kind": "image", "also": ["image", "not.png"]}, {"image": 7})";
  const Paths expected = {"/pictures/b.png", "/pictures/c \"d\" [e].png", "/pictures/coco/train/1.jpg",
                          "/pictures/gap.png", "/pictures/x/\xc3\xa4.png"};
  CHECK(named_pictures(llava(folder.write("a.json", "[" + text + "]")), 100) == expected);
  CHECK(named_pictures(llava(folder.write("cut.json", R"([{"image": "whole.png"}, {"image": "cu)")), 100) ==
        Paths{"/pictures/whole.png"});
  CHECK(named_pictures(llava(folder.write("empty.json", "")), 100).empty());
  CHECK_THROWS_AS(named_pictures(llava(folder.path() / "missing.json"), 100), UserError);
}

TEST_CASE("few pictures of many are spread evenly") {
  const Folder folder;
  std::string lines;
  for (int i = 100; i < 200; ++i)
    lines += sample("\"" + std::to_string(i) + ".png\"") + "\n";
  const fs::path file = folder.write("a.jsonl", lines);
  CHECK(named_pictures(llava(file), 1000).size() == 100);
  CHECK(named_pictures(llava(file), 4) ==
        Paths{"/pictures/100.png", "/pictures/125.png", "/pictures/150.png", "/pictures/175.png"});
  CHECK(named_pictures(llava(file, 10), 4) ==
        Paths{"/pictures/100.png", "/pictures/103.png", "/pictures/106.png", "/pictures/109.png"});
  // A picture of many samples is one.
  CHECK(named_pictures(llava(folder.write("b.jsonl", sample("\"a.png\"") + "\n" + sample("\"a.png\""))), 9) ==
        Paths{"/pictures/a.png"});
}

TEST_CASE("the pictures are those of the embedded example's data sets") {
  const fs::path demo = fs::path(QSLAW_SOURCE) / "recipes" / "demo" / "data";
  DataOptions options = llava(demo / "train.json");
  options.images = demo / "pictures";
  SECTION("llava") {}
  SECTION("scienceqa") {
    options.kind = "scienceqa";
    options.problems = demo / "problems.json";
    options.splits = demo / "pid_splits.json";
    options.split = "test";
  }
  options.limit = 20;
  const auto dataset = make_dataset(options, {&data_files::tokenizer(), TemplateKind::vicuna_v1, 4, false});
  std::set<fs::path> pictures;
  for (int64_t i = 0; i < dataset->size(); ++i) {
    for (const fs::path& picture : dataset->at(i).pictures)
      pictures.insert(picture);
  }
  CHECK(!pictures.empty());
  CHECK(named_pictures(options, 1000) == Paths(pictures.begin(), pictures.end()));
}

TEST_CASE("text names no picture") {
  DataOptions options;
  options.kind = "text";
  options.path = "/missing";
  CHECK(named_pictures(options, 10).empty());
}
