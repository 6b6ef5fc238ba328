// Where JSON values end, found by their quotes and brackets alone: a GB takes a second, parsing it ten.
#pragma once
#include <cstddef>
#include <string_view>

namespace qslaw {

/// The first byte from `at` on that is no white space of JSON; text.size() when there is none.
size_t skip_blanks(std::string_view text, size_t at);

/// Behind the value that begins at `begin`, or text.size() + 1 when the text ends within it. Of valid JSON
/// the true end; of anything else some place, `begin` itself where no value can begin.
size_t end_of_json_value(std::string_view text, size_t begin);

}  // namespace qslaw
