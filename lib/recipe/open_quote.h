// Quotes that a recipe opens and does not close.
#pragma once
#include <optional>
#include <string_view>

namespace qslaw {

/// Both count from 0, the column in bytes.
struct TextPlace {
  int line = 0, column = 0;
};

/// Where the first text opens whose quotes were hardly meant to close where they do: never, or on a later
/// line in front of what cannot follow a text in quotes, the next one's beginning. Asked of texts that YAML
/// refuses: its own complaint is about whatever comes behind the next quotes, lines below.
std::optional<TextPlace> find_open_quote(std::string_view text);

}  // namespace qslaw
