// Normalisation of rows: to mean 0 and variance 1, or (not centered) to a mean square of 1, and its gradients. Each row is
// gone over while it is in the cache, so memory is read and written once.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <type_traits>
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

template <class T>
CRESSET_INLINE Statistics<T> statistics(const T* x, int64_t n, T eps, bool centered) {
  const T mean = centered ? row_sum<T>(n, [=](int64_t i) { return x[i]; }) / n : 0;
  const T squares = row_sum<T>(n, [=](int64_t i) { return (x[i] - mean) * (x[i] - mean); });
  return {mean, 1 / std::sqrt(squares / n + eps)};
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

// The gradients of one row. With x normalised and g = grad weight: out = scale (g - mean(g) - x mean(g x)), without mean(g) if
// not centered; what is added to the sums is grad x for the weight and grad for the bias.
template <class T, bool kOut, bool kSums, class Weighted>
CRESSET_INLINE void gradients(const T* grad, const T* x, Weighted g, T* out, T* weight_sum, T* bias_sum, int64_t n, T eps, bool centered) {
  T mean = 0, mean_g = 0;
  if (centered) {
    const auto [sum, sum_g] = row_sums<T>(n, [=](int64_t i) { return std::array<T, 2>{x[i], kOut ? g(i) : 0}; });
    mean = sum / n;
    mean_g = sum_g / n;
  }
  const auto [squares, sum_gx] = row_sums<T>(n, [=](int64_t i) {
    return std::array<T, 2>{(x[i] - mean) * (x[i] - mean), kOut ? g(i) * (x[i] - mean) : 0};
  });
  const T scale = 1 / std::sqrt(squares / n + eps), along = sum_gx * scale * scale / n;
  CRESSET_INDEPENDENT
  for (int64_t i = 0; i < n; ++i) {
    const T from_mean = x[i] - mean;
    if constexpr (kSums) {
      weight_sum[i] += grad[i] * (from_mean * scale);
      bias_sum[i] += grad[i];
    }
    if constexpr (kOut) out[i] = (g(i) - mean_g - from_mean * along) * scale;
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
    const int64_t per_block = std::max<int64_t>(1, kBlockElements / n), rows = call.shape[0];
    call.threads->for_each_block(ceil_div(rows, per_block), rows * n, [&](int64_t block) {
      for (int64_t i = block * per_block, end = std::min(rows, i + per_block); i < end; ++i) {
        const T* x = row<T>(call, 0, i);
        normalize<T>(x, row<T>(call, 1, i), row<T>(call, 2, i), row<T>(call, 3, i), n, statistics(x, n, eps, centered));
      }
    });
    return Status::ok;
  });
}

Status layer_norm_backward(Call& call) {
  return with_rows(call, 6, [&]<class T>(T) {
    const int64_t rows = call.shape[0], n = call.shape[1];
    const T eps = static_cast<T>(call.scalars[0]);
    const bool centered = call.scalars[1] != 0;
    const int64_t per_part = std::max(ceil_div(rows, kMaxParts), std::max<int64_t>(1, kPartElements / n));
    const int64_t parts = ceil_div(rows, per_part);
    const bool has_out = call.operands[3].data, has_sums = call.operands[4].data || call.operands[5].data;
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
      for (int64_t i = part * per_part, end = std::min(rows, i + per_part); i < end; ++i) {
        const T *grad = row<T>(call, 0, i), *x = row<T>(call, 1, i), *weight = row<T>(call, 2, i);
        const auto add = [&](auto g) {
          gradients<T, wants_out, wants_sums>(grad, x, g, row<T>(call, 3, i), weight_sum, bias_sum, n, eps, centered);
        };
        if (weight) add([=](int64_t j) { return grad[j] * weight[j]; });
        else add([=](int64_t j) { return grad[j]; });
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
