// The pictures of tests/fixtures/images and what Pillow and transformers made of them (see the README there).
#pragma once
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/files.h"
#include "io/image.h"

namespace qslaw {

inline std::filesystem::path image_fixtures() {
  return std::filesystem::path(QSLAW_FIXTURES) / "images";
}

inline const nlohmann::json& expected_images() {
  static const auto value = nlohmann::json::parse(read_file(image_fixtures() / "expected.json"));
  return value;
}

/// The array of width x height at `offset` of expected.bin.
inline std::vector<uint8_t> expected_pixels(int64_t offset, int width, int height) {
  static const std::string bytes = read_file(image_fixtures() / "expected.bin");
  const auto part = bytes.substr(static_cast<size_t>(offset), static_cast<size_t>(width) * height * 3);
  return {part.begin(), part.end()};
}

/// Of two arrays of the same length, how far apart the two most different values are; 256 when the lengths
/// differ.
inline int largest_difference(const std::vector<uint8_t>& a, const std::vector<uint8_t>& b) {
  if (a.size() != b.size()) return 256;
  int largest = 0;
  for (size_t i = 0; i < a.size(); ++i)
    largest = std::max(largest, std::abs(int{a[i]} - int{b[i]}));
  return largest;
}

}  // namespace qslaw
