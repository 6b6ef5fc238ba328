// Single values between YAML and C++: read with strict types, written so that they read back equal.
#pragma once
#include <cstdint>
#include <filesystem>
#include <string>

#include "data/options.h"
#include "data/plan.h"
#include "model/checkpointing.h"
#include "recipe/yaml_node.h"

namespace qslaw {

/// Each reads `node` into `value`, or throws a UserError naming place and `key`. Numbers are written without
/// quotes; an integer has no point or exponent; a boolean is true or false; infinities and not-a-number are
/// refused.
void read_value(const YamlNode& node, const std::string& key, int64_t& value);
void read_value(const YamlNode& node, const std::string& key, uint64_t& value);
void read_value(const YamlNode& node, const std::string& key, int& value);
void read_value(const YamlNode& node, const std::string& key, double& value);
void read_value(const YamlNode& node, const std::string& key, bool& value);
/// Nothing is accepted where the default is empty: it means "not set".
void read_value(const YamlNode& node, const std::string& key, std::string& value);
/// Absolute and lexically normal, relative paths starting at the node's base folder. Nothing means "not set".
void read_value(const YamlNode& node, const std::string& key, std::filesystem::path& value);
/// error | skip.
void read_value(const YamlNode& node, const std::string& key, BadSamplePolicy& value);
/// cut | skip | error.
void read_value(const YamlNode& node, const std::string& key, LongSamplePolicy& value);
/// none or false, feed_forward, block or true.
void read_value(const YamlNode& node, const std::string& key, Checkpointing& value);
/// [[progress, probability], ...], both within 0..1, sorted by progress.
void read_value(const YamlNode& node, const std::string& key, ShareCurve& value);

/// The shortest decimal text that reads back equal, with a point before an exponent (YAML 1.1 readers want
/// it).
std::string number_text(double value);

/// false, feed_forward or true: what recipes said before there was a choice is written as it was.
std::string checkpointing_text(Checkpointing value);

/// "error" or "skip".
std::string policy_text(BadSamplePolicy value);

/// "cut", "skip" or "error".
std::string policy_text(LongSamplePolicy value);

}  // namespace qslaw
