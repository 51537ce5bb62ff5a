// The inner kernels of matmul: a tile of the product held in registers, and packing.
// Included inside each target's region, after <algorithm>, <array>, <utility> and kernels/vector.h.

namespace cresset::CRESSET_TARGET {
namespace {

// The block sizes. A tile is kTileRows x kTileVectors vectors: as many accumulators as the registers hold beside the
// operands, which on AArch64 include an element of each row; but with more than 26 of 64 bytes, Zen 5 no longer starts two
// multiply-adds in every cycle. kUnroll steps of k share the loop's instructions: beside few multiply-adds a step those count,
// and so do prefetches, which the packed kernel does without. kDepthBytes is the length of K worked on at a time where a is
// packed, kLongDepthBytes where it is read as it lies, and kPanelBytes what of b is worked on at a time, so that it stays in the
// second-level cache.
#if CRESSET_VECTOR_BYTES == 64
constexpr int kTileRows = 8, kTileVectors = 3, kWideVectors = 6, kUnroll = 1;
constexpr int kDepthBytes = 4096, kLongDepthBytes = 4096, kPanelBytes = 524288;
#elif CRESSET_VECTOR_BYTES == 32
constexpr int kTileRows = 6, kTileVectors = 2, kWideVectors = 3, kUnroll = 4;
constexpr int kDepthBytes = 2048, kLongDepthBytes = 4096, kPanelBytes = 262144;
#elif defined(__aarch64__)
constexpr int kTileRows = 7, kTileVectors = 3, kWideVectors = 5, kUnroll = 1;
constexpr int kDepthBytes = 1536, kLongDepthBytes = 1536, kPanelBytes = 262144;
#else
constexpr int kTileRows = 4, kTileVectors = 2, kWideVectors = 3, kUnroll = 1;
constexpr int kDepthBytes = 1024, kLongDepthBytes = 1024, kPanelBytes = 131072;
#endif
constexpr int kWideRows = 4;  // with at most so many rows, tiles are kWideVectors wide
constexpr int kMaxVectors = kWideVectors;
// Rows of k that are fetched into the second-level cache before they are packed: each may lie in a page of its own, and the
// first-level cache may have only a few ways for them all. A packed tile is fetched half a page ahead, unless b is packed too
// and kUnroll is more than 1. Rows along k lie in pages of their own too: from kLongRows bytes on, a tile fetches the next one's.
// It then fetches the lines of its result one row after the other, as all at once they would hold up those of b.
constexpr int kRowsAhead = 32, kPackedAhead = 2048;
constexpr size_t kLongRows = CRESSET_VECTOR_BYTES == 64 ? 2048 : SIZE_MAX;
constexpr int kLineBytes = 64;

// One tile's work: out = beta c + alpha Σ a b over k, rows `out_row` and `c_row` apart. c may be null.
template <class T>
struct Tile {
  int64_t k;
  const T* a;
  int64_t a_step;  // between rows if a is contiguous along k, else between columns
  const T* b;
  int64_t b_row;
  T* out;
  int64_t out_row;
  const T* c;
  int64_t c_row;
  T alpha, beta;
  int64_t a_ahead = 0;  // how far ahead of its use kDown fetches a
  T *packed_a = nullptr, *packed_b = nullptr;  // where the kernels that pack put what they read
};

// How a tile's operands lie: both packed, or a contiguous down its columns or along k.
enum Form { kPacked, kDown, kAlongK };

// Multiplies, and packs on the way: beside the multiplications, storing what has been loaded costs next to nothing.
template <class T, int kRows, int kVectors, Form kForm, bool kPacksA = false, bool kPacksB = false>
void multiply_tile(const Tile<T>& tile) {
  constexpr int L = kLanes<T>;
  Vector<T> sums[kRows][kVectors] = {};
  const auto fetch_out = [&](int r) __attribute__((always_inline)) {
    T* out = tile.out + r * tile.out_row;
    CRESSET_UNROLL for (int i = 0; i < kVectors * L; i += kLineBytes / sizeof(T)) __builtin_prefetch(out + i, 1);
    __builtin_prefetch(out + kVectors * L - 1, 1);
  };
  const bool in_parts = tile.k * sizeof(T) >= kLongRows;
  if (!in_parts) {
    CRESSET_UNROLL for (int r = 0; r < kRows; ++r) fetch_out(r);
  }
  const T* a = tile.a;
  const T* b = tile.b;
  T *packed_a = tile.packed_a, *packed_b = tile.packed_b;
  const int64_t a_step = kForm == kPacked ? kTileRows : tile.a_step, b_row = kForm == kPacked ? kVectors * L : tile.b_row;
  const auto add = [&](int64_t k) __attribute__((always_inline)) {
    Vector<T> row[kVectors];
    CRESSET_UNROLL for (int v = 0; v < kVectors; ++v) row[v] = load(b + k * b_row + v * L);
    if constexpr (kPacksA) {
      __builtin_prefetch(a + (k + kRowsAhead) * a_step, 0, 2);
      __builtin_memcpy(packed_a + k * kTileRows, a + k * a_step, kRows * sizeof(T));
    } else if constexpr (kForm == kDown) {
      __builtin_prefetch(a + k * a_step + tile.a_ahead);
    }
    if constexpr (kPacksB) {
      CRESSET_UNROLL for (int v = 0; v < kVectors; ++v) {
        __builtin_prefetch(b + (k + kRowsAhead) * b_row + v * L, 0, 2);
        store(packed_b + (k * kVectors + v) * L, row[v]);
      }
    }
    CRESSET_UNROLL for (int r = 0; r < kRows; ++r) {
      const Vector<T> x = splat(kForm == kAlongK ? a[r * a_step + k] : a[k * a_step + r]);
      CRESSET_UNROLL for (int v = 0; v < kVectors; ++v) sums[r][v] += x * row[v];
    }
  };
  const auto advance = [&](int64_t steps) __attribute__((always_inline)) {
    a += kForm == kAlongK ? steps : steps * a_step;
    b += steps * b_row;
    if constexpr (kPacksA) packed_a += steps * kTileRows;
    if constexpr (kPacksB) packed_b += steps * kVectors * L;
  };
  int64_t k = tile.k;
  if constexpr (kForm == kPacked) {
    for (; k >= kUnroll; k -= kUnroll, advance(kUnroll)) {
      CRESSET_UNROLL for (int u = 0; u < kUnroll; ++u) add(u);
    }
  }
  if (in_parts) {
    // In each part of k one row of the result, and one of the next tile's a if it runs along k.
    const T* next = tile.a + kRows * a_step;
    const int64_t part = k / kRows, skip = a_step - part * kRows;
    for (int r = 0; r < kRows; ++r, next += skip) {
      fetch_out(r);
      for (const int64_t rest = k - part; k > rest; --k, advance(1), next += kRows) {
        if constexpr (kForm == kAlongK) __builtin_prefetch(next, 0, 2);
        add(0);
      }
    }
  }
  for (; k > 0; --k, advance(1)) add(0);
  const Vector<T> alpha = splat(tile.alpha), beta = splat(tile.beta);
  CRESSET_UNROLL for (int r = 0; r < kRows; ++r) {
    CRESSET_UNROLL for (int v = 0; v < kVectors; ++v) {
      Vector<T> sum = alpha * sums[r][v];
      if (tile.c) sum += beta * load(tile.c + r * tile.c_row + v * L);
      store(tile.out + r * tile.out_row + v * L, sum);
    }
  }
}

template <class T>
using TileKernel = void (*)(const Tile<T>&);

template <class T, Form kForm, int kIndex>
constexpr TileKernel<T> tile_kernel_at() {
  constexpr int kRows = kIndex / kMaxVectors + 1, kVectors = kIndex % kMaxVectors + 1;
  constexpr Form kOwn = kForm == kPacked && kUnroll == 1 ? kDown : kForm;  // packed columns are columns too
  if constexpr (kVectors <= (kRows <= kWideRows ? kWideVectors : kTileVectors)) return multiply_tile<T, kRows, kVectors, kOwn>;
  else return nullptr;
}

template <class T, Form kForm, int... kIndices>
constexpr auto tile_kernels(std::integer_sequence<int, kIndices...>) {
  return std::array<TileKernel<T>, sizeof...(kIndices)>{tile_kernel_at<T, kForm, kIndices>()...};
}

template <class T>
TileKernel<T> tile_kernel(int rows, int vectors, Form form) {
  using Indices = std::make_integer_sequence<int, kTileRows * kMaxVectors>;
  static constexpr std::array<TileKernel<T>, kTileRows * kMaxVectors> kKernels[] = {
      tile_kernels<T, kPacked>(Indices{}), tile_kernels<T, kDown>(Indices{}), tile_kernels<T, kAlongK>(Indices{})};
  return kKernels[form][(rows - 1) * kMaxVectors + vectors - 1];
}

// The kernel that also packs, of a whole tile; a must be contiguous down its columns if it is packed.
template <class T>
TileKernel<T> packing_kernel(bool packs_a, bool packs_b, Form form) {
  constexpr int R = kTileRows, V = kTileVectors;
  if (packs_a) return packs_b ? multiply_tile<T, R, V, kDown, true, true> : multiply_tile<T, R, V, kDown, true, false>;
  return form == kAlongK ? multiply_tile<T, R, V, kAlongK, false, true> : multiply_tile<T, R, V, kDown, false, true>;
}

// packed[k * width + i] = source[i * step + k * k_step] for i < n, and anything up to `width`, which is kTileRows, or n rounded
// up to whole vectors or more, and in less than a vector behind the last.
template <class T>
__attribute__((noinline)) void pack(T* packed, int width, const T* source, int64_t step, int64_t k_step, int n, int64_t depth) {
  constexpr int L = kLanes<T>;
  constexpr int kRest = kTileRows % L;  // lanes of a row that is not whole vectors
  int64_t k = 0;
  if (step == 1 && k_step >= 0) {
    const int vectors = std::min(n + L - 1, width) / L;
    const bool has_rest = vectors * L < n;
    const int read = vectors * L + has_rest * kRest;
    const int64_t end = (depth - 1) * k_step + n - read;  // the source's last element is the last that is read
    for (; k < depth && k * k_step <= end; ++k) {
      T* to = packed + k * width;
      const T* from = source + k * k_step;
      for (int v = 0; v < vectors; ++v) store(to + v * L, load(from + v * L));
      if (has_rest) __builtin_memcpy(to + vectors * L, from + vectors * L, kRest * sizeof(T));
    }
  } else if (k_step == 1 && depth >= L) {
    // Few rows at a time: those of a matrix whose step is a power of two share a cache set. The last first, and each row of what is
    // packed before the next: where a vector is too long for a row, what it writes too much is then written over.
    for (int i = (n - 1) / L * L; i >= 0; i -= L) {
      for (k = 0; k < depth; k += L) {
        k = std::min(k, depth - L);
        Vector<T> rows[L];
        CRESSET_UNROLL for (int r = 0; r < L; ++r) rows[r] = load(source + std::min(i + r, n - 1) * step + k);
        transpose_square<T>(rows);
        CRESSET_UNROLL for (int r = 0; r < L; ++r) store(packed + (k + r) * width + i, rows[r]);
      }
    }
  }
  for (; k < depth; ++k) {
    for (int i = 0; i < n; ++i) packed[k * width + i] = source[i * step + k * k_step];
  }
}

}  // namespace
}  // namespace cresset::CRESSET_TARGET
