// Fork-join over fixed blocks. The caller works too; with one thread nothing is ever woken.
#pragma once
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

namespace cresset {

class ThreadPool {
 public:
  explicit ThreadPool(int threads);
  ~ThreadPool();  // joins the helpers

  int threads() const;
  void set_threads(int threads);

  // Calls task(context, block) for each block in [0, blocks), in any order and on any thread; returns when all are done.
  // `elements` is the size of the whole work: below the threshold where waking a helper pays, the caller does it alone.
  // What a block covers must not depend on the number of threads: results are the same whatever that is.
  void run(int64_t blocks, int64_t elements, void (*task)(void*, int64_t), void* context);

  template <class F>
  void for_each_block(int64_t blocks, int64_t elements, F&& f) {
    run(blocks, elements, [](void* context, int64_t block) { (*static_cast<std::remove_reference_t<F>*>(context))(block); }, &f);
  }
};

}  // namespace cresset
