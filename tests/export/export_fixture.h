// A small model as it is after training: coarse base weights, a LoRA adapter and a changed projector.
#pragma once
#include <torch/csrc/autograd/autograd.h>

#include "export/export.h"
#include "model/model_fixture.h"
#include "model/random_tensor.h"

namespace qslaw {

struct Trained {
  ModelSource source;
  Llava model;
  std::vector<LoraLinear*> adapter;
  LoraOptions lora{4, 6.0, 0.0};
};

/// Linears rounded to multiples of 1/16, which stands for quantization: the base differs from the checkpoint.
inline LinearMaker coarse_maker() {
  return [](const LinearSpec&, const std::function<at::Tensor()>& read_weight) {
    return std::make_unique<DenseLinear>(at::round(read_weight().to(at::kFloat) * 16.0) / 16.0);
  };
}

inline Trained trained_model(const ModelSource& source) {
  Trained trained;
  trained.source = source;
  trained.model = load_llava(source, read_config(source), at::kFloat, at::kCPU, coarse_maker());
  trained.adapter =
      attach_lora(trained.model.language, trained.lora, std::make_shared<DropoutKey>(), 5, at::kCPU);
  at::NoGradGuard no_grad;
  for (size_t i = 0; i < trained.adapter.size(); ++i) {
    at::Tensor& b_NR = trained.adapter[i]->b_NR();
    b_NR.copy_(random_normal(b_NR.sizes().vec(), 0.1, 100 + i));
  }
  for (const auto& [name, tensor] : projector_tensors(trained.model.projector)) {
    tensor->add_(random_normal(tensor->sizes().vec(), 0.1, 7));
  }
  return trained;
}

inline ExportTask export_task(const Trained& trained, const std::filesystem::path& folder,
                              const std::vector<std::string>& formats, const std::string& dtype = "float32") {
  ExportTask task;
  task.model = &trained.model;
  task.source = trained.source;
  task.options.formats = formats;
  task.options.dtype = dtype;
  task.adapter = trained.adapter;
  task.lora = trained.lora;
  task.folder = folder;
  return task;
}

}  // namespace qslaw
