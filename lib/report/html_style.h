// The report's style sheet.
#pragma once

namespace qslaw {

/// Light and dark, wide and narrow. Contains no "<" and no "&", so the page is well-formed XML too.
extern const char* const kReportStyle;

}  // namespace qslaw
