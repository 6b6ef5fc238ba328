// qslaw_bench PART cpu|cuda [small]: times of kernels, products and whole steps as one JSON object, for
// scripts/gpu_check.sh.
#include <ATen/ATen.h>

#include <iostream>
#include <map>

#include "bench/measure.h"
#include "core/cpu.h"
#include "core/error.h"
#include "kernels/cuda_table.h"
#include "tool_main.h"

using namespace qslaw;

namespace {

const std::map<std::string, std::function<nlohmann::json(const bench::Setting&)>>& parts() {
  static const std::map<std::string, std::function<nlohmann::json(const bench::Setting&)>> parts = {
      {"kernels", bench::kernel_results},
      {"products", bench::product_results},
      {"steps_7b", [](const bench::Setting& setting) { return bench::step_results(setting, "7b"); }},
      {"steps_13b", [](const bench::Setting& setting) { return bench::step_results(setting, "13b"); }},
  };
  return parts;
}

int run(const std::vector<std::string>& arguments) {
  const bool small = arguments.size() == 3 && arguments[2] == "small";
  require(arguments.size() == 2 || small, "arguments", "expected PART cpu|cuda [small], got ",
          arguments.size());
  const auto part = parts().find(arguments[0]);
  require(part != parts().end(), "arguments", "expected kernels, products, steps_7b or steps_13b, got ",
          arguments[0]);
  require(arguments[1] == "cpu" || arguments[1] == "cuda", "arguments", "expected cpu or cuda, got ",
          arguments[1]);
  if (arguments[1] == "cuda") load_cuda();
  prepare_cpu();
  at::manual_seed(1);
  const bench::Setting setting{arguments[1] == "cuda" ? at::Device(at::kCUDA, 0) : at::Device(at::kCPU),
                               small};
  const nlohmann::json results = part->second(setting);
  std::cout << nlohmann::json(
                   {{"part", part->first}, {"device", arguments[1]}, {"small", small}, {"results", results}})
            << "\n";
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  return tool_main(argc, argv, run);
}
