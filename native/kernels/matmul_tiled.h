// Products in tiles, cut into blocks of work for the threads. Operands that are read badly where they lie are packed, so that
// the inner kernel reads memory in order (as GotoBLAS and BLIS do).
// Included inside each target's region, after <algorithm>, <atomic>, kernels/matmul_narrow.h, kernels/scratch.h and kernels/walk.h.

namespace cresset::CRESSET_TARGET {
namespace {

constexpr int64_t kMaxRows = 2048;       // packed at a time
constexpr int64_t kBlocks = 32;          // blocks of work wanted for each thread, so that threads end together,
constexpr int64_t kBlockWork = 1 << 17;  // but none of fewer multiplications
constexpr int64_t kMeeting = 2048;       // elements of b packed in the time that two threads lose by sharing a row

// The cut of a product into tiles: strips of nearly equal numbers of rows, panels of `width` columns; and of these into
// blocks of work, groups of tiles by groups of panels. Cuts along rows and columns do not change the result, so they may
// depend on the number of threads.
template <class T>
struct Grid {
  int64_t m, n, tiles, panels, shares, panel_groups, tile_groups;
  int width;

  Grid(int64_t m, int64_t n, int64_t k, bool packs_b, int64_t threads)
      : m(m), n(n), tiles(ceil_div(m, kTileRows)), width((m <= kWideRows ? kWideVectors : kTileVectors) * kLanes<T>) {
    panels = ceil_div(n, width);
    const int64_t least = ceil_div(kBlockWork, kTileRows * width * k);  // tiles by panels, in a block
    const int64_t cached = std::clamp<int64_t>(kPanelBytes / (width * k * static_cast<int64_t>(sizeof(T))), 1, panels);
    // Each thread has a share of the rows, or of the columns. Where two write the same row, their caches pass the lines on
    // either side to and fro, and those of a packed that both read; but threads that share rows pack all of b each.
    const bool by_rows = tiles >= 4 * threads && (!packs_b || m * kMeeting > n * k);
    shares = by_rows ? threads : 1;
    const int64_t wanted = by_rows ? cached : std::max(panels / (4 * threads), ceil_div(least, tiles));
    panel_groups = ceil_div(panels, std::clamp<int64_t>(wanted, 1, cached));
    const int64_t most = tiles / shares * (panels / panel_groups) / least;
    tile_groups = std::clamp<int64_t>(ceil_div(kBlocks * threads, shares * panel_groups), 1, std::max<int64_t>(1, most));
  }
  // One after the other, blocks are of one share of the rows, and of these most have the same panels.
  int64_t blocks() const { return shares * panel_groups * tile_groups; }
  int64_t panel_group(int64_t block) const { return block / tile_groups % panel_groups; }
  int64_t tile_group(int64_t block) const { return block / (panel_groups * tile_groups) * tile_groups + block % tile_groups; }
  int64_t first_tile(int64_t block) const { return tile_group(block) * tiles / (shares * tile_groups); }
  int64_t last_tile(int64_t block) const { return (tile_group(block) + 1) * tiles / (shares * tile_groups); }
  int64_t first_panel(int64_t block) const { return panel_group(block) * panels / panel_groups; }
  int64_t last_panel(int64_t block) const { return (panel_group(block) + 1) * panels / panel_groups; }

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

// A product of few enough rows, columns and k for its operands to be packed, and where they are.
template <class T>
struct Stage {
  Product<T> p;
  Grid<T> grid;
  T* a;  // all tiles, or null: they are read where they lie
  T* b;  // the panels from `first_packed`; those before are read where they lie
  int64_t first_packed;
  int64_t id;  // of this stage alone

  T* packed_tile(int64_t tile) const { return a + tile * kPackedRows * p.k; }
  T* packed_panel(int64_t panel) const { return b + (panel - first_packed) * grid.width * p.k; }
};

template <class T>
void multiply_tile(const Stage<T>& s, int64_t tile, int64_t panel) {
  const Product<T>& p = s.p;
  const int64_t row = s.grid.first_row(tile), column = panel * s.grid.width;
  const int rows = s.grid.rows(tile), columns = s.grid.columns(panel), padded = s.grid.padded(panel);
  const bool along_k = !s.a && p.a.column == 1, b_packed = panel >= s.first_packed;
  T sums[kTileRows * kMaxVectors * kLanes<T>];
  Tile<T> t = {p.k, p.a.at(row, 0), along_k ? p.a.row : p.a.column, p.b.at(0, column), p.b.row, sums, padded, nullptr, 0, 1, 0};
  if (s.a) {
    t.a = s.packed_tile(tile);
    t.a_step = kPackedRows;
  }
  if (b_packed) {
    t.b = s.packed_panel(panel);
    t.b_row = padded;
  }
  const auto kernel = tile_kernel<T>(rows, padded / kLanes<T>, along_k ? kAlongK : s.a && b_packed ? kPacked : kDown);
  if (columns == padded && p.out.column == 1 && (!p.c.data || p.c.column == 1)) {
    t.out = p.out.at(row, column);
    t.out_row = p.out.row;
    if (p.c.data) t.c = p.c.at(row, column);
    t.c_row = p.c.row;
    t.alpha = p.alpha;
    t.beta = p.beta;
    kernel(t);
    return;
  }
  kernel(t);
  if (s.grid.panels == 1 && p.out.column == 1 && p.out.row == columns && (!p.c.data || p.c.row == 0)) {
    write_whole_rows(p, sums, padded, row, rows, columns);
    return;
  }
  for (int i = 0; i < rows; ++i) {
    for (int j = 0; j < columns; ++j) *p.out.at(row + i, column + j) = p.finish(sums[i * padded + j], row + i, column + j);
  }
}

// The cut of one operand's packing into blocks of work: a strip each where k is contiguous, else a bit of k of all strips
// that one thread will read, done in turn, so that what is contiguous across them is read as such.
struct PackCut {
  static constexpr int64_t kDepth = 32, kStep = 16;
  int64_t strips, depth, shares;
  bool along_k;

  int64_t depths() const { return ceil_div(depth, kDepth); }
  int64_t blocks() const { return along_k ? strips : strips == 0 ? 0 : shares * depths(); }
  // Calls strip(i, first, depth) for the strips of a block.
  template <class F>
  void for_each_strip(int64_t block, F&& strip) const {
    const int64_t share = block / depths();
    const int64_t begin = along_k ? block : share * strips / shares, end = along_k ? block + 1 : (share + 1) * strips / shares;
    const int64_t first = along_k ? 0 : block % depths() * kDepth, last = along_k ? depth : std::min(depth, first + kDepth);
    for (int64_t k = first, step = along_k ? depth : kStep; k < last; k += step) {
      for (int64_t i = begin; i < end; ++i) strip(i, k, std::min(step, last - k));
    }
  }
};

template <class T>
void pack_a(const Stage<T>& s, ThreadPool& threads) {
  const Product<T>& p = s.p;
  const PackCut cut = {s.grid.tiles, p.k, s.grid.shares, p.a.column == 1};
  threads.for_each_block(cut.blocks(), p.m * p.k, [&](int64_t block) {
    cut.for_each_strip(block, [&](int64_t tile, int64_t k, int64_t depth) {
      const T* from = p.a.at(s.grid.first_row(tile), k);
      pack(s.packed_tile(tile) + k * kPackedRows, kPackedRows, from, p.a.row, p.a.column, s.grid.rows(tile), depth);
    });
  });
}

template <class T>
void pack_panels(const Stage<T>& s, int64_t end) {
  const Product<T>& p = s.p;
  const PackCut cut = {end - s.first_packed, p.k, 1, p.b.row == 1};
  for (int64_t block = 0; block < cut.blocks(); ++block) {
    cut.for_each_strip(block, [&](int64_t strip, int64_t k, int64_t depth) {
      const int64_t panel = s.first_packed + strip;
      const int padded = s.grid.padded(panel);
      pack(s.packed_panel(panel) + k * padded, padded, p.b.at(k, panel * s.grid.width), p.b.column, p.b.row, s.grid.columns(panel), depth);
    });
  }
}

// Packs panels for a block of work in this thread's memory, unless they stand there from the block before. Null if there is
// no memory.
template <class T>
T* pack_own_panels(Stage<T> s, int64_t first, int64_t end) {
  thread_local int64_t packed_id = 0, packed_first = 0;
  s.first_packed = first;
  s.b = reinterpret_cast<T*>(scratch(Scratch::block, (end - first) * s.grid.width * s.p.k * sizeof(T)));
  if (!s.b || (packed_id == s.id && packed_first == first)) return s.b;
  pack_panels(s, end);
  packed_id = s.id;
  packed_first = first;
  return s.b;
}

// Without `packs_a`, a must be contiguous one way or the other; without `packs_b`, the rows of b must be, and the panel that
// is not whole vectors is packed all the same.
template <class T>
Status multiply_tiled(const Product<T>& p, bool packs_a, bool packs_b, ThreadPool& threads) {
  constexpr int64_t kDepth = kDepthBytes / sizeof(T), kUnit = 16;
  const int64_t depths = std::max<int64_t>(1, ceil_div(p.k, kDepth)), depth = ceil_div(ceil_div(p.k, depths), kUnit) * kUnit;
  const int64_t row_blocks = packs_a ? ceil_div(p.m, kMaxRows) : 1;
  const bool ragged = !packs_b && p.n % kLanes<T> != 0;
  const Grid<T> largest(ceil_div(p.m, row_blocks), p.n, depth, packs_b, threads.threads());
  const int64_t size_a = packs_a ? largest.tiles * kPackedRows * depth : 0;
  T* packed = nullptr;
  if (packs_a || ragged) {
    packed = reinterpret_cast<T*>(scratch(Scratch::call, (size_a + ragged * largest.width * depth) * sizeof(T)));
    if (!packed) return Status::out_of_memory;
  }
  static std::atomic<int64_t> stages = 0;
  std::atomic<bool> out_of_memory = false;
  for (int64_t i = 0; i < row_blocks * depths; ++i) {
    const int64_t d = i % depths, row_block = i / depths;
    const int64_t row = row_block * p.m / row_blocks, rows = (row_block + 1) * p.m / row_blocks - row;
    const Product<T> part = p.part(row, rows, 0, p.n, d * depth, std::min(depth, p.k - d * depth));
    const Grid<T> grid(rows, p.n, part.k, packs_b, threads.threads());
    const Stage<T> stage = {part, grid, packs_a ? packed : nullptr, packed + size_a, grid.panels - ragged, ++stages};
    if (packs_a) pack_a(stage, threads);
    if (ragged) pack_panels(stage, grid.panels);
    threads.for_each_block(grid.blocks(), rows * p.n * part.k / kWorkPerElement, [&](int64_t block) {
      const int64_t first = grid.first_panel(block), end = grid.last_panel(block);
      Stage<T> own = stage;
      if (packs_b) {
        own.first_packed = first;
        own.b = pack_own_panels(stage, first, end);
        if (!own.b) {
          out_of_memory = true;
          return;
        }
      }
      for (int64_t tile = grid.first_tile(block); tile < grid.last_tile(block); ++tile) {
        for (int64_t panel = first; panel < end; ++panel) multiply_tile(own, tile, panel);
      }
    });
  }
  return out_of_memory ? Status::out_of_memory : Status::ok;
}

}  // namespace
}  // namespace cresset::CRESSET_TARGET
