// From a decoded picture to the vision tower's input, equal to Hugging Face's CLIPImageProcessor (Pillow
// backend).
#pragma once
#include <ATen/core/Tensor.h>

#include <array>
#include <string>

#include "io/image.h"

namespace qslaw {

/// `square`: shortest edge resized, then center crop. `pad`: first centered on a square of the mean color
/// (LLaVA-1.5).
enum class AspectMode { square, pad };

/// Preprocessing of one vision tower; defaults are CLIP ViT-L/14-336's.
struct ImageTransform {
  int size = 336;  // pixels: shortest edge after resizing, and side of the center crop
  AspectMode mode = AspectMode::pad;
  std::array<float, 3> mean = {0.48145466F, 0.4578275F, 0.40821073F};
  std::array<float, 3> std = {0.26862954F, 0.26130258F, 0.27577711F};
};

/// Pillow's bicubic resize (a = -0.5, antialiased, 22-bit fixed point, horizontal pass first, 8 bits in
/// between).
Image resize_bicubic(const Image& image, int width, int height);

/// [3, size, size] float32: pad if asked, resize, center crop, scale to 0..1, normalize.
at::Tensor transform_image(const Image& image, const ImageTransform& transform);

}  // namespace qslaw
