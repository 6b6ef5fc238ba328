#include "data/loader.h"

#include <condition_variable>
#include <exception>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <thread>
#include <utility>

#include "core/error.h"
#include "core/log.h"
#include "core/stopwatch.h"
#include "data/sample_pictures.h"

namespace qslaw {
namespace {

/// A bad or long sample that was passed over.
struct Passed {
  Draw draw;
  std::string reason;
  bool is_long = false;
};

/// What a worker made of one draw: a sample and which one it is, none where it was left out, or the error
/// that `next` throws when the draw's turn comes.
struct Outcome {
  std::optional<LoadedSample> loaded;
  Draw draw;
  std::vector<Passed> passed;
  std::exception_ptr error;
};

LoadedSample load_sample(const Dataset& source, int64_t index, const ImageTransform& transform) {
  LoadedSample loaded{source.at(index), {}};
  decode_pictures(loaded, transform);
  return loaded;
}

}  // namespace

struct Loader::State {
  std::vector<const Dataset*> sources;
  std::vector<Draw> plan;
  ImageTransform transform;
  LoaderOptions options;

  // Only `next` and the getters use these.
  std::set<Draw> logged;
  NotedSamples noted;
  bool named_cut = false, named_left_out = false, named_empty = false, named_image = false;
  double waited_s = 0;

  // All below is guarded by the mutex. Invariant: deliver <= begin <= deliver + ahead; `done` holds positions
  // from deliver to begin - 1.
  std::mutex mutex;
  std::condition_variable room, finished;
  int64_t begin = 0;    // next position that a worker takes
  int64_t deliver = 0;  // next position that `next` hands out
  std::map<int64_t, Outcome> done;
  bool stop = false;
  std::vector<std::thread> threads;

  ~State();
  int64_t size() const { return static_cast<int64_t>(plan.size()); }
  Outcome load(Draw draw) const;
  Outcome load_or_catch(Draw draw) const;
  void work();
  Outcome take();
  void note_passed(const std::vector<Passed>& passed);
  void note_changes(const Sample& sample, const Draw& draw);
};

/// The draw's sample or, where bad ones are skipped, the first good one after it or none.
Outcome Loader::State::load(Draw draw) const {
  const Dataset& source = *sources[static_cast<size_t>(draw.source)];
  Outcome outcome;
  for (int64_t tried = 1;; ++tried) {
    try {
      outcome.loaded = load_sample(source, draw.index, transform);
      outcome.draw = draw;
      return outcome;
    } catch (const UserError& error) {
      if (!is_skipped(error, options.on_bad_sample)) throw;
      if (options.replace_skipped && tried == source.size())
        fail("data", "expected a good sample, got only bad ones; the last: ", error.what());
      const bool is_long = dynamic_cast<const LongSample*>(&error) != nullptr;
      outcome.passed.push_back({draw, error.what(), is_long});
      if (!options.replace_skipped) return outcome;
      draw.index = (draw.index + 1) % source.size();
    }
  }
}

Outcome Loader::State::load_or_catch(Draw draw) const {
  try {
    return load(draw);
  } catch (...) {
    return {std::nullopt, draw, {}, std::current_exception()};
  }
}

void Loader::State::work() {
  std::unique_lock lock(mutex);
  for (;;) {
    room.wait(lock, [&] { return stop || begin == size() || begin < deliver + options.ahead; });
    if (stop || begin == size()) return;
    const int64_t position = begin++;
    lock.unlock();
    Outcome outcome = load_or_catch(plan[static_cast<size_t>(position)]);
    lock.lock();
    done.emplace(position, std::move(outcome));
    finished.notify_one();
  }
}

/// Waits for the next position's outcome. An error stays where it is: every later call throws it again.
Outcome Loader::State::take() {
  const Stopwatch stopwatch;
  std::unique_lock lock(mutex);
  finished.wait(lock, [&] { return done.count(deliver) > 0; });
  waited_s += stopwatch.seconds();
  if (done.at(deliver).error) std::rethrow_exception(done.at(deliver).error);
  Outcome outcome = std::move(done.at(deliver));
  done.erase(deliver++);
  room.notify_one();
  return outcome;
}

/// Notes every one, logs each one once however many epochs meet it.
void Loader::State::note_passed(const std::vector<Passed>& passed) {
  for (const auto& [draw, reason, is_long] : passed) {
    noted.skipped.push_back(draw);
    if (is_long) noted.skipped_long.push_back(draw);
    const char* kind = is_long ? "long" : "bad";
    if (logged.insert(draw).second) log_warning(concat("skipped a ", kind, " sample: ", reason));
  }
}

/// What of a sample is not as its file has it. Many may be so, so that only the first is named.
void Loader::State::note_changes(const Sample& sample, const Draw& draw) {
  const auto name_once = [&sample](bool is_so, bool& named, const char* what) {
    if (is_so && !std::exchange(named, true)) log_warning(concat(what, ": [", sample.where, "]"));
  };
  name_once(sample.turn_left_out, named_left_out,
            "left out a first turn of \"gpt\", as LLaVA does and as of all that begin so");
  name_once(sample.answer_empty, named_empty,
            "learned nothing of an empty answer (template plain: a line break), as LLaVA does and as of all "
            "that follow");
  name_once(sample.image_as_text, named_image,
            "took \"<image>\" for text in a sample without a picture, as LLaVA does and as in all that have "
            "it");
  if (sample.cut_from == 0) return;
  noted.cut.push_back(draw);
  if (std::exchange(named_cut, true)) return;
  log_warning(concat("cut a long sample, as all that follow: [", sample.where, "] has ", sample.cut_from,
                     " tokens, pictures expanded"));
}

/// Also runs when a thread could not be started, then for those that were.
Loader::State::~State() {
  {
    const std::lock_guard lock(mutex);
    stop = true;
  }
  room.notify_all();
  for (std::thread& thread : threads)
    thread.join();
}

Loader::Loader(std::vector<const Dataset*> sources, std::vector<Draw> plan, int64_t start,
               ImageTransform transform, LoaderOptions options)
    : state_(std::make_unique<State>()) {
  QSLAW_CHECK(options.threads > 0 && options.ahead > 0);
  QSLAW_CHECK(start >= 0 && start <= static_cast<int64_t>(plan.size()));
  state_->sources = std::move(sources);
  state_->plan = std::move(plan);
  state_->transform = transform;
  state_->options = options;
  state_->begin = state_->deliver = start;
  for (const Draw& draw : state_->plan) {
    QSLAW_CHECK(draw.source >= 0 && static_cast<size_t>(draw.source) < state_->sources.size());
  }
  for (int i = 0; i < options.threads; ++i)
    state_->threads.emplace_back([state = state_.get()] { state->work(); });
}

Loader::~Loader() = default;

std::vector<LoadedSample> Loader::next(int64_t count) {
  std::vector<LoadedSample> samples;
  while (static_cast<int64_t>(samples.size()) < count && state_->deliver < state_->size()) {
    Outcome outcome = state_->take();
    state_->note_passed(outcome.passed);
    if (!outcome.loaded) continue;
    state_->note_changes(outcome.loaded->sample, outcome.draw);
    samples.push_back(std::move(*outcome.loaded));
  }
  return samples;
}

int64_t Loader::position() const {
  return state_->deliver;  // no worker writes it
}

NotedSamples Loader::take_noted() {
  return std::exchange(state_->noted, {});
}

double Loader::waited_s() const {
  return state_->waited_s;
}

}  // namespace qslaw
