// Working memory that a thread keeps between calls, so that packing costs no page faults.
#pragma once
#include <cstddef>
#include <new>

namespace cresset {

enum class Scratch { call, tiles, panels };  // of a whole call, and what a thread has packed of a product's a and b

// At least `bytes` bytes aligned to a cache line, valid until this thread's next call for the same use; nullptr if there is
// no memory.
inline char* scratch(Scratch use, size_t bytes) {
  constexpr std::align_val_t kAlignment{64};
  struct Buffer {
    char* data = nullptr;
    size_t size = 0;
    void release() {
      ::operator delete(data, kAlignment);
      data = nullptr;
      size = 0;
    }
    ~Buffer() { release(); }
  };
  thread_local Buffer buffers[3];
  Buffer& buffer = buffers[static_cast<int>(use)];
  if (buffer.size < bytes) {
    buffer.release();
    buffer.data = static_cast<char*>(::operator new(bytes, kAlignment, std::nothrow));
    if (buffer.data) buffer.size = bytes;
  }
  return buffer.data;
}

}  // namespace cresset
