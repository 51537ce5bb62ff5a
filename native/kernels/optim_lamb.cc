// LAMB: Adam's update of a tensor, scaled to the norm of the tensor. Scalars are computed in double and then rounded to
// the dtype.
#include <algorithm>
#include <bit>
#include <cmath>
#include "call.h"
#include "kernels/walk.h"
#include "threads/thread_pool.h"
#define CRESSET_SOURCE "kernels/optim_lamb.cc"
#include "simd/each_target.h"

#ifdef CRESSET_TARGET
#include "kernels/vector.h"
#include "kernels/list.h"
#include "kernels/norm.h"

namespace cresset::CRESSET_TARGET {
namespace {

// Sums of squares of a tensor and of its update.
struct Squares {
  double param = 0, update = 0;
};

template <class T>
struct Lamb {
  T *param, *exp_avg, *exp_avg_sq;
  const T* grad;
  T weight1, keep2, weight2, scale, correction, eps, weight_decay;
  RoundedFactor<T> factor;

  explicit Lamb(const ListRow& row)
      : param(at<T>(row, 0)),
        exp_avg(at<T>(row, 2)),
        exp_avg_sq(at<T>(row, 3)),
        grad(at<T>(row, 1)),
        factor(row.scalars[5]) {
    const double *s = row.scalars, beta1 = s[1], beta2 = s[2];
    weight1 = static_cast<T>(1 - beta1);
    keep2 = static_cast<T>(beta2);
    weight2 = static_cast<T>(1 - beta2);
    scale = static_cast<T>(s[6]);
    correction = static_cast<T>(s[7]);
    eps = static_cast<T>(s[3]);
    weight_decay = static_cast<T>(s[4]);
  }

  T update(T p, T m, T v) const { return scale * m / (std::sqrt(v) / correction + eps) + weight_decay * p; }
};

// Moves the averages on.
template <class T>
Squares lamb_averages(const ListRow& row, int64_t begin, int64_t end) {
  const Lamb<T> lamb(row);
  Squares squares;
  T updates[kNormRun];
  for (int64_t from = begin; from < end; from += kNormRun) {
    const int64_t n = std::min(kNormRun, end - from);
    CRESSET_INDEPENDENT
    for (int64_t k = 0; k < n; ++k) {
      const int64_t i = from + k;
      const T g = lamb.factor * lamb.grad[i];
      const T m = lerp(lamb.exp_avg[i], g, lamb.weight1);
      const T v = multiply_add(lamb.weight2 * g, g, lamb.exp_avg_sq[i] * lamb.keep2);
      lamb.exp_avg[i] = m;
      lamb.exp_avg_sq[i] = v;
      updates[k] = lamb.update(lamb.param[i], m, v);
    }
    squares.param += norm_part<T, Norm::two>(lamb.param + from, n, T(2));
    squares.update += norm_part<T, Norm::two>(updates, n, T(2));
  }
  return squares;
}

template <class T>
void lamb_step(const ListRow& row, T step_size, int64_t begin, int64_t end) {
  const Lamb<T> lamb(row);
  CRESSET_INDEPENDENT
  for (int64_t i = begin; i < end; ++i) {
    const T p = lamb.param[i];
    lamb.param[i] = p - step_size * lamb.update(p, lamb.exp_avg[i], lamb.exp_avg_sq[i]);
  }
}

}  // namespace

Status lamb(ListCall& call) {
  return with_float(call, [&](auto zero) {
    using T = decltype(zero);
    const auto join = [](Squares a, Squares b) { return Squares{a.param + b.param, a.update + b.update}; };
    reduce_rows<Squares>(call, lamb_averages<T>, join, [](const ListRow& row, Squares squares, auto&& each) {
      const bool trusted = squares.param > 0 && squares.update > 0;
      const double ratio = trusted ? std::sqrt(squares.param / squares.update) : 1;
      const T step_size = static_cast<T>(row.scalars[0] * ratio);
      each([&](int64_t begin, int64_t end) { lamb_step<T>(row, step_size, begin, end); });
    });
    return Status::ok;
  });
}

}  // namespace cresset::CRESSET_TARGET
#endif
