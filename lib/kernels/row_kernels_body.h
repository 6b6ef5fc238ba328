// The row kernels over 16 floats at a time. Included once per instruction set, behind the header that says
// what Floats are there; internal linkage, see row_kernels.h. The arithmetic is quant_math.h's and
// activation_math.h's line by line (the tests compare the bits): those headers' functions are not called
// here, because a copy of theirs compiled for a newer processor could be linked into other code.
#pragma once

namespace qslaw::cpu {
namespace {

template <Element kType>
struct TypeTag {
  static constexpr Element kValue = kType;
};

// Calls fn with the element type as a constant.
template <typename Fn>
inline void with_type(Element type, Fn fn) {
  if (type == Element::float32) return fn(TypeTag<Element::float32>());
  if (type == Element::bfloat16) return fn(TypeTag<Element::bfloat16>());
  fn(TypeTag<Element::float16>());
}

struct GroupConstants {
  GroupConstants(const RowGroups& groups, int64_t g)
      : gamma(groups.gamma ? groups.gamma[g] : 1.0F),
        scale(broadcast(groups.scale[g])),
        step(broadcast(groups.scale[g] * gamma)),
        zero(broadcast(static_cast<float>(groups.zero[g]))),
        top(broadcast(static_cast<float>((1 << groups.bits) - 1))) {}
  float gamma;
  Floats scale, step, zero, top;
};

inline Floats clamp(Floats value, Floats low, Floats high) {
  return smaller(high, larger(low, value));
}
inline Floats position_of(Floats w, const GroupConstants& c) {
  return add(round_even(divide(w, c.step)), c.zero);
}
inline Floats code_of(Floats w, const GroupConstants& c) {
  return clamp(position_of(w, c), broadcast(0.0F), c.top);
}
inline Floats value_of(Floats code, const GroupConstants& c) {
  return multiply(subtract(code, c.zero), c.scale);
}

// 0..15 in the lanes, modulo 2^bits.
inline Floats code_lanes(int bits) {
  uint8_t codes[16];
  for (int i = 0; i < 16; ++i)
    codes[i] = static_cast<uint8_t>(i & ((1 << bits) - 1));
  return from_bytes(codes);
}

template <Element kOut>
void dequantize_bytes(const uint8_t* codes, const RowGroups& groups, void* out) {
  for (int64_t g = 0; g < groups.count; ++g) {
    const GroupConstants constants(groups, g);
    for (int64_t k = g * groups.size; k < (g + 1) * groups.size; k += kLanes)
      store<kOut>(out, k, value_of(from_bytes(codes + k), constants));
  }
}

template <Element kOut>
void dequantize_small(const uint8_t* codes, const RowGroups& groups, void* out) {
  const Unpacker unpack(groups.bits);
  const Floats lanes = code_lanes(groups.bits);
  for (int64_t g = 0; g < groups.count; ++g) {
    const Levels<kOut> levels(value_of(lanes, GroupConstants(groups, g)));
    for (int64_t k = g * groups.size; k < (g + 1) * groups.size; k += 32, codes += 4 * groups.bits)
      expand<kOut>(unpack, levels, codes, out, k);
  }
}

void dequantize(const uint8_t* codes, const RowGroups& groups, Element type, void* out) {
  with_type(type, [&](auto tag) {
    if (groups.bits == 8)
      dequantize_bytes<decltype(tag)::kValue>(codes, groups, out);
    else
      dequantize_small<decltype(tag)::kValue>(codes, groups, out);
  });
}

template <Element kOut>
void look_up_bytes(const uint8_t* codes, const RowLevels& levels, void* out) {
  for (int64_t g = 0; g < levels.count; ++g) {
    const Floats absmax = broadcast(levels.absmax[g]);
    for (int64_t k = g * levels.size; k < (g + 1) * levels.size; k += kLanes)
      store<kOut>(out, k, multiply(gather(levels.table, codes + k), absmax));
  }
}

template <Element kOut>
void look_up_small(const uint8_t* codes, const RowLevels& levels, void* out) {
  const Unpacker unpack(levels.bits);
  float repeated[kLanes];
  for (int64_t i = 0; i < kLanes; ++i)
    repeated[i] = levels.table[i & ((1 << levels.bits) - 1)];
  const Floats table = load<Element::float32>(repeated, 0);
  for (int64_t g = 0; g < levels.count; ++g) {
    const Levels<kOut> values(multiply(table, broadcast(levels.absmax[g])));
    for (int64_t k = g * levels.size; k < (g + 1) * levels.size; k += 32, codes += 4 * levels.bits)
      expand<kOut>(unpack, values, codes, out, k);
  }
}

void look_up(const uint8_t* codes, const RowLevels& levels, Element type, void* out) {
  with_type(type, [&](auto tag) {
    if (levels.bits == 8)
      look_up_bytes<decltype(tag)::kValue>(codes, levels, out);
    else
      look_up_small<decltype(tag)::kValue>(codes, levels, out);
  });
}

// Packs 32 codes of one byte each into 4 * bits bytes.
inline void pack32(const uint8_t* codes, int bits, uint8_t* packed) {
  const uint64_t mask = 0x0101010101010101U * ((1U << bits) - 1);
  for (int i = 0; i < 4; ++i, packed += bits) {
    uint64_t word;
    __builtin_memcpy(&word, codes + 8 * i, sizeof(word));
    word = _pext_u64(word, mask);
    if (bits == 4) __builtin_memcpy(packed, &word, 4);
    if (bits == 3) __builtin_memcpy(packed, &word, 3);
    if (bits == 2) __builtin_memcpy(packed, &word, 2);
  }
}

template <Element kIn>
void quantize_row(const void* w, const RowGroups& groups, uint8_t* codes) {
  const int bits = groups.bits;
  for (int64_t g = 0; g < groups.count; ++g) {
    const GroupConstants constants(groups, g);
    for (int64_t k = g * groups.size; k < (g + 1) * groups.size; k += 32, codes += 4 * bits) {
      uint8_t bytes[32];
      uint8_t* unpacked = bits == 8 ? codes : bytes;
      store_bytes(unpacked, code_of(load<kIn>(w, k), constants));
      store_bytes(unpacked + 16, code_of(load<kIn>(w, k + 16), constants));
      if (bits != 8) pack32(bytes, bits, codes);
    }
  }
}

void quantize(const void* w, Element type, const RowGroups& groups, uint8_t* codes) {
  with_type(type, [&](auto tag) { quantize_row<decltype(tag)::kValue>(w, groups, codes); });
}

template <Element kIn, Element kOut>
void fake_quantize_row(const void* w, const RowGroups& groups, void* out) {
  for (int64_t g = 0; g < groups.count; ++g) {
    const GroupConstants constants(groups, g);
    for (int64_t k = g * groups.size; k < (g + 1) * groups.size; k += kLanes)
      store<kOut>(out, k, value_of(code_of(load<kIn>(w, k), constants), constants));
  }
}

void fake_quantize(const void* w, Element type, const RowGroups& groups, Element out_type, void* out) {
  with_type(type, [&](auto in) {
    with_type(out_type, [&](auto to) {
      fake_quantize_row<decltype(in)::kValue, decltype(to)::kValue>(w, groups, out);
    });
  });
}

template <Element kIn>
void range_row(const void* w, int64_t groups, int64_t size, float* high, float* low) {
  for (int64_t g = 0; g < groups; ++g) {
    Floats largest = broadcast(-__builtin_inff()), smallest = broadcast(__builtin_inff());
    for (int64_t k = g * size; k < (g + 1) * size; k += kLanes) {
      const Floats value = load<kIn>(w, k);  // NaN gives way to what was there
      largest = larger(value, largest);
      smallest = smaller(value, smallest);
    }
    high[g] = fold_larger(largest) + 0.0F;
    low[g] = fold_smaller(smallest) + 0.0F;
  }
}

void range(const void* w, Element type, int64_t groups, int64_t size, float* high, float* low) {
  with_type(type, [&](auto tag) { range_row<decltype(tag)::kValue>(w, groups, size, high, low); });
}

template <Element kIn, Element kGradient>
void gamma_gradient_row(const void* w, const void* gradient, const RowGroups& groups, float* out) {
  const Floats none = broadcast(0.0F);
  for (int64_t g = 0; g < groups.count; ++g) {
    const GroupConstants c(groups, g);
    Floats sums = none;
    for (int64_t k = g * groups.size; k < (g + 1) * groups.size; k += kLanes) {
      const Floats value = load<kIn>(w, k);
      const Floats term = multiply(load<kGradient>(gradient, k), value);
      sums = add(sums, where_inside(position_of(value, c), none, c.top, term));
    }
    out[g] = -fold_sum(sums) / (c.gamma * c.gamma);
  }
}

void gamma_gradient(const void* w, Element type, const void* gradient, Element gradient_type,
                    const RowGroups& groups, float* out) {
  with_type(type, [&](auto in) {
    with_type(gradient_type, [&](auto of_gradient) {
      gamma_gradient_row<decltype(in)::kValue, decltype(of_gradient)::kValue>(w, gradient, groups, out);
    });
  });
}

// Scale, zero point and bounds of 16 columns of activations.
struct GridConstants {
  GridConstants(const RowGrid& grid, int64_t k)
      : scale(grid.stride ? load<Element::float32>(grid.scale, k) : broadcast(grid.scale[0])),
        zero(grid.stride ? load<Element::float32>(grid.zero, k) : broadcast(grid.zero[0])),
        bottom(broadcast(-static_cast<float>(1 << (grid.bits - 1)))),
        top(broadcast(static_cast<float>((1 << (grid.bits - 1)) - 1))) {}
  Floats scale, zero, bottom, top;
};

inline Floats activation_code_of(Floats x, const GridConstants& c) {
  return clamp(round_even(subtract(multiply(c.scale, x), c.zero)), c.bottom, c.top);
}

// What is left behind the last 16 columns goes to the plain version.
inline RowGrid rest_of(const RowGrid& grid, int64_t k) {
  return {grid.scale + k * grid.stride, grid.zero + k * grid.stride, grid.stride, grid.bits};
}
inline int64_t element_bytes(Element type) {
  return type == Element::float32 ? 4 : 2;
}

void activation_codes(const void* x, Element type, int64_t columns, const RowGrid& grid, int8_t* codes) {
  const int64_t whole = columns / kLanes * kLanes;
  with_type(type, [&](auto tag) {
    for (int64_t k = 0; k < whole; k += kLanes)
      store_bytes(codes + k, activation_code_of(load<decltype(tag)::kValue>(x, k), GridConstants(grid, k)));
  });
  if (whole == columns) return;
  plain_row_kernels().activation_codes(byte_at(x, whole * element_bytes(type)), type, columns - whole,
                                       rest_of(grid, whole), codes + whole);
}

void fake_activation(const void* x, Element type, int64_t columns, const RowGrid& grid, void* out) {
  const int64_t whole = columns / kLanes * kLanes;
  with_type(type, [&](auto tag) {
    constexpr Element kType = decltype(tag)::kValue;
    for (int64_t k = 0; k < whole; k += kLanes) {
      const GridConstants c(grid, k);
      store<kType>(out, k, divide(add(activation_code_of(load<kType>(x, k), c), c.zero), c.scale));
    }
  });
  if (whole == columns) return;
  const int64_t offset = whole * element_bytes(type);
  plain_row_kernels().fake_activation(byte_at(x, offset), type, columns - whole, rest_of(grid, whole),
                                      static_cast<char*>(out) + offset);
}

void widen_range(const void* x, Element type, int64_t columns, float* high, float* low) {
  const int64_t whole = columns / kLanes * kLanes;
  with_type(type, [&](auto tag) {
    for (int64_t k = 0; k < whole; k += kLanes) {
      const Floats value = load<decltype(tag)::kValue>(x, k);
      store<Element::float32>(high, k, larger(value, load<Element::float32>(high, k)));
      store<Element::float32>(low, k, smaller(value, load<Element::float32>(low, k)));
    }
  });
  if (whole == columns) return;
  plain_row_kernels().widen_range(byte_at(x, whole * element_bytes(type)), type, columns - whole,
                                  high + whole, low + whole);
}

constexpr RowKernels kTable = {dequantize,     look_up,          quantize,        fake_quantize, range,
                               gamma_gradient, activation_codes, fake_activation, widen_range};

}  // namespace
}  // namespace qslaw::cpu
