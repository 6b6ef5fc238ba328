// What a recipe's `quantize` section says.
#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "data/options.h"

namespace qslaw {

/// Samples that calibrate the grid (omniquant). kind text | llava | scienceqa uses the fields of DataOptions
/// beside it; kind mix draws half of the samples from `text` and half from `pictures`.
struct CalibrationOptions {
  DataOptions data;
  std::optional<DataOptions> text;      // kind mix
  std::optional<DataOptions> pictures;  // kind mix
  int64_t samples = 128;
  int64_t length = 2048;  // tokens per sample at most
};

/// Learnable weight clipping (OmniQuant, arXiv 2308.13137, section 3.2).
struct OmniquantOptions {
  int64_t epochs = 20;     // passes over the calibration samples, per block; 0 takes `start` as it is
  double lr = 1e-2;        // AdamW, no weight decay, no schedule
  int64_t batch_size = 1;  // samples per step
  std::filesystem::path start = {};  // omni_parameters.pth to begin with; empty: factors of sigmoid(4)
};

struct QuantizeOptions {
  std::string method = "rtn";  // rtn | omniquant | nf4 | absorbed
  int bits = 4;                // 2 | 3 | 4 | 8 (nf4, absorbed: 2 | 3 | 4)
  int64_t group_size = 128;    // 32 | 64 | 128 input columns (nf4: 64)
  OmniquantOptions omniquant;
  std::optional<CalibrationOptions> calibration;  // omniquant needs it to learn
};

/// UserError for values that no method supports.
void check(const QuantizeOptions& options);

}  // namespace qslaw
