// How a benchmark question is put to the model: LLaVA's "<image>\n" and the question's text.
#pragma once
#include <vector>

#include "data/batch.h"
#include "data/image_transform.h"
#include "eval/benchmark_question.h"

namespace qslaw {

/// The human's only turn.
std::vector<Turn> question_turns(const BenchmarkQuestion& question);

/// The encoded prompt with the picture's path or, where the question file holds it, its bytes. UserError
/// where the text holds "<image>", the base64 of a picture is none, or its bytes have no sound header.
Sample question_sample(const BenchmarkQuestion& question, const Tokenizer& tokenizer, TemplateKind kind);

/// The same with the picture decoded. UserError as decode_pictures', too.
LoadedSample load_question(const BenchmarkQuestion& question, const Tokenizer& tokenizer, TemplateKind kind,
                           const ImageTransform& transform);

}  // namespace qslaw
