#include "artifacts.h"

#include "core/error.h"
#include "core/files.h"
#include "core/key_error.h"
#include "io/safetensors.h"
#include "quant/packed_weight.h"
#include "stage_inputs.h"

namespace fs = std::filesystem;

namespace qslaw {
namespace {

// A stage folder's files, over what came before. Those that its report names: another one would not be its.
void add_stage(Artifacts& artifacts, const fs::path& folder, const StageReport& report,
               const std::string& remedy) {
  for (const auto& [file, hash] : report.files)
    artifacts.origins[folder / file] = {report.stage, hash, remedy};
  const auto take = [&](std::optional<fs::path>& slot, const char* file) {
    if (report.files.count(file) > 0) slot = folder / file;
  };
  const auto dense = report.files.find("model.safetensors");
  if (dense != report.files.end()) {
    if (artifacts.packed)
      fail("model", "expected a fully tuned model before the packed one that is made of it, got ",
           (folder / dense->first).string(), " behind ", artifacts.packed->string());
    artifacts.dense.push_back(folder / dense->first);
    artifacts.tuned_base += (artifacts.tuned_base.empty() ? "" : " ") + dense->second;
  }
  take(artifacts.packed, "language.safetensors");
  take(artifacts.projector, "projector.safetensors");
  take(artifacts.adapter, "adapter.safetensors");
}

// It would be moved away before it is read.
void require_not_written(const Experiment& experiment, const fs::path& brought) {
  for (const std::string& stage : stage_names()) {
    std::error_code not_there;
    require(!experiment.has_section(stage) || !fs::equivalent(brought, experiment.folder(stage), not_there),
            "model", "expected stages of other runs, got the folder in which this recipe's ", stage,
            " works: ", brought.string(), " (key model.stages); give another --out");
  }
}

void add_brought_stages(Artifacts& artifacts, const Experiment& experiment) {
  for (const fs::path& folder : experiment.recipe.model.stages) {
    const std::optional<StageReport> report = complete_report(folder);
    require(report.has_value(), "model", "expected a finished stage folder, got ", folder.string(),
            " (key model.stages)");
    require(leaves_model(report->stage), "model",
            "expected a finished quantize, warmup or tune to build on, got the folder of ", report->stage,
            ": ", folder.string(), " (key model.stages)");
    require_not_written(experiment, folder);
    const std::string remedy = "put it back, or do that stage again (key model.stages)";
    require_stage_files(folder, *report, remedy);
    add_stage(artifacts, folder, *report, remedy);
  }
}

std::vector<fs::path> files_of(const Artifacts& artifacts) {
  std::vector<fs::path> files = artifacts.dense;
  for (const auto& file : {artifacts.packed, artifacts.projector, artifacts.adapter}) {
    if (file) files.push_back(*file);
  }
  return files;
}

// Of a fully tuned model the packed weights are only the decoder's linears: embeddings, norms and head come
// from the files of that stage, which must be the one.
void require_packed_of_base(const Artifacts& artifacts) {
  if (!artifacts.packed) return;
  const std::string base = read_packed_header(*artifacts.packed).tuned_base;
  if (base == artifacts.tuned_base) return;
  const std::string packed = artifacts.packed->string();
  if (artifacts.dense.empty())
    fail("model", "expected the stage that tuned the model in full before its packed weights ", packed,
         ", got none (key model.stages)");
  fail("model", "expected packed weights of the fully tuned ", artifacts.dense.back().string(),
       ", got those of ", base.empty() ? "the checkpoint" : "another one", ": ", packed);
}

// `run` has just looked at every stage before, or done it anew. Another device is fine: a model may be tuned
// on a GPU and measured on the CPU.
void require_present_inputs(const Experiment& experiment, const std::string& stage,
                            const std::string& before) {
  if (experiment.options.command == "run") return;
  const fs::path folder = experiment.folder(before);
  const InputChange change = changed_inputs(folder, stage_inputs(experiment, before));
  if (change.what.empty() || change.only_device) return;
  fail(stage, "expected the recipe's ", before,
       " stage to be made of the present inputs, got one made of others (", change.what,
       "); `qslaw run` does it anew; or set that back, or name ", folder.string(),
       " in model.stages, which takes it as it is");
}

// Its header is there and speaks of as many bytes as the file has; what they are is checked where they are
// used.
void require_whole(const std::string& stage, const fs::path& file, const std::string& remedy) {
  try {
    const SafetensorsFile opened(file);
  } catch (const UserError& problem) {
    fail(stage, "expected the finished stage's file whole, got a damaged one: ", problem.what(), "; ",
         remedy);
  }
}

}  // namespace

std::string missing_file(const fs::path& folder, const StageReport& report) {
  for (const auto& [file, hash] : report.files) {
    std::error_code unreachable;
    if (!fs::exists(folder / file, unreachable)) return file;
  }
  return "";
}

void require_stage_files(const fs::path& folder, const StageReport& report, const std::string& remedy) {
  const std::string file = missing_file(folder, report);
  require(file.empty(), report.stage, "expected the file ", file,
          " that the finished stage's report names, got none at ", (folder / file).string(), "; ", remedy);
  for (const auto& [name, hash] : report.files) {
    if (name.ends_with(".safetensors")) require_whole(report.stage, folder / name, remedy);
  }
}

Artifacts collect_artifacts(const Experiment& experiment, const std::string& stage) {
  Artifacts artifacts;
  add_brought_stages(artifacts, experiment);
  const fs::path& given = experiment.recipe.model.adapter;
  require_key(
      given.empty() || !artifacts.adapter, "model.adapter",
      "expected one adapter, got also that of model.stages: ", artifacts.adapter.value_or("").string());
  for (const std::string& before : experiment.base_stages(stage)) {
    const fs::path folder = experiment.folder(before);
    const std::optional<StageReport> report = complete_report(folder);
    require(report.has_value(), stage, "expected the recipe's ", before,
            " stage to be complete, got no report in ", folder.string(), "; run `qslaw ", before, "` first");
    require_present_inputs(experiment, stage, before);
    require_stage_files(folder, *report, restart_remedy(before));
    add_stage(artifacts, folder, *report, restart_remedy(before));
  }
  require_packed_of_base(artifacts);
  if (!given.empty() && !artifacts.adapter && puts_adapter_on(stage)) artifacts.given_adapter = given;
  return artifacts;
}

void verify_artifacts(const Artifacts& artifacts, const std::string& stage) {
  for (const fs::path& file : files_of(artifacts)) {
    const ArtifactOrigin& origin = artifacts.origins.at(file);
    const std::string hash = sha256_file(file);
    require(hash == origin.sha256, stage, "expected the file that the finished ", origin.stage,
            " stage left, SHA-256 ", origin.sha256, ", got ", hash, ": ", file.string(), "; ", origin.remedy);
  }
}

std::string restart_remedy(const std::string& stage) {
  return "put it back, or do the stage again with `qslaw " + stage + "` and --restart";
}

}  // namespace qslaw
