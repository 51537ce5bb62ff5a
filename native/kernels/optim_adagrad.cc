// Adagrad and its descendants: the gradient over the root of past squares. Each update is computed as PyTorch's
// documentation writes it, its scalars in double and then rounded to the dtype.
#include <algorithm>
#include <bit>
#include <cmath>
#include "call.h"
#include "kernels/walk.h"
#include "threads/thread_pool.h"
#define CRESSET_SOURCE "kernels/optim_adagrad.cc"
#include "simd/each_target.h"

#ifdef CRESSET_TARGET
#include "kernels/list.h"

namespace cresset::CRESSET_TARGET {
namespace {

template <class T>
void adagrad_elements(const ListRow& row, int64_t begin, int64_t end) {
  const double* s = row.scalars;
  const T lr = static_cast<T>(-s[0]), eps = static_cast<T>(s[1]), weight_decay = static_cast<T>(s[2]);
  const RoundedFactor<T> factor(s[3]);
  T* param = at<T>(row, 0);
  const T* grad = at<T>(row, 1);
  T* sum = at<T>(row, 2);
  CRESSET_INDEPENDENT
  for (int64_t i = begin; i < end; ++i) {
    T g = factor * grad[i];
    if (weight_decay != 0) g += weight_decay * param[i];
    const T squares = sum[i] + g * g;
    sum[i] = squares;
    param[i] += lr * g / (std::sqrt(squares) + eps);
  }
}

template <class T>
void adadelta_elements(const ListRow& row, int64_t begin, int64_t end) {
  const double* s = row.scalars;
  const T lr = static_cast<T>(s[0]), rho = static_cast<T>(s[1]), fresh = static_cast<T>(1 - s[1]);
  const T eps = static_cast<T>(s[2]), weight_decay = static_cast<T>(s[3]);
  const RoundedFactor<T> factor(s[4]);
  T* param = at<T>(row, 0);
  const T* grad = at<T>(row, 1);
  T* square_avg = at<T>(row, 2);
  T* acc_delta = at<T>(row, 3);
  CRESSET_INDEPENDENT
  for (int64_t i = begin; i < end; ++i) {
    T g = factor * grad[i];
    if (weight_decay != 0) g += weight_decay * param[i];
    const T square = multiply_add(fresh * g, g, square_avg[i] * rho);
    const T delta = std::sqrt(acc_delta[i] + eps) / std::sqrt(square + eps) * g;
    square_avg[i] = square;
    acc_delta[i] = multiply_add(fresh * delta, delta, acc_delta[i] * rho);
    param[i] -= lr * delta;
  }
}

template <class T, bool kMomentum, bool kCentered>
void rmsprop_elements(const ListRow& row, int64_t begin, int64_t end) {
  const double* s = row.scalars;
  const T lr = static_cast<T>(-s[0]), alpha = static_cast<T>(s[1]), fresh = static_cast<T>(1 - s[1]);
  const T eps = static_cast<T>(s[2]), weight_decay = static_cast<T>(s[3]), momentum = static_cast<T>(s[4]);
  const RoundedFactor<T> factor(s[5]);
  T* param = at<T>(row, 0);
  const T* grad = at<T>(row, 1);
  T* square_avg = at<T>(row, 2);
  T* buffer = at<T>(row, 3);
  T* grad_avg = at<T>(row, 4);
  CRESSET_INDEPENDENT
  for (int64_t i = begin; i < end; ++i) {
    T g = factor * grad[i];
    if (weight_decay != 0) g += weight_decay * param[i];
    T square = multiply_add(fresh * g, g, square_avg[i] * alpha);
    square_avg[i] = square;
    if constexpr (kCentered) {
      const T average = lerp(grad_avg[i], g, fresh);
      grad_avg[i] = average;
      square -= average * average;
    }
    const T denominator = std::sqrt(square) + eps;
    if constexpr (kMomentum) {
      const T b = buffer[i] * momentum + g / denominator;
      buffer[i] = b;
      param[i] += lr * b;
    } else {
      param[i] += lr * g / denominator;
    }
  }
}

}  // namespace

Status adagrad(ListCall& call) {
  return each_row(call, [](const ListRow& row, int64_t begin, int64_t end, auto zero) {
    adagrad_elements<decltype(zero)>(row, begin, end);
  });
}

Status adadelta(ListCall& call) {
  return each_row(call, [](const ListRow& row, int64_t begin, int64_t end, auto zero) {
    adadelta_elements<decltype(zero)>(row, begin, end);
  });
}

Status rmsprop(ListCall& call) {
  return each_row(call, [](const ListRow& row, int64_t begin, int64_t end, auto zero) {
    using T = decltype(zero);
    const auto plain = row.operands[4] ? rmsprop_elements<T, false, true> : rmsprop_elements<T, false, false>;
    const auto with_momentum = row.operands[4] ? rmsprop_elements<T, true, true> : rmsprop_elements<T, true, false>;
    (row.operands[3] ? with_momentum : plain)(row, begin, end);
  });
}

}  // namespace cresset::CRESSET_TARGET
#endif
