// Columns of packed weights against LibTorch's operations on all of them.
#include "kernels/dequantize_columns.h"

#include <utility>

#include "isa_case.h"
#include "quant_case.h"

using namespace qslaw;

namespace {

constexpr int64_t kRows = 171, kGroups = 11;  // enough for several tasks, and for table codes' blocks of 256

struct ColumnsCase {
  at::Tensor codes, packed;  // one code per byte, and packed
  int bits;
  int64_t group_size;
};

template <typename Test>
void for_each_columns_case(Test test) {
  const Threads threads(3);
  for (const int bits : {2, 3, 4, 8}) {
    for (const int64_t G : {32, 64, 128}) {
      INFO("bits " << bits << ", group " << G);
      at::Generator generator =
          at::make_generator<at::CPUGeneratorImpl>(static_cast<uint64_t>(bits * 500 + G));
      const at::Tensor codes = at::randint(0, 1 << bits, {kRows, kGroups * G}, generator).to(at::kByte);
      const ColumnsCase c{codes, pack_codes(codes, bits), bits, G};
      for_each_isa([&] { test(c, generator); });
    }
  }
}

at::Tensor spread(const at::Tensor& per_group, int64_t group_size) {
  return per_group.to(at::kFloat).repeat_interleave(group_size, 1);
}

// dequantize(begin, end, out) writes the columns of `values`, which are rounded once to each dtype.
template <typename Dequantize>
void require_columns(const at::Tensor& values, int64_t group_size, Dequantize dequantize) {
  for (const at::ScalarType dtype : kTypes) {
    for (const auto& [first, last] :
         {std::pair<int64_t, int64_t>{0, 0}, {0, kGroups}, {3, 4}, {5, kGroups}}) {
      const int64_t begin = first * group_size, end = last * group_size;
      at::Tensor out = at::full({kRows, end - begin}, 77.0, dtype);
      dequantize(begin, end, out);
      REQUIRE(equal_bits(out, values.narrow(1, begin, end - begin).to(dtype)));
    }
  }
}

}  // namespace

TEST_CASE("dequantize_columns gives whole groups of every row") {
  for_each_columns_case([](const ColumnsCase& c, at::Generator& generator) {
    const GroupGrid grid{at::rand({kRows, kGroups}, generator) + 0.1,
                         at::randint(-300, 300, {kRows, kGroups}, generator).to(at::kShort)};
    const at::Tensor values =
        (c.codes.to(at::kFloat) - spread(grid.zero, c.group_size)) * spread(grid.scale, c.group_size);
    require_columns(values, c.group_size, [&](int64_t begin, int64_t end, at::Tensor& out) {
      dequantize_columns_into(c.packed, grid, c.bits, begin, end, out);
    });
  });
}

TEST_CASE("dequantize_table_columns decodes the absmax of its own groups") {
  for_each_columns_case([](const ColumnsCase& c, at::Generator& generator) {
    const AbsmaxCodes absmax = random_absmax(kRows, kGroups, generator);
    const at::Tensor table = at::linspace(-1, 1, 1 << c.bits).pow(3).contiguous();
    const at::Tensor values =
        table.index({c.codes.to(at::kLong)}) * spread(absmax_values(absmax), c.group_size);
    require_columns(values, c.group_size, [&](int64_t begin, int64_t end, at::Tensor& out) {
      dequantize_table_columns_into(c.packed, absmax, table, c.bits, begin, end, out);
    });
  });
}
