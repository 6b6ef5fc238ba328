// Bytes of the files that benchmark servers take.
#pragma once
#include <string>
#include <vector>

namespace qslaw {

/// An Excel workbook (.xlsx, ECMA-376) with one sheet of these rows: cells of digits alone are numbers,
/// others text, empty ones blank. Characters that XML cannot hold are left out.
std::string excel_file(const std::vector<std::vector<std::string>>& rows);

}  // namespace qslaw
