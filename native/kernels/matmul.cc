// Matrix products. Large ones are worked on in blocks packed so that the inner kernel reads memory in order (as GotoBLAS
// and BLIS do); small ones read the operands where they lie. How the work is cut depends on the shapes alone.
#include <algorithm>
#include <array>
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
#include "kernels/matmul_micro.h"
#include "kernels/matmul_narrow.h"

namespace cresset::CRESSET_TARGET {
namespace {

constexpr int64_t kMaxBlock = 2048;      // rows and columns packed at a time
constexpr int64_t kBlockTiles = 24, kBlockPanels = 16;  // in a block of work: its part of a fits the second-level cache
constexpr int64_t kSmall = 128 * 128 * 128;  // multiplications up to which packing does not pay
constexpr int64_t kNarrow = 64;          // nor does it with so few rows or columns
constexpr int64_t kShallow = 16;         // with so short a k, writing counts: out is written row by row

// Few rows, both operands contiguous along k: each element is a dot product.
template <class T>
void multiply_by_dots(const Product<T>& p, ThreadPool& threads) {
  constexpr int kColumns = 4, kStrip = 64;
  threads.for_each_block(ceil_div(p.n, kStrip), p.m * p.n * p.k / kWorkPerElement, [&](int64_t block) {
    const int64_t end = std::min(p.n, (block + 1) * kStrip);
    for (int64_t j = block * kStrip; j < end; j += kColumns) {
      const int columns = static_cast<int>(std::min<int64_t>(kColumns, end - j));
      for (int64_t i = 0; i < p.m; ++i) {
        T sums[kColumns];
        if (columns == kColumns) {
          multiply_dots<T, kColumns>(p.a.at(i, 0), p.b.at(0, j), p.b.column, p.k, sums);
        } else {
          for (int v = 0; v < columns; ++v) multiply_dots<T, 1>(p.a.at(i, 0), p.b.at(0, j + v), 0, p.k, sums + v);
        }
        for (int v = 0; v < columns; ++v) *p.out.at(i, j + v) = p.finish(sums[v], i, j + v);
      }
    }
  });
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
    multiply_dots<T, 1>(p.a.at(0, from), p.b.at(from, 0), 0, std::min(part, p.k - from), sums + block);
  });
  for (int64_t left = parts; left > 1; left = ceil_div(left, 2)) {
    for (int64_t i = 0; i < left / 2; ++i) sums[i] = sums[2 * i] + sums[2 * i + 1];
    if (left % 2) sums[left / 2] = sums[left - 1];
  }
  *p.out.at(0, 0) = p.finish(sums[0], 0, 0);
}

// The cut of a product into tiles: strips of nearly equal numbers of rows, panels of `width` columns; and of these into
// blocks of work.
template <class T>
struct Grid {
  int64_t m, n, tiles, panels, tiles_per_block, panels_per_block;
  int width;

  Grid(int64_t m, int64_t n, int64_t work, int vectors) : m(m), n(n), width(vectors * kLanes<T>) {
    tiles = ceil_div(m, kTileRows);
    panels = ceil_div(n, width);
    tiles_per_block = ceil_div(tiles, ceil_div(tiles, kBlockTiles));
    panels_per_block = ceil_div(panels, ceil_div(panels, kBlockPanels));
    const int64_t wanted = work <= kSmall / 4 ? 2 : work <= kSmall ? 4 : 12;  // so that threads end together
    while (blocks() < wanted && tiles_per_block * panels_per_block > 1) {
      int64_t& split = tiles_per_block == 1 || (n >= m && panels_per_block > 1) ? panels_per_block : tiles_per_block;
      split = ceil_div(split, 2);
    }
  }
  int64_t row_blocks() const { return ceil_div(tiles, tiles_per_block); }
  int64_t blocks() const { return row_blocks() * ceil_div(panels, panels_per_block); }
  int64_t first_tile(int64_t block) const { return block % row_blocks() * tiles_per_block; }
  int64_t last_tile(int64_t block) const { return std::min(tiles, first_tile(block) + tiles_per_block); }
  int64_t first_panel(int64_t block) const { return block / row_blocks() * panels_per_block; }
  int64_t last_panel(int64_t block) const { return std::min(panels, first_panel(block) + panels_per_block); }

  int64_t first_row(int64_t tile) const { return tile * m / tiles; }
  int rows(int64_t tile) const { return static_cast<int>(first_row(tile + 1) - first_row(tile)); }
  int columns(int64_t panel) const { return static_cast<int>(std::min<int64_t>(width, n - panel * width)); }
  int padded(int64_t panel) const { return static_cast<int>(ceil_div(columns(panel), kLanes<T>)) * kLanes<T>; }
};

// Writes rows whose sums stand in vectors `padded` apart where the panel holds them whole: one after the other, each over
// what the one before wrote too much. Every row has the same c.
template <class T>
void write_whole_rows(const Product<T>& p, const T* sums, int padded, int64_t row, int rows, int columns) {
  constexpr int L = kLanes<T>;
  T addend[kMaxVectors * L] = {}, flat[(kTileRows + 1) * kMaxVectors * L];
  if (p.c.data) {
    for (int j = 0; j < columns; ++j) addend[j] = p.beta * *p.c.at(row, j);
  }
  const Vector<T> alpha = splat(p.alpha);
  for (int i = 0; i < rows; ++i) {
    for (int j = 0; j < columns; j += L) store(flat + i * columns + j, load(addend + j) + alpha * load(sums + i * padded + j));
  }
  __builtin_memcpy(p.out.at(row, 0), flat, rows * columns * sizeof(T));
}

// Multiplies tiles [begin, end) by the panel at `b`. Without `packed_a`, a is read where it lies.
template <class T>
void multiply_panel(const Product<T>& p, const Grid<T>& grid, int64_t begin, int64_t end, const T* packed_a, int64_t panel,
                    const T* b, int64_t b_row) {
  const int64_t column = panel * grid.width;
  const int columns = grid.columns(panel), padded = grid.padded(panel);
  const bool direct = columns == padded && p.out.column == 1 && (!p.c.data || p.c.column == 1);
  const bool whole = grid.panels == 1 && p.out.column == 1 && p.out.row == columns && (!p.c.data || p.c.row == 0);
  const bool along_k = !packed_a && p.a.column == 1;
  T sums[kTileRows * kMaxVectors * kLanes<T>];
  for (int64_t tile = begin; tile < end; ++tile) {
    const int64_t row = grid.first_row(tile);
    const int rows = grid.rows(tile);
    Tile<T> t = {p.k, packed_a ? packed_a + row * p.k : p.a.at(row, 0), packed_a ? rows : along_k ? p.a.row : p.a.column,
                 b, b_row, sums, padded, nullptr, 0, 1, 0};
    const auto kernel = tile_kernel<T>(rows, padded / kLanes<T>, along_k);
    if (direct) {
      t.out = p.out.at(row, column);
      t.out_row = p.out.row;
      if (p.c.data) t.c = p.c.at(row, column);
      t.c_row = p.c.row;
      t.alpha = p.alpha;
      t.beta = p.beta;
      kernel(t);
      continue;
    }
    kernel(t);
    if (whole) {
      write_whole_rows(p, sums, padded, row, rows, columns);
      continue;
    }
    for (int i = 0; i < rows; ++i) {
      for (int j = 0; j < columns; ++j) *p.out.at(row + i, column + j) = p.finish(sums[i * padded + j], row + i, column + j);
    }
  }
}

// Reads a, which must be contiguous one way or the other, and b where they lie, save for panels of b that are not whole
// vectors in a row. The depth is short enough for the part of b that a block needs to stay in cache.
template <class T>
void multiply_in_place(const Product<T>& p, ThreadPool& threads) {
  const int vectors = p.m <= kWideRows ? kWideVectors : kTileVectors;
  constexpr int kBuffer = 256 * kTileVectors * kLanes<T>;
  const int64_t depth = 256 * kTileVectors / vectors;
  const Grid<T> grid(p.m, p.n, p.m * p.n * p.k, vectors);
  threads.for_each_block(grid.blocks(), p.m * p.n * p.k / kWorkPerElement, [&](int64_t block) {
    alignas(64) T packed[kBuffer];
    for (int64_t first = 0; first < std::max<int64_t>(p.k, 1); first += depth) {
      const Product<T> part = p.part(0, p.m, 0, p.n, first, std::min(depth, p.k - first));
      const int64_t last = grid.last_tile(block);
      const int64_t strip = p.k <= kShallow && p.b.column == 1 ? 1 : last - grid.first_tile(block);
      for (int64_t tile = grid.first_tile(block); tile < last; tile += strip) {
        for (int64_t panel = grid.first_panel(block), end = grid.last_panel(block); panel < end; ++panel) {
          const T* b = part.b.at(0, panel * grid.width);
          int64_t b_row = part.b.row;
          if (part.b.column != 1 || grid.columns(panel) != grid.padded(panel)) {
            pack(packed, grid.padded(panel), b, part.b.column, part.b.row, grid.columns(panel), part.k);
            b = packed;
            b_row = grid.padded(panel);
          }
          multiply_panel<T>(part, grid, tile, tile + strip, nullptr, panel, b, b_row);
        }
      }
    }
  });
}

// Calls strip(i, first, depth) for strips [begin, end) of a matrix with this stride along k. Unless k is contiguous, a bit
// of each strip is done in turn, so that what is contiguous across the strips is read as such.
template <class F>
void for_strips(int64_t begin, int64_t end, int64_t k_stride, int64_t depth, F&& strip) {
  const int64_t step = k_stride == 1 ? depth : 16;
  for (int64_t k = 0; k < depth; k += step) {
    for (int64_t i = begin; i < end; ++i) strip(i, k, std::min(step, depth - k));
  }
}

template <class T>
Status multiply_packed(const Product<T>& p, ThreadPool& threads) {
  const int64_t depths = std::max<int64_t>(1, ceil_div(p.k, kDepth)), depth = ceil_div(p.k, depths);
  const int64_t row_blocks = ceil_div(p.m, kMaxBlock), column_blocks = ceil_div(p.n, kMaxBlock);
  constexpr int64_t kAlign = 64;
  const int64_t size_a = ceil_div(ceil_div(p.m, row_blocks) * depth, kAlign) * kAlign;
  const int64_t size_b = ceil_div(ceil_div(p.n, column_blocks), kAlign) * kAlign * depth;
  T* packed_a = reinterpret_cast<T*>(scratch((size_a + size_b) * sizeof(T)));
  if (!packed_a) return Status::out_of_memory;
  T* packed_b = packed_a + size_a;

  for (int64_t i = 0; i < row_blocks * column_blocks * depths; ++i) {
    const int64_t d = i % depths, row_block = i / depths % row_blocks, column_block = i / depths / row_blocks;
    const int64_t row = row_block * p.m / row_blocks, rows = (row_block + 1) * p.m / row_blocks - row;
    const int64_t column = column_block * p.n / column_blocks, columns = (column_block + 1) * p.n / column_blocks - column;
    const Product<T> part = p.part(row, rows, column, columns, d * depth, std::min(depth, p.k - d * depth));
    const int64_t work = rows * columns * part.k;
    const Grid<T> grid(rows, columns, work, kTileVectors);

    constexpr int64_t kStrips = 8;
    const int64_t a_blocks = ceil_div(grid.tiles, kStrips), b_blocks = ceil_div(grid.panels, kStrips);
    threads.for_each_block(a_blocks + b_blocks, work / kWorkPerElement, [&](int64_t block) {
      if (block < a_blocks) {
        for_strips(block * kStrips, std::min(grid.tiles, (block + 1) * kStrips), part.a.column, part.k, [&](int64_t tile, int64_t k, int64_t n) {
          const int64_t from = grid.first_row(tile);
          const int rows = grid.rows(tile);
          pack(packed_a + from * part.k + k * rows, rows, part.a.at(from, k), part.a.row, part.a.column, rows, n);
        });
      } else {
        block -= a_blocks;
        for_strips(block * kStrips, std::min(grid.panels, (block + 1) * kStrips), part.b.row, part.k, [&](int64_t panel, int64_t k, int64_t n) {
          const int64_t from = panel * grid.width;
          const int padded = grid.padded(panel);
          pack(packed_b + from * part.k + k * padded, padded, part.b.at(k, from), part.b.column, part.b.row, grid.columns(panel), n);
        });
      }
    });
    threads.for_each_block(grid.blocks(), work / kWorkPerElement, [&](int64_t block) {
      for (int64_t panel = grid.first_panel(block), end = grid.last_panel(block); panel < end; ++panel) {
        const T* b = packed_b + panel * grid.width * part.k;
        multiply_panel<T>(part, grid, grid.first_tile(block), grid.last_tile(block), packed_a, panel, b, grid.padded(panel));
      }
    });
  }
  return Status::ok;
}

template <class T>
Status multiply(Product<T> p, ThreadPool& threads) {
  constexpr int kLong = 4 * kLanes<T>;
  if (p.m == 0 || p.n == 0) return Status::ok;
  if (p.out.column != 1 && p.out.row == 1) p = p.transposed();
  if (p.m == 1 && p.n == 1 && p.k >= kLongDot && p.a.column == 1 && p.b.row == 1) {
    multiply_long_dot(p, threads);
    return Status::ok;
  }
  if (multiply_narrow(p, threads)) return Status::ok;
  if (p.n <= kWideRows && p.m > p.n && (p.a.row == 1 || p.k >= kLong)) p = p.transposed();  // few columns make short vectors
  if (p.m <= kWideRows && p.k >= kLong && p.b.row == 1 && p.a.column == 1) {
    multiply_by_dots(p, threads);
    return Status::ok;
  }
  const bool few = p.m * p.n * p.k <= kSmall || p.m <= kNarrow || p.n <= kNarrow;
  if (few && (p.a.row == 1 || p.a.column == 1)) {
    multiply_in_place(p, threads);
    return Status::ok;
  }
  return multiply_packed(p, threads);
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
    Walk<4> at(call, 0, row);
    for (int64_t i = 0, n = count(call, 0, row); i < n; ++i, at.next()) {
      const Product<T> product = {
          call.shape[row], call.shape[column], call.shape[depth],
          {o[0].as<T>() + at.offset[0], o[0].strides[row], o[0].strides[depth]},
          {o[1].as<T>() + at.offset[1], o[1].strides[depth], o[1].strides[column]},
          {has_c ? o[2].as<T>() + at.offset[2] : nullptr, o[2].strides[row], o[2].strides[column]},
          {o[3].as<T>() + at.offset[3], o[3].strides[row], o[3].strides[column]},
          static_cast<T>(static_cast<Given>(call.scalars[0])), beta};
      if constexpr (kFloat) {
        if (const Status status = multiply(product, *call.threads); status != Status::ok) return status;
      } else {
        multiply_integers(product);
      }
    }
    return Status::ok;
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
