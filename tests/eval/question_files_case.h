// Small files in the form in which each benchmark publishes its questions.
#pragma once
#include <catch2/catch.hpp>
#include <fstream>

#include "core/error.h"
#include "eval/question_kinds.h"
#include "io/json.h"
#include "temporary_folder.h"
#include "tiny_model.h"

namespace qslaw {

inline void write_text(const std::filesystem::path& file, const std::string& text) {
  std::filesystem::create_directories(file.parent_path());
  std::ofstream(file, std::ios::binary) << text;
}

inline std::string file_text(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// `from`, once, in a file.
inline void replace_in(const std::filesystem::path& file, const std::string& from, const std::string& to) {
  std::string text = file_text(file);
  const size_t at = text.find(from);
  REQUIRE(at != text.npos);
  write_text(file, text.replace(at, from.size(), to));
}

inline void write_value(const std::filesystem::path& file, const nlohmann::json& value) {
  write_text(file, value.dump(2));
}

/// Lines of JSON.
inline std::string json_lines(const std::vector<nlohmann::json>& values) {
  std::string text;
  for (const auto& value : values)
    text += value.dump() + "\n";
  return text;
}

inline BenchmarkOptions question_options(const std::string& kind, const std::filesystem::path& path,
                                         const std::filesystem::path& annotations = {}) {
  BenchmarkOptions options;
  options.kind = options.name = kind;
  options.path = path;
  options.annotations = annotations;
  options.images = demo_data("pictures");
  options.split = "";
  options.prompt_suffix = default_prompt_suffix(kind);
  options.max_new_tokens = 3;
  options.batch_size = 2;
  return options;
}

inline const std::string kPhrase = "\nAnswer the question using a single word or phrase.";
inline const std::string kLetter = "\nAnswer with the option's letter from the given choices directly.";

inline std::vector<nlohmann::json> ten_answers(const std::string& text) {
  std::vector<nlohmann::json> answers;
  for (int i = 1; i <= 10; ++i)
    answers.push_back({{"answer", text}, {"answer_confidence", "yes"}, {"answer_id", i}});
  return answers;
}

inline std::string base64(const std::string& bytes) {
  const std::string alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const auto byte = [&](size_t k) {
      return k < bytes.size() ? static_cast<unsigned>(static_cast<unsigned char>(bytes[k])) : 0U;
    };
    const unsigned bits = byte(i) << 16 | byte(i + 1) << 8 | byte(i + 2);
    for (size_t k = 0; k < 4; ++k)
      text += i + k > bytes.size() ? '=' : alphabet[bits >> (18 - 6 * k) & 63U];
  }
  return text;
}

/// A picture of the embedded example under another name, in `folder`.
inline void copy_picture(const std::string& name, const std::filesystem::path& to) {
  std::filesystem::create_directories(to.parent_path());
  std::filesystem::copy_file(demo_data("pictures") / name, to);
}

// Each writes two or more questions below `folder` and says how to read them. The pictures are there.
inline BenchmarkOptions textvqa_case(const std::filesystem::path& folder) {
  const std::vector<std::string> said(10, "kodak");
  const nlohmann::json data = {{{"question_id", 34602},
                                {"image_id", "0000"},
                                {"question", "What brand is it?"},
                                {"answers", said},
                                {"set_name", "val"}},
                               {{"question_id", 34603},
                                {"image_id", "0000"},
                                {"question", "what year?"},
                                {"answers", said},
                                {"set_name", "val"}},
                               {{"question_id", 34604},
                                {"image_id", "0001"},
                                {"question", "what year?"},
                                {"answers", said},
                                {"set_name", "val"}}};
  write_value(folder / "val.json", {{"dataset_type", "val"}, {"data", data}});
  for (const char* name : {"0000", "0001"})
    copy_picture(std::string(name) + ".png", folder / "images" / (std::string(name) + ".jpg"));
  BenchmarkOptions options = question_options("textvqa", folder / "val.json");
  options.images = folder / "images";
  return options;
}

inline BenchmarkOptions vqav2_case(const std::filesystem::path& folder) {
  const nlohmann::json questions = {{{"image_id", 42}, {"question", "Is it red?"}, {"question_id", 42000}},
                                    {{"image_id", 42}, {"question", "How many?"}, {"question_id", 42001}}};
  write_value(folder / "questions.json", {{"data_subtype", "val2014"}, {"questions", questions}});
  const nlohmann::json annotations = {{{"question_id", 42001},
                                       {"answer_type", "number"},
                                       {"question_type", "how many"},
                                       {"image_id", 42},
                                       {"answers", ten_answers("2")}},
                                      {{"question_id", 42000},
                                       {"answer_type", "yes/no"},
                                       {"question_type", "is"},
                                       {"image_id", 42},
                                       {"answers", ten_answers("yes")}}};
  write_value(folder / "annotations.json", {{"data_subtype", "val2014"}, {"annotations", annotations}});
  copy_picture("0000.png", folder / "images" / "COCO_val2014_000000000042.jpg");
  BenchmarkOptions options =
      question_options("vqav2", folder / "questions.json", folder / "annotations.json");
  options.images = folder / "images";
  return options;
}

inline BenchmarkOptions gqa_case(const std::filesystem::path& folder) {
  const nlohmann::json types = {{"structural", "query"}, {"semantic", "attr"}},
                       binary = {{"structural", "verify"}};
  write_value(
      folder / "testdev.json",
      {{"201", {{"imageId", "n0"}, {"question", "What color?"}, {"answer", "red"}, {"types", types}}},
       {"202", {{"imageId", "n0"}, {"question", "Is it red?"}, {"answer", "yes"}, {"types", binary}}}});
  copy_picture("0000.png", folder / "images" / "n0.jpg");
  BenchmarkOptions options = question_options("gqa", folder / "testdev.json");
  options.images = folder / "images";
  return options;
}

inline BenchmarkOptions vizwiz_case(const std::filesystem::path& folder) {
  const nlohmann::json val = {{{"image", "0000.png"},
                               {"question", "What is this?"},
                               {"answers", ten_answers("unanswerable")},
                               {"answer_type", "unanswerable"},
                               {"answerable", 0}},
                              {{"image", "0001.png"},
                               {"question", "Which color?"},
                               {"answers", ten_answers("red")},
                               {"answer_type", "other"},
                               {"answerable", 1}}};
  write_value(folder / "val.json", val);
  return question_options("vizwiz", folder / "val.json");
}

inline BenchmarkOptions pope_case(const std::filesystem::path& folder) {
  const auto line = [](int id, const char* image, const char* label) {
    return nlohmann::json{
        {"question_id", id}, {"image", image}, {"text", "Is there a dog in the image?"}, {"label", label}};
  };
  write_text(folder / "coco" / "coco_pope_random.json",
             json_lines({line(1, "0000.png", "yes"), line(2, "0001.png", "no")}));
  write_text(folder / "coco" / "coco_pope_popular.json", json_lines({line(1, "0002.png", "no")}));
  return question_options("pope", folder / "coco");
}

inline BenchmarkOptions mme_case(const std::filesystem::path& folder) {
  write_text(folder / "MME" / "count" / "000.txt",
             "Is there one dog? Please answer yes or no.\tYes\r\nAre there two dogs?  Please answer yes or "
             "no.\tNo\n");
  copy_picture("0000.png", folder / "MME" / "count" / "000.png");
  write_text(folder / "MME" / "artwork" / "questions_answers_YN" / "7.txt",
             "Is it oil? Please answer yes or no.\tNo\nIs it old? Please answer yes or no.\tYes");
  copy_picture("0001.png", folder / "MME" / "artwork" / "images" / "7.jpg");
  BenchmarkOptions options = question_options("mme", folder / "MME");
  options.images = "";
  return options;
}

inline BenchmarkOptions mmbench_case(const std::filesystem::path& folder) {
  const std::string picture = base64(file_text(demo_data("pictures") / "0000.png"));
  write_text(folder / "dev.tsv",
             "index\tquestion\thint\tA\tB\tC\tD\tanswer\tcategory\timage\tl2-category\tsplit\n"
             "241\tWhich one?\t\tcat\tdog\t\t\tA\tphysics\t" +
                 picture + "\treasoning\tdev\n" +
                 "1000241\tWhich one?\tnan\tdog\tcat\t\t\tB\tphysics\t241\treasoning\tdev\n" +
                 "252\t\"Say \"\"so\"\"\n or not\"\t\"A\thint\"\tred\tblue\tgreen\tgray\tC\tsocial\t" +
                 picture + "\treasoning\tdev\n");
  return question_options("mmbench", folder / "dev.tsv");
}

inline BenchmarkOptions seed_bench_case(const std::filesystem::path& folder) {
  const auto question = [](const char* id, const char* type, int task) {
    return nlohmann::json{{"question_id", id},       {"question", "How many?"}, {"choice_a", "One"},
                          {"choice_b", "Two"},       {"choice_c", "Three"},     {"choice_d", "Four"},
                          {"answer", "B"},           {"data_id", "0000.png"},   {"data_type", type},
                          {"question_type_id", task}};
  };
  write_value(
      folder / "SEED-Bench.json",
      {{"question_type", {{"Scene Understanding", 1}, {"Instance Counting", 5}, {"Action Recognition", 10}}},
       {"questions",
        {question("101", "image", 1), question("9", "video", 10), question("102", "image", 5)}}});
  return question_options("seed_bench", folder / "SEED-Bench.json");
}

/// All of them.
inline std::vector<BenchmarkOptions> question_cases(const std::filesystem::path& folder) {
  return {textvqa_case(folder / "textvqa"), vqav2_case(folder / "vqav2"),
          gqa_case(folder / "gqa"),         vizwiz_case(folder / "vizwiz"),
          pope_case(folder / "pope"),       mme_case(folder / "mme"),
          mmbench_case(folder / "mmbench"), seed_bench_case(folder / "seed_bench")};
}

/// Reading them is refused in one line that says what was expected, what was there and all of `parts`.
inline void require_refused(const BenchmarkOptions& options, const std::vector<std::string>& parts) {
  std::string message;
  try {
    read_benchmark_questions(options);
  } catch (const UserError& problem) {
    message = problem.what();
  }
  INFO(message);
  CHECK(message.starts_with("["));
  CHECK(message.find('\n') == message.npos);
  CHECK(message.find("expected") != message.npos);
  CHECK(message.find(", got") != message.npos);
  for (const std::string& part : parts)
    CHECK(message.find(part) != message.npos);
}

}  // namespace qslaw
