// A run's folder with results of every stage, and the page made of it.
#pragma once
#include <cmath>

#include "report/metrics.h"
#include "report/report_files.h"
#include "report/run_report.h"
#include "report/stage_report.h"
#include "report/xml_check.h"

inline const std::string kPng = "\x89PNG\r\n\x1A\n not much of a picture";

inline void write_stage(const ReportFolder& folder, const std::string& stage, const nlohmann::json& results,
                        const std::string& name = "digits_w4") {
  qslaw::StageReport report = qslaw::new_stage_report(stage, name);
  report.device = "cpu";
  report.seconds = 61;
  report.peak_host_bytes = 1 << 30;
  report.memory = {1 << 28, 1 << 27, 1 << 26, 1 << 25};
  report.results = results;
  report.files = {{"a.safetensors", std::string(64, 'b')}};
  folder.write(stage + "/recipe.yaml", "name: digits_w4  # <b>\nseed: 1\n");
  qslaw::write_stage_report(folder.path / stage, report);
}

inline nlohmann::json quantize_results() {
  nlohmann::json layers = nlohmann::json::array();
  for (const char* layer : {"0", "1"}) {
    for (const char* kind : {"self_attn.q_proj", "mlp.down_proj"}) {
      layers.push_back(
          {{"name", std::string("model.layers.") + layer + "." + kind}, {"relative_error", 0.1}});
    }
  }
  return {{"method", "omniquant"},
          {"bits", 4},
          {"group_size", 128},
          {"packed_bytes", 1000},
          {"dense_bytes", 3840},
          {"layers", layers},
          {"blocks", {{{"layer", 0}, {"loss_before", 2e-5}, {"loss_after", 1e-5}}}}};
}

inline nlohmann::json warmup_results() {
  const nlohmann::json histogram = {{"low", 0.9}, {"high", 1.1}, {"counts", {1, 5, 1}}};
  const nlohmann::json layer = {{"layer", 1},  {"min", 0.9}, {"p05", 0.95}, {"median", 1},
                                {"p95", 1.05}, {"max", 1.1}, {"mean", 1},   {"histogram", histogram}};
  return {{"steps", 3},
          {"heldout", {{"before", {{"text_perplexity", 9.0}}}, {"after", {{"text_perplexity", 7.5}}}}},
          {"gamma", {layer}},
          {"codes_changed_share", 0.08}};
}

inline nlohmann::json eval_results(double accuracy) {
  return {{"scienceqa", {{"accuracy", accuracy}, {"n", 4241}, {"NAT", 90.0}, {"G7-12", 88.0}}},
          {"speed", {{"decode_tokens_per_second", 61.2}}}};
}

inline void write_metrics(const ReportFolder& folder, const std::string& stage) {
  std::filesystem::create_directories(folder.path / stage);
  qslaw::MetricsWriter writer(folder.path / stage / "metrics.jsonl", 0);
  for (int64_t step = 1; step <= 100; ++step) {
    writer.write({{"step", step},
                  {"phase", step / 60},
                  {"loss", 1.0},
                  {"loss_picture", step == 7 ? std::nan("") : 1.0},
                  {"loss_text", 2.0},
                  {"lr", {{"gamma", 1e-3}}},
                  {"grad_norm", 0.5}});
    if (step % 10 == 0)
      writer.write({{"step", step}, {"heldout", {{"text_perplexity", 9.0}, {"picture_loss", 0.5}}}});
  }
}

inline void write_run(const ReportFolder& folder, double accuracy = 91.04,
                      const std::string& name = "digits_w4") {
  write_stage(folder, "quantize", quantize_results(), name);
  write_stage(folder, "warmup", warmup_results(), name);
  write_metrics(folder, "warmup");
  write_stage(folder, "tune", {{"method", "lora"}, {"steps", 100}, {"trainable_parameters", 1234}}, name);
  write_metrics(folder, "tune");
  write_stage(folder, "eval", eval_results(accuracy), name);
}

inline std::string report_of(const ReportFolder& folder) {
  qslaw::write_run_report(folder.path, folder.path / "report.html");
  const std::string page = folder.read("report.html");
  CHECK(XmlCheck::fault(page) == "");
  return page;
}

inline bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

inline nlohmann::json prediction(int id, bool correct, const std::string& picture) {
  return {{"id", id},
          {"question", "<image>\nWhich <one>?"},
          {"prompt", "A chat. USER: <image>\nWhich <one>? ASSISTANT:"},
          {"text", "The answer is B."},
          {"parsed", "B"},
          {"correct", correct},
          {"answer", correct ? "B" : "C"},
          {"picture", picture}};
}

inline void write_predictions(const ReportFolder& folder, int right, int wrong) {
  std::string lines;
  for (int i = 0; i < right + wrong; ++i)
    lines += prediction(i, i < right, "pictures/p.png").dump() + "\n";
  folder.write("eval/predictions/scienceqa.jsonl", lines);
  folder.write("pictures/p.png", kPng);
}
