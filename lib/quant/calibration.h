// What a block sees while it is calibrated: hidden states of the calibration samples.
#pragma once
#include <vector>

#include "data/batch.h"
#include "data/image_transform.h"
#include "model/llava.h"
#include "quant/options.h"

namespace qslaw {

/// Calibration samples in batches of `batch_size`, drawn by the seed. kind mix: every other sample is text.
std::vector<Batch> calibration_batches(const CalibrationOptions& options, const EncodingContext& context,
                                       const ImageTransform& transform, int64_t batch_size, int64_t pad_id,
                                       uint64_t seed);

}  // namespace qslaw
