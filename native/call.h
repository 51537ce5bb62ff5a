// What a kernel is given: its operands, checked and resolved to pointers.
#pragma once
#include <cstdint>

namespace cresset {

class ThreadPool;

enum class DType : int32_t { float32, float64, int64, int32, uint8, boolean };
constexpr int kDTypes = 6;

// The logarithm of an element's bytes.
constexpr int item_shift(DType d) {
  constexpr int shifts[kDTypes] = {2, 3, 3, 2, 0, 0};
  return shifts[static_cast<int>(d)];
}
constexpr int64_t item_size(DType d) { return int64_t{1} << item_shift(d); }

constexpr int kMaxDims = 64;
constexpr int kMaxOperands = 6;
constexpr int kMaxScalars = 16;
constexpr int kFrameLength = 16384;  // doubles; also in lib/backend/frame.ts

// What `run` leaves in frame[0]; lib/backend/frame.ts turns it into an error. A status may bring two numbers,
// which go to frame[1] and frame[2].
enum class Status : int {
  ok = 0,
  unknown_kernel,    // frame[1] the id
  bad_frame,         // a count, dtype or flag outside its range
  dead_block,        // frame[1] the operand's position
  out_of_bounds,     // frame[1] the operand's position: it reaches outside its block
  unsupported_dtype, // frame[1] the operand's position, frame[2] the dtype
  index_out_of_range,// frame[1] the index, frame[2] the size
  division_by_zero,
  out_of_memory,
  overlap,           // frame[1] the position of an index that shares memory with what the kernel writes
};

struct Operand {
  char* data;       // nullptr: absent
  DType dtype;
  int64_t strides[kMaxDims];  // in elements; only [0, ndim) is set
  alignas(8) char immediate[8];  // where `data` points if the operand is a number

  template <class T> T* as() const { return reinterpret_cast<T*>(data); }
};

// A STRIDED kernel's call. Sizes are at least 1, but for the reduced dimensions, matmul's K and the indexed dimension.
struct Call {
  int ndim;
  int64_t shape[kMaxDims];
  const double* scalars;
  Operand operands[kMaxOperands];
  ThreadPool* threads;
  double detail[2];  // set beside a status that brings numbers
};

// A LIST kernel's call. Row r: `n` elements, its scalars, its operands (nullptr: absent).
struct ListRow {
  int64_t n;
  const double* scalars;
  char* operands[kMaxOperands];
};
struct ListCall {
  int rows;
  DType dtype;
  const ListRow* row;
  ThreadPool* threads;
};

using StridedKernel = Status (*)(Call&);
using ListKernel = Status (*)(ListCall&);

}  // namespace cresset
