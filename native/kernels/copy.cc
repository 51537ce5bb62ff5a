// Copies between any two dtypes and layouts, and kernels that fill.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>
#include <utility>

#include "call.h"
#include "kernels/walk.h"
#include "number.h"
#include "threads/thread_pool.h"
#define CRESSET_SOURCE "kernels/copy.cc"
#include "simd/each_target.h"

#ifdef CRESSET_TARGET
#include "kernels/vector.h"
#include "kernels/transpose.h"
#include "kernels/loops.h"
#include "kernels/math.h"

namespace cresset::CRESSET_TARGET {
namespace {

// Calls f with an element of the size of the operand's: for kernels that only move elements.
template <class F>
Status with_item(const Operand& operand, F f) {
  switch (item_size(operand.dtype)) {
    case 8: return f(int64_t{});
    case 4: return f(int32_t{});
    default: return f(uint8_t{});
  }
}

constexpr int64_t kCacheLine = 64;
constexpr int64_t kRows = 64;  // of `out`, that a thread takes at a time

// A dimension, not the last, along which `a` is contiguous while `out` is along the last; or -1.
int transposed_dim(const Call& call) {
  const Operand &a = call.operands[0], &out = call.operands[1];
  const int last = call.ndim - 1;
  if (call.ndim < 2 || a.dtype != out.dtype || item_size(a.dtype) == 1) return -1;
  if (out.strides[last] != 1 || a.strides[last] == 1 || call.shape[last] < 8) return -1;
  for (int d = last - 1; d >= 0; --d) {
    if (a.strides[d] == 1 && call.shape[d] >= 8) return d;
  }
  return -1;
}

template <class T>
void transpose(Call& call, int dim) {
  const int last = call.ndim - 1, rows_dim = last - 1;
  std::swap(call.shape[dim], call.shape[rows_dim]);
  for (int i = 0; i < 2; ++i) std::swap(call.operands[i].strides[dim], call.operands[i].strides[rows_dim]);
  const Operand &a = call.operands[0], &out = call.operands[1];
  const int64_t rows = call.shape[rows_dim], columns = call.shape[last];
  const int64_t outer = count(call, 0, rows_dim), bands = ceil_div(rows, kRows);
  // A tile is a cache line square: more would fall in too few cache sets where strides are powers of two.
  constexpr int64_t tile = kCacheLine / sizeof(T);
  call.threads->for_each_block(outer * bands, outer * rows * columns, [&](int64_t block) {
    const Walk<2> at(call, 0, rows_dim, block / bands);
    const int64_t first = block % bands * kRows, end = std::min(first + kRows, rows);
    for (int64_t row = first; row < end; row += tile) {
      for (int64_t column = 0; column < columns; column += tile) {
        transpose_tile(a.as<T>() + at.offset[0] + row + column * a.strides[last], a.strides[last],
                       out.as<T>() + at.offset[1] + row * out.strides[rows_dim] + column, out.strides[rows_dim],
                       std::min(tile, end - row), std::min(tile, columns - column));
      }
    }
  });
}

// Whether both lie in runs along the last dimension, which are short and do not join up.
bool has_short_rows(const Call& call) {
  const int last = call.ndim - 1;
  if (call.ndim < 2 || call.shape[last] < 4 || call.shape[last] >= kBlock / 8) return false;
  bool joined = true;
  for (int i = 0; i < 2; ++i) {
    if (call.operands[i].strides[last] != 1) return false;
    joined &= call.operands[i].strides[last - 1] == call.shape[last];
  }
  return !joined;
}

template <class T>
void copy_rows(Call& call) {
  const int last = call.ndim - 1, rows_dim = last - 1;
  const Operand &a = call.operands[0], &out = call.operands[1];
  const int64_t n = call.shape[last], rows = call.shape[rows_dim], all_rows = count(call, 0, last);
  const int64_t a_step = a.strides[rows_dim], out_step = out.strides[rows_dim], per_block = kBlock / n;
  call.threads->for_each_block(ceil_div(all_rows, per_block), all_rows * n, [&](int64_t block) {
    const int64_t end = std::min((block + 1) * per_block, all_rows);
    for (int64_t row = block * per_block, next; row < end; row = next) {
      const Walk<2> at(call, 0, rows_dim, row / rows);
      const int64_t first = row % rows;
      next = std::min(end, row - first + rows);
      const T* from = a.as<T>() + at.offset[0] + first * a_step;
      T* to = out.as<T>() + at.offset[1] + first * out_step;
      for (int64_t i = row; i < next; ++i, from += a_step, to += out_step) move_items(from, to, n);
    }
  });
}

// Copies what `keeps` says of each row of a matrix, a range of columns, and zeroes the rest.
template <class F>
Status triangle(Call& call, F keeps) {
  return with_item(call.operands[0], [&]<class T>(T) {
    const Operand &a = call.operands[0], &out = call.operands[1];
    const int last = call.ndim - 1;
    const int64_t rows = call.shape[last - 1], columns = call.shape[last];
    const int64_t a_stride = a.strides[last], out_stride = out.strides[last];
    const int64_t all_rows = count(call, 0, last), rows_per_block = ceil_div(kBlock, columns);
    call.threads->for_each_block(ceil_div(all_rows, rows_per_block), all_rows * columns, [&](int64_t block) {
      const int64_t first = block * rows_per_block, end = std::min(first + rows_per_block, all_rows);
      Walk<2> at(call, 0, last, first);
      for (int64_t row = first; row < end; ++row, at.next()) {
        const T* from = a.as<T>() + at.offset[0];
        T* to = out.as<T>() + at.offset[1];
        const auto [kept_from, kept_to] = keeps(row % rows, columns);
        for (int64_t c = 0; c < kept_from; ++c) to[c * out_stride] = 0;
        for (int64_t c = kept_from; c < kept_to; ++c) to[c * out_stride] = from[c * a_stride];
        for (int64_t c = kept_to; c < columns; ++c) to[c * out_stride] = 0;
      }
    });
    return Status::ok;
  });
}

// convert<int64_t>, by additions where there is nothing beyond 2^51: they vectorize on every target.
template <class From>
void to_int64(int64_t n, const From* in, int64_t* out) {
  constexpr int64_t kTogether = 64;
  for (; n > 0; n -= kTogether, in += kTogether, out += kTogether) {
    const int64_t count = std::min(n, kTogether);
    int32_t large = 0;
    for (int64_t i = 0; i < count; ++i) large |= !(std::fabs(in[i]) < From{0x1p51});
    if (!large) {
      CRESSET_INDEPENDENT
      for (int64_t i = 0; i < count; ++i) out[i] = math::small_integer(math::trunc_small(in[i]));
    } else {
      for (int64_t i = 0; i < count; ++i) out[i] = convert<int64_t>(in[i]);
    }
  }
}

// The diagonal as an integer that can be added to a row without overflow.
int64_t diagonal(const Call& call) {
  constexpr double limit = 0x1p53;
  const double value = call.scalars[0];
  return value == value ? static_cast<int64_t>(std::clamp(value, -limit, limit)) : 0;
}

}  // namespace

Status copy(Call& call) {
  if (const int dim = transposed_dim(call); dim >= 0) {
    if (item_size(call.operands[0].dtype) == 8) transpose<int64_t>(call, dim);
    else transpose<int32_t>(call, dim);
    return Status::ok;
  }
  if (call.operands[0].dtype == call.operands[1].dtype) {
    if (has_short_rows(call)) {
      return with_item(call.operands[0], [&]<class T>(T) {
        copy_rows<T>(call);
        return Status::ok;
      });
    }
    return with_item(call.operands[0], [&]<class T>(T) { return map<T, T>(call, [](T x) { return x; }); });
  }
  return dispatch<Class::A>(call, 0, 1, [&]<class From>(From) {
    if (call.operands[1].dtype == DType::boolean) return map<uint8_t, From>(call, [](From x) -> uint8_t { return convert<bool>(x); });
    return dispatch<Class::A>(call, 1, 2, [&]<class To>(To) {
      if constexpr (std::is_same_v<To, int64_t> && std::is_floating_point_v<From>) {
        const Loop loop = [](const void*, int64_t n, char* const* operands) {
          to_int64(n, reinterpret_cast<const From*>(operands[0]), reinterpret_cast<int64_t*>(operands[1]));
        };
        Iteration(call, 0, 1, true, loop, nullptr).run();
        return Status::ok;
      } else {
        return map<To, From>(call, [](From x) { return convert<To>(x); });
      }
    });
  });
}

Status fill(Call& call) {
  const double value = call.scalars[0];
  if (call.operands[0].dtype == DType::boolean) return map<uint8_t>(call, [value] { return uint8_t{value != 0}; });
  return dispatch<Class::A>(call, 0, 1, [&]<class T>(T) { return map<T>(call, [x = convert<T>(value)] { return x; }); });
}

Status arange(Call& call) {
  const double start = call.scalars[0], step = call.scalars[1];
  const int64_t n = call.shape[0], stride = call.operands[0].strides[0];
  const double last = start + static_cast<double>(n - 1) * step;
  constexpr double kExact = 0x1p53;
  const bool whole = std::fabs(start) <= kExact && std::fabs(last) <= kExact && std::fabs(step) <= kExact &&
                     std::trunc(start) == start && std::trunc(step) == step;
  return dispatch<Class::N>(call, 0, 1, [&]<class T>(T) {
    call.threads->for_each_block(ceil_div(n, kBlock), n, [&](int64_t block) {
      T* out = call.operands[0].as<T>() + block * kBlock * stride;
      if constexpr (std::is_same_v<T, int64_t>) {
        if (whole) {
          const int64_t by = static_cast<int64_t>(step), from = static_cast<int64_t>(start) + block * kBlock * by;
          for (int64_t i = 0, count = std::min(kBlock, n - block * kBlock); i < count; ++i) out[i * stride] = from + i * by;
          return;
        }
      }
      // Counted in 32 bits, which any target turns into double by vectors; the sum is exact.
      const double before = static_cast<double>(block * kBlock);
      const int32_t count = static_cast<int32_t>(std::min(kBlock, n - block * kBlock));
      for (int32_t i = 0; i < count; ++i) out[i * stride] = convert<T>(start + (before + i) * step);
    });
    return Status::ok;
  });
}

Status linspace(Call& call) {
  const int64_t n = call.shape[0], stride = call.operands[0].strides[0];
  return dispatch<Class::N>(call, 0, 1, [&]<class T>(T) {
    using Real = std::conditional_t<std::is_same_v<T, double>, double, float>;
    const Real start = static_cast<Real>(call.scalars[0]), end = static_cast<Real>(call.scalars[1]);
    const Real step = (end - start) / static_cast<Real>(n - 1);  // of one number, that is not read
    T* out = call.operands[0].as<T>();
    call.threads->for_each_block(ceil_div(n, kBlock), n, [&](int64_t block) {
      const int64_t last = std::min((block + 1) * kBlock, n);
      for (int64_t i = block * kBlock; i < last; ++i) {
        const bool first = i < n / 2 || n == 1;
        const double along = static_cast<double>(first ? i : n - 1 - i), by = first ? step : -step, from = first ? start : end;
        // A float's product is exact in double, and the sum as good as rounded once.
        const double x = n == 1 ? from : std::is_same_v<Real, double> ? std::fma(by, along, from) : by * along + from;
        out[i * stride] = convert<T>(static_cast<Real>(x));
      }
    });
    return Status::ok;
  });
}

Status tril(Call& call) {
  return triangle(call, [k = diagonal(call)](int64_t row, int64_t columns) {
    return std::pair<int64_t, int64_t>(0, std::clamp<int64_t>(row + k + 1, 0, columns));
  });
}

Status triu(Call& call) {
  return triangle(call, [k = diagonal(call)](int64_t row, int64_t columns) {
    return std::pair<int64_t, int64_t>(std::clamp<int64_t>(row + k, 0, columns), columns);
  });
}

}  // namespace cresset::CRESSET_TARGET
#endif
