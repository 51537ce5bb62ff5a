// Products of float32 matrices whose numbers are bfloat16's, rounded to bfloat16: those of Muon's iteration.
#include <algorithm>
#include "call.h"
#include "cpu/features.h"
#include "kernels/bfloat16_dots.h"
#include "kernels/walk.h"
#include "threads/thread_pool.h"
#define CRESSET_SOURCE "kernels/matmul_bfloat16.cc"
#include "simd/each_target.h"

#ifdef CRESSET_TARGET

namespace cresset::CRESSET_TARGET {

Status matmul(Call& call);
Status round_bfloat16(Call& call);

namespace {

constexpr int64_t kSide = 16, kStripes = 8, kLeastStripe = 64;  // rows and columns

// The result's first `columns` columns of `rows` rows from `row` on.
Status multiply_and_round(const Call& whole, int64_t row, int64_t rows, int64_t columns) {
  Call part = whole;
  part.shape[0] = rows;
  part.shape[1] = columns;
  for (int i : {0, 2, 3}) {
    Operand& o = part.operands[i];
    if (o.data) o.data += row * o.strides[0] * item_size(o.dtype);
  }
  if (const Status status = matmul(part); status != Status::ok) return status;
  part.ndim = 2;
  std::fill_n(part.operands, 2, part.operands[3]);
  return round_bfloat16(part);
}

// Copies what is below the diagonal above it.
void mirror(const Operand& out, int64_t n, ThreadPool& threads) {
  const auto at = [&](int64_t i, int64_t j) { return out.as<float>() + i * out.strides[0] + j * out.strides[1]; };
  threads.for_each_block(ceil_div(n, kSide), n * n, [&](int64_t block) {
    const int64_t begin = block * kSide, end = std::min(n, begin + kSide);
    for (int64_t first = 0; first < end; first += kSide) {
      for (int64_t j = first; j < std::min(n, first + kSide); ++j) {
        for (int64_t i = std::max(begin, j + 1); i < end; ++i) *at(j, i) = *at(i, j);
      }
    }
  });
}

}  // namespace

Status matmul_bfloat16(Call& call) {
  const Operand* o = call.operands;
  const int64_t m = call.shape[0], n = call.shape[1];
  if (o[0].dtype != DType::float32) return unsupported(call, 0);
  const bool symmetric = call.scalars[2] != 0 && m == n;
  Status status = Status::ok;
#if CRESSET_VECTOR_BYTES == 64
  static const bool has_dots = detect_cpu().avx512_bf16;
  const bool adds_rows = !o[2].data || o[2].strides[1] == 1;
  if (has_dots && call.shape[2] > 0 && o[3].strides[1] == 1 && adds_rows) {
    status = matmul_with_bfloat16_dots(call);
    if (symmetric && status == Status::ok) mirror(o[3], n, *call.threads);
    return status;
  }
#endif
  if (!symmetric) return multiply_and_round(call, 0, m, n);
  const int64_t stripes = std::clamp<int64_t>(n / kLeastStripe, 1, kStripes);
  for (int64_t i = 0; i < stripes && status == Status::ok; ++i) {
    const int64_t row = i * n / stripes, end = (i + 1) * n / stripes;
    status = multiply_and_round(call, row, end - row, end);
  }
  if (stripes > 1 && status == Status::ok) mirror(o[3], n, *call.threads);
  return status;
}

}  // namespace cresset::CRESSET_TARGET

#endif
