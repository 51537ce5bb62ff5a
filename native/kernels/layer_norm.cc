// Normalisation of rows: to mean 0 and variance 1, or (not centered) to a mean square of 1, and its gradients. Each row is
// gone over while it is in the cache, so memory is read and written once.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <type_traits>
#include <utility>
#include "call.h"
#include "kernels/scratch.h"
#include "kernels/walk.h"
#include "threads/thread_pool.h"
#define CRESSET_SOURCE "kernels/layer_norm.cc"
#include "simd/each_target.h"

#ifdef CRESSET_TARGET
#include "kernels/vector.h"
#include "kernels/positions.h"
#include "kernels/row.h"
#include "kernels/sum_lanes.h"
#include "kernels/row_groups.h"

namespace cresset::CRESSET_TARGET {
namespace {

// Row i of an operand, nullptr if that is absent.
template <class T>
T* row(const Call& call, int operand, int64_t i) {
  const Operand& o = call.operands[operand];
  return o.data ? o.as<T>() + i * o.strides[0] : nullptr;
}

// Calls f with a zero of the dtype, if all rows are contiguous.
template <class F>
Status with_rows(Call& call, int operands, F&& f) {
  for (int i = 0; i < operands; ++i) {
    if (call.operands[i].data && call.operands[i].strides[1] != 1) return Status::bad_frame;
  }
  return with_type<kFloats>(call, f);
}

template <class T>
struct Statistics {
  T mean, scale;  // a row is normalised as (x - mean) scale
};

// Those of a group of rows.
template <class V, class T>
CRESSET_INLINE void statistics(int rows, const T* const* x, int64_t n, T eps, bool centered, Statistics<T>* s) {
  using Terms = std::array<V, 1>;
  T sums[1][kGroup], mean[kGroup] = {}, scale[kGroup];
  if (centered) {
    add_rows<V>(rows, n, [&](int r) __attribute__((always_inline)) {
      return [x = x[r]](int64_t i) __attribute__((always_inline)) { return Terms{load_as<V>(x + i)}; };
    }, sums);
    for (int r = 0; r < kGroup; ++r) mean[r] = sums[0][r] / n;
  }
  add_rows<V>(rows, n, [&](int r) __attribute__((always_inline)) {
    return [x = x[r], mean = V{} + mean[r]](int64_t i) __attribute__((always_inline)) {
      const V from_mean = load_as<V>(x + i) - mean;
      return Terms{from_mean * from_mean};
    };
  }, sums);
  for (int r = 0; r < kGroup; ++r) scale[r] = 1 / std::sqrt(sums[0][r] / n + eps);
  for (int r = 0; r < rows; ++r) s[r] = {mean[r], scale[r]};
}

template <class T>
CRESSET_INLINE void normalize(const T* x, const T* weight, const T* bias, T* out, int64_t n, Statistics<T> s) {
  if (weight && bias) {
    CRESSET_INDEPENDENT
    for (int64_t i = 0; i < n; ++i) out[i] = (x[i] - s.mean) * s.scale * weight[i] + bias[i];
  } else if (weight) {
    CRESSET_INDEPENDENT
    for (int64_t i = 0; i < n; ++i) out[i] = (x[i] - s.mean) * s.scale * weight[i];
  } else if (bias) {
    CRESSET_INDEPENDENT
    for (int64_t i = 0; i < n; ++i) out[i] = (x[i] - s.mean) * s.scale + bias[i];
  } else {
    CRESSET_INDEPENDENT
    for (int64_t i = 0; i < n; ++i) out[i] = (x[i] - s.mean) * s.scale;
  }
}

// What a row's gradients are made of. With x normalised and g = grad weight, they are scale (g - mean(g) - x mean(g x)), without
// mean(g) if not centered; `along` is mean(g x) scale.
template <class T>
struct Slopes {
  T mean, mean_g, scale, along;
};

// Those of a group of rows; weighted_of(r)(i) is g.
template <class V, bool kOut, class T, class Weighted>
CRESSET_INLINE void slopes(int rows, const T* const* x, Weighted weighted_of, int64_t n, T eps, bool centered, Slopes<T>* s) {
  using Terms = std::array<V, 2>;
  T sums[2][kGroup], mean[kGroup] = {}, mean_g[kGroup] = {}, scale[kGroup], along[kGroup];
  if (centered) {
    add_rows<V>(rows, n, [&](int r) __attribute__((always_inline)) {
      return [x = x[r], g = weighted_of(r)](int64_t i) __attribute__((always_inline)) {
        return Terms{load_as<V>(x + i), kOut ? g(i) : V{}};
      };
    }, sums);
    for (int r = 0; r < kGroup; ++r) {
      mean[r] = sums[0][r] / n;
      mean_g[r] = sums[1][r] / n;
    }
  }
  add_rows<V>(rows, n, [&](int r) __attribute__((always_inline)) {
    return [x = x[r], mean = V{} + mean[r], g = weighted_of(r)](int64_t i) __attribute__((always_inline)) {
      const V from_mean = load_as<V>(x + i) - mean;
      return Terms{from_mean * from_mean, kOut ? g(i) * from_mean : V{}};
    };
  }, sums);
  for (int r = 0; r < kGroup; ++r) {
    scale[r] = 1 / std::sqrt(sums[0][r] / n + eps);
    along[r] = sums[1][r] * scale[r] * scale[r] / n;
  }
  for (int r = 0; r < rows; ++r) s[r] = {mean[r], mean_g[r], scale[r], along[r]};
}

// The gradients of one row; what is added to the sums is grad x for the weight and grad for the bias.
template <class T, bool kOut, bool kSums, class Weighted>
CRESSET_INLINE void gradients(const T* grad, const T* x, Weighted g, T* out, T* weight_sum, T* bias_sum, int64_t n, Slopes<T> s) {
  CRESSET_INDEPENDENT
  for (int64_t i = 0; i < n; ++i) {
    const T from_mean = x[i] - s.mean;
    if constexpr (kSums) {
      weight_sum[i] += grad[i] * (from_mean * s.scale);
      bias_sum[i] += grad[i];
    }
    if constexpr (kOut) out[i] = (g(i) - s.mean_g - from_mean * s.along) * s.scale;
  }
}

// The rows of a call in parts, each summed on its own. They do not depend on the number of threads.
constexpr int64_t kPartElements = 16384, kMaxParts = 64;

}  // namespace

Status layer_norm(Call& call) {
  return with_rows(call, 4, [&]<class T>(T) {
    const int64_t n = call.shape[1];
    const T eps = static_cast<T>(call.scalars[0]);
    const bool centered = call.scalars[1] != 0;
    const int64_t per_block = std::max<int64_t>(1, kBlockElements / n), rows = call.shape[0], group = group_of(n);
    call.threads->for_each_block(ceil_div(rows, per_block), rows * n, [&](int64_t block) {
      for (int64_t i = block * per_block, end = std::min(rows, i + per_block); i < end; i += group) {
        const int held = static_cast<int>(std::min<int64_t>(group, end - i));
        const T* x[kGroup];
        Statistics<T> s[kGroup];
        for (int r = 0; r < held; ++r) x[r] = row<T>(call, 0, i + r);
        with_width<T>(n, [&]<class V>(V) { statistics<V>(held, x, n, eps, centered, s); });
        for (int r = 0; r < held; ++r) {
          normalize<T>(x[r], row<T>(call, 1, i + r), row<T>(call, 2, i + r), row<T>(call, 3, i + r), n, s[r]);
        }
      }
    });
    return Status::ok;
  });
}

Status layer_norm_backward(Call& call) {
  return with_rows(call, 6, [&]<class T>(T) {
    const int64_t rows = call.shape[0], n = call.shape[1], group = group_of(n);
    const T eps = static_cast<T>(call.scalars[0]);
    const bool centered = call.scalars[1] != 0;
    const int64_t per_part = std::max(ceil_div(rows, kMaxParts), std::max<int64_t>(1, kPartElements / n));
    const int64_t parts = ceil_div(rows, per_part);
    const bool has_weight = call.operands[2].data, has_out = call.operands[3].data;
    const bool has_sums = call.operands[4].data || call.operands[5].data;
    if (!has_out && !has_sums) return Status::ok;
    T* sums = nullptr;
    if (has_sums) {
      sums = reinterpret_cast<T*>(scratch(Scratch::call, 2 * parts * n * sizeof(T)));
      if (!sums) return Status::out_of_memory;
    }
    const auto add_part = [&](auto wants_out, auto wants_sums, int64_t part) {
      T* weight_sum = wants_sums ? sums + 2 * part * n : nullptr;
      T* bias_sum = wants_sums ? weight_sum + n : nullptr;
      if (wants_sums) std::fill_n(weight_sum, 2 * n, 0);
      for (int64_t i = part * per_part, end = std::min(rows, i + per_part); i < end; i += group) {
        const int held = static_cast<int>(std::min<int64_t>(group, end - i));
        const T *grad[kGroup], *x[kGroup], *weight[kGroup];
        for (int r = 0; r < held; ++r) {
          grad[r] = row<T>(call, 0, i + r);
          x[r] = row<T>(call, 1, i + r);
          weight[r] = has_weight ? row<T>(call, 2, i + r) : grad[r];  // in place of null, for arithmetic
        }
        Slopes<T> s[kGroup];
        const auto add = [&](auto weighted) __attribute__((always_inline)) {
          const auto g_of = [&](int r, auto width) __attribute__((always_inline)) {
            return [=, own = grad[r], factor = weight[r]](int64_t j) __attribute__((always_inline)) {
              return weighted(width, own + j, factor + j);
            };
          };
          with_width<T>(n, [&]<class V>(V width) __attribute__((always_inline)) {
            slopes<V, wants_out>(held, x, [&](int r) { return g_of(r, width); }, n, eps, centered, s);
          });
          for (int r = 0; r < held; ++r) {
            gradients<T, wants_out, wants_sums>(grad[r], x[r], g_of(r, T{}), row<T>(call, 3, i + r), weight_sum, bias_sum, n, s[r]);
          }
        };
        if (has_weight) {
          add([]<class V>(V, const T* own, const T* factor) __attribute__((always_inline)) {
            return load_as<V>(own) * load_as<V>(factor);
          });
        } else {
          add([]<class V>(V, const T* own, const T*) __attribute__((always_inline)) { return load_as<V>(own); });
        }
      }
    };
    constexpr std::true_type yes;
    constexpr std::false_type no;
    call.threads->for_each_block(parts, rows * n, [&](int64_t part) {
      if (!has_out) add_part(no, yes, part);
      else if (has_sums) add_part(yes, yes, part);
      else add_part(yes, no, part);
    });
    for (int which : {0, 1}) {
      T* out = row<T>(call, 4 + which, 0);
      if (!out) continue;
      constexpr int64_t kColumns = 512;
      call.threads->for_each_block(ceil_div(n, kColumns), parts * n, [&](int64_t block) {
        const int64_t begin = block * kColumns, end = std::min(n, begin + kColumns);
        T* total = sums + which * n;
        for (int64_t part = 1; part < parts; ++part) {
          const T* more = total + 2 * part * n;
          CRESSET_INDEPENDENT
          for (int64_t i = begin; i < end; ++i) total[i] += more[i];
        }
        for (int64_t i = begin; i < end; ++i) out[i] = total[i];
      });
    }
    return Status::ok;
  });
}

}  // namespace cresset::CRESSET_TARGET
#endif
