#pragma once
#include <cstdint>
#include <mutex>
#ifdef __linux__
#include <sys/mman.h>
#endif

namespace cresset {

constexpr int64_t kLargePage = int64_t{1} << 21;

// The next piece of the process's memory in large pages, aligned to a cache line; nullptr where there is no more, or never was.
// What is smaller than such a page would have none of its own, and fault in by small ones, which takes far longer
// (docs/decisions.md). A piece is given out once and never unmapped: JavaScript may hand it on to a thread that outlives this one.
inline char* take_large_pages(int64_t bytes) {
// A sanitizer sees no bounds between the pieces.
#if defined(MADV_HUGEPAGE) && !defined(__SANITIZE_ADDRESS__)
  constexpr int64_t kAlignment = 64, kSize = 32 * kLargePage;
  static std::mutex mutex;
  static bool mapped = false;
  static char* next = nullptr;
  static int64_t left = 0;

  const std::lock_guard lock(mutex);
  if (!mapped) {
    mapped = true;
    void* memory = mmap(nullptr, kSize + kLargePage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return nullptr;
    next = static_cast<char*>(memory);
    next += -reinterpret_cast<intptr_t>(next) & (kLargePage - 1);
    if (madvise(next, kSize, MADV_HUGEPAGE) == 0) left = kSize;
  }
  if (bytes > left) return nullptr;
  char* piece = next;
  const int64_t used = (bytes + kAlignment - 1) & -kAlignment;
  next += used;
  left -= used;
  return piece;
#else
  static_cast<void>(bytes);
  return nullptr;
#endif
}

}  // namespace cresset
