// Products in tiles, cut into blocks of work for the threads. Operands that are read badly where they lie are packed, so that
// the inner kernel reads memory in order (as GotoBLAS and BLIS do).
// Included inside each target's region, after <algorithm>, <array>, <atomic>,
// <utility>, kernels/matmul_narrow.h, kernels/scratch.h and kernels/walk.h.

namespace cresset::CRESSET_TARGET {
namespace {

constexpr int64_t kMaxRows = 2048;       // packed at a time
constexpr int64_t kBlocks = 32;          // blocks of work wanted for each thread, so that threads end together,
constexpr int64_t kBlockWork = 1 << 17;  // but none of fewer multiplications
// Elements of b packed in the time that two threads lose by sharing a row: turned, and as they lie, by the kernel that multiplies.
constexpr int64_t kMeeting = 1024, kMeetingAsTheyLie = CRESSET_VECTOR_BYTES == 64 ? 4096 : kMeeting;
// How many tiles' results are turned at once, and how many columns they may have.
constexpr int64_t kTurnedTiles = CRESSET_VECTOR_BYTES == 64 ? 4 : 8, kTurnedColumns = CRESSET_VECTOR_BYTES == 64 ? 128 : 64;
constexpr int64_t kTurnedDepthBytes = 2 * kLongDepthBytes;  // each part of k turns the result once more

// The cut of a product into tiles: strips of nearly equal numbers of rows, panels of `width` columns; and of these into
// blocks of work, groups of tiles by groups of panels. Cuts along rows and columns do not change the result, so they may
// depend on the number of threads.
template <class T>
struct Grid {
  int64_t m, n, tiles, panels, shares, panel_groups, tile_groups;
  int width;

  // `meeting`: if b is packed, kMeeting or kMeetingAsTheyLie, else 0.
  Grid(int64_t m, int64_t n, int64_t k, int64_t meeting, bool turned, int64_t threads)
      : m(m), n(n), tiles(ceil_div(m, kTileRows)), width((m <= kWideRows ? kWideVectors : kTileVectors) * kLanes<T>) {
    panels = ceil_div(n, width);
    const int64_t least = ceil_div(kBlockWork, kTileRows * width * k);  // tiles by panels, in a block
    const int64_t cached = std::clamp<int64_t>(kPanelBytes / (width * k * static_cast<int64_t>(sizeof(T))), 1, panels);
    // Each thread has a share of the rows, or of the columns. Where two write the same row, their caches pass the lines on
    // either side to and fro, and those of a packed that both read; but threads that share rows pack all of b each.
    const bool by_rows = tiles >= 4 * threads && (meeting == 0 || m * meeting > n * k);
    shares = by_rows ? threads : 1;
    const int64_t wanted = by_rows ? cached : std::max(panels / (4 * threads), ceil_div(least, tiles));
    panel_groups = ceil_div(panels, std::clamp<int64_t>(wanted, 1, cached));
    const int64_t most = std::min(tiles / shares / (turned ? kTurnedTiles : 1), tiles / shares * (panels / panel_groups) / least);
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

  // The first tile of each share of the rows is a whole one, where any is: only those pack b while they multiply.
  int64_t first_row(int64_t tile) const { return ceil_div(tile * m, tiles); }
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

template <class T>
void write_sums(const Product<T>& p, const T* sums, int padded, int64_t row, int rows, int64_t column, int columns) {
  if (columns == p.n && p.out.column == 1 && p.out.row == columns && (!p.c.data || p.c.row == 0)) {
    write_whole_rows(p, sums, padded, row, rows, columns);
    return;
  }
  for (int i = 0; i < rows; ++i) {
    for (int j = 0; j < columns; ++j) *p.out.at(row + i, column + j) = p.finish(sums[i * padded + j], row + i, column + j);
  }
}

// A product of few enough rows and k for its operands to be packed. Every thread packs what it needs by itself, when it first
// comes to it: what another has just written would have to come from its cache.
template <class T>
struct Stage {
  Product<T> p;
  Grid<T> grid;
  bool packs_a, packs_b;
  bool turned;  // results are computed in the thread's memory, and turned where they are written
  int64_t id;  // of this stage alone
};

// A tile's or a panel's place in the thread's memory; null if it is read where it lies.
template <class T>
struct Packed {
  T* data;
  bool filled;
};

// A tile of rows by `count` panels, all whole if there are several; b is the first one's, and the others' follow it.
template <class T>
void multiply_panels(const Product<T>& p, const Grid<T>& grid, int64_t row, int rows, int64_t panel, int64_t count, Packed<T> a,
                     Packed<T> b) {
  const int64_t width = grid.width, column = panel * width;
  const int columns = grid.columns(panel), padded = grid.padded(panel);
  const T *from_a = p.a.at(row, 0), *from_b = p.b.at(0, column);
  const bool whole = rows == kTileRows && columns == kTileVectors * kLanes<T>;
  const bool packs_a = a.data && !a.filled && whole && p.a.row == 1, packs_b = b.data && !b.filled && whole && p.b.column == 1;
  const bool turns_b = b.data && !b.filled && !packs_b;
  if (a.data && !a.filled && !packs_a) pack(a.data, kTileRows, from_a, p.a.row, p.a.column, rows, p.k);

  const bool a_packed = a.data && !packs_a, b_packed = b.data && !packs_b, along_k = !a_packed && p.a.column == 1;
  T sums[kTileRows * kMaxVectors * kLanes<T>];
  Tile<T> t = {p.k, from_a, along_k ? p.a.row : p.a.column, from_b, p.b.row, sums, padded, nullptr, 0, 1, 0, 0, a.data, b.data};
  if (a_packed) {
    t.a = a.data;
    t.a_step = kTileRows;
    t.a_ahead = kPackedAhead / sizeof(T);
  }
  if (b_packed) {
    t.b = b.data;
    t.b_row = padded;
  }
  const Form form = along_k ? kAlongK : a_packed && b_packed ? kPacked : kDown;
  const auto kernel = packs_a || packs_b ? packing_kernel<T>(packs_a, packs_b, form) : tile_kernel<T>(rows, padded / kLanes<T>, form);
  const bool direct = columns == padded && p.out.column == 1 && (!p.c.data || p.c.column == 1);
  if (direct) {
    t.out = p.out.at(row, column);
    t.out_row = p.out.row;
    if (p.c.data) t.c = p.c.at(row, column);
    t.c_row = p.c.row;
    t.alpha = p.alpha;
    t.beta = p.beta;
  }
  const int64_t packed_step = width * p.k, b_step = b_packed ? packed_step : width * p.b.column;
  for (int64_t i = 0;;) {
    if (turns_b) pack(b.data + i * packed_step, padded, from_b + i * width * p.b.column, p.b.column, p.b.row, columns, p.k);
    kernel(t);
    if (!direct) write_sums(p, sums, padded, row, rows, column + i * width, columns);
    if (++i == count) break;
    t.b += b_step;
    if (packs_b) t.packed_b += packed_step;
    if (direct) t.out += width;
    if (t.c) t.c += width;
  }
}

// Multiplies a block's tiles by its panels; false if there is no memory to pack them in.
template <class T>
bool multiply_block(const Stage<T>& s, int64_t block) {
  struct Filled {
    int64_t stage = 0, first_panel = -1;
    std::array<bool, ceil_div(kMaxRows, kTileRows)> tiles = {};
  };
  thread_local Filled filled;
  if (filled.stage != s.id) filled = {s.id};

  const int64_t first = s.grid.first_panel(block), end = s.grid.last_panel(block), width = s.grid.width, k = s.p.k;
  // A panel that is not whole vectors is packed in any case.
  const int64_t first_packed = s.packs_b ? first : s.grid.panels - (s.p.n % kLanes<T> != 0);
  // Behind a tile is room for what packing writes too much.
  const int64_t tile_step = kTileRows * k + kLanes<T>, size_a = s.packs_a * s.grid.tiles * tile_step;
  const int64_t size_b = std::max<int64_t>(0, end - first_packed) * width * k;
  T* a = size_a > 0 ? reinterpret_cast<T*>(scratch(Scratch::tiles, size_a * sizeof(T))) : nullptr;
  T* b = size_b > 0 ? reinterpret_cast<T*>(scratch(Scratch::panels, size_b * sizeof(T))) : nullptr;
  if ((size_a > 0 && !a) || (size_b > 0 && !b)) return false;

  const int64_t whole_end = std::min(end, s.p.n / width);
  bool b_filled = filled.first_panel == first;
  // Tiles [from, to) of p, whose first row is the stage's `first_row`.
  const auto multiply_tiles = [&](const Product<T>& p, int64_t first_row, int64_t from, int64_t to) {
    for (int64_t tile = from; tile < to; ++tile) {
      const int64_t row = s.grid.first_row(tile);
      const int rows = static_cast<int>(s.grid.first_row(tile + 1) - row);
      Packed<T> packed_a = {};
      if (a) packed_a = {a + tile * tile_step, std::exchange(filled.tiles[tile], true)};
      for (int64_t panel = first, next; panel < end; panel = next) {
        // Whole panels that are treated alike: the first one may pack a.
        next = a && !packed_a.filled ? panel + 1 : std::max(panel + 1, whole_end);
        T* data = panel < first_packed ? nullptr : b + (panel - first_packed) * width * k;
        multiply_panels(p, s.grid, row - first_row, rows, panel, next - panel, packed_a, {data, b_filled});
        packed_a.filled = true;
      }
      filled.first_panel = first;
      b_filled = true;
    }
  };
  const int64_t last = s.grid.last_tile(block);
  if (!s.turned) {
    multiply_tiles(s.p, 0, s.grid.first_tile(block), last);
    return true;
  }
  T turned[kTurnedTiles * kTileRows * kTurnedColumns];
  const int64_t column = first * width, last_column = std::min(s.p.n, end * width);
  for (int64_t tile = s.grid.first_tile(block), next; tile < last; tile = next) {
    next = std::min(last, tile + kTurnedTiles);
    const int64_t row = s.grid.first_row(tile), rows = s.grid.first_row(next) - row;
    Product<T> part = s.p.part(row, rows, 0, s.p.n, 0, k);
    part.out = {turned, s.p.n, 1};
    if (part.c.data) {
      transpose_tile(part.c.at(0, column), part.c.column, turned + column, s.p.n, rows, last_column - column);
      part.c = {turned, s.p.n, 1};
    }
    multiply_tiles(part, row, tile, next);
    // Few of the result's rows at a time: where a power of two divides their step they share sets of the cache.
    for (int64_t j = column; j < last_column; j += kLanes<T>) {
      transpose_tile(turned + j, s.p.n, s.p.out.at(row, j), s.p.out.column, kLanes<T>, rows);
    }
  }
  return true;
}

// Without `packs_a`, a must be contiguous one way or the other; without `packs_b`, the rows of b must be. `turned`, the columns of
// c and of the result must be, and there are whole vectors of them, kTurnedColumns at most.
template <class T>
Status multiply_tiled(const Product<T>& p, bool packs_a, bool packs_b, bool turned, ThreadPool& threads) {
  const int64_t longest = (turned ? kTurnedDepthBytes : packs_a ? kDepthBytes : kLongDepthBytes) / static_cast<int64_t>(sizeof(T));
  constexpr int64_t kUnit = 16;
  const int64_t depths = std::max<int64_t>(1, ceil_div(p.k, longest)), depth = ceil_div(ceil_div(p.k, depths), kUnit) * kUnit;
  const int64_t meeting = !packs_b ? 0 : p.b.column == 1 ? kMeetingAsTheyLie : kMeeting;
  const int64_t row_blocks = packs_a ? ceil_div(p.m, kMaxRows) : 1;
  static std::atomic<int64_t> stages = 0;
  std::atomic<bool> out_of_memory = false;
  for (int64_t i = 0; i < row_blocks * depths; ++i) {
    const int64_t d = i % depths, row_block = i / depths;
    const int64_t row = row_block * p.m / row_blocks, rows = (row_block + 1) * p.m / row_blocks - row;
    const Product<T> part = p.part(row, rows, 0, p.n, d * depth, std::min(depth, p.k - d * depth));
    const Grid<T> grid(rows, p.n, part.k, meeting, turned, threads.threads());
    const Stage<T> stage = {part, grid, packs_a, packs_b, turned, ++stages};
    threads.for_each_block(stage.grid.blocks(), rows * p.n * part.k / kWorkPerElement, [&](int64_t block) {
      if (!multiply_block(stage, block)) out_of_memory = true;
    });
  }
  return out_of_memory ? Status::out_of_memory : Status::ok;
}

}  // namespace
}  // namespace cresset::CRESSET_TARGET
