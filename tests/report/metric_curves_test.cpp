#include "report/metric_curves.h"

#include <catch2/catch.hpp>

#include "metric_lines.h"

using namespace qslaw;
using nlohmann::json;

TEST_CASE("losses are compared within a phase") {
  const std::vector<json> metrics = {{{"step", 0}, {"heldout", {{"text_perplexity", 4.0}}}},
                                     step_line(1, 0, 0.0005),
                                     step_line(2, 0, 0.00025),
                                     {{"step", 2}, {"heldout", {{"text_perplexity", 3.0}}}},
                                     step_line(3, 1, nullptr),
                                     step_line(4, 1, 1.5),
                                     step_line(1005, 1, 0.75),
                                     step_line(1006, 2, 2.5)};
  CHECK(table_text(phase_table(metrics, "loss", "loss")) ==
        "phase    steps       first loss  last loss\n"
        "-------  ----------  ----------  ---------\n"
        "phase 1  1 to 2          0.0005    0.00025\n"
        "phase 2  4 to 1,005         1.5       0.75\n"
        "phase 3  1,006              2.5        2.5\n");
  // After two steps: the held-out measurement of step 2 is the second phase's start.
  CHECK(phase_marks(metrics) ==
        std::vector<std::pair<double, std::string>>{{2, "phase 2"}, {1005, "phase 3"}});
  CHECK(phase_borders(metrics) == std::vector<double>{3, 1006});
  CHECK(phase_borders({step_line(1, 0, 1), step_line(2, 0, 1)}).empty());
  CHECK(phase_table({}, "loss", "loss").rows.empty());
}
