// qslaw_bench PART cpu|cuda [small]: times of kernels, products, decoding and training steps, a line of JSON
// each as it is there (report.h), then {"done": PART}. For scripts/gpu_check.sh. Exit code 1 where a part of
// the measurements failed.
#include <ATen/ATen.h>
#include <c10/core/StreamGuard.h>

#include <iostream>
#include <map>
#include <optional>

#include "bench/card.h"
#include "bench/parts.h"
#include "core/cpu.h"
#include "core/error.h"
#include "core/text.h"
#include "kernels/cuda_table.h"
#include "tool_main.h"

using namespace qslaw;
using bench::Report;
using bench::Setting;

namespace {

using Part = std::function<void(const Setting& setting, Report& report)>;

// `part` at the shapes of `model`, or at small ones.
template <typename Function>
Part for_model(Function part, const std::string& model) {
  return
      [=](const Setting& setting, Report& report) { part(setting, report, setting.small ? "small" : model); };
}

const std::map<std::string, Part>& parts() {
  static const std::map<std::string, Part> parts = {
      {"kernels", bench::kernel_part},
      {"products", bench::product_part},
      {"decode_7b", for_model(bench::decode_part, "7b")},
      {"tune_7b", for_model(bench::tune_part, "7b")},
      {"tune_13b", for_model(bench::tune_part, "13b")},
  };
  return parts;
}

std::string part_names() {
  std::vector<std::string> names;
  for (const auto& [name, part] : parts())
    names.push_back(name);
  return join(names);
}

int run(const std::vector<std::string>& arguments) {
  const bool small = arguments.size() == 3 && arguments[2] == "small";
  require(arguments.size() == 2 || small, "arguments", "expected PART cpu|cuda [small], got ",
          arguments.size(), " arguments");
  const auto part = parts().find(arguments[0]);
  require(part != parts().end(), "arguments", "expected one of ", part_names(), ", got ", arguments[0]);
  require(arguments[1] == "cpu" || arguments[1] == "cuda", "arguments", "expected cpu or cuda, got ",
          arguments[1]);
  Setting setting{at::kCPU, small, 0.0};
  std::optional<c10::StreamGuard> stream;
  if (arguments[1] == "cuda") {
    load_cuda();
    setting.device = at::Device(at::kCUDA, 0);
    setting.bfloat16_peak = bench::bfloat16_peak();
    stream.emplace(bench::recording_stream(setting.device));
  }
  prepare_cpu();
  at::manual_seed(1);
  Report report;
  part->second(setting, report);
  std::cout << nlohmann::json({{"done", part->first}}) << "\n";
  return report.failures() == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  return tool_main(argc, argv, run);
}
