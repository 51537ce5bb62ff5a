#include "cpu/features.h"

#if defined(__x86_64__) || defined(_M_X64)
#include <cpuid.h>
#endif

#include <cstdint>

namespace cresset {

#if defined(__x86_64__) || defined(_M_X64)

namespace {

// The register states the operating system saves: a CPU's AVX is of no use where these are lost at a context switch.
uint64_t saved_states() {
  uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return uint64_t{high} << 32 | low;
}

constexpr bool has(uint64_t bits, uint64_t mask) { return (bits & mask) == mask; }
constexpr uint64_t bit(int n) { return uint64_t{1} << n; }

}  // namespace

CpuFeatures detect_cpu() {
  CpuFeatures cpu;
  uint32_t eax, ebx, ecx, edx;
  if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx)) return cpu;
  if (!has(ecx, bit(12) | bit(27) | bit(28))) return cpu;  // FMA, OSXSAVE, AVX
  const uint64_t states = saved_states();
  if (!has(states, bit(1) | bit(2))) return cpu;  // XMM, YMM
  if (!__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx)) return cpu;
  cpu.avx2 = has(ebx, bit(5) | bit(8));  // AVX2, BMI2
  cpu.avx512 = cpu.avx2 && has(ebx, bit(16) | bit(17) | bit(30) | bit(31)) &&  // F, DQ, BW, VL
               has(states, bit(5) | bit(6) | bit(7));                          // opmask, ZMM0-15, ZMM16-31
  cpu.avx512_bf16 = cpu.avx512 && __get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx) && has(eax, bit(5));
  return cpu;
}

#else

CpuFeatures detect_cpu() { return {}; }

#endif

}  // namespace cresset
