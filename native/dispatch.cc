#include "dispatch.h"

#define CRESSET_SOURCE "dispatch.cc"
#include "simd/each_target.h"

#ifdef CRESSET_TARGET

namespace cresset::CRESSET_TARGET {

#define STRIDED(name, operands, scalars) Status name(Call&);
#define LIST(name, operands, scalars) Status name(ListCall&);
#include "kernels.def"
#undef STRIDED
#undef LIST

extern const KernelFunction kernels[kKernelCount];
const KernelFunction kernels[kKernelCount] = {
#define STRIDED(name, operands, scalars) name,
#define LIST(name, operands, scalars) name,
#include "kernels.def"
#undef STRIDED
#undef LIST
};

}  // namespace cresset::CRESSET_TARGET

#else

#define TARGET(name, usable)                         \
  namespace cresset::name {                          \
  extern const KernelFunction kernels[kKernelCount]; \
  }
#include "targets.def"
#undef TARGET

namespace cresset {

std::span<const Target> targets() {
  static constexpr Target all[] = {
#define TARGET(name, usable) {#name, []([[maybe_unused]] const CpuFeatures& cpu) -> bool { return usable; }, name::kernels},
#include "targets.def"
#undef TARGET
  };
  return all;
}

}  // namespace cresset

#endif
