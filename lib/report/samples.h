// Sample pictures for the report, from predictions/*.jsonl.
#pragma once
#include <cstddef>
#include <string>
#include <vector>

#include "report/markup.h"
#include "report/run_folder.h"

namespace qslaw {

/// One answered question with its picture.
struct PictureSample {
  std::string benchmark;
  std::string id;
  std::string question;  // the user's turn without picture markers
  std::string text;      // what the model wrote
  std::string parsed;    // what was read from it; empty: nothing could be read
  std::string answer;    // the correct one
  bool correct = false;
  std::string data_uri;      // the picture itself; empty where it cannot be shown
  bool has_picture = false;  // there is such a file
};

/// The picture as a data URI; empty when the file is missing, larger than a mebibyte, or not a JPEG, PNG,
/// GIF, WebP or BMP by its first bytes.
std::string picture_data_uri(const std::filesystem::path& path);

/// Up to `most` samples with a picture, right and wrong ones in turn, spread evenly over each benchmark.
/// Those whose picture can be shown come first, and of these pictures that no sample before has. A relative
/// `picture` is looked up in the eval folder, then in the run's. Lines that are not JSON are passed over.
std::vector<PictureSample> choose_samples(const RunFolder& run, size_t most);

/// The samples as a grid of pictures, each with question, the model's answer and the correct one.
Html html_samples(const std::vector<PictureSample>& samples);

}  // namespace qslaw
