#define CATCH_CONFIG_RUNNER
#include <catch2/catch.hpp>

#include "core/cpu.h"

int main(int argc, char** argv) {
  qslaw::prepare_cpu();
  return Catch::Session().run(argc, argv);
}
