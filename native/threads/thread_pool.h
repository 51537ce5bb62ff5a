// Fork-join over fixed blocks. The caller works too; with one thread nothing is ever woken.
#pragma once
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <type_traits>
#include <vector>

namespace cresset {

class ThreadPool {
 public:
  explicit ThreadPool(int threads);
  ~ThreadPool();  // joins the helpers

  int threads() const { return threads_; }
  void set_threads(int threads);

  // Calls task(context, block) for each block in [0, blocks), in any order and on any thread; returns when all are done.
  // `elements` is the size of the whole work: a helper is woken only where that pays, for one work or several that follow.
  // Where what a block covers changes the result, it must not depend on the number of threads.
  // A task must not throw and must not call `run`.
  void run(int64_t blocks, int64_t elements, void (*task)(void*, int64_t), void* context);

  template <class F>
  void for_each_block(int64_t blocks, int64_t elements, F&& f) {
    run(blocks, elements, [](void* context, int64_t block) { (*static_cast<std::remove_reference_t<F>*>(context))(block); }, &f);
  }

 private:
  // The blocks of one thread; done with them, it takes from the others'. Works of as many blocks give each thread the same
  // ones, and what it wrote in the one is still in its cache in the next.
  struct alignas(64) Share {
    std::atomic<int64_t> next;
    int64_t end;
  };
  struct Job {
    void (*task)(void*, int64_t);
    void* context;
    Share* shares;
    int64_t threads;
    void work(int64_t number);
  };

  // A helper between jobs is `spinning`, later `parked`. The caller posts a job to it, and takes the job back if the
  // helper has not begun by the time the work is done; so a helper that wakes late never sees a job that has ended.
  enum State : int { spinning, parked, posted, busy, stopping };
  struct alignas(64) Helper {
    std::atomic<int> state{spinning};
    const int64_t number;  // from 1 on; the caller's is 0
    Job* job = nullptr;    // written before `posted`, read after
    std::mutex mutex;
    std::condition_variable woken;
    std::thread thread;
    explicit Helper(int64_t number) : number(number) {}
    void loop();
    bool post(Job* job, bool wake);  // whether it will see the job
    void take_back();
    void stop();
  };

  void start_helpers();
  void stop_helpers();

  int threads_;
  int64_t unshared_ = 0;  // elements worked on since a helper last got a job
  std::vector<std::unique_ptr<Helper>> helpers_;
  std::unique_ptr<Share[]> shares_;  // of the work in hand, one a thread
};

}  // namespace cresset
