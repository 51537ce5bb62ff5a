// Products whose operands are both contiguous along k: each element is a dot product, and nothing is packed.
// Included inside each target's region, after <algorithm>, <utility>, kernels/sum_lanes.h and kernels/matmul_narrow.h.

namespace cresset::CRESSET_TARGET {
namespace {

#if CRESSET_VECTOR_BYTES == 64 || defined(__aarch64__)
constexpr int kDotColumns = 6;  // a tile's, as many as the registers hold beside kDotRows rows
#else
constexpr int kDotColumns = 3;
#endif
constexpr int kDotRows = 4, kDotColumnsOfOneRow = 4;
constexpr int kDotChains = 8;  // sums that grow at once, to hide what an addition takes
constexpr int64_t kDotStripBytes = 131072;  // of b in a block of work: the second-level cache keeps it for all rows
constexpr int64_t kDotDepth = 12;  // a k for each of few columns, with which packing b costs more
#if CRESSET_VECTOR_BYTES == 64
constexpr int64_t kDotRowsMost = 16, kDotRowsDepth = 32;  // the same of few rows: wide tiles take less time for what is packed
#else
constexpr int64_t kDotRowsMost = 64, kDotRowsDepth = kDotDepth;
#endif

template <class T>
inline Vector<T> load_masked(const T* p, Mask<T> mask) {
  return masked<T>(load(p), mask);
}

// sums[r * kColumns + j] = a[r] · b[j], vectors of length k, `a_step` and `b_step` apart.
template <class T, int kRows, int kColumns>
void multiply_dots(const T* a, int64_t a_step, const T* b, int64_t b_step, int64_t k, T* sums) {
  constexpr int L = kLanes<T>, kParts = kRows * kColumns < kDotChains ? 2 : 1;
  Vector<T> partial[kRows][kColumns][kParts] = {};
  const auto add = [&](int part, auto&& load_from) __attribute__((always_inline)) {
    Vector<T> column[kColumns];
    CRESSET_UNROLL for (int j = 0; j < kColumns; ++j) column[j] = load_from(b + j * b_step);
    CRESSET_UNROLL for (int r = 0; r < kRows; ++r) {
      const Vector<T> row = load_from(a + r * a_step);
      CRESSET_UNROLL for (int j = 0; j < kColumns; ++j) partial[r][j][part] += row * column[j];
    }
  };
  int64_t i = 0;
  for (; i + kParts * L <= k; i += kParts * L) {
    CRESSET_UNROLL for (int part = 0; part < kParts; ++part) {
      add(part, [&](const T* p) __attribute__((always_inline)) { return load(p + i + part * L); });
    }
  }
  for (; i + L <= k; i += L) add(0, [&](const T* p) __attribute__((always_inline)) { return load(p + i); });
  if (i < k && k >= L) {
    const Mask<T> rest = last_lanes<T>(k - i);
    add(0, [&](const T* p) __attribute__((always_inline)) { return load_masked(p + k - L, rest); });
    i = k;
  }
  Vector<T> whole[kRows * kColumns];
  CRESSET_UNROLL for (int e = 0; e < kRows * kColumns; ++e) {
    const auto& parts = partial[e / kColumns][e % kColumns];
    whole[e] = kParts == 2 ? parts[0] + parts[kParts - 1] : parts[0];
  }
  sum_lanes_of<T, kRows * kColumns>(whole, sums);
  for (; i < k; ++i) {
    for (int e = 0; e < kRows * kColumns; ++e) sums[e] += a[e / kColumns * a_step + i] * b[e % kColumns * b_step + i];
  }
}

// Rows of the product from `row`, and columns [first, end).
template <class T, int kRows>
void multiply_dot_rows(const Product<T>& p, int64_t row, int64_t first, int64_t end) {
  constexpr int kColumns = kRows == 1 ? kDotColumnsOfOneRow : kDotColumns;
  T sums[kRows * kColumns];
  const auto write = [&](int64_t column, int columns) {
    for (int r = 0; r < kRows; ++r) {
      for (int j = 0; j < columns; ++j) *p.out.at(row + r, column + j) = p.finish(sums[r * columns + j], row + r, column + j);
    }
  };
  int64_t j = first;
  for (; j + kColumns <= end; j += kColumns) {
    multiply_dots<T, kRows, kColumns>(p.a.at(row, 0), p.a.row, p.b.at(0, j), p.b.column, p.k, sums);
    write(j, kColumns);
  }
  for (; j < end; ++j) {
    multiply_dots<T, kRows, 1>(p.a.at(row, 0), p.a.row, p.b.at(0, j), 0, p.k, sums);
    write(j, 1);
  }
}

template <class T>
void multiply_by_dots(const Product<T>& given, ThreadPool& threads) {
  const Product<T> p = given.m <= given.n ? given : given.transposed();
  constexpr void (*kByRows[])(const Product<T>&, int64_t, int64_t, int64_t) = {multiply_dot_rows<T, 1>, multiply_dot_rows<T, 2>,
                                                                               multiply_dot_rows<T, 3>, multiply_dot_rows<T, 4>};
  constexpr int64_t kUnit = 12;  // columns: whole tiles, of one row too
  const int64_t units = ceil_div(p.n, kUnit), cached = kDotStripBytes / (p.k * kUnit * static_cast<int64_t>(sizeof(T)));
  // Cuts along rows and columns do not change the result, so they may depend on the number of threads.
  const int64_t least = std::min<int64_t>(units, 4 * threads.threads());
  const int64_t strips = std::max(least, ceil_div(units, std::max<int64_t>(1, cached))), tiles = ceil_div(p.m, kDotRows);
  threads.for_each_block(strips, p.m * p.n * p.k / kWorkPerElement, [&](int64_t strip) {
    const int64_t first = strip * units / strips * kUnit, end = std::min(p.n, (strip + 1) * units / strips * kUnit);
    for (int64_t tile = 0; tile < tiles; ++tile) {
      const int64_t row = tile * p.m / tiles, rows = (tile + 1) * p.m / tiles - row;
      kByRows[rows - 1](p, row, first, end);
    }
  });
}

template <class T>
bool is_of_dots(const Product<T>& p) {
  if (p.a.column != 1 || p.b.row != 1 || p.k < 4 * kLanes<T>) return false;
  if (p.m <= kDotRows) return true;
  // Few columns leave lanes of a tile's vectors unused.
  const bool few_columns = p.n < 3 * kLanes<T> && p.n % kLanes<T> != 0;
  return (few_columns && p.n * kDotDepth <= p.k) || (p.m <= kDotRowsMost && p.m * kDotRowsDepth <= p.k);
}

constexpr int64_t kLongDot = 32768;  // vectors from this length on are cut for the threads
constexpr int kDotParts = 256;

// The product of two long vectors: parts of it, added in pairs.
template <class T>
void multiply_long_dot(const Product<T>& p, ThreadPool& threads) {
  const int64_t part = ceil_div(ceil_div(p.k, kDotParts), 1024) * 1024, parts = ceil_div(p.k, part);
  T sums[kDotParts];
  threads.for_each_block(parts, p.k, [&](int64_t block) {
    const int64_t from = block * part;
    multiply_dots<T, 1, 1>(p.a.at(0, from), 0, p.b.at(from, 0), 0, std::min(part, p.k - from), sums + block);
  });
  for (int64_t left = parts; left > 1; left = ceil_div(left, 2)) {
    for (int64_t i = 0; i < left / 2; ++i) sums[i] = sums[2 * i] + sums[2 * i + 1];
    if (left % 2) sums[left / 2] = sums[left - 1];
  }
  *p.out.at(0, 0) = p.finish(sums[0], 0, 0);
}

}  // namespace
}  // namespace cresset::CRESSET_TARGET
