#include "data/preprocessor.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "core/error.h"
#include "io/json.h"

namespace qslaw {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

class Settings {
 public:
  Settings(const fs::path& path, json settings) : path_(path), json_(std::move(settings)) {
    require(json_.is_object(), "pictures", "expected an object, got ", json_.type_name(), " (", path.string(),
            ")");
  }

  bool flag(const char* key, bool fallback) const {
    if (!has(key)) return fallback;
    if (!json_[key].is_boolean()) refuse(key, "true or false");
    return json_[key].get<bool>();
  }

  void expect_true(const char* key) const {
    if (!flag(key, true)) refuse(key, "true");
  }

  void expect_number(const char* key, double value, const std::string& meaning) const {
    if (!has(key)) return;
    const bool fits = json_[key].is_number() && std::abs(json_[key].get<double>() - value) <= 1e-6 * value;
    if (!fits) refuse(key, meaning);
  }

  // `size` and `crop_size`: a number, or an object whose entries all say the same.
  void expect_size(const char* key, int size) const {
    if (!has(key)) return;
    const json& value = json_[key];
    const auto fits = [size](const json& entry) { return entry.is_number_integer() && entry == size; };
    const bool sound =
        value.is_object() && !value.empty() ? std::all_of(value.begin(), value.end(), fits) : fits(value);
    if (!sound) refuse(key, concat("the vision tower's ", size, " pixels"));
  }

  void read_triple(const char* key, std::array<float, 3>& out) const {
    if (!has(key)) return;
    const json& value = json_[key];
    const bool sound = value.is_array() && value.size() == 3 &&
                       std::all_of(value.begin(), value.end(), [](const json& x) { return x.is_number(); });
    if (!sound) refuse(key, "three numbers");
    for (size_t c = 0; c < 3; ++c)
      out[c] = value[c].get<float>();
  }

  void expect_positive(const char* key, const std::array<float, 3>& values) const {
    if (std::any_of(values.begin(), values.end(), [](float x) { return !(x > 0); }))
      refuse(key, "numbers above 0");
  }

 private:
  bool has(const char* key) const { return json_.contains(key) && !json_[key].is_null(); }

  [[noreturn]] void refuse(const char* key, const std::string& expected) const {
    fail("pictures", "expected ", expected, " as ", key, ", got ", json_[key].dump(), " (", path_.string(),
         ")");
  }

  fs::path path_;
  json json_;
};

std::optional<Settings> find_settings(const fs::path& folder) {
  const fs::path processor = folder / "processor_config.json", own = folder / "preprocessor_config.json";
  if (fs::exists(processor)) {
    const json all = read_json(processor);
    if (all.is_object() && all.contains("image_processor"))
      return Settings(processor, all["image_processor"]);
  }
  if (fs::exists(own)) return Settings(own, read_json(own));
  return std::nullopt;
}

}  // namespace

ImageTransform read_preprocessor(const fs::path& folder, int image_size) {
  ImageTransform transform;
  transform.size = image_size;
  transform.mode = AspectMode::square;
  const auto found = find_settings(folder);
  if (!found) return transform;
  const Settings& settings = *found;
  if (settings.flag("do_pad", false)) transform.mode = AspectMode::pad;
  for (const char* key : {"do_resize", "do_center_crop", "do_rescale", "do_normalize"})
    settings.expect_true(key);
  settings.expect_size("size", image_size);
  settings.expect_size("crop_size", image_size);
  settings.expect_number("resample", 3, "3 (bicubic)");
  settings.expect_number("rescale_factor", 1.0 / 255.0, "1 / 255");
  settings.read_triple("image_mean", transform.mean);
  settings.read_triple("image_std", transform.std);
  settings.expect_positive("image_std", transform.std);
  return transform;
}

}  // namespace qslaw
