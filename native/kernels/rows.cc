// Kernels that run along the last dimension, one row at a time.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>
#include "call.h"
#include "kernels/walk.h"
#include "threads/thread_pool.h"
#define CRESSET_SOURCE "kernels/rows.cc"
#include "simd/each_target.h"

#ifdef CRESSET_TARGET
#include "kernels/math.h"
#include "kernels/vector.h"
#include "kernels/row.h"

namespace cresset::CRESSET_TARGET {
namespace {

// Running sums and products of floats are kept in double.
template <class T, class Join>
Status cumulate(Call& call, double initial, Join join) {
  using Running = std::conditional_t<std::is_floating_point_v<T>, double, uint64_t>;
  const int last = call.ndim - 1;
  const int64_t n = call.shape[last], stride = call.operands[0].strides[last], out_stride = call.operands[1].strides[last];
  for_rows<2>(call, [&](const int64_t* offset) {
    const T* a = call.operands[0].as<T>() + offset[0];
    T* out = call.operands[1].as<T>() + offset[1];
    Running running = static_cast<Running>(initial);
    for (int64_t i = 0; i < n; ++i) {
      running = join(running, static_cast<Running>(a[i * stride]));
      out[i * out_stride] = static_cast<T>(running);
    }
  });
  return Status::ok;
}

template <class T>
CRESSET_INLINE T row_max(const T* a, int64_t n, int64_t stride) {
  return join_row<T>(n, -std::numeric_limits<T>::infinity(), [=](int64_t i) { return a[i * stride]; },
                     [](auto a, auto b) { return ((b > a) | (b != b)) ? b : a; });
}

template <class T, bool kLog>
CRESSET_INLINE void softmax_row(const T* a, int64_t stride, T* __restrict out, int64_t out_stride, int64_t n) {
  const T largest = row_max(a, n, stride);
  const T sum = row_sum<T>(n, [=](int64_t i) {
    const T y = math::exp_in<T>(a[i * stride] - largest);
    if constexpr (!kLog) out[i * out_stride] = y;
    return y;
  });
  const T scale = 1 / sum, log_sum = static_cast<T>(math::log<T>(sum));
  for (int64_t i = 0; i < n; ++i) {
    if constexpr (kLog) out[i * out_stride] = a[i * stride] - largest - log_sum;
    else out[i * out_stride] *= scale;
  }
}

template <class T, bool kLog>
CRESSET_INLINE void softmax_backward_row(const T* grad, int64_t grad_stride, const T* y, int64_t y_stride, T* __restrict out,
                                         int64_t out_stride, int64_t n) {
  const T sum = row_sum<T>(n, [=](int64_t i) { return kLog ? grad[i * grad_stride] : grad[i * grad_stride] * y[i * y_stride]; });
  for (int64_t i = 0; i < n; ++i) {
    const T g = grad[i * grad_stride], v = y[i * y_stride];
    out[i * out_stride] = kLog ? g - math::exp_in<T>(v) * sum : v * (g - sum);
  }
}

template <bool kLog>
Status softmax_rows(Call& call) {
  return with_type<kFloats>(call, [&](auto zero) {
    using T = decltype(zero);
    const int last = call.ndim - 1;
    const int64_t n = call.shape[last], stride = call.operands[0].strides[last], out_stride = call.operands[1].strides[last];
    for_rows<2>(call, [&](const int64_t* offset) {
      const T* a = call.operands[0].as<T>() + offset[0];
      T* out = call.operands[1].as<T>() + offset[1];
      if (stride == 1 && out_stride == 1) softmax_row<T, kLog>(a, 1, out, 1, n);
      else softmax_row<T, kLog>(a, stride, out, out_stride, n);
    });
    return Status::ok;
  });
}

template <bool kLog>
Status softmax_backward_rows(Call& call) {
  return with_type<kFloats>(call, [&](auto zero) {
    using T = decltype(zero);
    const int last = call.ndim - 1;
    const int64_t n = call.shape[last];
    const int64_t grad_stride = call.operands[0].strides[last], y_stride = call.operands[1].strides[last];
    const int64_t out_stride = call.operands[2].strides[last];
    for_rows<3>(call, [&](const int64_t* offset) {
      const T* grad = call.operands[0].as<T>() + offset[0];
      const T* y = call.operands[1].as<T>() + offset[1];
      T* out = call.operands[2].as<T>() + offset[2];
      if (grad_stride == 1 && y_stride == 1 && out_stride == 1) softmax_backward_row<T, kLog>(grad, 1, y, 1, out, 1, n);
      else softmax_backward_row<T, kLog>(grad, grad_stride, y, y_stride, out, out_stride, n);
    });
    return Status::ok;
  });
}

// A class that nll_loss is to look up; all are checked before anything is written.
Status check_classes(Call& call) {
  const int last = call.ndim - 1;
  const int64_t* index = call.operands[1].as<int64_t>();
  Walk<2> at(call, 0, last);
  for (int64_t i = 0, n = count(call, 0, last); i < n; ++i, at.next()) {
    const int64_t k = index[at.offset[1]];
    if ((k >= 0 && k < call.shape[last]) || static_cast<double>(k) == call.scalars[0]) continue;
    call.detail[0] = static_cast<double>(k);
    call.detail[1] = static_cast<double>(call.shape[last]);
    return Status::index_out_of_range;
  }
  return Status::ok;
}

}  // namespace

Status cumsum(Call& call) {
  return with_type<kNumbers>(call, [&](auto zero) {
    return cumulate<decltype(zero)>(call, 0, [](auto a, auto b) { return a + b; });
  });
}
Status cumprod(Call& call) {
  return with_type<kNumbers>(call, [&](auto zero) {
    return cumulate<decltype(zero)>(call, 1, [](auto a, auto b) { return a * b; });
  });
}
Status softmax(Call& call) { return softmax_rows<false>(call); }
Status log_softmax(Call& call) { return softmax_rows<true>(call); }
Status softmax_backward(Call& call) { return softmax_backward_rows<false>(call); }
Status log_softmax_backward(Call& call) { return softmax_backward_rows<true>(call); }

Status nll_loss(Call& call) {
  return with_type<kFloats>(call, [&](auto zero) {
    using T = decltype(zero);
    const int last = collapse(call, 5, 0, call.ndim - 1);
    if (const Status status = check_classes(call); status != Status::ok) return status;
    const T *a = call.operands[0].as<T>(), *weight = call.operands[2].as<T>();
    const int64_t* index = call.operands[1].as<int64_t>();
    T* out = call.operands[3].as<T>();
    const int64_t step = call.operands[0].strides[last], weight_step = call.operands[2].strides[last];
    const double ignored = call.scalars[0], reduction = call.scalars[1];
    double sum = 0, total = 0;
    Walk<5> at(call, 0, last);
    for (int64_t i = 0, n = count(call, 0, last); i < n; ++i, at.next()) {
      const int64_t k = index[at.offset[1]];
      T loss = 0;
      if (static_cast<double>(k) != ignored) {
        const T w = weight ? weight[at.offset[2] + k * weight_step] : 1;
        loss = -w * a[at.offset[0] + k * step];
        total += w;
      }
      if (reduction == 0) out[at.offset[3]] = loss;
      sum += loss;
    }
    if (reduction != 0) *out = static_cast<T>(reduction == 2 ? sum / total : sum);
    *call.operands[4].as<T>() = static_cast<T>(total);
    return Status::ok;
  });
}

Status nll_loss_backward(Call& call) {
  return with_type<kFloats>(call, [&](auto zero) {
    using T = decltype(zero);
    const int last = collapse(call, 5, 0, call.ndim - 1);
    if (const Status status = check_classes(call); status != Status::ok) return status;
    const T *grad = call.operands[0].as<T>(), *weight = call.operands[2].as<T>(), *divisor = call.operands[3].as<T>();
    const int64_t* index = call.operands[1].as<int64_t>();
    const int64_t n = call.shape[last], weight_step = call.operands[2].strides[last], step = call.operands[4].strides[last];
    const double ignored = call.scalars[0];
    for_rows<5>(call, [&](const int64_t* offset) {
      T* out = call.operands[4].as<T>() + offset[4];
      if (step == 1) std::fill_n(out, n, 0);
      else for (int64_t i = 0; i < n; ++i) out[i * step] = 0;
      const int64_t k = index[offset[1]];
      if (static_cast<double>(k) == ignored) return;
      const T w = weight ? weight[offset[2] + k * weight_step] : 1;
      out[k * step] = -(grad[offset[0]] / divisor[offset[3]]) * w;
    });
    return Status::ok;
  });
}

}  // namespace cresset::CRESSET_TARGET
#endif
