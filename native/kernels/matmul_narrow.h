// Products with no more columns than a vector has lanes, as the last layers of models have.
// Included inside each target's region, after <algorithm>, kernels/matmul_micro.h and threads/thread_pool.h.

namespace cresset::CRESSET_TARGET {
namespace {

constexpr int64_t kWorkPerElement = 32;  // multiplications that cost what a pointwise element does
constexpr int kNarrowDepth = 32;         // products with a longer k go over k at one tile
constexpr int kNarrowRows = 8;           // rows summed at once
constexpr int64_t kNarrowBlock = 512;    // rows in a block of work
constexpr int64_t kNarrowWork = 1 << 16; // multiplications done by one thread

// A strided matrix; `row` and `column` are the strides.
template <class T>
struct Matrix {
  T* data;
  int64_t row, column;
  T* at(int64_t i, int64_t j) const { return data + i * row + j * column; }
  Matrix transposed() const { return {data, column, row}; }
};

// out = beta c + alpha a b
template <class T>
struct Product {
  int64_t m, n, k;
  Matrix<const T> a, b, c;
  Matrix<T> out;
  T alpha, beta;

  Product transposed() const {
    return {n, m, k, b.transposed(), a.transposed(), c.transposed(), out.transposed(), alpha, beta};
  }
  // Its part over `depth` of k from `first`, for some rows and columns. The parts of one k are to be done in order.
  Product part(int64_t row, int64_t rows, int64_t column, int64_t columns, int64_t first, int64_t depth) const {
    Product q = {rows, columns, depth, {a.at(row, first), a.row, a.column}, {b.at(first, column), b.row, b.column},
                 {c.data ? c.at(row, column) : nullptr, c.row, c.column}, {out.at(row, column), out.row, out.column}, alpha, beta};
    if (first > 0) {
      q.c = {q.out.data, out.row, out.column};
      q.beta = 1;
    }
    return q;
  }
  T finish(T sum, int64_t i, int64_t j) const { return c.data ? beta * *c.at(i, j) + alpha * sum : alpha * sum; }
};

// panel[k][width]: the rows of b; what lies behind the columns is anything.
template <class T>
void fill_panel(const Product<T>& p, T* panel, int width) {
  for (int64_t k = 0; k < p.k; ++k) {
    for (int64_t j = 0; j < p.n; ++j) panel[k * width + j] = *p.b.at(k, j);
  }
}

// kNarrowRows rows of the product from `row`, stored one after the other: each over what the one before wrote too much, and
// the last by as much behind them. Vectors no wider than the columns need cross fewer cache lines.
template <class T, int kWidth>
inline void multiply_narrow_rows(const Product<T>& p, const T* panel, const T* addend, int64_t row, T* out) {
  typedef T Row __attribute__((vector_size(kWidth * sizeof(T))));
  Row sums[kNarrowRows] = {};
  const T* a = p.a.at(row, 0);
  const int64_t a_row = p.a.row, n = p.n;
  for (int64_t k = 0; k < p.k; ++k, a += p.a.column) {
    Row b;
    __builtin_memcpy(&b, panel + k * kWidth, sizeof b);
    CRESSET_UNROLL for (int r = 0; r < kNarrowRows; ++r) sums[r] += a[r * a_row] * b;
  }
  Row added;
  __builtin_memcpy(&added, addend, sizeof added);
  CRESSET_UNROLL for (int r = 0; r < kNarrowRows; ++r) {
    sums[r] = added + p.alpha * sums[r];
    __builtin_memcpy(out + r * n, &sums[r], sizeof sums[r]);
  }
}

// Few multiplications for each element: b is held as vectors, and a read row by row.
template <class T, int kWidth>
void multiply_narrow_shallow(const Product<T>& p, ThreadPool& threads) {
  alignas(64) T panel[kNarrowDepth * kWidth], addend[kWidth] = {};
  fill_panel(p, panel, kWidth);
  for (int64_t j = 0; p.c.data && j < p.n; ++j) addend[j] = p.beta * *p.c.at(0, j);
  const int64_t blocks = ceil_div(p.m, kNarrowBlock);
  threads.for_each_block(blocks, p.m * (1 + p.n * p.k / kWorkPerElement), [&](int64_t block) {
    const int64_t begin = block * p.m / blocks, end = (block + 1) * p.m / blocks;
    const int64_t inside = end - kNarrowRows - (kWidth - 1) / p.n;  // from here on, what is written too much lies in the block
    for (int64_t row = begin; row < end; row += kNarrowRows) {
      if (row <= inside) {
        multiply_narrow_rows<T, kWidth>(p, panel, addend, row, p.out.at(row, 0));
        continue;
      }
      T flat[(kNarrowRows + 1) * kWidth];
      row = std::min(row, end - kNarrowRows);
      multiply_narrow_rows<T, kWidth>(p, panel, addend, row, flat);
      __builtin_memcpy(p.out.at(row, 0), flat, kNarrowRows * p.n * sizeof(T));
    }
  });
}

// Few rows and columns, and a long k: one tile, with the rows of b as vectors where they lie.
template <class T>
void multiply_narrow_deep(const Product<T>& p) {
  constexpr int L = kLanes<T>;
  const bool along_k = p.a.column == 1;
  T sums[kTileRows * L], rest[(L + 1) * L];
  // The last rows of b would be read beyond its end.
  const int64_t inside = p.b.row <= 0 ? 0 : std::max<int64_t>(0, ((p.k - 1) * p.b.row + p.n - L) / p.b.row + 1);
  const auto kernel = tile_kernel<T>(static_cast<int>(p.m), 1, along_k ? kAlongK : kDown);
  Tile<T> tile = {inside, p.a.data, along_k ? p.a.row : p.a.column, p.b.data, p.b.row, sums, L, nullptr, 0, 1, 1};
  kernel(tile);
  Product<T> tail = p;
  tail.k = p.k - inside;
  tail.b.data = p.b.at(inside, 0);
  fill_panel(tail, rest, L);
  tile.k = tail.k;
  tile.a = p.a.at(0, inside);
  tile.b = rest;
  tile.b_row = L;
  tile.c = sums;
  tile.c_row = L;
  kernel(tile);
  for (int64_t i = 0; i < p.m; ++i) {
    for (int64_t j = 0; j < p.n; ++j) *p.out.at(i, j) = p.finish(sums[i * L + j], i, j);
  }
}

// Whether the product was one of these, and is done.
template <class T>
bool multiply_narrow(const Product<T>& p, ThreadPool& threads) {
  constexpr int L = kLanes<T>;
  if (p.n > L) return false;
  if (p.k <= kNarrowDepth && p.m >= kNarrowRows && p.out.column == 1 && p.out.row == p.n && (!p.c.data || p.c.row == 0)) {
    if (p.n <= L / 4) multiply_narrow_shallow<T, std::max(L / 4, 2)>(p, threads);
    else if (p.n <= L / 2) multiply_narrow_shallow<T, std::max(L / 2, 2)>(p, threads);
    else multiply_narrow_shallow<T, L>(p, threads);
    return true;
  }
  const bool deep = p.n > 1 && p.m <= kTileRows && p.k > kNarrowDepth && p.m * p.n * p.k <= kNarrowWork;
  const bool tail_fits = p.b.column == 1 && p.b.row > 0 && (L - p.n) / p.b.row < L;
  if (deep && tail_fits && (p.a.row == 1 || p.a.column == 1)) {
    multiply_narrow_deep(p);
    return true;
  }
  return false;
}

}  // namespace
}  // namespace cresset::CRESSET_TARGET
