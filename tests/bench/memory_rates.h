// Kernels that memory bounds, beside a plain copy on the same device in the same run.
#pragma once
#include <map>

#include "bench/measure.h"
#include "bench/report.h"
#include "model/config.h"

namespace qslaw::bench {

/// Bytes a second, read and written together, of a copy of 1 GiB; reports it.
double copy_rate(const Setting& setting, Report& report);

class MemoryRates {
 public:
  /// `model`: whose shapes these are, for the results. `copied`: the copy's bytes a second.
  MemoryRates(const Setting& setting, Report& report, std::string model, double copied)
      : setting_(setting), report_(report), model_(std::move(model)), copied_(copied) {}

  /// Times a kernel and reports it with `about`, its bytes a second and their share of the copy's, which it
  /// returns. `bytes`: what a call must move at the least, its operands read once and its results written
  /// once.
  double measure(const std::string& kernel, const nlohmann::json& about, int64_t bytes,
                 const std::function<void(int64_t call)>& work);

  /// The same of a kernel that is held to its share.
  void add(const std::string& kernel, const nlohmann::json& about, int64_t bytes,
           const std::function<void(int64_t call)>& work);

  /// A target for every kernel added: the least share among its results.
  void report_targets();

 private:
  const Setting& setting_;
  Report& report_;
  std::string model_;
  double copied_;
  std::map<std::string, double> least_;  // share of the copy, by kernel
};

/// The kernels of each kind at a decoder's shapes.
void add_group_quantizers(const Setting& setting, const LanguageConfig& shape, MemoryRates& rates);
void add_activation_quantizers(const Setting& setting, const LanguageConfig& shape, MemoryRates& rates);
void add_step_operators(const Setting& setting, const LanguageConfig& shape, MemoryRates& rates);
void add_token_losses(const Setting& setting, const LanguageConfig& shape, MemoryRates& rates);
void add_optimizers(const Setting& setting, const LanguageConfig& shape, MemoryRates& rates);
void add_cache_operators(const Setting& setting, const LanguageConfig& shape, MemoryRates& rates);

/// Tokens of activations: their tensors exceed a GPU's cache.
inline int64_t activation_tokens(const Setting& setting) {
  return setting.small ? 16 : 8192;
}

}  // namespace qslaw::bench
