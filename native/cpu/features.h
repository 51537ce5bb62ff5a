// What the processor and the operating system support, and how many cores this process may use.
#pragma once

namespace cresset {

struct CpuFeatures {
  bool avx2 = false;    // with FMA and BMI2
  bool avx512 = false;  // F, BW, DQ and VL, with all of the above
  bool avx512_bf16 = false;
};

CpuFeatures detect_cpu();

// The scheduler's affinity mask and the control group's quota included; at least 1.
int usable_cores();

}  // namespace cresset
