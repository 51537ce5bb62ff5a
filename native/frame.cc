#include "frame.h"

#include <algorithm>
#include <cmath>
#include <exception>

#include "number.h"
#include "signature.h"

namespace cresset {

namespace {

constexpr int64_t kMaxInteger = int64_t{1} << 53;
constexpr int64_t kLongestStride = int64_t{1} << 48;  // beyond any memory
constexpr double kImmediate = -1;  // in a block's place: the offset's place holds the number itself

// Reads an integer in [low, high], both within ±kMaxInteger; false for anything else a double can hold.
bool read_integer(double value, int64_t low, int64_t high, int64_t& result) {
  if (!(std::abs(value) <= static_cast<double>(kMaxInteger))) return false;
  result = static_cast<int64_t>(value);
  return static_cast<double>(result) == value && result >= low && result <= high;
}

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

bool read_dtype(double value, DType& dtype) {
  int64_t number;
  if (!read_integer(value, 0, kDTypes - 1, number)) return false;
  dtype = static_cast<DType>(number);
  return true;
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
  int64_t kernel;
  if (!read_integer(frame_[0], 0, kKernelCount - 1, kernel)) {
    detail_[0] = frame_[0];
    return Status::unknown_kernel;
  }
  return kSignatures[kernel].list ? run_list(static_cast<int>(kernel)) : run_strided(static_cast<int>(kernel));
}

// The memory of elements [low, high] counted from `offset`.
Status FrameRunner::resolve(double id, double offset, int64_t item, int64_t low, int64_t high, char*& data,
                            Extent& extent) {
  int64_t block_id, start, first, last;
  if (!read_integer(id, 1, static_cast<int64_t>(blocks.size()) - 1, block_id)) return Status::dead_block;
  Block& block = blocks[block_id];
  if (block.shown && block.asked != calls_) {
    refresh_(context_, static_cast<int32_t>(block_id), block);
    block.asked = calls_;
  }
  if (block.size == Block::kDead) return Status::dead_block;
  if (!read_integer(offset, 0, block.size, start) || (start & (item - 1)) != 0) return Status::out_of_bounds;
  if (__builtin_mul_overflow(low, item, &first) || __builtin_add_overflow(start, first, &first) || first < 0 ||
      __builtin_mul_overflow(high, item, &last) || __builtin_add_overflow(start + item, last, &last) || last > block.size) {
    return Status::out_of_bounds;
  }
  data = block.data + start;
  extent = {block.data + first, block.data + last};
  return Status::ok;
}

Status FrameRunner::read_shape(const double* shape) {
  int64_t elements = 1;
  first_empty_ = call_.ndim;
  for (int d = 0; d < call_.ndim; d++) {
    int64_t& size = call_.shape[d];
    if (!read_integer(shape[d], 0, kMaxInteger, size)) return Status::bad_frame;
    if (size == 0) first_empty_ = std::min(first_empty_, d);
    else if (__builtin_mul_overflow(elements, size, &elements) || elements > kMaxInteger) return Status::bad_frame;
  }
  return Status::ok;
}

Status FrameRunner::read_operand(const double*& at, const OperandRule& rule, int reduced, Operand& operand, Extent& extent) {
  const double id = at[0], offset = at[1];
  extent = {};
  if (!read_dtype(at[2], operand.dtype)) return Status::bad_frame;
  const double* strides = at + 3;
  at = strides + call_.ndim;

  if (id == kImmediate) {
    if (rule.output) return Status::bad_frame;
    write_immediate(operand.immediate, operand.dtype, offset);
    operand.data = operand.immediate;
    std::fill_n(operand.strides, call_.ndim, 0);
    return Status::ok;
  }
  if (id == 0) {
    operand.data = nullptr;
    std::fill_n(operand.strides, call_.ndim, 0);
    return rule.optional ? Status::ok : Status::dead_block;
  }

  int64_t low = 0, high = 0;  // the elements it reaches, its first being 0
  bool touched = true;        // it has no element if a dimension of its own has size 0
  for (int d = 0; d < call_.ndim; d++) {
    int64_t stride, reach;
    if (!read_integer(strides[d], -kMaxInteger, kMaxInteger, stride)) return Status::bad_frame;
    operand.strides[d] = stride;
    const int64_t size = call_.shape[d];
    if (size == 1 && std::abs(stride) > kLongestStride) operand.strides[d] = 0;  // never stepped, but computed with
    if (stride == 0 || size == 1) continue;
    const int from_last = call_.ndim - 1 - d;
    if ((from_last < 8 && rule.foreign_dims >> from_last & 1) || (rule.output && from_last < reduced)) return Status::bad_frame;
    if (size == 0) touched = false;
    else if (__builtin_mul_overflow(size - 1, stride, &reach)) return Status::out_of_bounds;
    else if (__builtin_add_overflow(reach < 0 ? low : high, reach, reach < 0 ? &low : &high)) return Status::out_of_bounds;
  }
  if (!touched) {
    operand.data = operand.immediate;
    std::fill_n(operand.strides, call_.ndim, 0);  // they were not bounded by any memory
    return Status::ok;
  }
  return resolve(id, offset, item_size(operand.dtype), low, high, operand.data, extent);
}

Status FrameRunner::run_strided(int kernel) {
  static_assert(2 + kMaxScalars + kMaxDims + kMaxOperands * (3 + kMaxDims) <= kFrameLength, "the longest call fits");
  const Signature& signature = kSignatures[kernel];
  int64_t ndim, reduced = 0;
  if (!read_integer(frame_[1], signature.min_dims, signature.max_dims, ndim)) return Status::bad_frame;
  call_.ndim = static_cast<int>(ndim);
  std::copy_n(frame_ + 2, signature.scalar_count, scalars_);  // what is checked here is what the kernel sees
  call_.scalars = scalars_;
  if (signature.reduced >= 0 && !read_integer(call_.scalars[signature.reduced], 0, ndim, reduced)) return Status::bad_frame;

  const double* at = frame_ + 2 + signature.scalar_count;
  if (Status status = read_shape(at); status != Status::ok) return status;
  at += ndim;
  const Operand* common = nullptr;
  for (int i = 0; i < signature.operand_count; i++) {
    const OperandRule& rule = signature.operands[i];
    Operand& operand = call_.operands[i];
    detail_[0] = i;
    const Status status = read_operand(at, rule, static_cast<int>(reduced), operand, extents_[i]);
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
  int64_t rows;
  ListCall call;
  if (!read_integer(frame_[1], 0, (kFrameLength - 3) / row_length, rows) || !read_dtype(frame_[2], call.dtype)) {
    return Status::bad_frame;
  }
  rows_.resize(rows);
  const double* at = frame_ + 3;
  for (int64_t r = 0; r < rows; r++) {
    ListRow& row = rows_[r];
    if (!read_integer(at[0], 0, kMaxInteger, row.n)) return Status::bad_frame;
    row.scalars = at + 1;
    at += 1 + signature.scalar_count;
    for (int i = 0; i < signature.operand_count; i++, at += 2) {
      const OperandRule& rule = signature.operands[i];
      detail_[0] = i;
      detail_[1] = static_cast<double>(r);
      row.operands[i] = nullptr;
      if (at[0] == 0 && rule.optional) continue;
      const int64_t last = (rule.single ? 1 : row.n) - 1;
      const Status status = resolve(at[0], at[1], item_size(call.dtype), 0, last, row.operands[i], extents_[i]);
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
