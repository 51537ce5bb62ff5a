// Reductions. Whatever the order of the operands' dimensions, `a` is read along the smallest stride: down rows if
// that is a reduced dimension, across columns if it is a kept one. Sums are pairwise over short runs.
#include <algorithm>
#include <limits>
#include <type_traits>
#include <utility>
#include "call.h"
#include "kernels/walk.h"
#include "threads/thread_pool.h"
#define CRESSET_SOURCE "kernels/reduce.cc"
#include "simd/each_target.h"

#ifdef CRESSET_TARGET
#include "kernels/vector.h"
#include "kernels/positions.h"
#include "kernels/transpose.h"
#include "kernels/reduction.h"
#include "kernels/reduce_rows.h"
#include "kernels/reduce_columns.h"

namespace cresset::CRESSET_TARGET {
namespace {

constexpr int kMaxParts = 64;   // one long reduction is cut in at most so many parts
constexpr int64_t kRun = 1024;  // elements joined without recursion

template <class T, class Op>
T fold_run(const T* a, int64_t n, int64_t stride, T center) {
  int64_t i = 0;
  T result = Op::initial;
  constexpr int L = kLanes<T>, kAccumulators = 4;
  if (stride == 1 && n >= L) {
    const Vector<T> centers = splat(center);
    Vector<T> sums[kAccumulators];
    for (auto& sum : sums) sum = splat<T>(Op::initial);
    for (; i + kAccumulators * L <= n; i += kAccumulators * L) {
      for (int k = 0; k < kAccumulators; ++k) sums[k] = Op::join(sums[k], Op::map(load(a + i + k * L), centers));
    }
    for (; i + L <= n; i += L) sums[0] = Op::join(sums[0], Op::map(load(a + i), centers));
    T lanes[L];
    store(lanes, Op::join(Op::join(sums[0], sums[1]), Op::join(sums[2], sums[3])));
    result = join_lanes<L>(lanes, [](auto a, auto b) { return Op::join(a, b); });
  }
  T rest = Op::initial;
  for (; i < n; ++i) rest = Op::join(rest, Op::map(a[i * stride], center));
  return Op::join(result, rest);
}

template <class T, class Op>
T fold_row(const T* a, int64_t n, int64_t stride, T center) {
  if (n <= kRun) return fold_run<T, Op>(a, n, stride, center);
  const int64_t half = ceil_div(n / 2, kRun) * kRun;
  return Op::join(fold_row<T, Op>(a, half, stride, center), fold_row<T, Op>(a + half * stride, n - half, stride, center));
}

// Joins rows [begin, end) at `a`, or, if there is but one row, runs [begin, end) of it.
template <class T, class Op>
T fold_part(const T* a, const Reduced& reduced, int64_t begin, int64_t end, T center) {
  if (reduced.rows == 1) {
    const int64_t from = begin * kRun, to = std::min(end * kRun, reduced.length);
    return fold_row<T, Op>(a + from * reduced.stride, to - from, reduced.stride, center);
  }
  if (end - begin <= 1) {
    return begin == end ? Op::initial : fold_row<T, Op>(a + reduced.offset(begin), reduced.length, reduced.stride, center);
  }
  const int64_t middle = begin + (end - begin) / 2;
  return Op::join(fold_part<T, Op>(a, reduced, begin, middle, center), fold_part<T, Op>(a, reduced, middle, end, center));
}

inline int64_t units(const Reduced& reduced) { return reduced.rows == 1 ? ceil_div(reduced.length, kRun) : reduced.rows; }

template <class T, class Op>
T fold_all(const T* a, const Reduced& reduced, T center) {
  return fold_part<T, Op>(a, reduced, 0, units(reduced), center);
}

// The same, cut into parts for the threads.
template <class T, class Op>
T fold_parts(const T* a, const Reduced& reduced, T center, ThreadPool& threads) {
  const int64_t n = units(reduced);
  const int64_t part = std::max<int64_t>(ceil_div(n, kMaxParts), 1);
  const int64_t parts = ceil_div(n, part);
  T results[kMaxParts];
  threads.for_each_block(parts, reduced.elements(), [&](int64_t block) {
    results[block] = fold_part<T, Op>(a, reduced, block * part, std::min((block + 1) * part, n), center);
  });
  for (int64_t left = parts; left > 1; left = ceil_div(left, 2)) {
    for (int64_t i = 0; i < left / 2; ++i) results[i] = Op::join(results[2 * i], results[2 * i + 1]);
    if (left % 2) results[left / 2] = results[left - 1];
  }
  return parts > 0 ? results[0] : Op::initial;
}

template <class T>
bool has_short_rows(const Call& call, int kept, const Reduced& reduced) {
  return kept > 0 && reduced.rows == 1 && reduced.stride == 1 && reduced.length > 0 && reduced.length <= kShortRow<T> &&
         call.shape[kept - 1] >= kLanes<T> / 2;
}

// out = finish(the joined elements), for each position of the kept dimensions [0, kept). Operand `out` receives it,
// operand `center` (or -1) holds what the operation maps around.
template <class T, class Op, class Finish>
void fold(Call& call, int kept, int out, int center, Finish finish) {
  const Reduced reduced(call, kept);
  const int64_t outputs = count(call, 0, kept);
  if (outputs == 0) return;
  const T* a = call.operands[0].as<T>();
  T* results = call.operands[out].as<T>();
  const T* centers = center < 0 ? nullptr : call.operands[center].as<T>();
  const int64_t elements = outputs * reduced.elements();

  const int inner = kept - 1;
  if (kept > 0 && call.operands[0].strides[inner] == 1 && reduced.stride != 1) {
    const int64_t columns = call.shape[inner], tiles = ceil_div(columns, kTile<T>);
    const int64_t out_stride = call.operands[out].strides[inner];
    const int64_t center_stride = center < 0 ? 0 : call.operands[center].strides[inner];
    const auto start = [&](int64_t tile) { return std::pair(Walk<3>(call, 0, inner, tile / tiles), tile % tiles * kTile<T>); };
    const auto width = [=](int64_t column) { return static_cast<int>(std::min<int64_t>(kTile<T>, columns - column)); };
    const auto write = [&](const Walk<3>& at, int64_t column, const T* sums) {
      for (int j = 0; j < width(column); ++j) results[at.offset[out] + (column + j) * out_stride] = finish(sums[j]);
    };
    const int64_t all = outputs / columns * tiles;
    const RowParts parts(reduced.elements(), all);
    T shared[RowParts::kMost][kTile<T>];
    call.threads->for_each_block(all * parts.count, elements, [&](int64_t block) {
      const int64_t tile = block / parts.count, part = block % parts.count;
      const auto [at, column] = start(tile);
      T around[kTile<T>] = {}, own[kTile<T>];
      T* const sums = parts.count == 1 ? own : shared[block];
      for (int j = 0; centers && j < width(column); ++j) around[j] = centers[at.offset[center] + (column + j) * center_stride];
      fold_columns<T, Op>(a + at.offset[0] + column, reduced, parts.bounds[part], parts.bounds[part + 1], width(column), around, sums);
      if (parts.count == 1) write(at, column, sums);
    });
    for (int64_t tile = 0; parts.count > 1 && tile < all; ++tile) {
      const auto [at, column] = start(tile);
      T(*const sums)[kTile<T>] = shared + tile * parts.count;
      for (int64_t half = 1; half < parts.count; half *= 2) {
        for (int64_t i = 0; i < parts.count; i += 2 * half) join_tiles<T, Op>(sums[i], sums[i + half], width(column));
      }
      write(at, column, sums[0]);
    }
    return;
  }
  if constexpr (kShortRow<T> > 0) {
    if (has_short_rows<T>(call, kept, reduced)) {
      const T* const end = end_of<T>(call, 0);
      for_short_rows<T>(call, kept, reduced.length, [&](const T* const* rows, int width, const int64_t* offset) {
        T around[kLanes<T>] = {}, joined[kLanes<T>];
        for (int r = 0; centers && r < width; ++r) around[r] = centers[offset[center] + r * call.operands[center].strides[inner]];
        fold_short_rows<T, Op>(rows, reduced.length, end, around, joined);
        for (int r = 0; r < width; ++r) results[offset[out] + r * call.operands[out].strides[inner]] = finish(joined[r]);
      });
      return;
    }
  }
  if (outputs < 8 && reduced.elements() >= 2 * kBlockElements) {
    for_positions<3>(call, kept, 0, outputs, [&](const int64_t* offset) {
      const T around = centers ? centers[offset[center]] : T{};
      results[offset[out]] = finish(fold_parts<T, Op>(a + offset[0], reduced, around, *call.threads));
    });
    return;
  }
  const int64_t per_block = std::max<int64_t>(1, kBlockElements / std::max<int64_t>(1, reduced.elements()));
  call.threads->for_each_block(ceil_div(outputs, per_block), elements, [&](int64_t block) {
    for_positions<3>(call, kept, block * per_block, std::min(outputs, (block + 1) * per_block), [&](const int64_t* offset) {
      const T around = centers ? centers[offset[center]] : T{};
      results[offset[out]] = finish(fold_all<T, Op>(a + offset[0], reduced, around));
    });
  });
}

// Sorts dimensions [first, last) by the stride of `a`, the largest first.
void sort_dims(Call& call, int operands, int first, int last) {
  const int64_t* strides = call.operands[0].strides;
  for (int end = first + 1; end < last; ++end) {
    for (int d = end; d > first && strides[d - 1] < strides[d]; --d) {
      std::swap(call.shape[d - 1], call.shape[d]);
      for (int i = 0; i < operands; ++i) std::swap(call.operands[i].strides[d - 1], call.operands[i].strides[d]);
    }
  }
}

// Brings the dimensions to the fewest; returns how many are kept.
int arrange(Call& call, int operands, bool any_order) {
  for (int i = operands; i < 3; ++i) std::fill_n(call.operands[i].strides, call.ndim, 0);  // so that Walk<3> may read them
  int kept = call.ndim - static_cast<int>(call.scalars[0]);
  if (any_order) {
    sort_dims(call, operands, 0, kept);
    sort_dims(call, operands, kept, call.ndim);
  }
  kept = collapse(call, operands, 0, kept);
  if (count(call, kept, call.ndim) == 0) {
    call.shape[kept] = 0;
    call.ndim = kept + 1;
  }
  collapse(call, operands, kept, call.ndim);
  return kept;
}

template <class T>
using Wrapping = typename std::conditional_t<std::is_floating_point_v<T>, std::type_identity<T>, std::make_unsigned<T>>::type;

template <unsigned kTypes, template <class> class Op, bool kWraps>
Status reduce(Call& call) {
  const int kept = arrange(call, 2, true);
  return with_type<kTypes>(call, [&](auto zero) {
    using Given = decltype(zero);
    using T = typename std::conditional_t<kWraps, std::type_identity<Wrapping<Given>>, std::type_identity<Given>>::type;
    fold<T, Op<T>>(call, kept, 1, -1, [](T x) { return x; });
    return Status::ok;
  });
}

// The first position in a row that is `value`, or is NaN if that is; -1 if none.
template <class T>
int64_t find(const T* a, int64_t n, int64_t stride, T value) {
  constexpr int64_t kChunk = 64;
  for (int64_t i = 0; i < n; i += kChunk) {
    const int64_t end = std::min(n, i + kChunk);
    int found = 0;
    if (stride == 1) {
      for (int64_t j = i; j < end; ++j) found |= (a[j] == value) | ((a[j] != a[j]) & (value != value));
      if (!found) continue;
    }
    for (int64_t j = i; j < end; ++j) {
      const T x = a[j * stride];
      if (x == value || (x != x && value != value)) return j;
    }
  }
  return -1;
}

template <template <class> class Op>
Status arg_reduce(Call& call) {
  const int kept = arrange(call, 2, false);
  return with_type<kAnyType>(call, [&](auto zero) {
    using T = decltype(zero);
    const Reduced reduced(call, kept);
    const T* a = call.operands[0].as<T>();
    const int64_t outputs = count(call, 0, kept);
    if constexpr (kShortRow<T> > 0) {
      if (has_short_rows<T>(call, kept, reduced)) {
        const T* const end = end_of<T>(call, 0);
        for_short_rows<T>(call, kept, reduced.length, [&](const T* const* rows, int width, const int64_t* offset) {
          int64_t positions[kLanes<T>];
          find_in_short_rows<T, Op<T>>(rows, reduced.length, end, positions);
          int64_t* out = call.operands[1].as<int64_t>() + offset[1];
          for (int r = 0; r < width; ++r) out[r * call.operands[1].strides[kept - 1]] = positions[r];
        });
        return Status::ok;
      }
    }
    if constexpr (sizeof(T) > 1) {
      if (is_of_columns<T>(call, kept, reduced)) {
        constexpr int kWidth = kFoundVectors * kLanes<T>;
        const int inner = kept - 1;
        const int64_t columns = call.shape[inner], tiles = ceil_div(columns, kWidth), out_step = call.operands[1].strides[inner];
        const T* const end = end_of<T>(call, 0);
        call.threads->for_each_block(count(call, 0, inner) * tiles, outputs * reduced.length, [&](int64_t block) {
          const Walk<2> at(call, 0, inner, block / tiles);
          const int64_t column = block % tiles * kWidth;
          const int width = static_cast<int>(std::min<int64_t>(kWidth, columns - column));
          int64_t positions[kWidth];
          find_in_columns<T, Op<T>>(a + at.offset[0] + column, reduced.length, reduced.stride, width, end, positions);
          int64_t* out = call.operands[1].as<int64_t>() + at.offset[1] + column * out_step;
          for (int j = 0; j < width; ++j) out[j * out_step] = positions[j];
        });
        return Status::ok;
      }
    }
    const int64_t per_block = std::max<int64_t>(1, kBlockElements / std::max<int64_t>(1, reduced.elements()));
    call.threads->for_each_block(ceil_div(outputs, per_block), outputs * reduced.elements(), [&](int64_t block) {
      for_positions<2>(call, kept, block * per_block, std::min(outputs, (block + 1) * per_block), [&](const int64_t* offset) {
        const T* from = a + offset[0];
        const T best = fold_all<T, Op<T>>(from, reduced, T{});
        int64_t position = -1;
        for (int64_t row = 0; row < reduced.rows && position < 0; ++row) {
          const int64_t found = find(from + reduced.offset(row), reduced.length, reduced.stride, best);
          if (found >= 0) position = row * reduced.length + found;
        }
        call.operands[1].as<int64_t>()[offset[1]] = position;
      });
    });
    return Status::ok;
  });
}

}  // namespace

Status sum(Call& call) { return reduce<kNumbers, Sum, true>(call); }
Status prod(Call& call) { return reduce<kNumbers, Product, true>(call); }
Status amax(Call& call) { return reduce<kAnyType, Maximum, false>(call); }
Status amin(Call& call) { return reduce<kAnyType, Minimum, false>(call); }
Status sum_squares(Call& call) { return reduce<kFloats, SumSquares, false>(call); }
Status argmax(Call& call) { return arg_reduce<Maximum>(call); }
Status argmin(Call& call) { return arg_reduce<Minimum>(call); }

Status var_mean(Call& call) {
  const int kept = arrange(call, 3, true);
  return with_type<kFloats>(call, [&](auto zero) {
    using T = decltype(zero);
    const double n = static_cast<double>(count(call, kept, call.ndim));
    const double divisor = std::max(0.0, n - call.scalars[1]);
    fold<T, Sum<T>>(call, kept, 2, -1, [=](T x) { return static_cast<T>(x / n); });
    fold<T, SumSquaresAround<T>>(call, kept, 1, 2, [=](T x) { return static_cast<T>(x / divisor); });
    return Status::ok;
  });
}

}  // namespace cresset::CRESSET_TARGET
#endif
