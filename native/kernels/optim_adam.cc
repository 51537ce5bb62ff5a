// Adam and its descendants: a step along the average gradient. Each update is computed as PyTorch's
// documentation writes it, its scalars in double and then rounded to the dtype.
#include <algorithm>
#include <bit>
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

// What the kernels of this family begin with: "lr beta1 beta2 eps weight_decay decoupled factor", and the moments in
// operands 2 and 3. Moves the moments on by the gradient g, and makes each parameter update(p, g, m, v): of the
// parameter after decoupled decay, and of the new moments. With kLargest, v is the largest so far (operand 4).
template <class T, bool kLargest = false, class F>
inline void with_moments(const ListRow& row, int64_t begin, int64_t end, F update) {
  const double* s = row.scalars;
  const T weight1 = static_cast<T>(1 - s[1]), keep2 = static_cast<T>(s[2]), weight2 = static_cast<T>(1 - s[2]);
  const bool decoupled = s[5] != 0;
  const T decay = static_cast<T>(decoupled ? 0 : s[4]);
  const RoundedFactor<T> shrink(decoupled ? 1 - s[0] * s[4] : 1), factor(s[6]);
  T* param = at<T>(row, 0);
  const T* grad = at<T>(row, 1);
  T* exp_avg = at<T>(row, 2);
  T* exp_avg_sq = at<T>(row, 3);
  T* max_exp_avg_sq = at<T>(row, 4);
  CRESSET_INDEPENDENT
  for (int64_t i = begin; i < end; ++i) {
    T g = factor * grad[i];
    if (decay != 0) g += decay * param[i];
    const T m = lerp(exp_avg[i], g, weight1);
    T v = multiply_add(weight2 * g, g, exp_avg_sq[i] * keep2);
    exp_avg[i] = m;
    exp_avg_sq[i] = v;
    if constexpr (kLargest) {
      const T largest = max_exp_avg_sq[i];
      v = v > largest || v != v ? v : largest;
      max_exp_avg_sq[i] = v;
    }
    param[i] = update(shrink * param[i], g, m, v);
  }
}

template <class T, bool kAmsgrad>
void adam_elements(const ListRow& row, int64_t begin, int64_t end) {
  const double* s = row.scalars;
  const T eps = static_cast<T>(s[3]), step_size = static_cast<T>(-s[7]), correction = static_cast<T>(s[8]);
  with_moments<T, kAmsgrad>(row, begin, end, [=](T p, T, T m, T v) {
    return p + step_size * m / (std::sqrt(v) / correction + eps);
  });
}

template <class T>
void adamax_elements(const ListRow& row, int64_t begin, int64_t end) {
  const double* s = row.scalars;
  const T weight1 = static_cast<T>(1 - s[0]), keep2 = static_cast<T>(s[1]), eps = static_cast<T>(s[2]);
  const T decay = static_cast<T>(s[3]);
  const RoundedFactor<T> factor(s[4]);
  const T step_size = static_cast<T>(-s[5]);
  T* param = at<T>(row, 0);
  const T* grad = at<T>(row, 1);
  T* exp_avg = at<T>(row, 2);
  T* exp_inf = at<T>(row, 3);
  CRESSET_INDEPENDENT
  for (int64_t i = begin; i < end; ++i) {
    T g = factor * grad[i];
    if (decay != 0) g += decay * param[i];
    const T m = lerp(exp_avg[i], g, weight1), kept = exp_inf[i] * keep2, size = std::abs(g) + eps;
    const T u = size > kept || size != size ? size : kept;
    exp_avg[i] = m;
    exp_inf[i] = u;
    param[i] += step_size * m / u;
  }
}

template <class T>
void nadam_elements(const ListRow& row, int64_t begin, int64_t end) {
  const double* s = row.scalars;
  const T eps = static_cast<T>(s[3]), fresh = static_cast<T>(s[7]), kept = static_cast<T>(s[8]);
  const T correction = static_cast<T>(std::sqrt(s[9]));
  with_moments<T>(row, begin, end, [=](T p, T g, T m, T v) {
    const T denominator = std::sqrt(v) / correction + eps;
    return p - fresh * g / denominator - kept * m / denominator;
  });
}

template <class T>
void radam_elements(const ListRow& row, int64_t begin, int64_t end) {
  const T eps = static_cast<T>(row.scalars[3]), step_size = static_cast<T>(-row.scalars[7]);
  if (row.scalars[8] != 0) {
    with_moments<T>(row, begin, end, [=](T p, T, T m, T v) { return p + step_size * m / (std::sqrt(v) + eps); });
  } else {
    with_moments<T>(row, begin, end, [=](T p, T, T m, T) { return p + step_size * m; });
  }
}

template <class T>
void schedule_free_adamw_elements(const ListRow& row, int64_t begin, int64_t end) {
  const double *s = row.scalars, lr = s[0], beta1 = s[1], beta2 = s[2], weight = s[6];
  const T keep2 = static_cast<T>(beta2), weight2 = static_cast<T>(1 - beta2);
  const T eps = static_cast<T>(s[3]), weight_decay = static_cast<T>(s[4]), correction = static_cast<T>(s[7]);
  const T towards_z = static_cast<T>(weight), z_step = static_cast<T>(-lr);
  const T y_step = static_cast<T>(lr * (beta1 * (1 - weight) - 1));
  const RoundedFactor<T> factor(s[5]);
  T* y = at<T>(row, 0);
  const T* grad = at<T>(row, 1);
  T* z = at<T>(row, 2);
  T* exp_avg_sq = at<T>(row, 3);
  CRESSET_INDEPENDENT
  for (int64_t i = begin; i < end; ++i) {
    const T g = factor * grad[i];
    const T v = multiply_add(weight2 * g, g, exp_avg_sq[i] * keep2);
    exp_avg_sq[i] = v;
    const T direction = g / (std::sqrt(v) / correction + eps) + weight_decay * y[i];
    y[i] = lerp(y[i], z[i], towards_z) + y_step * direction;
    z[i] += z_step * direction;
  }
}

}  // namespace

Status adam(ListCall& call) {
  return each_row(call, [](const ListRow& row, int64_t begin, int64_t end, auto zero) {
    using T = decltype(zero);
    (row.operands[4] ? adam_elements<T, true> : adam_elements<T, false>)(row, begin, end);
  });
}

Status adamax(ListCall& call) {
  return each_row(call, [](const ListRow& row, int64_t begin, int64_t end, auto zero) {
    adamax_elements<decltype(zero)>(row, begin, end);
  });
}

Status nadam(ListCall& call) {
  return each_row(call, [](const ListRow& row, int64_t begin, int64_t end, auto zero) {
    nadam_elements<decltype(zero)>(row, begin, end);
  });
}

Status radam(ListCall& call) {
  return each_row(call, [](const ListRow& row, int64_t begin, int64_t end, auto zero) {
    radam_elements<decltype(zero)>(row, begin, end);
  });
}

Status schedule_free_adamw(ListCall& call) {
  return each_row(call, [](const ListRow& row, int64_t begin, int64_t end, auto zero) {
    schedule_free_adamw_elements<decltype(zero)>(row, begin, end);
  });
}

}  // namespace cresset::CRESSET_TARGET
#endif
