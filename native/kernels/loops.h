// Pointwise iteration: splits a call's dimensions into outer rows and an inner run, and gives a loop contiguous pieces
// of the run. An operand that is not contiguous there goes through a buffer in the first-level cache, so one plain loop
// per operation and dtype serves every layout, and is all the compiler has to vectorize.
// Included inside each target's region, after <algorithm>, <limits>,
// <type_traits>, <utility>, kernels/walk.h, threads/thread_pool.h, kernels/vector.h and kernels/transpose.h.

namespace cresset::CRESSET_TARGET {
namespace {

enum class Class { F, N, I, A };  // of dtypes, as in kernels.def

// Calls f with a value of the element type that operands [first, last) share; a bool's is uint8_t.
template <Class kClass, class F>
Status dispatch(Call& call, int first, int last, F f) {
  const DType dtype = call.operands[first].dtype;
  for (int i = first + 1; i < last; ++i) {
    if (call.operands[i].dtype != dtype) return unsupported(call, i);
  }
  if constexpr (kClass != Class::I) {
    if (dtype == DType::float32) return f(float{});
    if (dtype == DType::float64) return f(double{});
  }
  if constexpr (kClass != Class::F) {
    if (dtype == DType::int64) return f(int64_t{});
    if (dtype == DType::int32) return f(int32_t{});
    if (dtype == DType::uint8) return f(uint8_t{});
  }
  if constexpr (kClass == Class::I || kClass == Class::A) {
    if (dtype == DType::boolean) return f(uint8_t{});
  }
  return unsupported(call, first);
}

// A scalar as an element, with a float's rounding and an integer's limits.
template <class T>
T saturate(double x) {
  if constexpr (std::is_floating_point_v<T>) {
    return static_cast<T>(x);
  } else {
    constexpr double kMin = static_cast<double>(std::numeric_limits<T>::min());
    constexpr double kMax = static_cast<double>(std::numeric_limits<T>::max());
    return x >= kMax ? std::numeric_limits<T>::max() : x > kMin ? static_cast<T>(x) : std::numeric_limits<T>::min();
  }
}

// Does one contiguous piece: n elements of each operand.
using Loop = void (*)(const void* context, int64_t n, char* const* operands);

constexpr int64_t kBlock = 16384;  // elements a thread takes at a time
constexpr int64_t kPiece = 1024;   // elements a buffer holds
// From kTurnedLeast elements on, operands that lie across the others are turned, kTurnedRows rows at a time: a cache line of each.
constexpr int64_t kTurnedLeast = 16384, kTurnedRows = 16;
// A run shorter than this is joined with the dimension around it: with an operand to be put in a buffer, or without.
constexpr int64_t kShortBuffered = 2 * kPiece, kShortRun = 160;

class Iteration {
 public:
  // Operands [first, first + inputs) are read; with has_output the one after them is written.
  Iteration(const Call& call, int first, int inputs, bool has_output, Loop loop, const void* context)
      : call_(call), operands_(call.operands + first), inputs_(inputs), count_(inputs + has_output), split_(call.ndim),
        loop_(loop), context_(context) {
    lengthen_run(kShortRun);
    if (buffered_) lengthen_run(kShortBuffered);
    for (int d = 0; d < split_; ++d) rows_ *= call.shape[d];
    for (int i = 0; i < count_; ++i) {
      item_[i] = item_size(operands_[i].dtype);
      for (int d = 0; d < call.ndim; ++d) stride_[d][i] = operands_[i].strides[d] * item_[i];
    }
  }

  void run() const {
    if (rows_ == 0 || run_ == 0) return;
    if (const int across = buffered_ ? turned_dim() : -1; across >= 0) return run_turned(across);
    if (rows_ == 1 && run_ <= kBlock) {  // a small call's work is mostly what is around its loop
      pieces(Row(*this, 0), 0, run_);
    } else if (run_ >= kBlock) {
      const int64_t blocks = (run_ + kBlock - 1) / kBlock;
      call_.threads->for_each_block(rows_ * blocks, rows_ * run_, [&](int64_t block) {
        const int64_t begin = block % blocks * kBlock;
        pieces(Row(*this, block / blocks), begin, std::min(begin + kBlock, run_));
      });
    } else {
      const int64_t rows = kBlock / run_;
      call_.threads->for_each_block((rows_ + rows - 1) / rows, rows_ * run_, [&](int64_t block) {
        const int64_t end = std::min((block + 1) * rows, rows_);
        Row row(*this, block * rows);
        for (int64_t i = block * rows; i < end; ++i, row.next(*this)) pieces(row, 0, run_);
      });
    }
  }

 private:
  enum class Layout { contiguous, repeated, strided };  // over the run

  void lengthen_run(int64_t least) {
    while (split_ > 0 && run_ < least) run_ *= call_.shape[--split_];
    piece_ = kPiece;
    for (int i = 0; i < count_; ++i) {
      layout_[i] = layout(operands_[i], i < inputs_);
      if (layout_[i] != Layout::contiguous) buffered_ = true;
    }
  }

  // An input that steps by 0 along the outer dimensions of a run, or all of them, is put in a buffer once: pieces are a multiple
  // of what repeats.
  Layout layout(const Operand& operand, bool input) {
    bool contiguous = true;
    int64_t stride = 1, period = 1;
    for (int d = call_.ndim - 1; d >= split_; --d) {
      if (call_.shape[d] == 1) continue;
      if (operand.strides[d] != stride) contiguous = false;
      stride *= call_.shape[d];
      if (operand.strides[d] != 0) period = stride;
    }
    if (contiguous) return Layout::contiguous;
    if (!input || period > kPiece) return Layout::strided;
    if (piece_ % period != 0 && piece_ == kPiece) piece_ -= piece_ % period;
    return piece_ % period == 0 ? Layout::repeated : Layout::strided;
  }

  // A dimension along which some of the inputs are contiguous, while all other operands are along the last; or -1.
  int turned_dim() const {
    const int last = call_.ndim - 1;
    if (rows_ * run_ < kTurnedLeast || call_.shape[last] < kTurnedRows) return -1;
    int turned = -1;
    for (int i = 0; i < count_; ++i) {
      const int64_t* strides = operands_[i].strides;
      if (strides[last] == 1) continue;
      const int dim = static_cast<int>(std::find(strides, strides + last, 1) - strides);
      if (strides[last] == 0 || dim == last || call_.shape[dim] < kTurnedRows || i == inputs_ || item_[i] == 1) return -1;
      if (turned >= 0 && dim != turned) return -1;
      turned = dim;
    }
    return turned;
  }

  void run_turned(int across) const {
    const int last = call_.ndim - 1;
    const int64_t rows = call_.shape[across], columns = call_.shape[last];
    const int64_t per_block = ceil_div(ceil_div(kBlock, columns), kTurnedRows) * kTurnedRows, bands = ceil_div(rows, per_block);
    const int64_t most = kPiece * 8 / (kTurnedRows * *std::max_element(item_, item_ + count_));  // columns that a buffer holds
    call_.threads->for_each_block(rows_ * run_ / (rows * columns) * bands, rows_ * run_, [&](int64_t block) {
      alignas(64) char buffers[kMaxOperands][kPiece * 8];
      char *base[kMaxOperands], *piece[kMaxOperands];
      for (int i = 0; i < count_; ++i) base[i] = operands_[i].data;
      int64_t outer = block / bands;
      for (int d = last - 1; d >= 0; --d) {
        if (d == across) continue;
        for (int i = 0; i < count_; ++i) base[i] += outer % call_.shape[d] * stride_[d][i];
        outer /= call_.shape[d];
      }
      const int64_t first = block % bands * per_block, end = std::min(rows, first + per_block);
      for (int64_t row = first; row < end; row += kTurnedRows) {
        const int64_t height = std::min(kTurnedRows, end - row);
        for (int64_t column = 0; column < columns; column += most) {
          const int64_t n = std::min(most, columns - column);
          int64_t step[kMaxOperands];  // from row to row
          for (int i = 0; i < count_; ++i) {
            char* const from = base[i] + row * stride_[across][i] + column * stride_[last][i];
            const bool turned = operands_[i].strides[last] != 1;
            piece[i] = turned ? buffers[i] : from;
            step[i] = turned ? most * item_[i] : stride_[across][i];
            if (turned && item_[i] == 4) turn<int32_t>(from, i, buffers[i], most, height, n);
            else if (turned) turn<int64_t>(from, i, buffers[i], most, height, n);
          }
          for (int64_t r = 0; r < height; ++r) {
            loop_(context_, n, piece);
            for (int i = 0; i < count_; ++i) piece[i] += step[i];
          }
        }
      }
    });
  }

  template <class T>
  void turn(const char* from, int i, char* to, int64_t to_step, int64_t rows, int64_t columns) const {
    transpose_tile(reinterpret_cast<const T*>(from), operands_[i].strides[call_.ndim - 1], reinterpret_cast<T*>(to), to_step, rows, columns);
  }

  // Where the operands lie in a row, counted row-major. The next one is a matter of additions, as rows may be short: like
  // Walk, but in addresses, for with Walk's offsets copies of rows of 1 KB took twice as long.
  struct Row {
    int64_t index[kMaxDims];
    char* base[kMaxOperands];

    Row(const Iteration& all, int64_t row) {
      for (int i = 0; i < all.count_; ++i) base[i] = all.operands_[i].data;
      for (int d = all.split_ - 1; d >= 0; row /= all.call_.shape[d--]) {
        index[d] = row % all.call_.shape[d];
        step(all, d, index[d]);
      }
    }
    void step(const Iteration& all, int d, int64_t steps) {
      for (int i = 0; i < all.count_; ++i) base[i] += steps * all.stride_[d][i];
    }
    void next(const Iteration& all) {
      for (int d = all.split_ - 1; d >= 0; --d) {
        if (++index[d] < all.call_.shape[d]) return step(all, d, 1);
        step(all, d, 1 - index[d]);
        index[d] = 0;
      }
    }
  };

  // Where an operand's next element of the run lies.
  struct Cursor {
    int64_t index[kMaxDims];
    char* item;

    Cursor() = default;
    Cursor(const Iteration& all, int i, char* base, int64_t position) : item(base) {
      for (int d = all.call_.ndim - 1; d >= all.split_; position /= all.call_.shape[d--]) {
        index[d] = position % all.call_.shape[d];
        item += index[d] * all.stride_[d][i];
      }
    }
  };

  // Elements [begin, end) of a row's run.
  void pieces(const Row& row, int64_t begin, int64_t end) const {
    char* const* base = row.base;
    char* piece[kMaxOperands];
    if (!buffered_) {
      for (int i = 0; i < count_; ++i) piece[i] = base[i] + begin * item_[i];
      loop_(context_, end - begin, piece);
      return;
    }
    alignas(64) char buffers[kMaxOperands][kPiece * 8 + CRESSET_VECTOR_BYTES];
    Cursor cursors[kMaxOperands];
    const int64_t length = std::min(piece_, end - begin);
    for (int i = 0; i < count_; ++i) {
      piece[i] = buffers[i];
      if (layout_[i] != Layout::contiguous) cursors[i] = Cursor(*this, i, base[i], begin);
      if (layout_[i] == Layout::repeated) transfer(i, cursors[i], buffers[i], length, true);
    }
    for (int64_t at = begin; at < end; at += length) {
      const int64_t n = std::min(length, end - at);
      for (int i = 0; i < count_; ++i) {
        if (layout_[i] == Layout::contiguous) piece[i] = base[i] + at * item_[i];
        if (layout_[i] == Layout::strided && i < inputs_) transfer(i, cursors[i], buffers[i], n, true);
      }
      loop_(context_, n, piece);
      if (count_ > inputs_ && layout_[inputs_] != Layout::contiguous) {
        transfer(inputs_, cursors[inputs_], buffers[inputs_], n, false);
      }
    }
  }

  // Copies the next n elements of the run into the buffer, or back.
  void transfer(int i, Cursor& cursor, char* buffer, int64_t n, bool in) const {
    switch (item_[i]) {
      case 8: return transfer_items<int64_t>(operands_[i].strides, cursor, buffer, n, in);
      case 4: return transfer_items<int32_t>(operands_[i].strides, cursor, buffer, n, in);
      default: return transfer_items<uint8_t>(operands_[i].strides, cursor, buffer, n, in);
    }
  }

  template <class T>
  void transfer_items(const int64_t* strides, Cursor& cursor, char* buffer, int64_t n, bool in) const {
    T* const packed = reinterpret_cast<T*>(buffer);
    const int64_t stride = strides[call_.ndim - 1];
    const auto transfer_by = [&](auto move) __attribute__((always_inline)) { for_runs(strides, cursor, packed, n, move); };
    if (!in && stride == 1) {
      transfer_by([](T* item, T* packed, int64_t run) { move_items(packed, item, run); });
    } else if (!in) {
      transfer_by([stride](T* item, T* packed, int64_t run) {
        for (int64_t j = 0; j < run; ++j) item[j * stride] = packed[j];
      });
    } else if (stride == 0) {
      // Whole vectors: there is room behind, and what follows is written later.
      transfer_by([](T* item, T* packed, int64_t run) {
        const Vector<T> all = splat(*item);
        for (int64_t j = 0; j < run; j += kLanes<T>) store(packed + j, all);
      });
    } else if (stride == 1) {
      transfer_by([](T* item, T* packed, int64_t run) { move_items(item, packed, run); });
    } else if (stride == -1) {
      transfer_by([](T* item, T* packed, int64_t run) {
        for (int64_t j = 0; j < run; ++j) packed[j] = item[-j];
      });
    } else {
      transfer_by([stride](T* item, T* packed, int64_t run) {
        for (int64_t j = 0; j < run; ++j) packed[j] = item[j * stride];
      });
    }
  }

  // Calls move(item, packed, run) for each run along the last dimension, or part of one, of the next n elements.
  template <class T, class Move>
  CRESSET_INLINE void for_runs(const int64_t* strides, Cursor& cursor, T* packed, int64_t n, Move move) const {
    const int64_t* shape = call_.shape;
    const int last = call_.ndim - 1;
    int64_t* const index = cursor.index;
    T* item = reinterpret_cast<T*>(cursor.item);
    const int64_t size = shape[last];
    while (n > 0) {
      int64_t run = std::min(n, size - index[last]), rows = 1, step = run * strides[last];
      int d = last;
      if (run == size && last > split_) {
        d = last - 1;
        step = strides[d];
        rows = n < 2 * size ? 1 : std::min(n / size, shape[d] - index[d]);
        index[d] += rows;
      } else {
        index[d] += run;
      }
      n -= rows * run;
      for (; rows > 0; --rows, packed += run, item += step) move(item, packed, run);
      for (; d > split_ && index[d] == shape[d]; --d) {
        item += strides[d - 1] - shape[d] * strides[d];
        index[d] = 0;
        ++index[d - 1];
      }
    }
    cursor.item = reinterpret_cast<char*>(item);
  }

  const Call& call_;
  const Operand* operands_;
  int inputs_, count_, split_;
  Loop loop_;
  const void* context_;
  int64_t run_ = 1, rows_ = 1, piece_ = kPiece;
  int64_t item_[kMaxOperands], stride_[kMaxDims][kMaxOperands];  // of an element, and in bytes
  Layout layout_[kMaxOperands];
  bool buffered_ = false;
};

template <class Out, class F, class... In>
void contiguous_loop(F f, int64_t n, Out* out, const In*... in) {
  CRESSET_INDEPENDENT
  for (int64_t i = 0; i < n; ++i) out[i] = f(in[i]...);
}

// The output = f(the inputs), element by element; the inputs' types are In.
template <class Out, class... In, class F>
Status map(Call& call, F f) {
  const Loop loop = [](const void* context, int64_t n, char* const* operands) {
    [&]<size_t... kIndex>(std::index_sequence<kIndex...>) {
      contiguous_loop(*static_cast<const F*>(context), n, reinterpret_cast<Out*>(operands[sizeof...(In)]),
                      reinterpret_cast<const In*>(operands[kIndex])...);
    }(std::index_sequence_for<In...>());
  };
  Iteration(call, 0, sizeof...(In), true, loop, &f).run();
  return Status::ok;
}

template <Class kClass, class F>
Status unary(Call& call, F f) {
  return dispatch<kClass>(call, 0, 2, [&]<class T>(T) { return map<T, T>(call, f); });
}

template <Class kClass, class F>
Status binary(Call& call, F f) {
  return dispatch<kClass>(call, 0, 3, [&]<class T>(T) { return map<T, T, T>(call, f); });
}

}  // namespace
}  // namespace cresset::CRESSET_TARGET
