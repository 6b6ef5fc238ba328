// Products on a GPU's matrix units, in few enough cases for compute-sanitizer, which takes some fifty times
// as long. gpu_step_test.cpp has the whole range.
#include "gpu_case.h"
#include "product_case.h"

using namespace qslaw;

TEST_CASE("a GPU's products on the matrix units, one of each kind, agree with double precision",
          "[gpu][shared][first]") {
  if (!has_gpu()) return;
  for (const int bits : {4, 3, 2, 8}) {
    for (const int64_t G : {32, 128}) {
      for (const bool table : {false, true}) {
        for (const int64_t M : {7, 33}) {
          INFO(bits << " bits, group " << G << (table ? ", table, " : ", ") << M << " tokens");
          // Rows and columns that fill neither the last tile nor the last step of 512 columns.
          const ProductCase c = make_product(M, 67, 1408, G, bits, at::kBFloat16, table);
          require_near_on_device(multiply(c, kGpu).cpu(), c);
        }
      }
    }
  }
}
