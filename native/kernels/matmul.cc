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

namespace cresset::CRESSET_TARGET {
namespace {

constexpr int64_t kMaxRows = 2016, kMaxColumns = 2048;  // of a packed block
constexpr int64_t kWorkPerElement = 32;                 // multiplications that cost what a pointwise element does

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
  T finish(T sum, int64_t i, int64_t j) const { return c.data ? beta * *c.at(i, j) + alpha * sum : alpha * sum; }
};

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

// The cut of a product into tiles: `tiles` strips of nearly equal numbers of rows, panels of `width` columns.
template <class T>
struct Grid {
  int64_t m, n, tiles, panels;
  int width;
  int64_t tiles_per_block, panels_per_block;

  Grid(int64_t m, int64_t n, int vectors, int64_t depth) : m(m), n(n) {
    width = vectors * kLanes<T>;
    tiles = ceil_div(m, kTileRows);
    panels = ceil_div(n, width);
    tiles_per_block = std::min<int64_t>(tiles, 12);
    panels_per_block = std::min<int64_t>(panels, 8);
    const int64_t wanted = m * n * depth < 128 * 128 * 128 ? 4 : 12;
    while (blocks() < wanted && tiles_per_block * panels_per_block > 1) {
      int64_t& larger = tiles_per_block > panels_per_block ? tiles_per_block : panels_per_block;
      larger = (larger + 1) / 2;
    }
  }
  int64_t row_blocks() const { return ceil_div(tiles, tiles_per_block); }
  int64_t blocks() const { return row_blocks() * ceil_div(panels, panels_per_block); }
  int64_t first_row(int64_t tile) const { return tile * m / tiles; }
  int columns(int64_t panel) const { return static_cast<int>(std::min<int64_t>(width, n - panel * width)); }
  static int padded(int columns) { return static_cast<int>(ceil_div(columns, kLanes<T>)) * kLanes<T>; }
};

// Multiplies over one depth. A null pack of a or b means: where it lies (b's last, narrow panel is packed all the same).
template <class T>
void multiply_block(const Product<T>& p, const Grid<T>& grid, const T* packed_a, const T* packed_b, bool b_in_place, int64_t block) {
  const int64_t tile_begin = block % grid.row_blocks() * grid.tiles_per_block;
  const int64_t tile_end = std::min(grid.tiles, tile_begin + grid.tiles_per_block);
  const int64_t panel_begin = block / grid.row_blocks() * grid.panels_per_block;
  const int64_t panel_end = std::min(grid.panels, panel_begin + grid.panels_per_block);
  for (int64_t panel = panel_begin; panel < panel_end; ++panel) {
    const int columns = grid.columns(panel), padded = grid.padded(columns);
    const int64_t column = panel * grid.width;
    const bool whole = columns == padded && p.out.column == 1 && (!p.c.data || p.c.column == 1);
    const bool in_place = b_in_place && columns == grid.width;
    for (int64_t tile = tile_begin; tile < tile_end; ++tile) {
      const int64_t row = grid.first_row(tile);
      const int rows = static_cast<int>(grid.first_row(tile + 1) - row);
      const bool along_k = !packed_a && p.a.column == 1;
      Tile<T> t;
      t.k = p.k;
      t.a = packed_a ? packed_a + row * p.k : p.a.at(row, 0);
      t.a_step = packed_a ? rows : along_k ? p.a.row : p.a.column;
      t.b = in_place ? p.b.at(0, column) : packed_b + (b_in_place ? 0 : column * p.k);
      t.b_row = in_place ? p.b.row : padded;
      const auto kernel = tile_kernel<T>(rows, padded / kLanes<T>, along_k);
      if (whole) {
        t.out = p.out.at(row, column);
        t.out_row = p.out.row;
        t.c = p.c.data ? p.c.at(row, column) : nullptr;
        t.c_row = p.c.row;
        t.alpha = p.alpha;
        t.beta = p.beta;
        kernel(t);
      } else {
        T sums[kTileRows * kMaxVectors * kLanes<T>];
        t.out = sums;
        t.out_row = padded;
        t.c = nullptr;
        t.alpha = 1;
        t.beta = 0;
        kernel(t);
        for (int i = 0; i < rows; ++i) {
          for (int j = 0; j < columns; ++j) {
            *p.out.at(row + i, column + j) = p.finish(sums[i * padded + j], row + i, column + j);
          }
        }
      }
    }
  }
}

template <class T>
Status multiply(Product<T> p, ThreadPool& threads) {
  constexpr int L = kLanes<T>;
  if (p.out.column != 1 && p.out.row == 1) p = p.transposed();
  // Few columns make short vectors.
  if (p.n <= kWideRows && p.m > p.n && (p.a.row == 1 || p.k >= 4 * L)) p = p.transposed();
  if (p.m <= kWideRows && p.k >= 4 * L && p.b.row == 1 && p.a.column == 1) {
    multiply_by_dots(p, threads);
    return Status::ok;
  }

  const bool wide = p.m <= kWideRows;
  const int vectors = wide ? kWideVectors : kTileVectors;
  const bool small = p.m * p.n * p.k <= 128 * 128 * 128;
  const bool pack_a = !wide && !(small && (p.a.row == 1 || p.a.column == 1));
  const bool b_in_place = p.b.column == 1 && (wide || small);
  const int64_t depths = std::max<int64_t>(1, ceil_div(p.k, kDepth)), depth = ceil_div(p.k, depths);
  const int64_t max_rows = std::min(p.m, kMaxRows), max_columns = std::min(p.n, kMaxColumns);
  const bool pack_rows = pack_a || (p.a.row != 1 && p.a.column != 1);
  const int64_t size_a = pack_rows ? max_rows * depth : 0;
  const int64_t size_b = (b_in_place ? vectors * L : ceil_div(max_columns, L) * L) * depth;
  const int64_t start_b = ceil_div(size_a, 64) * 64;
  T* packed_a = reinterpret_cast<T*>(scratch((start_b + size_b) * sizeof(T)));
  if (!packed_a) return Status::out_of_memory;
  T* packed_b = packed_a + start_b;
  if (!pack_rows) packed_a = nullptr;

  for (int64_t column = 0; column < p.n; column += kMaxColumns) {
    for (int64_t row = 0; row < p.m; row += kMaxRows) {
      const int64_t m = std::min(kMaxRows, p.m - row), n = std::min(kMaxColumns, p.n - column);
      const Grid<T> grid(m, n, vectors, depth);
      for (int64_t d = 0; d < depths; ++d) {
        const int64_t first = d * depth, k = std::max<int64_t>(0, std::min(depth, p.k - first));
        Product<T> part = {m, n, k, {p.a.at(row, first), p.a.row, p.a.column}, {p.b.at(first, column), p.b.row, p.b.column},
                           {p.c.data ? p.c.at(row, column) : nullptr, p.c.row, p.c.column},
                           {p.out.at(row, column), p.out.row, p.out.column}, p.alpha, p.beta};
        if (d > 0) {  // add to what the depths before gave
          part.c = {part.out.data, part.out.row, part.out.column};
          part.beta = 1;
        }
        const int64_t first_panel = b_in_place ? n / grid.width : 0;  // the first to be packed
        const int64_t panels = grid.panels - first_panel, tiles = packed_a ? grid.tiles : 0;
        auto pack_strip = [&](int64_t i) {
          if (i < panels) {
            const int64_t panel = first_panel + i;
            const int columns = grid.columns(panel);
            pack(packed_b + i * grid.width * k, grid.padded(columns), part.b.at(0, panel * grid.width), part.b.column, part.b.row, columns, k);
          } else {
            const int64_t from = grid.first_row(i - panels);
            const int rows = static_cast<int>(grid.first_row(i - panels + 1) - from);
            pack(packed_a + from * k, rows, part.a.at(from, 0), part.a.row, part.a.column, rows, k);
          }
        };
        const int64_t work = m * n * k / kWorkPerElement;
        if (panels + tiles == 1) pack_strip(0);
        else if (panels + tiles > 1) threads.for_each_block(panels + tiles, work, pack_strip);
        threads.for_each_block(grid.blocks(), work, [&](int64_t block) {
          multiply_block(part, grid, packed_a, packed_b, b_in_place, block);
        });
      }
    }
  }
  return Status::ok;
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
  return with_type<kNumbers>(call, 4, [&](auto zero) {
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

}  // namespace cresset::CRESSET_TARGET
#endif
