// The kernels of each instruction set, and what the contract (kernels.def) says about each kernel.
#pragma once
#include <iterator>
#include <span>
#include <string_view>

#include "call.h"
#include "cpu/features.h"

namespace cresset {

// Its kind is the kernel's in kernels.def.
union KernelFunction {
  StridedKernel strided;
  ListKernel list;
  constexpr KernelFunction(StridedKernel f) : strided(f) {}
  constexpr KernelFunction(ListKernel f) : list(f) {}
};

struct Target {
  const char* name;
  bool (*usable)(const CpuFeatures&);
  const KernelFunction* kernels;  // kKernelCount, in the contract's order
};

// All sets this binary holds, best first.
std::span<const Target> targets();

struct KernelLine {
  bool list;  // LIST rather than STRIDED
  std::string_view name, operands, scalars;
};

inline constexpr KernelLine kContract[] = {
#define STRIDED(name, operands, scalars) {false, #name, operands, scalars},
#define LIST(name, operands, scalars) {true, #name, operands, scalars},
#include "kernels.def"
#undef STRIDED
#undef LIST
};
inline constexpr int kKernelCount = static_cast<int>(std::size(kContract));

}  // namespace cresset
