// Compiles one kernel source once per instruction set. The source looks like this:
//
//   #include <cmath>                               // standard headers, before the region: they stay baseline code
//   #include "call.h"
//   #define CRESSET_SOURCE "kernels/pointwise.cc"  // itself
//   #include "simd/each_target.h"
//   #ifdef CRESSET_TARGET
//   namespace cresset::CRESSET_TARGET { namespace { …helpers… }  Status neg(Call& call) { … } }
//   #endif
//
// The header includes the source again inside a region per target, with CRESSET_TARGET (avx2, avx512, neon, baseline) and
// CRESSET_VECTOR_BYTES set; the outermost pass itself compiles nothing. No lambda, template or inline function defined
// outside the region may hold code that is meant to be vectorized.
#if !defined(CRESSET_TARGET) && !defined(CRESSET_INSIDE_EACH_TARGET)
#define CRESSET_INSIDE_EACH_TARGET

// Before a loop whose iterations do not depend on each other; an output that is exactly an input is no dependence. Without
// it the compiler would choose at run time, by the operands' addresses, between loops whose roundings may differ.
#ifdef __clang__
#define CRESSET_INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#else
#define CRESSET_INDEPENDENT _Pragma("GCC ivdep")
#endif

#define CRESSET_INLINE inline __attribute__((always_inline))
// Before a loop over registers.
#define CRESSET_UNROLL _Pragma("GCC unroll 16")

#define CRESSET_TARGET baseline
#define CRESSET_VECTOR_BYTES 16
#include CRESSET_SOURCE
#undef CRESSET_TARGET
#undef CRESSET_VECTOR_BYTES

#if defined(__x86_64__) || defined(_M_X64)

#define CRESSET_TARGET avx2
#define CRESSET_VECTOR_BYTES 32
#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx2,fma,bmi2"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma,bmi2")
#endif
#include CRESSET_SOURCE
#ifdef __clang__
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#undef CRESSET_TARGET
#undef CRESSET_VECTOR_BYTES

#define CRESSET_TARGET avx512
#define CRESSET_VECTOR_BYTES 64
#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,bmi2"), min_vector_width(512))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,bmi2,prefer-vector-width=512")
#endif
#include CRESSET_SOURCE
#ifdef __clang__
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#undef CRESSET_TARGET
#undef CRESSET_VECTOR_BYTES

#elif defined(__aarch64__) || defined(_M_ARM64)

#define CRESSET_TARGET neon
#define CRESSET_VECTOR_BYTES 16
#include CRESSET_SOURCE
#undef CRESSET_TARGET
#undef CRESSET_VECTOR_BYTES

#endif
#undef CRESSET_INSIDE_EACH_TARGET
#endif
