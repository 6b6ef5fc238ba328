// Runs a test under every instruction set of this machine and numbers of threads.
#pragma once
#include <ATen/Parallel.h>

#include <catch2/catch.hpp>

#include "core/cpu_isa.h"

namespace qslaw {

/// at::set_num_threads as long as it lives.
class Threads {
 public:
  explicit Threads(int count) : before_(at::get_num_threads()) { at::set_num_threads(count); }
  ~Threads() { at::set_num_threads(before_); }
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;

 private:
  int before_;
};

/// Calls test() once per instruction set, which is in force meanwhile.
template <typename Test>
void for_each_isa(Test test) {
  for (const cpu::Isa isa : cpu::available_isas()) {
    INFO("instruction set " << cpu::isa_name(isa));
    const cpu::ForcedIsa forced(isa);
    test();
  }
}

}  // namespace qslaw
