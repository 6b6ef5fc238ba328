// Base64 (RFC 4648, section 4).
#pragma once
#include <string>
#include <string_view>

namespace qslaw {

/// The bytes that `text` stands for. UserError beginning with `where` for a character outside the alphabet, a
/// length that is no multiple of four, or padding in another place than the end.
std::string decode_base64(std::string_view text, const std::string& where);

}  // namespace qslaw
