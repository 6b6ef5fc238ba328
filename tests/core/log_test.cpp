#include "core/log.h"

#include <fcntl.h>
#include <unistd.h>

#include "core/files.h"
#include "temporary_folder.h"

using namespace qslaw;

namespace {

// What is written to stderr while it lives goes to a file.
class CapturedStderr {
 public:
  explicit CapturedStderr(const std::filesystem::path& file) : saved_(::dup(STDERR_FILENO)) {
    const int target = ::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    REQUIRE(target >= 0);
    ::dup2(target, STDERR_FILENO);
    ::close(target);
  }
  ~CapturedStderr() {
    ::dup2(saved_, STDERR_FILENO);
    ::close(saved_);
  }
  CapturedStderr(const CapturedStderr&) = delete;
  CapturedStderr& operator=(const CapturedStderr&) = delete;

 private:
  int saved_;
};

}  // namespace

TEST_CASE("a warning that is said once is said once, whoever says it") {
  const TemporaryFolder folder;
  const std::string path = (folder.path() / "log.txt").string();
  {
    const LogFile log(path);
    for (const char* text : {"ids repeat in a", "ids repeat in b", "ids repeat in a"})
      log_warning_once(text);
  }
  const std::string said = read_file(path);
  CHECK(said.find("ids repeat in a\n") != said.npos);
  CHECK(said.find("ids repeat in a\n") == said.rfind("ids repeat in a\n"));
  CHECK(said.find("ids repeat in b\n") != said.npos);
}

TEST_CASE("quiet hides information from stderr, not from the log file") {
  const TemporaryFolder folder;
  {
    const CapturedStderr captured(folder.path() / "stderr");
    const LogFile log((folder.path() / "log.txt").string());
    set_quiet(true);
    log_info("a step");
    log_warning("a problem");
    set_quiet(false);
    log_info("a last step");
  }
  const std::string shown = read_file(folder.path() / "stderr");
  CHECK_THAT(shown, !Catch::Contains("a step") && Catch::Contains("warning a problem"));
  CHECK_THAT(shown, Catch::Contains("info a last step"));
  const std::string kept = read_file(folder.path() / "log.txt");
  for (const char* line : {"info a step\n", "warning a problem\n", "info a last step\n"})
    CHECK_THAT(kept, Catch::Contains(line));
}
