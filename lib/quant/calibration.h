// What a block sees while it is calibrated: hidden states of the calibration samples.
#pragma once
#include <memory>
#include <vector>

#include "data/batch.h"
#include "data/image_transform.h"
#include "data/plan.h"
#include "model/llava.h"
#include "quant/options.h"

namespace qslaw {

/// How many samples are drawn from which data set: one, or for kind mix text (half, rounded down) and
/// pictures.
struct CalibrationShare {
  DataOptions data;  // cut at the calibration's length
  int64_t samples = 0;
};
std::vector<CalibrationShare> calibration_shares(const CalibrationOptions& options);

/// Opens a share's data set; samples need no token to learn, as calibration looks at no labels. UserError
/// when it has fewer samples than are to be drawn.
std::unique_ptr<Dataset> open_calibration(const CalibrationShare& share, EncodingContext context);

/// Which samples of share `number`, of `size` in all, the seed draws.
std::vector<Draw> calibration_draws(const CalibrationShare& share, size_t number, int64_t size,
                                    uint64_t seed);

/// Calibration samples in batches of `batch_size`, drawn by the seed. kind mix: every other sample is text.
std::vector<Batch> calibration_batches(const CalibrationOptions& options, const EncodingContext& context,
                                       const ImageTransform& transform, int64_t batch_size, int64_t pad_id,
                                       uint64_t seed);

}  // namespace qslaw
