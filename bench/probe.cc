// Measures what this machine can do at most: float32 multiply-adds in registers, and streaming three arrays through memory.
//   probe <threads>   prints {"gflops": …, "gbytes": …}
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

namespace {

#if defined(__AVX512F__)
constexpr int kVectorBytes = 64;
#elif defined(__AVX__)
constexpr int kVectorBytes = 32;
#else
constexpr int kVectorBytes = 16;
#endif
typedef float Vector __attribute__((vector_size(kVectorBytes)));

constexpr int kRounds = 5;
constexpr int kChains = 12;  // enough to hide the latency, few enough for 16 registers
constexpr long kSteps = 10'000'000;
constexpr size_t kElements = size_t{1} << 24;

volatile float sink;

void multiply_add() {
  Vector chain[kChains];
  for (int i = 0; i < kChains; i++) chain[i] = Vector{} + static_cast<float>(i);
  const Vector factor = Vector{} + 0.999f, term = Vector{} + 0.001f;
  for (long step = 0; step < kSteps; step++) {
    for (int i = 0; i < kChains; i++) chain[i] = chain[i] * factor + term;
  }
  for (int i = 0; i < kChains; i++) sink = chain[i][0];
}

// Seconds of the fastest round of work(thread) on all threads at once.
template <typename Work>
double fastest(int threads, const Work& work) {
  double best = 1e30;
  for (int round = 0; round < kRounds; round++) {
    const auto start = std::chrono::steady_clock::now();
    std::vector<std::thread> helpers;
    for (int t = 1; t < threads; t++) helpers.emplace_back(work, t);
    work(0);
    for (auto& helper : helpers) helper.join();
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
    if (elapsed.count() < best) best = elapsed.count();
  }
  return best;
}

}  // namespace

int main(int count, char** arguments) {
  const int threads = count > 1 ? std::atoi(arguments[1]) : 1;
  if (threads < 1) return 1;

  const double compute = fastest(threads, [](int) { multiply_add(); });
  const double flops = 2.0 * kSteps * kChains * (kVectorBytes / sizeof(float)) * threads;

  std::vector<float> a(kElements, 1), b(kElements, 2), c(kElements, 3);
  const double stream = fastest(threads, [&](int t) {
    const size_t begin = kElements * t / threads, end = kElements * (t + 1) / threads;
    for (size_t i = begin; i < end; i++) a[i] = b[i] + 0.5f * c[i];
  });
  sink = a[kElements / 2];
  std::printf("{\"gflops\": %.1f, \"gbytes\": %.1f}\n", flops / compute / 1e9, 3.0 * sizeof(float) * kElements / stream / 1e9);
}
