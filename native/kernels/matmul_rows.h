// Products of few rows with a b whose rows are contiguous: b is read once, as it lies.
// Included inside each target's region, after <algorithm>, kernels/matmul_narrow.h, kernels/scratch.h and kernels/walk.h.

namespace cresset::CRESSET_TARGET {
namespace {

constexpr int64_t kRowsStrip = 2048;    // columns worked on at a time, so that their sums stay in the first-level cache
constexpr int64_t kRowsStrips = 32;     // strips at a time, so that the sums of all do not grow without bound
constexpr int64_t kRowsPart = 1 << 16;  // elements of b in a part of k, or more
constexpr int64_t kRowsParts = 32;      // parts by strips, at most
constexpr int kRowsDepth = 4;           // rows of b added at once

// sums[r][j] += Σ a b over kDepth rows of b from `k`.
template <class T, int kRows, int kDepth>
inline void add_rows(const Product<T>& p, int64_t k, int64_t column, int64_t columns, T* sums) {
  constexpr int L = kLanes<T>;
  Vector<T> a[kRows][kDepth];
  const T* b[kDepth];
  CRESSET_UNROLL for (int d = 0; d < kDepth; ++d) {
    b[d] = p.b.at(k + d, column);
    CRESSET_UNROLL for (int r = 0; r < kRows; ++r) a[r][d] = splat(*p.a.at(r, k + d));
  }
  int64_t j = 0;
  for (; j + L <= columns; j += L) {
    Vector<T> row[kDepth];
    CRESSET_UNROLL for (int d = 0; d < kDepth; ++d) row[d] = load(b[d] + j);
    CRESSET_UNROLL for (int r = 0; r < kRows; ++r) {
      Vector<T> sum = load(sums + r * p.n + j);
      CRESSET_UNROLL for (int d = 0; d < kDepth; ++d) sum += a[r][d] * row[d];
      store(sums + r * p.n + j, sum);
    }
  }
  for (; j < columns; ++j) {
    for (int r = 0; r < kRows; ++r) {
      for (int d = 0; d < kDepth; ++d) sums[r * p.n + j] += a[r][d][0] * b[d][j];
    }
  }
}

template <class T, int kRows>
Status multiply_rows(const Product<T>& p, ThreadPool& threads) {
  const int64_t strips = ceil_div(p.n, kRowsStrip), strip = ceil_div(p.n, strips);
  // The parts of k change the result: they depend on the shape alone.
  const int64_t most = std::max<int64_t>(1, std::min(kRowsParts / strips, p.k / kRowsDepth));
  const int64_t parts = std::clamp<int64_t>(p.n * p.k / kRowsPart, 1, most), size = kRows * p.n;
  T* sums = reinterpret_cast<T*>(scratch(Scratch::call, parts * size * sizeof(T)));
  if (!sums) return Status::out_of_memory;
  threads.for_each_block(parts * strips, kRows * p.n * p.k / kWorkPerElement, [&](int64_t block) {
    const int64_t part = block / strips, end = (part + 1) * p.k / parts;
    const int64_t column = block % strips * strip, columns = std::min(strip, p.n - column);
    T* own = sums + part * size + column;
    for (int r = 0; r < kRows; ++r) std::fill_n(own + r * p.n, columns, T{0});
    int64_t k = part * p.k / parts;
    for (; k + kRowsDepth <= end; k += kRowsDepth) add_rows<T, kRows, kRowsDepth>(p, k, column, columns, own);
    for (; k < end; ++k) add_rows<T, kRows, 1>(p, k, column, columns, own);
  });
  threads.for_each_block(strips, parts * size, [&](int64_t block) {
    const int64_t column = block * strip, columns = std::min(strip, p.n - column);
    for (int r = 0; r < kRows; ++r) {
      T* total = sums + r * p.n + column;
      for (int64_t part = 1; part < parts; ++part) {
        for (int64_t j = 0; j < columns; ++j) total[j] += total[part * size + j];
      }
      for (int64_t j = 0; j < columns; ++j) *p.out.at(r, column + j) = p.finish(total[j], r, column + j);
    }
  });
  return Status::ok;
}

// More rows than one share what tiles read of b; it pays for them only where b is large.
template <class T>
bool has_few_rows(const Product<T>& p) {
  return p.b.column == 1 && (p.m == 1 || (p.m <= 3 && p.k >= 128 && p.n * p.k >= 2 * kRowsPart));
}

template <class T>
Status multiply_few_rows(const Product<T>& p, ThreadPool& threads) {
  constexpr Status (*kByRows[])(const Product<T>&, ThreadPool&) = {multiply_rows<T, 1>, multiply_rows<T, 2>, multiply_rows<T, 3>};
  constexpr int64_t kColumns = kRowsStrips * kRowsStrip;
  for (int64_t column = 0; column < p.n; column += kColumns) {
    const Product<T> part = p.part(0, p.m, column, std::min(kColumns, p.n - column), 0, p.k);
    if (const Status status = kByRows[p.m - 1](part, threads); status != Status::ok) return status;
  }
  return Status::ok;
}

}  // namespace
}  // namespace cresset::CRESSET_TARGET
