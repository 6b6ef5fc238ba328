// What has to be settled with the system before vector libraries may use all of the processor.
#pragma once

namespace qslaw {

/// oneDNN uses AMX for bfloat16 as soon as the processor reports it. That ends in an illegal instruction
/// where Linux does not grant the tiles (since 5.16 a process must ask) or a virtual machine hides their
/// description. This asks, and where AMX cannot be used tells oneDNN to stay below it (ONEDNN_MAX_CPU_ISA,
/// unless the user has set it). Call it before the first product.
void prepare_cpu();

}  // namespace qslaw
