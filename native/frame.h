// Reads the calling frame, checks it, and runs the kernel it names. Whatever numbers the frame holds, no kernel is given
// an operand that reaches outside a live block.
#pragma once
#include <vector>

#include "dispatch.h"
#include "threads/thread_pool.h"

namespace cresset {

struct OperandRule;

struct Block {
  static constexpr int64_t kDead = -1;
  char* data = nullptr;
  int64_t size = kDead;
  bool shown = false;  // JavaScript has it and may detach it between calls: ask again in each that uses it
  int64_t asked = 0;   // in which call that was last done
};

class FrameRunner {
 public:
  // `refresh` sets a shown block's data and size from what it is now.
  using Refresh = void (*)(void* context, int32_t id, Block& block);

  FrameRunner(ThreadPool* threads, Refresh refresh, void* context);

  // To be called before `run`: `frame` has kFrameLength doubles.
  void set_frame(double* frame) { frame_ = frame; }
  void set_kernels(const KernelFunction* kernels) { kernels_ = kernels; }

  // If the status is not ok, it is also in frame[0], and its details in frame[1] and frame[2].
  Status run();

  std::vector<Block> blocks;  // by id; 0 stands for an absent operand

 private:
  struct Extent {  // the memory an operand reaches
    const char *begin, *end;
  };

  Status dispatch();
  Status run_strided(int kernel);
  Status run_list(int kernel);
  Status read_shape(const int64_t* shape);
  // `number` is what the offset's place holds; bit i of `foreign` says that the stride of dimension ndim - 1 - i must be 0.
  Status read_operand(const int64_t* at, double number, const OperandRule& rule, uint64_t foreign, Operand& operand, Extent& extent);
  Status resolve(int64_t id, int64_t start, DType dtype, int64_t low, int64_t high, char*& data, Extent& extent);

  double* frame_ = nullptr;
  const KernelFunction* kernels_ = nullptr;
  Refresh refresh_;
  void* context_;
  int64_t calls_ = 0;
  double detail_[2];
  double scalars_[kMaxScalars];
  int64_t numbers_[kMaxDims + kMaxOperands * (3 + kMaxDims)];
  int first_empty_;  // the first dimension of size 0; ndim if there is none
  Call call_;
  Extent extents_[kMaxOperands];
  std::vector<ListRow> rows_;
};

}  // namespace cresset
