// Whether a stage starts over, goes on or has nothing to do.
#pragma once
#include <string>

#include "experiment.h"
#include "stage_inputs.h"

namespace qslaw {

enum class StageState { fresh, resumed, complete };

/// Without changing anything: complete with the same inputs; unfinished, and to go on with --resume; anything
/// else starts over, as all does with --restart, and as an eval or export does that has lost a file.
/// UserError
/// - for an unfinished run without --resume or --restart, and for one that was begun with other inputs,
/// naming
///   the first that differs. A run that has done neither a step nor a block is not asked about: it goes on
///   with
///   --resume and the same inputs, and starts over otherwise;
/// - for a complete stage that has lost a file that later ones need, that ran on another device, or that
///   starts over without room to be kept aside.
StageState find_state(const Experiment& experiment, const std::string& stage, const std::string& inputs);

/// UserError when a result of the stage cannot be kept aside, because `model.stages` builds on the one that
/// was kept there before.
void require_room_aside(const Experiment& experiment, const std::string& stage);

/// Why a complete stage starts over: what of its inputs has changed, or which file is gone.
std::string reason_to_start_over(const std::filesystem::path& folder, const InputChange& change);

/// Prepares the folder of a stage that starts over. A finished result that it replaces is kept in
/// `<stage>.previous` (exports are not, which are soon written again), in place of an older one there.
void prepare_fresh(const Experiment& experiment, const std::string& stage, const std::string& inputs);

}  // namespace qslaw
