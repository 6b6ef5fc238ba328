#include "report/layer_errors.h"

#include <catch2/catch.hpp>

using namespace qslaw;
using nlohmann::json;

namespace {

json linear(const std::string& name, const json& relative, const json& largest) {
  return {{"name", name}, {"relative_error", relative}, {"max_error", largest}};
}

}  // namespace

TEST_CASE("errors of linears: one row per kind, in the order of the computation") {
  const json results = {{"layers",
                         {linear("model.layers.0.mlp.down_proj", 0.25, 0.5),
                          linear("model.layers.0.self_attn.q_proj", 0.125, 0.03125),
                          linear("model.layers.11.mlp.down_proj", 0.75, 0.0625),
                          linear("model.layers.11.self_attn.q_proj", 0.0625, 0.25)}}};
  CHECK(table_text(kind_error_table("Errors", linear_errors(results))) ==
        "Errors\n"
        "linear     layers  mean error  largest  in layer  largest absolute\n"
        "---------  ------  ----------  -------  --------  ----------------\n"
        "q_proj          2     0.09375  0.12500         0           0.25000\n"
        "down_proj       2     0.50000  0.75000        11           0.50000\n");
}

TEST_CASE("errors of linears that a report lacks are left out") {
  const json results = {{"layers",
                         {3, linear("lm_head", 0.5, 0.5), linear("layers.x.q_proj", 0.5, 0.5),
                          linear("model.layers.1.self_attn.q_proj", nullptr, 0.5),
                          linear("model.layers.2.self_attn.q_proj", 0.5, nullptr)}}};
  const auto errors = linear_errors(results);
  REQUIRE(errors.size() == 1);
  CHECK(errors[0].layer == 2);
  const auto rows = table_json(kind_error_table("", errors))["rows"];
  CHECK(rows[0]["largest"] == 0.5);
  CHECK(rows[0]["largest absolute"].is_null());
  CHECK(linear_errors(json()).empty());
}
