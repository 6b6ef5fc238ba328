#include "data/batch.h"

#include <ATen/ATen.h>

#include <catch2/catch.hpp>

#include "core/error.h"

using namespace qslaw;

namespace {

constexpr int64_t kPad = 9;
constexpr int64_t P = kImagePlaceholder;
constexpr int64_t X = kIgnoreLabel;

/// A sample whose k-th picture is 2 x 2 pixels of the value pictures[k].
LoadedSample make_sample(const std::string& id, std::vector<int64_t> ids, std::vector<int64_t> labels,
                         const std::vector<float>& pictures = {}) {
  LoadedSample loaded{{id, std::move(ids), std::move(labels), {}}, {}};
  for (float value : pictures) {
    loaded.sample.pictures.push_back(id + ".png");
    loaded.pixels_3SS.push_back(at::full({3, 2, 2}, value, at::kFloat));
  }
  return loaded;
}

at::Tensor matrix(std::vector<int64_t> values, int64_t columns) {
  return at::tensor(values, at::kLong).view({-1, columns});
}

}  // namespace

TEST_CASE("collate expands pictures and pads on the right") {
  const Batch batch = collate(
      {make_sample("a", {1, P, 5, 6}, {X, X, X, 6}, {0.5F}), make_sample("b", {1, 7}, {X, 7})}, 3, kPad);
  CHECK(at::equal(batch.ids_BT, matrix({1, P, P, P, 5, 6, 1, 7, kPad, kPad, kPad, kPad}, 6)));
  CHECK(at::equal(batch.labels_BT, matrix({X, X, X, X, X, 6, X, 7, X, X, X, X}, 6)));
  CHECK(at::equal(batch.lengths_B, at::tensor({6, 2}, at::kLong)));
  CHECK(batch.sample_ids == std::vector<std::string>{"a", "b"});
  CHECK(batch.is_text == std::vector<bool>{false, true});
  CHECK(at::equal(batch.pixels_N3SS, at::full({1, 3, 2, 2}, 0.5F)));
}

TEST_CASE("collate packs samples end to end, none of which learns its first token") {
  const std::vector<LoadedSample> samples = {make_sample("a", {1, P, 5, 6}, {1, X, X, 6}, {0.5F}),
                                             make_sample("b", {1, 7}, {1, 7})};
  const Batch batch = collate(samples, 3, kPad, true);
  CHECK(at::equal(batch.ids_BT, matrix({1, P, P, P, 5, 6, 1, 7}, 8)));
  CHECK(at::equal(batch.labels_BT, matrix({X, X, X, X, X, 6, X, 7}, 8)));
  CHECK(at::equal(batch.lengths_B, at::tensor({6, 2}, at::kLong)));
  CHECK(batch.packed_lengths() == std::vector<int64_t>{6, 2});
  CHECK(batch.sample_ids == std::vector<std::string>{"a", "b"});
  CHECK(collate(samples, 3, kPad).packed_lengths().empty());
}

TEST_CASE("collate keeps the pictures in order of appearance") {
  const Batch batch = collate({make_sample("a", {P, 4, P}, {X, 4, X}, {1, 2}),
                               make_sample("b", {8, 8}, {8, 8}), make_sample("c", {P, 3}, {X, 3}, {3})},
                              2, kPad);
  CHECK(at::equal(batch.ids_BT, matrix({P, P, 4, P, P, 8, 8, kPad, kPad, kPad, P, P, 3, kPad, kPad}, 5)));
  CHECK(at::equal(batch.lengths_B, at::tensor({5, 2, 3}, at::kLong)));
  CHECK(at::equal(batch.pixels_N3SS.select(1, 0).select(1, 0).select(1, 0), at::tensor({1.F, 2.F, 3.F})));
}

TEST_CASE("collate of texts alone has no pictures") {
  const Batch batch = collate({make_sample("t", {1, 2, 3}, {1, 2, 3})}, 4, kPad);
  CHECK_FALSE(batch.pixels_N3SS.defined());
  CHECK(at::equal(batch.ids_BT, matrix({1, 2, 3}, 3)));
  CHECK(batch.is_text == std::vector<bool>{true});
}

TEST_CASE("collate never learns a picture's position, whatever the label says") {
  const Batch batch = collate({make_sample("a", {P, 5}, {7, 5}, {0})}, 2, kPad);
  CHECK(at::equal(batch.labels_BT, matrix({X, X, 5}, 3)));
}

TEST_CASE("learned tokens are the labels that are left in a packed row") {
  for (const LoadedSample& loaded :
       {make_sample("a", {1, P, 5, 6}, {1, X, X, 6}, {0.5F}), make_sample("b", {1, 7, 8}, {1, 7, 8}),
        make_sample("c", {P, 5}, {7, 5}, {0}), make_sample("d", {4, P, 5}, {4, 7, 5}, {0}),
        make_sample("e", {4}, {4})}) {
    INFO(loaded.sample.id);
    const at::Tensor labels = collate({loaded}, 3, kPad, true).labels_BT;
    CHECK(learned_tokens(loaded.sample) == (labels != X).sum().item<int64_t>());
  }
}

TEST_CASE("collate checks its samples") {
  CHECK_THROWS_AS(collate({}, 4, kPad), InternalError);
  CHECK_THROWS_AS(collate({make_sample("a", {1, P}, {X, X})}, 4, kPad), InternalError);
  CHECK_THROWS_AS(collate({make_sample("a", {1, 2}, {X}, {})}, 4, kPad), InternalError);
}
