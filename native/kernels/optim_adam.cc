// Adam and its descendants: a step along the average gradient. Each update is computed as PyTorch's
// documentation writes it, its scalars in double and then rounded to the dtype.
#include <algorithm>
#include <cmath>
#include "call.h"
#include "kernels/walk.h"
#include "threads/thread_pool.h"
#define CRESSET_SOURCE "kernels/optim_adam.cc"
#include "simd/each_target.h"

#ifdef CRESSET_TARGET
#include "kernels/list.h"

namespace cresset::CRESSET_TARGET {
namespace {

template <class T, bool kAmsgrad>
void adam_elements(const ListRow& row, int64_t begin, int64_t end) {
  const double *s = row.scalars, step = s[0], lr = s[1], beta1 = s[2], beta2 = s[3];
  const T eps = static_cast<T>(s[4]), weight_decay = static_cast<T>(s[5]);
  const bool decoupled = s[6] != 0;
  const T sign = s[7] != 0 ? T(-1) : T(1);
  const T shrink = static_cast<T>(decoupled ? 1 - lr * s[5] : 1), decay = decoupled ? T(0) : weight_decay;
  const T weight1 = static_cast<T>(1 - beta1), keep2 = static_cast<T>(beta2), weight2 = static_cast<T>(1 - beta2);
  const T step_size = static_cast<T>(-lr / (1 - std::pow(beta1, step)));
  const T correction2 = static_cast<T>(std::sqrt(1 - std::pow(beta2, step)));
  T* __restrict param = at<T>(row, 0);
  const T* __restrict grad = at<T>(row, 1);
  T* __restrict exp_avg = at<T>(row, 2);
  T* __restrict exp_avg_sq = at<T>(row, 3);
  T* __restrict max_exp_avg_sq = at<T>(row, 4);
  for (int64_t i = begin; i < end; ++i) {
    const T p = param[i] * shrink;
    T g = sign * grad[i];
    if (decay != 0) g += decay * p;
    const T m = lerp(exp_avg[i], g, weight1);
    T v = exp_avg_sq[i] * keep2 + weight2 * g * g;
    exp_avg[i] = m;
    exp_avg_sq[i] = v;
    if constexpr (kAmsgrad) {
      const T largest = max_exp_avg_sq[i];
      v = v > largest || v != v ? v : largest;
      max_exp_avg_sq[i] = v;
    }
    param[i] = p + step_size * m / (std::sqrt(v) / correction2 + eps);
  }
}

}  // namespace

Status adam(ListCall& call) {
  return each_row(call, [](const ListRow& row, int64_t begin, int64_t end, auto zero) {
    using T = decltype(zero);
    (row.operands[4] ? adam_elements<T, true> : adam_elements<T, false>)(row, begin, end);
  });
}

}  // namespace cresset::CRESSET_TARGET
#endif
