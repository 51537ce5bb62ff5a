#include "frame.h"

#include <algorithm>
#include <cmath>
#include <exception>
#include <limits>

#include "number.h"
#include "signature.h"

namespace cresset {

namespace {

constexpr int64_t kMaxInteger = int64_t{1} << 53;
constexpr int64_t kLongestStride = int64_t{1} << 48;  // beyond any memory
constexpr int64_t kImmediate = -1;  // in a block's place: the offset's place holds the number itself
constexpr int64_t kNone = std::numeric_limits<int64_t>::min();

// The integer that a number of the frame is, within ±kMaxInteger; kNone for anything else a double can hold.
int64_t integer(double value) {
  if (!(std::abs(value) <= static_cast<double>(kMaxInteger))) return kNone;
  const int64_t result = static_cast<int64_t>(value);
  return static_cast<double>(result) == value ? result : kNone;
}

typedef double Pair __attribute__((vector_size(16)));
typedef uint64_t Bits __attribute__((vector_size(16)));
typedef int64_t Mask __attribute__((vector_size(16)));

// integer() of n numbers. Added to 1.5 2^52, one of up to 51 bits stands in a double's low bits: that needs no conversion, and two
// are done at once.
void integers(const double* from, int64_t n, int64_t* to) {
  constexpr double kShift = 0x1.8p52;
  constexpr uint64_t kMagnitude = ~uint64_t{0} >> 1;
  Mask broken = {}, large = {};
  int64_t i = 0;
  for (; i + 2 <= n; i += 2) {
    Pair x;
    __builtin_memcpy(&x, from + i, sizeof x);
    const Pair shifted = x + kShift, magnitude = reinterpret_cast<Pair>(reinterpret_cast<Bits>(x) & kMagnitude);
    const Bits result = reinterpret_cast<Bits>(shifted) - __builtin_bit_cast(uint64_t, kShift);
    broken |= shifted - kShift != x;
    large |= magnitude > 0x1p51;
    __builtin_memcpy(to + i, &result, sizeof result);
  }
  const Mask others = broken | large;
  if (others[0] | others[1]) i = 0;
  for (; i < n; i++) to[i] = integer(from[i]);
}

bool within(int64_t value, int64_t low, int64_t high) { return value >= low && value <= high; }

template <class T>
void write_as(char* to, double value) {
  const T converted = convert<T>(value);
  __builtin_memcpy(to, &converted, sizeof converted);
}

void write_immediate(char* to, DType dtype, double value) {
  switch (dtype) {
    case DType::float32: return write_as<float>(to, value);
    case DType::float64: return write_as<double>(to, value);
    case DType::int64: return write_as<int64_t>(to, value);
    case DType::int32: return write_as<int32_t>(to, value);
    case DType::uint8: return write_as<uint8_t>(to, value);
    case DType::boolean: return write_as<bool>(to, value);
  }
}

bool read_dtype(int64_t number, DType& dtype) {
  dtype = static_cast<DType>(number);
  return within(number, 0, kDTypes - 1);
}

}  // namespace

FrameRunner::FrameRunner(ThreadPool* threads, Refresh refresh, void* context)
    : blocks(1), refresh_(refresh), context_(context) {
  call_.threads = threads;
}

Status FrameRunner::run() {
  detail_[0] = detail_[1] = 0;
  calls_++;
  Status status;
  try {
    status = dispatch();
  } catch (const std::exception&) {
    status = Status::out_of_memory;  // nothing else throws
  }
  if (status != Status::ok) {
    frame_[0] = static_cast<int>(status);
    frame_[1] = detail_[0];
    frame_[2] = detail_[1];
  }
  return status;
}

Status FrameRunner::dispatch() {
  const int64_t kernel = integer(frame_[0]);
  if (!within(kernel, 0, kKernelCount - 1)) {
    detail_[0] = frame_[0];
    return Status::unknown_kernel;
  }
  return kSignatures[kernel].list ? run_list(static_cast<int>(kernel)) : run_strided(static_cast<int>(kernel));
}

// The memory of elements [low, high], low <= 0, counted from byte `start`.
Status FrameRunner::resolve(int64_t id, int64_t start, DType dtype, int64_t low, int64_t high, char*& data, Extent& extent) {
  if (!within(id, 1, static_cast<int64_t>(blocks.size()) - 1)) return Status::dead_block;
  Block& block = blocks[id];
  if (block.shown && block.asked != calls_) {
    refresh_(context_, static_cast<int32_t>(id), block);
    block.asked = calls_;
  }
  if (block.size == Block::kDead) return Status::dead_block;
  const int64_t item = item_size(dtype);
  if (!within(start, 0, block.size) || (start & (item - 1)) != 0) return Status::out_of_bounds;
  // What lies before and behind is counted in elements, which cannot overflow.
  const int shift = item_shift(dtype);
  if (-(start >> shift) > low || high >= (block.size - start) >> shift) return Status::out_of_bounds;
  data = block.data + start;
  extent = {data + low * item, data + (high + 1) * item};
  return Status::ok;
}

Status FrameRunner::read_shape(const int64_t* shape) {
  int64_t elements = 1;
  first_empty_ = call_.ndim;
  for (int d = 0; d < call_.ndim; d++) {
    const int64_t size = call_.shape[d] = shape[d];
    if (size < 0) return Status::bad_frame;
    if (size == 0) first_empty_ = std::min(first_empty_, d);
    else if (__builtin_mul_overflow(elements, size, &elements) || elements > kMaxInteger) return Status::bad_frame;
  }
  return Status::ok;
}

Status FrameRunner::read_operand(const int64_t* at, double number, const OperandRule& rule, uint64_t foreign, Operand& operand,
                                 Extent& extent) {
  const int64_t id = at[0], offset = at[1], *strides = at + 3;
  const int ndim = call_.ndim;
  if (!read_dtype(at[2], operand.dtype)) return Status::bad_frame;

  if (id == kImmediate || id == 0) {
    extent = {};
    std::fill_n(operand.strides, ndim, 0);
    if (id == 0) {
      operand.data = nullptr;
      return rule.optional ? Status::ok : Status::dead_block;
    }
    if (rule.output) return Status::bad_frame;
    write_immediate(operand.immediate, operand.dtype, number);
    operand.data = operand.immediate;
    return Status::ok;
  }

  int64_t low = 0, high = 0;  // the elements it reaches, its first being 0
  bool touched = true;        // it has no element if a dimension of its own has size 0
  for (int d = 0; d < ndim; d++) {
    const int64_t stride = strides[d], size = call_.shape[d];
    if (stride == kNone) return Status::bad_frame;
    operand.strides[d] = stride;
    if (size == 1) {
      if (std::abs(stride) > kLongestStride) operand.strides[d] = 0;  // never stepped, but computed with
      continue;
    }
    if (stride == 0) continue;
    if (foreign >> (ndim - 1 - d) & 1) return Status::bad_frame;
    if (size == 0) {
      touched = false;
      continue;
    }
    int64_t reach;
    int64_t& end = stride < 0 ? low : high;
    if (__builtin_mul_overflow(size - 1, stride, &reach) || __builtin_add_overflow(end, reach, &end)) return Status::out_of_bounds;
  }
  if (!touched) {
    extent = {};
    operand.data = operand.immediate;
    std::fill_n(operand.strides, ndim, 0);  // they were not bounded by any memory
    return Status::ok;
  }
  return resolve(id, offset, operand.dtype, low, high, operand.data, extent);
}

Status FrameRunner::run_strided(int kernel) {
  static_assert(2 + kMaxScalars + kMaxDims + kMaxOperands * (3 + kMaxDims) <= kFrameLength, "the longest call fits");
  const Signature& signature = kSignatures[kernel];
  const int64_t ndim = integer(frame_[1]);
  int64_t reduced = 0;
  if (!within(ndim, signature.min_dims, signature.max_dims)) return Status::bad_frame;
  call_.ndim = static_cast<int>(ndim);
  std::copy_n(frame_ + 2, signature.scalar_count, scalars_);  // what is checked here is what the kernel sees
  call_.scalars = scalars_;
  if (signature.reduced >= 0) reduced = integer(scalars_[signature.reduced]);
  if (!within(reduced, 0, ndim)) return Status::bad_frame;

  const uint64_t reduced_dims = reduced < 64 ? (uint64_t{1} << reduced) - 1 : ~uint64_t{0};

  // The shape, then for each operand its block, offset, dtype and strides.
  const double* const given = frame_ + 2 + signature.scalar_count;
  const int64_t each = 3 + ndim;
  integers(given, ndim + signature.operand_count * each, numbers_);
  if (Status status = read_shape(numbers_); status != Status::ok) return status;
  const Operand* common = nullptr;
  for (int i = 0; i < signature.operand_count; i++) {
    const OperandRule& rule = signature.operands[i];
    Operand& operand = call_.operands[i];
    detail_[0] = i;
    const int64_t at = ndim + i * each;
    const uint64_t foreign = rule.foreign_dims | (rule.output ? reduced_dims : 0);
    const Status status = read_operand(numbers_ + at, given[at + 1], rule, foreign, operand, extents_[i]);
    if (status != Status::ok) return status;
    if (operand.data == nullptr || rule.dtype == DTypeRule::any) continue;
    if (rule.dtype == DTypeRule::common && common == nullptr) common = &operand;
    const DType expected = rule.dtype == DTypeRule::boolean ? DType::boolean
                           : rule.dtype == DTypeRule::int32 ? DType::int32
                           : rule.dtype == DTypeRule::int64 ? DType::int64
                                                            : common->dtype;
    if (operand.dtype != expected) {
      detail_[1] = static_cast<int>(operand.dtype);
      return Status::unsupported_dtype;
    }
  }
  // Over an empty space there is nothing to do, unless the kernel writes what a reduction of nothing gives.
  if (first_empty_ < ndim - std::max<int64_t>(reduced, signature.empty_tail)) return Status::ok;
  if (signature.index >= 0) {
    const Extent& index = extents_[signature.index];
    for (int i = 0; i < signature.operand_count; i++) {
      if (!signature.operands[i].output || extents_[i].begin >= index.end || index.begin >= extents_[i].end) continue;
      detail_[0] = signature.index;
      return Status::overlap;
    }
  }

  call_.detail[0] = call_.detail[1] = 0;
  const Status status = kernels_[kernel].strided(call_);
  detail_[0] = call_.detail[0];
  detail_[1] = call_.detail[1];
  return status;
}

Status FrameRunner::run_list(int kernel) {
  const Signature& signature = kSignatures[kernel];
  const int row_length = 1 + signature.scalar_count + 2 * signature.operand_count;
  const int64_t rows = integer(frame_[1]);
  ListCall call;
  if (!within(rows, 0, (kFrameLength - 3) / row_length) || !read_dtype(integer(frame_[2]), call.dtype)) {
    return Status::bad_frame;
  }
  rows_.resize(rows);
  const double* at = frame_ + 3;
  for (int64_t r = 0; r < rows; r++) {
    ListRow& row = rows_[r];
    row.n = integer(at[0]);
    if (row.n < 0) return Status::bad_frame;
    row.scalars = at + 1;
    at += 1 + signature.scalar_count;
    for (int i = 0; i < signature.operand_count; i++, at += 2) {
      const OperandRule& rule = signature.operands[i];
      detail_[0] = i;
      detail_[1] = static_cast<double>(r);
      row.operands[i] = nullptr;
      if (at[0] == 0 && rule.optional) continue;
      const int64_t last = (rule.single ? 1 : row.n) - 1;
      const Status status = resolve(integer(at[0]), integer(at[1]), call.dtype, 0, last, row.operands[i], extents_[i]);
      if (status != Status::ok) return status;
    }
  }
  call.rows = static_cast<int>(rows);
  call.row = rows_.data();
  call.threads = call_.threads;
  detail_[0] = detail_[1] = 0;
  return kernels_[kernel].list(call);
}

}  // namespace cresset
