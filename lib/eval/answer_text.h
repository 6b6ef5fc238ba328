// Small operations on answers, as Python's str methods do them.
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace qslaw {

/// str.lower(), character by character.
std::string lower_case(const std::string& text);

/// str.split(): at white space, without empty words.
std::vector<std::string> split_words(std::string_view text);

/// str.replace(from, to).
std::string replace_all(const std::string& text, std::string_view from, std::string_view to);

/// len(text) of valid UTF-8: characters, not bytes.
size_t count_characters(std::string_view text);

/// text[:count], in characters.
std::string first_characters(const std::string& text, size_t count);

}  // namespace qslaw
