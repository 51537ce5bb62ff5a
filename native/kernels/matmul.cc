// Matrix products: which way of multiplying a shape takes. How the work is cut depends on the shapes alone, not on the
// number of threads.
#include <algorithm>
#include <array>
#include <atomic>
#include <type_traits>
#include <utility>
#include "call.h"
#include "kernels/scratch.h"
#include "kernels/walk.h"
#include "threads/thread_pool.h"
#define CRESSET_SOURCE "kernels/matmul.cc"
#include "simd/each_target.h"

#ifdef CRESSET_TARGET
#include "kernels/vector.h"
#include "kernels/transpose.h"
#include "kernels/matmul_micro.h"
#include "kernels/matmul_narrow.h"
#include "kernels/sum_lanes.h"
#include "kernels/matmul_dots.h"
#include "kernels/matmul_rows.h"
#include "kernels/matmul_tiled.h"

namespace cresset::CRESSET_TARGET {
namespace {

constexpr int64_t kSmall = 128 * 128 * 128;  // multiplications up to which nothing is packed that can be read as it lies
constexpr int64_t kFewProducts = 4;            // of a batch, for each thread
constexpr int64_t kDeep = 640;                 // of k
constexpr int64_t kConflict = 1024, kPage = 4096, kLarge = int64_t{16} << 20;  // bytes
constexpr bool kWideStrips = CRESSET_VECTOR_BYTES == 64;
// Reads of an operand: up to kSeldom, packing one that runs along k does not pay, up to kSeldomInPieces one that runs across.
constexpr int64_t kSeldom = CRESSET_VECTOR_BYTES == 32 ? 256 : 64, kSeldomInPieces = kWideStrips ? 64 : 16, kOften = 512;
// Columns, k and its ratio to the rows from which a product pays that is turned.
constexpr int64_t kTurnedLeast = 128, kTurnedDepth = kWideStrips ? 192 : 384, kTurnedDepthPerRow = 4;

template <class T>
bool divides(int64_t bytes, int64_t stride) {
  return stride * static_cast<int64_t>(sizeof(T)) % bytes == 0;
}

template <class T>
bool is_large(int64_t elements) {
  return elements * static_cast<int64_t>(sizeof(T)) > kLarge;
}

// Packing pays where an operand is read again and again by narrow strips, or from further than the caches; by wide strips, if
// its rows, at a step that a power of two divides, fall into few sets of the caches, or if k has more of them than the
// first-level cache holds. Rows of a that run along k are read in order, a few at a time: wide strips need them packed nowhere.
template <class T>
bool packs_a(const Product<T>& p) {
  const bool along_k = p.a.column == 1;
  if (!along_k && p.a.row != 1) return true;
  if (p.m * p.n * p.k <= kSmall || p.n <= (along_k ? kSeldom : kSeldomInPieces)) return false;
  if (!kWideStrips || along_k) return !kWideStrips;
  return divides<T>(kConflict, p.a.column) || (p.k >= kDeep && p.n >= kOften) || is_large<T>(p.m * p.k);
}

template <class T>
bool packs_b(const Product<T>& p) {
  if (p.b.column != 1) return true;
  if (p.m * p.n * p.k <= kSmall || p.m <= kSeldomInPieces) return false;
  if (!kWideStrips || is_large<T>(p.n * p.k)) return true;
  if (p.m < kOften) return p.k >= kDeep && divides<T>(kConflict, p.b.row);
  return p.k >= kDeep || divides<T>(kPage, p.b.row);
}

// Rows that like b run along k, as in a linear layer, and are fewer than b's: turned, they are packed instead of b, and fill whole
// vectors, of narrow ones whole panels.
template <class T>
bool is_turned(const Product<T>& p) {
  constexpr int64_t kUnit = (kWideStrips ? 1 : kTileVectors) * kLanes<T>;
  if (CRESSET_VECTOR_BYTES < 32 || p.a.column != 1 || p.b.row != 1 || p.out.column != 1) return false;
  if (p.c.data && p.c.column != 1) return false;
  if (p.m > kTurnedColumns || p.m % kUnit != 0) return false;
  return p.n >= kTurnedLeast && p.n > p.m && p.k >= std::max(kTurnedDepth, kTurnedDepthPerRow * p.m);
}

constexpr int64_t kShallow = 4;

// A very short k: the result is written row by row, as it lies, for writing it is most of the work.
template <class T, int kDepth>
void multiply_shallow(const Product<T>& p, ThreadPool& threads) {
  constexpr int L = kLanes<T>;
  constexpr int64_t kElements = 16384;
  const int64_t n = p.n, rows = std::max<int64_t>(1, kElements / n), blocks = ceil_div(p.m, rows);
  const Vector<T> alpha = splat(p.alpha), beta = splat(p.beta);
  threads.for_each_block(blocks, p.m * p.n, [&](int64_t block) {
    for (int64_t i = block * rows, end = std::min(p.m, i + rows); i < end; ++i) {
      T* out = p.out.at(i, 0);
      const T* c = p.c.data ? p.c.at(i, 0) : nullptr;
      const T* b[kDepth];
      Vector<T> a[kDepth];
      for (int k = 0; k < kDepth; ++k) {
        a[k] = splat(*p.a.at(i, k));
        b[k] = p.b.at(k, 0);
      }
      int64_t j = 0;
      for (; j + L <= n; j += L) {
        Vector<T> sum = {};
        for (int k = 0; k < kDepth; ++k) sum += a[k] * load(b[k] + j);
        sum *= alpha;
        if (c) sum += beta * load(c + j);
        store(out + j, sum);
      }
      for (; j < n; ++j) {
        T sum = 0;
        for (int k = 0; k < kDepth; ++k) sum += a[k][0] * b[k][j];
        out[j] = p.finish(sum, i, j);
      }
    }
  });
}

template <class T>
bool is_shallow(const Product<T>& p) {
  return p.k <= kShallow && p.n >= kLanes<T> && p.out.column == 1 && p.b.column == 1 && (!p.c.data || p.c.column == 1);
}

template <class T>
Status multiply(Product<T> p, ThreadPool& threads) {
  constexpr int kLong = 4 * kLanes<T>;
  if (p.m == 0 || p.n == 0) return Status::ok;
  if (p.k == 0) {
    for (int64_t i = 0; i < p.m; ++i) {
      for (int64_t j = 0; j < p.n; ++j) *p.out.at(i, j) = p.finish(0, i, j);
    }
    return Status::ok;
  }
  if (p.out.column != 1 && p.out.row == 1) p = p.transposed();
  if (p.m == 1 && p.n == 1 && p.k >= kLongDot && p.a.column == 1 && p.b.row == 1) {
    multiply_long_dot(p, threads);
    return Status::ok;
  }
  if (multiply_narrow(p, threads)) return Status::ok;
  if (p.n <= kWideRows && p.m > p.n && (p.a.row == 1 || p.k >= kLong)) p = p.transposed();  // few columns make short vectors
  if (is_turned(p)) return multiply_tiled(p.transposed(), false, true, true, threads);
  if (is_of_dots(p)) {
    multiply_by_dots(p, threads);
    return Status::ok;
  }
  if (is_shallow(p)) {
    if (p.k == 1) multiply_shallow<T, 1>(p, threads);
    else if (p.k == 2) multiply_shallow<T, 2>(p, threads);
    else if (p.k == 3) multiply_shallow<T, 3>(p, threads);
    else multiply_shallow<T, kShallow>(p, threads);
    return Status::ok;
  }
  if (has_few_rows(p)) return multiply_few_rows(p, threads);
  return multiply_tiled(p, packs_a(p), packs_b(p), false, threads);
}

template <class T>
Status multiply_integers(const Product<T>& p) {
  for (int64_t i = 0; i < p.m; ++i) {
    for (int64_t j = 0; j < p.n; ++j) {
      T sum = 0;
      for (int64_t k = 0; k < p.k; ++k) sum = static_cast<T>(sum + *p.a.at(i, k) * *p.b.at(k, j));
      *p.out.at(i, j) = static_cast<T>(p.finish(sum, i, j));
    }
  }
  return Status::ok;
}

}  // namespace

Status matmul(Call& call) {
  return with_type<kNumbers>(call, [&](auto zero) {
    using Given = decltype(zero);
    constexpr bool kFloat = std::is_floating_point_v<Given>;
    using T = typename std::conditional_t<kFloat, std::type_identity<Given>, std::make_unsigned<Given>>::type;  // wraps
    const int row = call.ndim - 3, column = row + 1, depth = row + 2;
    const T beta = static_cast<T>(static_cast<Given>(call.scalars[1]));
    Operand* o = call.operands;
    if (!o[2].data) std::fill_n(o[2].strides, call.ndim, 0);
    const bool has_c = o[2].data && beta != 0;
    const int64_t products = count(call, 0, row), work = call.shape[row] * call.shape[column] * call.shape[depth];
    // Calls multiply for products [first, end).
    const auto each = [&](int64_t first, int64_t end, ThreadPool& threads) {
      Walk<4> at(call, 0, row, first);
      for (int64_t i = first; i < end; ++i, at.next()) {
        const Product<T> product = {
            call.shape[row], call.shape[column], call.shape[depth],
            {o[0].as<T>() + at.offset[0], o[0].strides[row], o[0].strides[depth]},
            {o[1].as<T>() + at.offset[1], o[1].strides[depth], o[1].strides[column]},
            {has_c ? o[2].as<T>() + at.offset[2] : nullptr, o[2].strides[row], o[2].strides[column]},
            {o[3].as<T>() + at.offset[3], o[3].strides[row], o[3].strides[column]},
            static_cast<T>(static_cast<Given>(call.scalars[0])), beta};
        if constexpr (kFloat) {
          if (const Status status = multiply(product, threads); status != Status::ok) return status;
        } else {
          multiply_integers(product);
        }
      }
      return Status::ok;
    };
    if (products < kFewProducts * call.threads->threads() || work > kSmall) return each(0, products, *call.threads);
    // A thread takes whole products.
    ThreadPool alone(1);
    std::atomic<bool> out_of_memory = false;
    const int64_t per_block = ceil_div(products, std::clamp<int64_t>(products * work / kBlockWork, 1, products));
    call.threads->for_each_block(ceil_div(products, per_block), products * (work / kWorkPerElement + 1), [&](int64_t block) {
      if (each(block * per_block, std::min(products, (block + 1) * per_block), alone) != Status::ok) out_of_memory = true;
    });
    return out_of_memory ? Status::out_of_memory : Status::ok;
  });
}

Status sum(Call& call);

Status linear_backward(Call& call) {
  return with_type<kFloats>(call, [&](auto zero) {
    using T = decltype(zero);
    Operand* o = call.operands;
    const int64_t m = call.shape[0], n = call.shape[1], k = call.shape[2];
    const Matrix<const T> grad = {o[0].as<T>(), o[0].strides[0], o[0].strides[1]};
    const Matrix<const T> input = {o[1].as<T>(), o[1].strides[0], o[1].strides[2]};
    const Matrix<const T> weight = {o[2].as<T>(), o[2].strides[1], o[2].strides[2]};
    Status status = Status::ok;
    if (o[3].data) {
      status = multiply<T>({m, k, n, grad, weight, {}, {o[3].as<T>(), o[3].strides[0], o[3].strides[2]}, 1, 0}, *call.threads);
    }
    if (o[4].data && status == Status::ok) {
      status = multiply<T>({n, k, m, grad.transposed(), input, {}, {o[4].as<T>(), o[4].strides[1], o[4].strides[2]}, 1, 0}, *call.threads);
    }
    if (!o[5].data || status != Status::ok) return status;
    constexpr double kReduced = 1;
    Call columns;
    columns.ndim = 2;
    columns.shape[0] = n;
    columns.shape[1] = m;
    columns.scalars = &kReduced;
    columns.threads = call.threads;
    for (int i : {0, 1}) {
      const Operand& from = o[i == 0 ? 0 : 5];
      columns.operands[i].data = from.data;
      columns.operands[i].dtype = from.dtype;
      columns.operands[i].strides[0] = from.strides[1];
      columns.operands[i].strides[1] = from.strides[0];
    }
    return sum(columns);
  });
}

}  // namespace cresset::CRESSET_TARGET
#endif
