// Running sums and products, and the loss of class indices.
#include <algorithm>
#include <array>
#include <cstdint>
#include <type_traits>
#include "call.h"
#include "kernels/walk.h"
#include "threads/thread_pool.h"
#define CRESSET_SOURCE "kernels/rows.cc"
#include "simd/each_target.h"

#ifdef CRESSET_TARGET
#include "kernels/vector.h"
#include "kernels/positions.h"
#include "kernels/row.h"

namespace cresset::CRESSET_TARGET {
namespace {

// Running sums and products of floats are kept in double.
template <class T, class Join>
Status cumulate(Call& call, double initial, Join join) {
  using Running = std::conditional_t<std::is_floating_point_v<T>, double, uint64_t>;
  if (has_columns<2>(call)) {
    for_columns<2>(call, [&](const int64_t* offset, int64_t n, const int64_t* step, int width) {
      const T* a = call.operands[0].as<T>() + offset[0];
      T* out = call.operands[1].as<T>() + offset[1];
      Running running[kColumns];
      std::fill_n(running, width, static_cast<Running>(initial));
      for (int64_t i = 0; i < n; ++i, a += step[0], out += step[1]) {
        for (int j = 0; j < width; ++j) {
          running[j] = join(running[j], static_cast<Running>(a[j]));
          out[j] = static_cast<T>(running[j]);
        }
      }
    });
    return Status::ok;
  }
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

// A class that nll_loss is to look up; all are checked before anything is written.
Status check_classes(Call& call) {
  const int last = call.ndim - 1;
  const int64_t* index = call.operands[1].as<int64_t>();
  Status status = Status::ok;
  for_positions<2>(call, last, 0, count(call, 0, last), [&](const int64_t* offset) {
    const int64_t k = index[offset[1]];
    if ((k >= 0 && k < call.shape[last]) || static_cast<double>(k) == call.scalars[0] || status != Status::ok) return;
    call.detail[0] = static_cast<double>(k);
    call.detail[1] = static_cast<double>(call.shape[last]);
    status = Status::index_out_of_range;
  });
  return status;
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
    for_positions<5>(call, last, 0, count(call, 0, last), [&](const int64_t* offset) {
      const int64_t k = index[offset[1]];
      T loss = 0;
      if (static_cast<double>(k) != ignored) {
        const T w = weight ? weight[offset[2] + k * weight_step] : 1;
        loss = -w * a[offset[0] + k * step];
        total += w;
      }
      if (reduction == 0) out[offset[3]] = loss;
      sum += loss;
    });
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
