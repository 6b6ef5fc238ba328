// Resizing as Pillow does, of a picture that may lie on a larger canvas.
#pragma once
#include <array>
#include <cstdint>

#include "io/image.h"

namespace qslaw {

/// A picture on a larger canvas of one color. The canvas is never stored: its rows are made as they are
/// needed, so that a very long picture costs no square of its length.
struct Canvas {
  const Image& picture;
  int width, height;  // of the canvas
  int left, top;      // where the picture lies on it
  std::array<uint8_t, 3> color;
};

/// The part of the resized canvas that is wanted.
struct Window {
  int64_t left, top;
  int width, height;
};

/// `window` of the canvas resized to width x height, by Pillow's bicubic resampling (a = -0.5, antialiased,
/// 22-bit fixed point, horizontal pass first, 8 bits in between). Only the rows and columns that the window
/// needs are computed.
Image resize_window(const Canvas& canvas, int64_t width, int64_t height, const Window& window);

}  // namespace qslaw
