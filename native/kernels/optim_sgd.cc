// Optimizers that step along the gradient or its sign. Each update is computed as PyTorch's
// documentation writes it, its scalars in double and then rounded to the dtype.
#include <algorithm>
#include <bit>
#include <cmath>
#include "call.h"
#include "kernels/walk.h"
#include "threads/thread_pool.h"
#define CRESSET_SOURCE "kernels/optim_sgd.cc"
#include "simd/each_target.h"

#ifdef CRESSET_TARGET
#include "kernels/list.h"

namespace cresset::CRESSET_TARGET {
namespace {

template <class T, bool kMomentum>
void sgd_elements(const ListRow& row, int64_t begin, int64_t end) {
  const double* s = row.scalars;
  const T lr = static_cast<T>(-s[0]), momentum = static_cast<T>(s[1]), fresh = static_cast<T>(1 - s[2]);
  const T weight_decay = static_cast<T>(s[3]);
  const bool nesterov = s[4] != 0, first = s[6] != 0;
  const RoundedFactor<T> factor(s[5]);
  T* param = at<T>(row, 0);
  const T* grad = at<T>(row, 1);
  T* buffer = at<T>(row, 2);
  CRESSET_INDEPENDENT
  for (int64_t i = begin; i < end; ++i) {
    T g = factor * grad[i];
    if (weight_decay != 0) g += weight_decay * param[i];
    if constexpr (kMomentum) {
      const T b = first ? g : multiply_add(fresh, g, buffer[i] * momentum);
      buffer[i] = b;
      g = nesterov ? g + momentum * b : b;
    }
    param[i] += lr * g;
  }
}

template <class T>
void asgd_elements(const ListRow& row, int64_t begin, int64_t end) {
  const double* s = row.scalars;
  const T shrink = static_cast<T>(1 - s[0] * s[1]), step_size = static_cast<T>(-s[1]), mu = static_cast<T>(s[2]);
  const T weight_decay = static_cast<T>(s[3]);
  const RoundedFactor<T> factor(s[4]);
  T* param = at<T>(row, 0);
  const T* grad = at<T>(row, 1);
  T* ax = at<T>(row, 2);
  CRESSET_INDEPENDENT
  for (int64_t i = begin; i < end; ++i) {
    T g = factor * grad[i];
    if (weight_decay != 0) g += weight_decay * param[i];
    const T p = multiply_add(step_size, g, param[i] * shrink);
    param[i] = p;
    ax[i] = mu == 1 ? p : ax[i] + (p - ax[i]) * mu;
  }
}

template <class T>
inline T sign_of(T x) {
  return T(x > 0) - T(x < 0);
}

template <class T>
void rprop_elements(const ListRow& row, int64_t begin, int64_t end) {
  const double* s = row.scalars;
  const T minus = static_cast<T>(s[0]), plus = static_cast<T>(s[1]);
  const T least = static_cast<T>(s[2]), most = static_cast<T>(s[3]);
  const RoundedFactor<T> factor(s[4]);
  T* param = at<T>(row, 0);
  const T* grad = at<T>(row, 1);
  T* prev = at<T>(row, 2);
  T* step_size = at<T>(row, 3);
  CRESSET_INDEPENDENT
  for (int64_t i = begin; i < end; ++i) {
    const T g = factor * grad[i], agreement = g * prev[i];
    const T size = step_size[i] * (agreement > 0 ? plus : agreement < 0 ? minus : T(1));
    const T clamped = std::min(std::max(size, least), most), kept = agreement < 0 ? T(0) : g;
    step_size[i] = clamped;
    prev[i] = kept;
    param[i] -= sign_of(kept) * clamped;
  }
}

template <class T>
void lion_elements(const ListRow& row, int64_t begin, int64_t end) {
  const double *s = row.scalars, lr = s[0], beta1 = s[1], beta2 = s[2];
  const T step_size = static_cast<T>(lr), shrink = static_cast<T>(1 - lr * s[3]);
  const T keep1 = static_cast<T>(beta1), weight1 = static_cast<T>(1 - beta1);
  const T keep2 = static_cast<T>(beta2), weight2 = static_cast<T>(1 - beta2);
  const RoundedFactor<T> factor(s[4]);
  T* param = at<T>(row, 0);
  const T* grad = at<T>(row, 1);
  T* exp_avg = at<T>(row, 2);
  CRESSET_INDEPENDENT
  for (int64_t i = begin; i < end; ++i) {
    const T g = factor * grad[i], m = exp_avg[i];
    const T c = multiply_add(weight1, g, keep1 * m);
    const T direction = c > 0 ? T(1) : c < 0 ? T(-1) : c;  // NaN stays
    param[i] = multiply_add(-step_size, direction, param[i] * shrink);
    exp_avg[i] = multiply_add(weight2, g, keep2 * m);
  }
}

}  // namespace

Status sgd(ListCall& call) {
  return each_row(call, [](const ListRow& row, int64_t begin, int64_t end, auto zero) {
    using T = decltype(zero);
    (row.operands[2] ? sgd_elements<T, true> : sgd_elements<T, false>)(row, begin, end);
  });
}

Status asgd(ListCall& call) {
  return each_row(call, [](const ListRow& row, int64_t begin, int64_t end, auto zero) {
    asgd_elements<decltype(zero)>(row, begin, end);
  });
}

Status rprop(ListCall& call) {
  return each_row(call, [](const ListRow& row, int64_t begin, int64_t end, auto zero) {
    rprop_elements<decltype(zero)>(row, begin, end);
  });
}

Status lion(ListCall& call) {
  return each_row(call, [](const ListRow& row, int64_t begin, int64_t end, auto zero) {
    lion_elements<decltype(zero)>(row, begin, end);
  });
}

}  // namespace cresset::CRESSET_TARGET
#endif
