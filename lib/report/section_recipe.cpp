#include <sstream>

#include "core/text.h"
#include "report/number_text.h"
#include "report/run_sections.h"

namespace qslaw {
namespace {

constexpr size_t kShownHash = 12;

// Where the comment begins: a # at the start or after a space, outside of quotes.
size_t comment_start(const std::string& line) {
  char quote = 0;
  for (size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (quote) {
      if (c == quote) quote = 0;
    } else if (c == '"' || c == '\'') {
      quote = c;
    } else if (c == '#' && (i == 0 || line[i - 1] == ' ')) {
      return i;
    }
  }
  return line.size();
}

// Keys and comments set apart; everything else as it is.
Html recipe_line(const std::string& line) {
  const size_t comment = comment_start(line);
  const std::string code = line.substr(0, comment);
  const size_t first = code.find_first_not_of(" -");
  const size_t colon = code.find(':');
  const bool has_key = first != std::string::npos && colon != std::string::npos && colon > first &&
                       code.find_first_of("{[\"' ", first) > colon &&
                       (colon + 1 == code.size() || code[colon + 1] == ' ');
  Html out = html_text(has_key ? code.substr(0, first) : code);
  if (has_key) {
    out += html_element("span", "key", html_text(code.substr(first, colon - first)));
    out += html_text(code.substr(colon));
  }
  if (comment < line.size()) out += html_element("span", "comment", html_text(line.substr(comment)));
  return out;
}

Html recipe_html(const std::string& recipe) {
  Html out;
  std::istringstream lines(recipe);
  for (std::string line; std::getline(lines, line);) {
    out += recipe_line(line);
    out += Html{"\n"};
  }
  return html_element("pre", "recipe", out);
}

}  // namespace

OptionalSection recipe_section(const RunFolder& run) {
  const std::string recipe = run_recipe(run);
  if (recipe.empty()) return std::nullopt;
  return PageSection{"recipe", "Recipe", "Complete: every default is written out.",
                     html_panel("", recipe_html(recipe))};
}

OptionalSection versions_section(const RunFolder& run) {
  Table stages{"", {"stage", "version", "commit", "seed", "device", "fingerprint"}, {}};
  Table files{"", {"file", "SHA-256"}, {}};
  for (const RunStage& stage : run.stages) {
    if (!stage.report) continue;
    const StageReport& report = *stage.report;
    stages.add_row({cell(stage_title(stage.name)), cell(report.version), cell(report.git),
                    cell(std::to_string(report.seed)), cell(report.device),
                    cell(report.fingerprint.substr(0, kShownHash))});
    for (const auto& [name, hash] : report.files)
      files.add_row({cell(stage.name + "/" + name), cell(hash)});
  }
  if (stages.rows.empty()) return std::nullopt;
  Html body = html_panel("", html_table(stages));
  if (!files.rows.empty()) body += html_panel("Files", html_table(files));
  return PageSection{"versions", "Versions and files", "", body};
}

}  // namespace qslaw
