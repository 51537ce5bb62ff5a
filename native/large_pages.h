#pragma once
#include <cstdint>
#ifdef __linux__
#include <sys/mman.h>
#endif

namespace cresset {

// Memory in large pages, given out piece by piece and once. What is smaller than such a page would have none of its own, and
// fault in by small ones, which takes far longer (docs/decisions.md).
class LargePages {
 public:
  static constexpr int64_t kPage = int64_t{1} << 21;

  LargePages() = default;
  LargePages(const LargePages&) = delete;
  LargePages& operator=(const LargePages&) = delete;

// A sanitizer sees no bounds between the pieces.
#if defined(MADV_HUGEPAGE) && !defined(__SANITIZE_ADDRESS__)
  ~LargePages() {
    if (mapped_ != nullptr) munmap(mapped_, kMapped);
  }

  // Aligned to a cache line; nullptr where there is no more, or never was.
  char* take(int64_t bytes) {
    if (mapped_ == nullptr && !tried_) map();
    if (bytes > left_) return nullptr;
    char* piece = next_;
    const int64_t used = (bytes + kAlignment - 1) & -kAlignment;
    next_ += used;
    left_ -= used;
    return piece;
  }

 private:
  static constexpr int64_t kAlignment = 64, kSize = 32 * kPage, kMapped = kSize + kPage;

  void map() {
    tried_ = true;
    void* mapped = mmap(nullptr, kMapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED) return;
    mapped_ = static_cast<char*>(mapped);
    next_ = mapped_ + (-reinterpret_cast<intptr_t>(mapped_) & (kPage - 1));
    if (madvise(next_, kSize, MADV_HUGEPAGE) == 0) left_ = kSize;
  }

  bool tried_ = false;
  char *mapped_ = nullptr, *next_ = nullptr;
  int64_t left_ = 0;
#else
  char* take(int64_t) { return nullptr; }
#endif
};

}  // namespace cresset
