// Lists of tensors: norms and scaling, which clipping gradients needs, and copies.
#include <algorithm>
#include <bit>
#include <cmath>
#include "call.h"
#include "kernels/walk.h"
#include "threads/thread_pool.h"
#define CRESSET_SOURCE "kernels/list.cc"
#include "simd/each_target.h"

#ifdef CRESSET_TARGET
#include "kernels/vector.h"
#include "kernels/list.h"
#include "kernels/norm.h"

namespace cresset::CRESSET_TARGET {
namespace {

template <class T, Norm kNorm>
T norm_root(T sum, T p) {
  if constexpr (kNorm == Norm::two) return std::sqrt(sum);
  if constexpr (kNorm == Norm::any) return std::pow(sum, 1 / p);
  return sum;
}

template <class T, Norm kNorm>
Status norms(ListCall& call) {
  const auto part = [](const ListRow& row, int64_t begin, int64_t end) {
    return norm_part<T, kNorm>(at<T>(row, 0) + begin, end - begin, static_cast<T>(row.scalars[0]));
  };
  reduce_rows<T>(call, part, norm_join<T, kNorm>, [](const ListRow& row, T sum, auto&&) {
    *at<T>(row, 1) = norm_root<T, kNorm>(sum, static_cast<T>(row.scalars[0]));
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

Status list_copy(ListCall& call) {
  const int64_t item = item_size(call.dtype);
  for_elements(call, [&](const ListRow& row, int64_t begin, int64_t end) {
    move_items(at<char>(row, 0) + begin * item, at<char>(row, 1) + begin * item, (end - begin) * item);
  });
  return Status::ok;
}

}  // namespace cresset::CRESSET_TARGET
#endif
