// softmax and log_softmax along the last dimension: row by row where rows lie in memory, and where they lie across it, as along
// another dimension of the tensor, many columns at once.
#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>
#include <utility>
#include "call.h"
#include "kernels/scratch.h"
#include "kernels/walk.h"
#include "threads/thread_pool.h"
#define CRESSET_SOURCE "kernels/softmax.cc"
#include "simd/each_target.h"

#ifdef CRESSET_TARGET
#include "kernels/math.h"
#include "kernels/vector.h"
#include "kernels/positions.h"
#include "kernels/row.h"
#include "kernels/transpose.h"
#include "kernels/turned_rows.h"
#include "kernels/sum_lanes.h"
#include "kernels/row_groups.h"

namespace cresset::CRESSET_TARGET {
namespace {

// Of numbers: a NaN makes the sum NaN, and with it the whole row.
template <class T>
CRESSET_INLINE T greater(T a, T b) {
  return b > a ? b : a;
}

template <class T>
CRESSET_INLINE T row_max(const T* a, int64_t n) {
  return join_row<T>(n, -std::numeric_limits<T>::infinity(), [=](int64_t i) { return a[i]; },
                     [](auto a, auto b) { return greater(a, b); });
}

template <class T, bool kLog>
void softmax_row(const T* a, T* __restrict out, int64_t n) {
  const T largest = row_max(a, n);
  const T sum = row_sum<T>(n, [=](int64_t i) {
    const T y = math::exp_negative_in<T>(a[i] - largest);
    if constexpr (!kLog) out[i] = y;
    return y;
  });
  const T scale = 1 / sum, log_sum = static_cast<T>(math::log<T>(sum));
  for (int64_t i = 0; i < n; ++i) {
    if constexpr (kLog) out[i] = a[i] - largest - log_sum;
    else out[i] *= scale;
  }
}

template <class T, bool kLog>
void softmax_backward_row(const T* grad, const T* y, T* __restrict out, int64_t n) {
  const T sum = row_sum<T>(n, [=](int64_t i) { return kLog ? grad[i] : grad[i] * y[i]; });
  for (int64_t i = 0; i < n; ++i) out[i] = kLog ? grad[i] - math::exp_negative_in<T>(y[i]) * sum : y[i] * (grad[i] - sum);
}

// Calls f(inputs, output, n) for every row of operands [0, kInputs], whose last one is the output, and has those that do not lie
// in one run do so, in a buffer. False if there is no memory for that.
template <class T, int kInputs, class F>
bool for_joined_rows(Call& call, F&& f) {
  const int last = call.ndim - 1;
  const int64_t n = call.shape[last];
  int64_t stride[kInputs + 1];
  for (int i = 0; i <= kInputs; ++i) stride[i] = call.operands[i].strides[last];
  std::atomic<bool> failed = false;
  for_rows<kInputs + 1>(call, [&](const int64_t* offset) {
    T *row[kInputs + 1], *joined[kInputs + 1];
    T* buffer = nullptr;
    for (int i = 0; i <= kInputs; ++i) {
      joined[i] = row[i] = call.operands[i].as<T>() + offset[i];
      if (stride[i] == 1) continue;
      if (!buffer) buffer = reinterpret_cast<T*>(scratch(Scratch::call, (kInputs + 1) * n * sizeof(T)));
      if (!buffer) {
        failed = true;
        return;
      }
      joined[i] = buffer + i * n;
      for (int64_t j = 0; i < kInputs && j < n; ++j) joined[i][j] = row[i][j * stride[i]];
    }
    f(joined, joined[kInputs], n);
    for (int64_t j = 0; stride[kInputs] != 1 && j < n; ++j) row[kInputs][j * stride[kInputs]] = joined[kInputs][j];
  });
  return !failed;
}

// Of rows that lie in memory, of two vectors or more; those of the gradient are of one element, many times, if it is a sum's.
template <class T, bool kLog, bool kOne>
CRESSET_INLINE void softmax_backward_group(int rows, const T* const* grad, const T* const* y, T* const* out, int64_t n) {
  using V = Vector<T>;
  T sums[1][kGroup];
  add_rows<V>(rows, n, [&](int r) __attribute__((always_inline)) {
    return [g = grad[r], y = y[r]](int64_t i) __attribute__((always_inline)) {
      const V own = kOne ? V{} + *g : load(g + i);
      return std::array<V, 1>{kLog ? own : own * load(y + i)};
    };
  }, sums);
  for (int r = 0; r < rows; ++r) {
    // Whole vectors, the last of them over elements that are done already: what is left over would be done one by one.
    for (int64_t begin = 0, end = n & -kLanes<T>; begin < n; begin = end == n ? n : n - kLanes<T>, end = n) {
      CRESSET_INDEPENDENT
      for (int64_t i = begin; i < end; ++i) {
        const T own = grad[r][kOne ? 0 : i], v = y[r][i];
        out[r][i] = kLog ? own - math::exp_negative_in<T>(v) * sums[0][r] : v * (own - sums[0][r]);
      }
    }
  }
}

// Sums over columns round little: each is one of sums of so many rows.
constexpr int64_t kColumnRun = 128;

// Adds what add(i, sums) adds for each row i to `sums`.
template <class T, class Add>
CRESSET_INLINE void sum_columns(int64_t n, int width, T* sums, Add add) {
  std::fill_n(sums, width, T{});
  for (int64_t begin = 0; begin < n; begin += kColumnRun) {
    T part[kColumns] = {};
    for (int64_t i = begin, end = std::min(n, begin + kColumnRun); i < end; ++i) add(i, part);
    for (int j = 0; j < width; ++j) sums[j] += part[j];
  }
}

template <class T, bool kLog>
CRESSET_INLINE void softmax_columns(const T* a, int64_t stride, T* __restrict out, int64_t out_stride, int64_t n, int width) {
  T largest[kColumns], sums[kColumns];
  std::fill_n(largest, width, -std::numeric_limits<T>::infinity());
  for (int64_t i = 0; i < n; ++i) {
    const T* x = a + i * stride;
    for (int j = 0; j < width; ++j) largest[j] = greater(largest[j], x[j]);
  }
  sum_columns<T>(n, width, sums, [=, &largest](int64_t i, T* part) {
    const T* x = a + i * stride;
    T* y = out + i * out_stride;
    for (int j = 0; j < width; ++j) {
      const T e = math::exp_negative_in<T>(x[j] - largest[j]);
      if constexpr (!kLog) y[j] = e;
      part[j] += e;
    }
  });
  for (int j = 0; j < width; ++j) sums[j] = kLog ? static_cast<T>(math::log<T>(sums[j])) : 1 / sums[j];
  for (int64_t i = 0; i < n; ++i) {
    const T* x = a + i * stride;
    T* y = out + i * out_stride;
    for (int j = 0; j < width; ++j) y[j] = kLog ? x[j] - largest[j] - sums[j] : y[j] * sums[j];
  }
}

template <class T, bool kLog>
CRESSET_INLINE void softmax_backward_columns(const T* grad, int64_t grad_stride, const T* y, int64_t y_stride,
                                             T* __restrict out, int64_t out_stride, int64_t n, int width) {
  T sums[kColumns];
  sum_columns<T>(n, width, sums, [=](int64_t i, T* part) {
    const T *g = grad + i * grad_stride, *v = y + i * y_stride;
    for (int j = 0; j < width; ++j) part[j] += kLog ? g[j] : g[j] * v[j];
  });
  for (int64_t i = 0; i < n; ++i) {
    const T *g = grad + i * grad_stride, *v = y + i * y_stride;
    T* o = out + i * out_stride;
    for (int j = 0; j < width; ++j) o[j] = kLog ? g[j] - math::exp_negative_in<T>(v[j]) * sums[j] : v[j] * (g[j] - sums[j]);
  }
}

template <bool kLog>
Status softmax_along(Call& call) {
  return with_type<kFloats>(call, [&](auto zero) {
    using T = decltype(zero);
    if (has_columns<2>(call)) {
      for_columns<2>(call, [&](const int64_t* offset, int64_t n, const int64_t* step, int width) {
        softmax_columns<T, kLog>(call.operands[0].as<T>() + offset[0], step[0], call.operands[1].as<T>() + offset[1], step[1], n,
                                 width);
      });
      return Status::ok;
    }
    if (can_turn<2>(call)) {
      for_turned_rows<T, 1>(call, [](const T* const* in, T* out, int64_t n) {
        softmax_columns<T, kLog>(in[0], kLanes<T>, out, kLanes<T>, n, kLanes<T>);
      });
      return Status::ok;
    }
    const auto row = [](T* const* in, T* out, int64_t n) { softmax_row<T, kLog>(in[0], out, n); };
    return for_joined_rows<T, 1>(call, row) ? Status::ok : Status::out_of_memory;
  });
}

template <bool kLog>
Status softmax_backward_along(Call& call) {
  return with_type<kFloats>(call, [&](auto zero) {
    using T = decltype(zero);
    if (has_columns<3>(call)) {
      for_columns<3>(call, [&](const int64_t* offset, int64_t n, const int64_t* step, int width) {
        softmax_backward_columns<T, kLog>(call.operands[0].as<T>() + offset[0], step[0], call.operands[1].as<T>() + offset[1],
                                          step[1], call.operands[2].as<T>() + offset[2], step[2], n, width);
      });
      return Status::ok;
    }
    // Vectors of few lanes take longer to turn three operands than to add up rows that fill one.
    const bool pays = CRESSET_VECTOR_BYTES == 64 || call.shape[call.ndim - 1] < kLanes<T>;
    if (pays && can_turn<3>(call)) {
      for_turned_rows<T, 2>(call, [](const T* const* in, T* out, int64_t n) {
        softmax_backward_columns<T, kLog>(in[0], kLanes<T>, in[1], kLanes<T>, out, kLanes<T>, n, kLanes<T>);
      });
      return Status::ok;
    }
    const int last = call.ndim - 1;
    const int64_t n = call.shape[last];
    const int64_t grad_stride = call.operands[0].strides[last], y_stride = call.operands[1].strides[last];
    const int64_t out_stride = call.operands[2].strides[last];
    // Shorter ones are added up one by one, which takes less than a group's beginning and end.
    if (n >= 2 * kLanes<T> && y_stride == 1 && out_stride == 1 && (grad_stride == 1 || grad_stride == 0)) {
      for_row_groups<3>(call, [&](int rows, const int64_t (&offsets)[3][kGroup]) {
        const T *grad[kGroup], *y[kGroup];
        T* out[kGroup];
        for (int r = 0; r < rows; ++r) {
          grad[r] = call.operands[0].as<T>() + offsets[0][r];
          y[r] = call.operands[1].as<T>() + offsets[1][r];
          out[r] = call.operands[2].as<T>() + offsets[2][r];
        }
        if (grad_stride == 1) softmax_backward_group<T, kLog, false>(rows, grad, y, out, n);
        else softmax_backward_group<T, kLog, true>(rows, grad, y, out, n);
      });
      return Status::ok;
    }
    const auto row = [](T* const* in, T* out, int64_t n) { softmax_backward_row<T, kLog>(in[0], in[1], out, n); };
    return for_joined_rows<T, 2>(call, row) ? Status::ok : Status::out_of_memory;
  });
}

}  // namespace

Status softmax(Call& call) { return softmax_along<false>(call); }
Status log_softmax(Call& call) { return softmax_along<true>(call); }
Status softmax_backward(Call& call) { return softmax_backward_along<false>(call); }
Status log_softmax_backward(Call& call) { return softmax_backward_along<true>(call); }

}  // namespace cresset::CRESSET_TARGET
#endif
