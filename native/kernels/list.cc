// Norms and scaling of lists of tensors: what clipping gradients needs.
#include <algorithm>
#include <cmath>
#include "call.h"
#include "kernels/walk.h"
#include "threads/thread_pool.h"
#define CRESSET_SOURCE "kernels/list.cc"
#include "simd/each_target.h"

#ifdef CRESSET_TARGET
#include "kernels/vector.h"
#include "kernels/list.h"

namespace cresset::CRESSET_TARGET {
namespace {

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
  return each_row(call, [](const ListRow& row, int64_t begin, int64_t end, auto zero) {
    using T = decltype(zero);
    T* __restrict a = at<T>(row, 0);
    const T factor = *at<T>(row, 1);
    for (int64_t i = begin; i < end; ++i) a[i] *= factor;
  });
}

}  // namespace cresset::CRESSET_TARGET
#endif
