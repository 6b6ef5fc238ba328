#include "core/file_lock.h"

#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <csignal>
#include <fstream>
#include <thread>

#include "core/error.h"
#include "temporary_folder.h"

using namespace qslaw;
namespace fs = std::filesystem;

TEST_CASE("a lock is held once and leaves no file") {
  const TemporaryFolder folder;
  const fs::path file = folder.path() / "a.lock";
  {
    const FileLock lock(file);
    CHECK(lock.held());
    {
      const FileLock second(file);
      CHECK_FALSE(second.held());
    }
    // Somebody who does not hold it neither removes nor releases it.
    CHECK(fs::exists(file));
    CHECK_FALSE(FileLock(file).held());
    CHECK(FileLock(folder.path() / "b.lock").held());
  }
  CHECK_FALSE(fs::exists(file));
  std::ofstream(file) << "";  // as a killed process leaves it
  CHECK(FileLock(file).held());
  CHECK_FALSE(fs::exists(file));
  CHECK_THROWS_AS(FileLock(folder.path() / "missing" / "a.lock"), UserError);
}

TEST_CASE("a shared lock keeps out those that want it alone, and nobody else") {
  const TemporaryFolder folder;
  const fs::path file = folder.path() / "a.lock";
  CHECK_FALSE(is_exclusively_locked(file));
  CHECK_FALSE(fs::exists(file));
  {
    const FileLock first(file, LockKind::shared);
    {
      const FileLock second(file, LockKind::shared);
      CHECK(first.held());
      CHECK(second.held());
    }
    CHECK(fs::exists(file));  // the first still holds it
    CHECK_FALSE(FileLock(file).held());
    CHECK_FALSE(is_exclusively_locked(file));
    CHECK(fs::exists(file));
  }
  CHECK_FALSE(fs::exists(file));
  {
    const FileLock alone(file);
    CHECK(alone.held());
    CHECK_FALSE(FileLock(file, LockKind::shared).held());
    CHECK(is_exclusively_locked(file));
    CHECK(fs::exists(file));
  }
  CHECK_FALSE(fs::exists(file));
}

TEST_CASE("a lock that others only look at is had") {
  const TemporaryFolder folder;
  const fs::path file = folder.path() / "a.lock";
  std::ofstream(file) << "";
  std::atomic<bool> done = false;
  std::thread looker([&] {
    while (!done)
      is_exclusively_locked(file);
  });
  for (int i = 0; i < 50; ++i)
    CHECK(FileLock(file).held());
  done = true;
  looker.join();
  CHECK_FALSE(fs::exists(file));
}

TEST_CASE("a folder that may not be written is read without a lock, but not written") {
  const fs::path file = "/sys/qslaw_test.lock";  // not by root either
  CHECK(FileLock(file, LockKind::shared).held());
  CHECK_THROWS_AS(FileLock(file), UserError);
}

TEST_CASE("a killed process holds no lock") {
  const TemporaryFolder folder;
  const fs::path file = folder.path() / "a.lock";
  int ready[2] = {};
  REQUIRE(::pipe(ready) == 0);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    const FileLock lock(file);
    const char held = lock.held() ? 'y' : 'n';
    if (::write(ready[1], &held, 1) != 1) ::_exit(1);
    for (;;)
      ::pause();
  }
  char held = 'n';
  REQUIRE(::read(ready[0], &held, 1) == 1);
  CHECK(held == 'y');
  CHECK_FALSE(FileLock(file).held());
  ::kill(child, SIGKILL);
  REQUIRE(::waitpid(child, nullptr, 0) == child);
  CHECK(fs::exists(file));
  CHECK(FileLock(file).held());
  ::close(ready[0]);
  ::close(ready[1]);
}
