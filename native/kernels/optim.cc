// Optimizer steps over whole parameter groups: each update is computed as PyTorch's documentation writes it, its
// scalars in double and then rounded to the dtype.
#include <algorithm>
#include <cmath>
#include "call.h"
#include "kernels/walk.h"
#include "threads/thread_pool.h"
#define CRESSET_SOURCE "kernels/optim.cc"
#include "simd/each_target.h"

#ifdef CRESSET_TARGET
#include "kernels/vector.h"

namespace cresset::CRESSET_TARGET {
namespace {

constexpr int64_t kChunk = 16384;  // elements in a block of work
constexpr int64_t kMaxBlocks = 512;

// Calls f(row, begin, end) so that together all elements of all rows are covered, in blocks shared out to the threads.
template <class F>
void for_elements(ListCall& call, F&& f) {
  int64_t total = 0;
  for (int r = 0; r < call.rows; ++r) total += call.row[r].n;
  const int64_t chunk = std::max(kChunk, ceil_div(ceil_div(total, kMaxBlocks), 1024) * 1024);
  call.threads->for_each_block(ceil_div(total, chunk), total, [&](int64_t block) {
    int64_t begin = block * chunk, left = std::min(chunk, total - begin);
    for (int r = 0; left > 0; ++r) {
      const ListRow& row = call.row[r];
      if (begin >= row.n) {
        begin -= row.n;
        continue;
      }
      const int64_t n = std::min(left, row.n - begin);
      f(row, begin, begin + n);
      left -= n;
      begin = 0;
    }
  });
}

template <class F>
Status with_float(ListCall& call, F&& f) {
  if (call.dtype == DType::float32) return f(float{});
  if (call.dtype == DType::float64) return f(double{});
  return Status::unsupported_dtype;
}

template <class T>
T* at(const ListRow& row, int operand) {
  return reinterpret_cast<T*>(row.operands[operand]);
}

// a + weight (b - a), from the nearer end.
template <class T>
inline T lerp(T a, T b, T weight) {
  return weight < T(0.5) ? a + weight * (b - a) : b - (b - a) * (1 - weight);
}

template <class T, bool kMomentum>
void sgd_elements(const ListRow& row, int64_t begin, int64_t end) {
  const double* s = row.scalars;
  const T lr = static_cast<T>(-s[0]), momentum = static_cast<T>(s[1]), fresh = static_cast<T>(1 - s[2]);
  const T weight_decay = static_cast<T>(s[3]);
  const bool nesterov = s[4] != 0, first = s[6] != 0;
  const T sign = s[5] != 0 ? T(-1) : T(1);
  T* __restrict param = at<T>(row, 0);
  const T* __restrict grad = at<T>(row, 1);
  T* __restrict buffer = at<T>(row, 2);
  for (int64_t i = begin; i < end; ++i) {
    T g = sign * grad[i];
    if (weight_decay != 0) g += weight_decay * param[i];
    if constexpr (kMomentum) {
      const T b = first ? g : buffer[i] * momentum + fresh * g;
      buffer[i] = b;
      g = nesterov ? g + momentum * b : b;
    }
    param[i] += lr * g;
  }
}

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

template <class T, bool kMomentum, bool kCentered>
void rmsprop_elements(const ListRow& row, int64_t begin, int64_t end) {
  const double* s = row.scalars;
  const T lr = static_cast<T>(-s[0]), alpha = static_cast<T>(s[1]), fresh = static_cast<T>(1 - s[1]);
  const T eps = static_cast<T>(s[2]), weight_decay = static_cast<T>(s[3]), momentum = static_cast<T>(s[4]);
  const T sign = s[5] != 0 ? T(-1) : T(1);
  T* __restrict param = at<T>(row, 0);
  const T* __restrict grad = at<T>(row, 1);
  T* __restrict square_avg = at<T>(row, 2);
  T* __restrict buffer = at<T>(row, 3);
  T* __restrict grad_avg = at<T>(row, 4);
  for (int64_t i = begin; i < end; ++i) {
    T g = sign * grad[i];
    if (weight_decay != 0) g += weight_decay * param[i];
    T square = square_avg[i] * alpha + fresh * g * g;
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

// How a p-norm takes an element in, and how partial results are joined.
enum class Norm { zero, one, two, infinity, minus_infinity, any };

template <class T, Norm kNorm>
inline T norm_term(T x, T p) {
  if constexpr (kNorm == Norm::zero) return x != 0;
  if constexpr (kNorm == Norm::two) return x * x;
  if constexpr (kNorm == Norm::any) return std::pow(std::abs(x), p);
  return std::abs(x);
}

template <class T, Norm kNorm>
inline T norm_join(T a, T b) {
  if constexpr (kNorm == Norm::infinity) return b > a || b != b ? b : a;
  if constexpr (kNorm == Norm::minus_infinity) return b < a || b != b ? b : a;
  return a + b;
}

constexpr int64_t kNormRun = 1024;

// Pairwise above kNormRun elements, in lanes below.
template <class T, Norm kNorm>
T norm_part(const T* a, int64_t n, T p) {
  constexpr T initial = kNorm == Norm::minus_infinity ? T(INFINITY) : T(0);
  if (n > kNormRun) {
    const int64_t half = ceil_div(n / 2, kNormRun) * kNormRun;
    return norm_join<T, kNorm>(norm_part<T, kNorm>(a, half, p), norm_part<T, kNorm>(a + half, n - half, p));
  }
  constexpr int kWidth = 4 * kLanes<T>;
  T sums[kWidth];
  std::fill_n(sums, kWidth, initial);
  int64_t i = 0;
  for (; i + kWidth <= n; i += kWidth) {
    for (int k = 0; k < kWidth; ++k) sums[k] = norm_join<T, kNorm>(sums[k], norm_term<T, kNorm>(a[i + k], p));
  }
  for (int k = 0; i < n; ++i, ++k) sums[k] = norm_join<T, kNorm>(sums[k], norm_term<T, kNorm>(a[i], p));
  for (int width = kWidth / 2; width > 0; width /= 2) {
    for (int k = 0; k < width; ++k) sums[k] = norm_join<T, kNorm>(sums[k], sums[k + width]);
  }
  return sums[0];
}

template <class T, Norm kNorm>
T norm_root(T sum, T p) {
  if constexpr (kNorm == Norm::two) return std::sqrt(sum);
  if constexpr (kNorm == Norm::any) return std::pow(sum, 1 / p);
  return sum;
}

constexpr int64_t kLongRow = 65536;  // rows from this on are shared out to the threads
constexpr int kMaxParts = 64;

template <class T, Norm kNorm>
Status norms(ListCall& call) {
  int64_t total = 0;
  for (int r = 0; r < call.rows; ++r) {
    const ListRow& row = call.row[r];
    const T p = static_cast<T>(row.scalars[0]);
    if (row.n < kLongRow) {
      total += row.n;
      continue;
    }
    const int64_t part = ceil_div(ceil_div(row.n, kMaxParts), kNormRun) * kNormRun, parts = ceil_div(row.n, part);
    T sums[kMaxParts];
    call.threads->for_each_block(parts, row.n, [&](int64_t block) {
      sums[block] = norm_part<T, kNorm>(at<T>(row, 0) + block * part, std::min(part, row.n - block * part), p);
    });
    for (int64_t i = 1; i < parts; ++i) sums[0] = norm_join<T, kNorm>(sums[0], sums[i]);
    *at<T>(row, 1) = norm_root<T, kNorm>(sums[0], p);
  }
  constexpr int kRowsPerBlock = 4;
  call.threads->for_each_block(ceil_div(call.rows, kRowsPerBlock), total, [&](int64_t block) {
    for (int r = static_cast<int>(block) * kRowsPerBlock, end = std::min(call.rows, r + kRowsPerBlock); r < end; ++r) {
      const ListRow& row = call.row[r];
      if (row.n >= kLongRow) continue;
      const T p = static_cast<T>(row.scalars[0]);
      *at<T>(row, 1) = norm_root<T, kNorm>(norm_part<T, kNorm>(at<T>(row, 0), row.n, p), p);
    }
  });
  return Status::ok;
}

}  // namespace

Status sgd(ListCall& call) {
  return with_float(call, [&](auto zero) {
    using T = decltype(zero);
    for_elements(call, [](const ListRow& row, int64_t begin, int64_t end) {
      (row.operands[2] ? sgd_elements<T, true> : sgd_elements<T, false>)(row, begin, end);
    });
    return Status::ok;
  });
}

Status adam(ListCall& call) {
  return with_float(call, [&](auto zero) {
    using T = decltype(zero);
    for_elements(call, [](const ListRow& row, int64_t begin, int64_t end) {
      (row.operands[4] ? adam_elements<T, true> : adam_elements<T, false>)(row, begin, end);
    });
    return Status::ok;
  });
}

Status rmsprop(ListCall& call) {
  return with_float(call, [&](auto zero) {
    using T = decltype(zero);
    for_elements(call, [](const ListRow& row, int64_t begin, int64_t end) {
      const auto plain = row.operands[4] ? rmsprop_elements<T, false, true> : rmsprop_elements<T, false, false>;
      const auto with_momentum = row.operands[4] ? rmsprop_elements<T, true, true> : rmsprop_elements<T, true, false>;
      (row.operands[3] ? with_momentum : plain)(row, begin, end);
    });
    return Status::ok;
  });
}

Status list_norm(ListCall& call) {
  if (call.rows == 0) return Status::ok;
  const double p = call.row[0].scalars[0];
  return with_float(call, [&](auto zero) {
    using T = decltype(zero);
    if (p == 2) return norms<T, Norm::two>(call);
    if (p == 1) return norms<T, Norm::one>(call);
    if (p == INFINITY) return norms<T, Norm::infinity>(call);
    if (p == -INFINITY) return norms<T, Norm::minus_infinity>(call);
    if (p == 0) return norms<T, Norm::zero>(call);
    return norms<T, Norm::any>(call);
  });
}

Status list_mul(ListCall& call) {
  return with_float(call, [&](auto zero) {
    using T = decltype(zero);
    for_elements(call, [](const ListRow& row, int64_t begin, int64_t end) {
      T* __restrict a = at<T>(row, 0);
      const T factor = *at<T>(row, 1);
      for (int64_t i = begin; i < end; ++i) a[i] *= factor;
    });
    return Status::ok;
  });
}

}  // namespace cresset::CRESSET_TARGET
#endif
