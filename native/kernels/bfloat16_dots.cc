// Products by the instruction that multiplies pairs of bfloat16 numbers and adds both products to a float32.
#include "kernels/bfloat16_dots.h"

#if defined(__x86_64__) || defined(_M_X64)
#include <immintrin.h>

#include <algorithm>
#include <atomic>
#include <bit>

#include "kernels/scratch.h"
#include "kernels/walk.h"
#include "threads/thread_pool.h"

#define CRESSET_BFLOAT16 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma,bmi2")))

namespace cresset {
namespace {

constexpr int kTileRows = 8, kVectors = 3, kLanes = 16, kPanelColumns = kVectors * kLanes;
constexpr int64_t kBlockTiles = 16;  // beside whose work that of packing a panel is little

struct Matrix {
  float* data;
  int64_t row, column;
  float* at(int64_t i, int64_t j) const { return data + i * row + j * column; }
};

// Two neighbours along k: the first in the lower half.
uint32_t pair(float first, float second) {
  return std::bit_cast<uint32_t>(first) >> 16 | (std::bit_cast<uint32_t>(second) & 0xffff0000);
}

// Packs `rows` rows of `from` as kHeight rows, with zeros below: pair after pair of k, the rows' side by side.
template <int kHeight>
CRESSET_BFLOAT16 void pack(uint32_t* to, const Matrix& from, int64_t row, int rows, int64_t k) {
  const int64_t pairs = k / 2;
  if (rows < kHeight) std::fill_n(to, ceil_div(k, 2) * kHeight, 0);
  if (from.row == 1) {
    for (int64_t p = 0; p < pairs; ++p) {
      const float *first = from.at(row, 2 * p), *second = first + from.column;
      for (int i = 0; i < rows; ++i) to[p * kHeight + i] = pair(first[i], second[i]);
    }
  } else {
    constexpr int64_t kStretch = 16;
    for (int64_t begin = 0; begin < pairs; begin += kStretch) {
      const int64_t end = std::min(pairs, begin + kStretch);
      for (int i = 0; i < rows; ++i) {
        const float* values = from.at(row + i, 0);
        for (int64_t p = begin; p < end; ++p) {
          to[p * kHeight + i] = pair(values[2 * p * from.column], values[(2 * p + 1) * from.column]);
        }
      }
    }
  }
  if (k % 2 == 0) return;
  for (int i = 0; i < rows; ++i) to[pairs * kHeight + i] = pair(*from.at(row + i, k - 1), 0);
}

struct Tile {
  const uint32_t *a, *b;
  int64_t pairs;
  Matrix c, out;  // at the tile; c.data may be null
  int rows, columns;
  float alpha, beta;
};

CRESSET_BFLOAT16 void multiply_tile(const Tile& t) {
  __m512 sums[kTileRows][kVectors];
  for (auto& row : sums) std::fill_n(row, kVectors, _mm512_setzero_ps());
  const uint32_t *a = t.a, *b = t.b;
  for (int64_t p = 0; p < t.pairs; ++p, a += kTileRows, b += kPanelColumns) {
    __m512bh columns[kVectors];
#pragma GCC unroll 3
    for (int j = 0; j < kVectors; ++j) columns[j] = (__m512bh)_mm512_loadu_si512(b + j * kLanes);
#pragma GCC unroll 8
    for (int i = 0; i < kTileRows; ++i) {
      const __m512bh value = (__m512bh)_mm512_set1_epi32(static_cast<int>(a[i]));
#pragma GCC unroll 3
      for (int j = 0; j < kVectors; ++j) sums[i][j] = _mm512_dpbf16_ps(sums[i][j], value, columns[j]);
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < kTileRows; ++i) {
#pragma GCC unroll 3
    for (int j = 0; j < kVectors; ++j) {
      const int left = t.columns - j * kLanes;
      if (i >= t.rows || left <= 0) continue;
      const __mmask16 mask = left >= kLanes ? 0xffff : static_cast<__mmask16>((1 << left) - 1);
      __m512 value = _mm512_mul_ps(sums[i][j], _mm512_set1_ps(t.alpha));
      if (t.c.data) value = _mm512_fmadd_ps(_mm512_set1_ps(t.beta), _mm512_maskz_loadu_ps(mask, t.c.at(i, j * kLanes)), value);
      const __m512i rounded = _mm512_maskz_cvtepu16_epi32(mask, (__m256i)_mm512_cvtneps_pbh(value));
      _mm512_mask_storeu_epi32(t.out.at(i, j * kLanes), mask, _mm512_maskz_slli_epi32(mask, rounded, 16));
    }
  }
}

}  // namespace

Status matmul_with_bfloat16_dots(Call& call) {
  const Operand* o = call.operands;
  const int64_t m = call.shape[0], n = call.shape[1], k = call.shape[2], pairs = ceil_div(k, 2);
  const Matrix a = {o[0].as<float>(), o[0].strides[0], o[0].strides[2]};
  const Matrix b = {o[1].as<float>(), o[1].strides[1], o[1].strides[2]};  // transposed
  const float alpha = static_cast<float>(call.scalars[0]), beta = static_cast<float>(call.scalars[1]);
  const bool symmetric = call.scalars[2] != 0 && m == n;
  const Matrix c = {beta != 0 ? o[2].as<float>() : nullptr, o[2].strides[0], 1}, out = {o[3].as<float>(), o[3].strides[0], 1};
  const int64_t tiles = ceil_div(m, kTileRows), panels = ceil_div(n, kPanelColumns), groups = ceil_div(tiles, kBlockTiles);

  auto* packed = reinterpret_cast<uint32_t*>(scratch(Scratch::call, tiles * kTileRows * pairs * sizeof(uint32_t)));
  if (!packed) return Status::out_of_memory;
  const auto rows = [&](int64_t tile) { return static_cast<int>(std::min<int64_t>(kTileRows, m - tile * kTileRows)); };
  call.threads->for_each_block(tiles, m * k, [&](int64_t tile) {
    pack<kTileRows>(packed + tile * kTileRows * pairs, a, tile * kTileRows, rows(tile), k);
  });

  // A panel of b times all tiles of a is a block of work, unless there are few panels.
  const int64_t panel_groups = panels >= 4 * call.threads->threads() ? 1 : groups;
  std::atomic<bool> out_of_memory = false;
  call.threads->for_each_block(panels * panel_groups, m * n * k / 16, [&](int64_t block) {
    const int64_t panel = block / panel_groups, group = block % panel_groups, column = panel * kPanelColumns;
    const int columns = static_cast<int>(std::min<int64_t>(kPanelColumns, n - column));
    const int64_t begin = std::max(group * tiles / panel_groups, symmetric ? column / kTileRows : 0);
    const int64_t end = (group + 1) * tiles / panel_groups;
    if (begin >= end) return;
    auto* own = reinterpret_cast<uint32_t*>(scratch(Scratch::panels, kPanelColumns * pairs * sizeof(uint32_t)));
    if (!own) {
      out_of_memory = true;
      return;
    }
    pack<kPanelColumns>(own, b, column, columns, k);
    for (int64_t tile = begin; tile < end; ++tile) {
      const int64_t row = tile * kTileRows;
      const Matrix addend = {c.data ? c.at(row, column) : nullptr, c.row, 1};
      multiply_tile({packed + row * pairs, own, pairs, addend, {out.at(row, column), out.row, 1}, rows(tile), columns, alpha, beta});
    }
  });
  return out_of_memory ? Status::out_of_memory : Status::ok;
}

}  // namespace cresset
#endif
