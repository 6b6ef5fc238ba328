// The visitor that writes an options struct as YAML, every default shown (see fields.h). Keys that another
// key makes useless are left out, so that the result can be read again.
#pragma once
#include <yaml-cpp/yaml.h>

#include <optional>
#include <string>
#include <vector>

#include "recipe/field_reader.h"

namespace qslaw {

class FieldWriter {
 public:
  static constexpr bool kReads = false;
  explicit FieldWriter(YAML::Emitter& out) : out_(out) {}

  template <class T>
  void operator()(const char* name, T&& value, const Use& use = {}) {
    if (!use.allowed) return;
    out_ << YAML::Key << name << YAML::Value;
    write(value);
  }

  /// A value of its own: a map of all its fields.
  template <HasFields T>
  void write(T& value) {
    out_ << YAML::BeginMap;
    fields(*this, value);
    out_ << YAML::EndMap;
  }

 private:
  template <class T>
  void write(std::optional<T>& value) {
    if (value) {
      write(*value);
    } else {
      out_ << YAML::Null;
    }
  }

  template <class T>
  void write(std::vector<T>& list) {
    if (list.empty() || !HasFields<T>) out_ << YAML::Flow;
    out_ << YAML::BeginSeq;
    for (T& value : list)
      write(value);
    out_ << YAML::EndSeq;
  }

  void write(ShareCurve& curve) {
    if (curve.empty()) {
      out_ << YAML::Null;
      return;
    }
    out_ << YAML::Flow << YAML::BeginSeq;
    for (auto& [progress, probability] : curve) {
      out_ << YAML::Flow << YAML::BeginSeq;
      write(progress);
      write(probability);
      out_ << YAML::EndSeq;
    }
    out_ << YAML::EndSeq;
  }

  void write(std::filesystem::path& path) {
    if (path.empty()) {
      out_ << YAML::Null;
    } else {
      out_ << path.string();
    }
  }

  void write(double value) { out_ << number_text(value); }
  void write(Checkpointing value) { out_ << checkpointing_text(value); }
  void write(BadSamplePolicy value) { out_ << policy_text(value); }
  void write(LongSamplePolicy value) { out_ << policy_text(value); }
  void write(bool value) { out_ << value; }
  void write(int value) { out_ << value; }
  void write(int64_t value) { out_ << value; }
  void write(uint64_t value) { out_ << value; }
  void write(const std::string& value) { out_ << value; }

  YAML::Emitter& out_;
};

}  // namespace qslaw
