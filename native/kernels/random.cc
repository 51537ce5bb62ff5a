// Random numbers, PyTorch's on the CPU: the stream is mt19937's, and each distribution takes from it what PyTorch's takes.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <type_traits>
#include <utility>
#include "call.h"
#include "kernels/scratch.h"
#include "kernels/walk.h"
#include "threads/thread_pool.h"

// What is rounded, and when, decides whether the numbers are PyTorch's: a product is fused with a sum only where that is written.
#ifdef __clang__
#pragma clang fp contract(off)
#else
#pragma GCC optimize("fp-contract=off")
#endif

#define CRESSET_SOURCE "kernels/random.cc"
#include "simd/each_target.h"

#ifdef CRESSET_TARGET
namespace cresset::CRESSET_TARGET {
namespace {

constexpr int kWords = 624, kMiddle = 397;
constexpr int kState = kWords + 1;  // the words, and how many of them are used up

CRESSET_INLINE uint32_t twist(uint32_t u, uint32_t v) {
  return (((u & 0x80000000u) | (v & 0x7fffffffu)) >> 1) ^ (-(v & 1) & 0x9908b0dfu);
}

void refill(uint32_t* s) {
  for (int k = 0; k < kWords - kMiddle; ++k) s[k] = s[k + kMiddle] ^ twist(s[k], s[k + 1]);
  for (int k = kWords - kMiddle; k < kWords - 1; ++k) s[k] = s[k - (kWords - kMiddle)] ^ twist(s[k], s[k + 1]);
  s[kWords - 1] = s[kMiddle - 1] ^ twist(s[kWords - 1], s[0]);
}

// The next n outputs.
void draw(uint32_t* s, uint32_t* __restrict out, int64_t n) {
  int64_t used = s[kWords];
  while (n > 0) {
    if (used >= kWords) {  // beyond it if the state was seeded just now
      refill(s);
      used = 0;
    }
    const int64_t count = std::min(n, kWords - used);
    const uint32_t* words = s + used;
    for (int64_t i = 0; i < count; ++i) {
      uint32_t y = words[i];
      y ^= y >> 11;
      y ^= (y << 7) & 0x9d2c5680u;
      y ^= (y << 15) & 0xefc60000u;
      out[i] = y ^ (y >> 18);
    }
    used += count;
    out += count;
    n -= count;
  }
  s[kWords] = static_cast<uint32_t>(used);
}

// Calls f(words, begin, count) for the elements from `begin` on, with kEach words for each.
template <int kEach, class F>
void each_chunk(uint32_t* state, int64_t n, F&& f) {
  constexpr int64_t kChunk = 2048;
  uint32_t words[kEach * kChunk];
  for (int64_t begin = 0; begin < n; begin += kChunk) {
    const int64_t count = std::min(n - begin, kChunk);
    draw(state, words, kEach * count);
    f(words, begin, count);
  }
}

// a b + c, rounded once. Without an instruction for it floats go by double, where one in millions is rounded twice.
template <class T>
CRESSET_INLINE T fused(T a, T b, T c) {
#ifdef __aarch64__
  constexpr bool kInstruction = true;
#else
  constexpr bool kInstruction = CRESSET_VECTOR_BYTES > 16;
#endif
  if constexpr (std::is_same_v<T, double>) return __builtin_fma(a, b, c);
  else if constexpr (kInstruction) return __builtin_fmaf(a, b, c);
  else return static_cast<float>(static_cast<double>(a) * b + c);
}

// The low 24 bits of a word, as float numbers in [0, 1).
CRESSET_INLINE float unit(uint32_t word) { return static_cast<float>(static_cast<int32_t>(word & 0xffffff)) * 0x1p-24f; }

// The low 53 bits of two words, of which the first is the higher one.
CRESSET_INLINE uint64_t bits53(const uint32_t* words) { return static_cast<uint64_t>(words[0] & 0x1fffff) << 32 | words[1]; }

template <class T>
void fill_uniform(uint32_t* state, T* out, int64_t n, T from, T to) {
  const T scale = to - from;
  each_chunk<sizeof(T) / 4>(state, n, [=](const uint32_t* words, int64_t begin, int64_t count) {
    T* target = out + begin;
    for (int64_t i = 0; i < count; ++i) {
      T u;
      if constexpr (std::is_same_v<T, float>) u = unit(words[i]);
      else u = static_cast<T>(static_cast<int64_t>(bits53(words + 2 * i))) * 0x1p-53;
      const T x = fused(u, scale, from);
      target[i] = x == to ? from : x;
    }
  });
}

constexpr int kRun = 16;  // numbers that are made normal together: the first half with the second

// Cephes' logf, sinf and cosf, as PyTorch's vectors compute them.
CRESSET_INLINE void make_normal(float* run, float mean, float std) {
  CRESSET_INDEPENDENT
  for (int i = 0; i < kRun / 2; ++i) {
    // ln(1 - u) with 1 - u = 2^e (1 + x), 1 + x in [sqrt(1/2), sqrt(2)).
    const uint32_t bits = __builtin_bit_cast(uint32_t, 1 - run[i]);
    const float m = __builtin_bit_cast(float, (bits & 0x7fffff) | 0x3f000000);
    const bool small = m < 0x1.6a09e6p-1f;
    const float e = static_cast<float>(static_cast<int32_t>(bits >> 23) - 126 - small);
    float x = (small ? m + m : m) - 1;
    float z = x * x;
    float y = fused(7.0376836292e-2f, x, -1.151461031e-1f);
    y = fused(y, x, 1.167699874e-1f);
    y = fused(y, x, -1.2420140846e-1f);
    y = fused(y, x, 1.4249322787e-1f);
    y = fused(y, x, -1.6668057665e-1f);
    y = fused(y, x, 2.0000714765e-1f);
    y = fused(y, x, -2.4999993993e-1f);
    y = fused(y, x, 3.3333331174e-1f);
    y = fused(y * x, z, e * -2.12194440e-4f) - z * 0.5f;
    const float radius = std::sqrt(-2 * fused(e, 0.693359375f, x + y));

    // The angle as an even number of eighths of a turn and a rest within one of them.
    const float theta = 6.283185307179586f * run[i + kRun / 2];
    const int32_t octant = (static_cast<int32_t>(theta * 1.27323954473516f) + 1) & ~1;
    const float turned = static_cast<float>(octant);
    x = fused(turned, -0.78515625f, theta);
    x = fused(turned, -2.4187564849853515625e-4f, x);
    x = fused(turned, -3.77489497744594108e-8f, x);
    z = x * x;
    y = fused(2.443315711809948e-5f, z, -1.388731625493765e-3f);
    y = fused(y, z, 4.166664568298827e-2f);
    const float even = fused(y * z, z, z * -0.5f) + 1;
    y = fused(-1.9515295891e-4f, z, 8.3321608736e-3f);
    y = fused(y, z, -1.6666654611e-1f);
    const float odd = fused(y * z, x, x);
    const bool across = octant & 2;
    const float sign = octant & 4 ? -1.f : 1.f;
    run[i] = fused(radius * (sign * (across ? -odd : even)), std, mean);
    run[i + kRun / 2] = fused(radius * (sign * (across ? even : odd)), std, mean);
  }
}

void make_normal(double* run, double mean, double std) {
  for (int i = 0; i < kRun / 2; ++i) {
    const double radius = std::sqrt(-2 * std::log(1 - run[i]));
    const double theta = 2 * 3.14159265358979323846 * run[i + kRun / 2];
    run[i] = fused(radius * std::cos(theta), std, mean);
    run[i + kRun / 2] = fused(radius * std::sin(theta), std, mean);
  }
}

// Calls f with the contiguous elements of operand 0, if the call is what the contract says.
template <unsigned kTypes, class F>
Status with_out(Call& call, F&& f) {
  if (call.shape[1] != kState || call.operands[1].strides[1] != 1) return Status::bad_frame;
  if (call.shape[0] > 1 && call.operands[0].strides[0] != 1) return Status::bad_frame;
  return with_type<kTypes>(call, [&](auto zero) { return f(call.operands[0].as<decltype(zero)>()); });
}

// out = from + a word modulo range, where range is at most 2^31.
template <class T>
void fill_integers(uint32_t* state, T* out, int64_t n, uint64_t from, double range) {
  each_chunk<1>(state, n, [=](const uint32_t* words, int64_t begin, int64_t count) {
    T* target = out + begin;
    for (int64_t i = 0; i < count; ++i) {
      const double word = words[i];
      const double rest = word - std::floor(word / range) * range;  // all of it exact
      if constexpr (std::is_floating_point_v<T>) target[i] = static_cast<T>(static_cast<double>(static_cast<int64_t>(from)) + rest);
      else target[i] = static_cast<T>(from + static_cast<uint64_t>(static_cast<int32_t>(rest)));
    }
  });
}

// out = from + two words modulo range; 0 stands for 2^64.
template <class T>
void fill_wide_integers(uint32_t* state, T* out, int64_t n, uint64_t from, uint64_t range) {
  const uint64_t mask = range - 1;
  const bool power_of_two = (range & mask) == 0;
  each_chunk<2>(state, n, [=](const uint32_t* words, int64_t begin, int64_t count) {
    T* target = out + begin;
    for (int64_t i = 0; i < count; ++i) {
      const uint64_t word = static_cast<uint64_t>(words[2 * i]) << 32 | words[2 * i + 1];
      target[i] = static_cast<T>(static_cast<int64_t>(from + (power_of_two ? word & mask : word % range)));
    }
  });
}

// The 64 bits of which the scalars are the halves; false if they are none.
bool read_halves(const double* scalars, uint64_t& bits) {
  const double high = scalars[0], low = scalars[1];
  if (!(high >= -0x1p31 && high < 0x1p32 && low >= 0 && low < 0x1p32)) return false;
  bits = static_cast<uint64_t>(static_cast<int64_t>(high)) << 32 | static_cast<uint64_t>(low);
  return true;
}

// Calls f(u) for n uniform numbers u in [0, 1), on all threads, and writes what it makes of them.
template <class T, class F>
Status map_uniform(Call& call, T* out, F f) {
  constexpr int64_t kAtOnce = 16384, kBlock = 512, kWork = 8;  // as much as so many elements of other kernels
  auto* const u = reinterpret_cast<double*>(scratch(Scratch::call, kAtOnce * sizeof(double)));
  if (!u) return Status::out_of_memory;
  for (int64_t begin = 0, n = call.shape[0]; begin < n; begin += kAtOnce) {
    const int64_t count = std::min(kAtOnce, n - begin);
    fill_uniform<double>(call.operands[1].as<uint32_t>(), u, count, 0, 1);
    call.threads->for_each_block(ceil_div(count, kBlock), kWork * count, [=](int64_t block) {
      const int64_t end = std::min(count, (block + 1) * kBlock);
      for (int64_t i = block * kBlock; i < end; ++i) {
        const double x = f(u[i]);
        if constexpr (std::is_floating_point_v<T>) out[begin + i] = static_cast<T>(x);
        else out[begin + i] = static_cast<T>(static_cast<int64_t>(std::fmin(x, 0x1p62)));
      }
    });
  }
  return Status::ok;
}

// By Fisher and Yates, from the front; from a twentieth of 2^32 on, for which 32 bits are too few, while it is filled.
template <class T>
void permute(uint32_t* state, T* out, int64_t n) {
  if (n < 214748364) {
    for (int64_t i = 0; i < n; ++i) out[i] = static_cast<T>(i);
    each_chunk<1>(state, n - 1, [=](const uint32_t* words, int64_t begin, int64_t count) {
      T* const rest = out + begin;
      for (int64_t i = 0; i < count; ++i) {
        const uint32_t left = static_cast<uint32_t>(n - begin - i);
        std::swap(rest[i], rest[i + words[i] % left]);
      }
    });
    return;
  }
  each_chunk<2>(state, n, [=](const uint32_t* words, int64_t begin, int64_t count) {
    for (int64_t i = begin; i < begin + count; ++i, words += 2) {
      const uint64_t word = static_cast<uint64_t>(words[0]) << 32 | words[1];
      T& other = out[word % static_cast<uint64_t>(i + 1)];
      out[i] = other;
      other = static_cast<T>(i);
    }
  });
}

// The first of `n` ascending numbers that is not below u, or n.
template <class T>
int64_t lower_bound(const T* sums, int64_t n, double u) {
  const T* from = sums;
  for (; n > 0; n -= (n + 1) / 2) from += from[n / 2] < u ? (n + 1) / 2 : 0;
  return from - sums;
}

}  // namespace

Status uniform(Call& call) {
  return with_out<kFloats>(call, [&]<class T>(T* out) {
    fill_uniform(call.operands[1].as<uint32_t>(), out, call.shape[0], static_cast<T>(call.scalars[0]), static_cast<T>(call.scalars[1]));
    return Status::ok;
  });
}

Status normal(Call& call) {
  return with_out<kFloats>(call, [&]<class T>(T* out) {
    uint32_t* state = call.operands[1].as<uint32_t>();
    const int64_t n = call.shape[0], runs = n / kRun;
    const T mean = static_cast<T>(call.scalars[0]), std = static_cast<T>(call.scalars[1]);
    if (runs == 0) return Status::bad_frame;
    fill_uniform<T>(state, out, n, 0, 1);
    constexpr int64_t kRunsPerBlock = 256;
    call.threads->for_each_block(ceil_div(runs, kRunsPerBlock), n, [&](int64_t block) {
      const int64_t end = std::min(runs, (block + 1) * kRunsPerBlock);
      for (int64_t i = block * kRunsPerBlock; i < end; ++i) make_normal(out + i * kRun, mean, std);
    });
    if (n % kRun == 0) return Status::ok;
    T* last = out + n - kRun;
    fill_uniform<T>(state, last, kRun, 0, 1);
    make_normal(last, mean, std);
    return Status::ok;
  });
}

Status bernoulli(Call& call) {
  const double p = call.scalars[0];
  // u < p, both times 2^53.
  const uint64_t below = p > 0 ? static_cast<uint64_t>(std::ceil(std::min(p, 1.0) * 0x1p53)) : 0;
  return with_out<kAnyType>(call, [&]<class T>(T* out) {
    each_chunk<2>(call.operands[1].as<uint32_t>(), call.shape[0], [=](const uint32_t* words, int64_t begin, int64_t count) {
      T* target = out + begin;
      for (int64_t i = 0; i < count; ++i) target[i] = static_cast<T>(bits53(words + 2 * i) < below);
    });
    return Status::ok;
  });
}

Status random(Call& call) {
  uint64_t from, range;
  if (!read_halves(call.scalars, from) || !read_halves(call.scalars + 2, range)) return Status::bad_frame;
  const double words = call.scalars[4];
  if (words != 2 && !(words == 1 && range >= 1 && range <= uint64_t{1} << 31)) return Status::bad_frame;
  return with_out<kAnyType>(call, [&]<class T>(T* out) {
    uint32_t* state = call.operands[1].as<uint32_t>();
    if (words == 2) fill_wide_integers(state, out, call.shape[0], from, range);
    else fill_integers(state, out, call.shape[0], from, static_cast<double>(range));
    return Status::ok;
  });
}

Status randperm(Call& call) {
  return with_out<kNumbers>(call, [&]<class T>(T* out) {
    permute(call.operands[1].as<uint32_t>(), out, call.shape[0]);
    return Status::ok;
  });
}

Status exponential(Call& call) {
  const double scale = -1 / call.scalars[0];
  return with_out<kFloats>(call, [&](auto* out) { return map_uniform(call, out, [=](double u) { return scale * std::log1p(-u); }); });
}

Status cauchy(Call& call) {
  const double median = call.scalars[0], sigma = call.scalars[1];
  return with_out<kFloats>(call, [&](auto* out) {
    return map_uniform(call, out, [=](double u) { return fused(sigma, std::tan(3.14159265358979323846 * (u - 0.5)), median); });
  });
}

Status geometric(Call& call) {
  const double p = call.scalars[0], failed = std::log1p(-p);
  if (!(p > 0 && p < 1)) return Status::bad_frame;
  return with_out<kNumbers>(call, [&](auto* out) {
    return map_uniform(call, out, [=](double u) { return std::ceil(std::log(u) / failed); });
  });
}

Status multinomial(Call& call) {
  if (call.shape[2] > 1 && call.operands[0].strides[2] != 1) return Status::bad_frame;
  return with_type<kFloats>(call, [&](auto zero) {
    using T = decltype(zero);
    const int64_t rows = call.shape[0], samples = call.shape[1], n = call.shape[2];
    std::atomic<bool> out_of_memory = false;
    call.threads->for_each_block(rows, rows * (samples + n), [&](int64_t row) {
      T* const sums = reinterpret_cast<T*>(scratch(Scratch::call, n * sizeof(T)));
      if (!sums) {
        out_of_memory = true;
        return;
      }
      const T* weights = call.operands[0].as<T>() + row * call.operands[0].strides[0];
      T sum = 0;
      for (int64_t i = 0; i < n; ++i) sums[i] = sum += weights[i];
      for (int64_t i = 0; i < n; ++i) sums[i] /= sum;
      for (int64_t i = 0; i < samples; ++i) {
        int64_t& out = call.operands[1].as<int64_t>()[row * call.operands[1].strides[0] + i * call.operands[1].strides[1]];
        out = lower_bound(sums, n - 1, static_cast<double>(out) * 0x1p-53);  // the last bounds them all, however it is rounded
      }
    });
    return out_of_memory ? Status::out_of_memory : Status::ok;
  });
}

}  // namespace cresset::CRESSET_TARGET
#endif
