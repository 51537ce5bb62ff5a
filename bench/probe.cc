// Measures what this machine can do at most: multiply-adds in registers, and streaming through memory as optimizers do.
//   probe <threads> float32|float64              prints GFLOP/s, in the fastest round and in the median
//   probe <threads> streams3|streams5|streams7   prints the GB/s that it sustains, as both numbers
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string_view>
#include <thread>
#include <vector>
#ifdef __linux__
#include <sys/mman.h>
#endif

namespace {

#if defined(__AVX512F__)
constexpr int kVectorBytes = 64;
#elif defined(__AVX__)
constexpr int kVectorBytes = 32;
#else
constexpr int kVectorBytes = 16;
#endif

constexpr int kRounds = 60;
constexpr int kRows = 4, kVectors = 3, kSums = kRows * kVectors;  // enough to hide the latency, few enough for 16 registers
constexpr long kSteps = 2'000'000;
constexpr size_t kElements = size_t{1} << 24;

struct Reached {
  double most, median;
};

volatile double seed = 0.5, sink;  // where the compiler knows all numbers, it leaves the work out

// As in a product's tile, what is added to stands in the registers: where that is a factor instead, Zen 5 loses 6 %.
template <typename T>
void multiply_add() {
  typedef T Vector __attribute__((vector_size(kVectorBytes)));
  constexpr int kLanes = kVectorBytes / sizeof(T);
  T numbers[kVectors * kLanes];
  for (T& number : numbers) number = static_cast<T>(seed);
  Vector sums[kSums] = {}, row[kVectors];
  std::memcpy(row, numbers, sizeof row);
  for (long step = 0; step < kSteps; step++) {
    const T* factors = numbers + step % kLanes;  // read anew, or the compiler would multiply but once
#pragma GCC unroll 16
    for (int i = 0; i < kSums; i++) sums[i] += (factors[i / kVectors] - Vector{}) * row[i % kVectors];
  }
  for (int i = 0; i < kSums; i++) sink = sums[i][0];
}

// Seconds of the rounds of work(thread) on all threads at once. The threads wait for each other awake, as a library's do.
template <typename Work>
std::vector<double> time_rounds(int threads, const Work& work) {
  std::atomic<int> arrived{0};
  const auto meet = [&](int meeting) {
    arrived.fetch_add(1);
    while (arrived.load() < meeting * threads) continue;
  };
  std::vector<double> times;
  const auto run = [&](int t) {
    for (int round = 0; round < kRounds; round++) {
      meet(2 * round + 1);
      const auto start = std::chrono::steady_clock::now();
      work(t);
      meet(2 * round + 2);
      const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
      if (t == 0) times.push_back(elapsed.count());
    }
  };
  std::vector<std::thread> helpers;
  for (int t = 1; t < threads; t++) helpers.emplace_back(run, t);
  run(0);
  for (auto& helper : helpers) helper.join();
  return times;
}

template <typename T>
Reached gflops(int threads) {
  const double operations = 2.0 * kSteps * kSums * (kVectorBytes / sizeof(T)) * threads;
  std::vector<double> times = time_rounds(threads, [](int) { multiply_add<T>(); });
  std::sort(times.begin(), times.end());
  return {operations / times.front() / 1e9, operations / times[kRounds / 2] / 1e9};
}

// kElements times `value`, in large pages where the system has them.
float* filled(float value) {
  constexpr size_t kLargePage = size_t{1} << 21, kBytes = kElements * sizeof(float);
  auto* array = static_cast<float*>(::operator new(kBytes, std::align_val_t{kLargePage}));
#ifdef MADV_HUGEPAGE
  madvise(array, kBytes, MADV_HUGEPAGE);
#endif
  std::fill_n(array, kElements, value);
  return array;
}

// Reads a gradient, and reads and writes kUpdated further arrays, as an optimizer's step does.
template <int kUpdated>
double gbytes(int threads, const float* gradient, float* const* updated) {
  std::vector<double> times = time_rounds(threads, [&](int t) {
    const size_t begin = kElements * t / threads, end = kElements * (t + 1) / threads;
    float *const a = updated[0], *const b = updated[kUpdated > 1 ? 1 : 0], *const c = updated[kUpdated - 1];
#pragma GCC ivdep
    for (size_t i = begin; i < end; i++) {
      const float g = gradient[i];
      a[i] = 0.5f * a[i] + g;
      if constexpr (kUpdated > 1) b[i] = 0.5f * b[i] + g;
      if constexpr (kUpdated > 2) c[i] = 0.5f * c[i] + g;
    }
  });
  sink = updated[0][kElements / 2];
  // What it sustains: the median of the second half, for a new process does not have all of the memory's speed at once.
  std::sort(times.begin() + kRounds / 2, times.end());
  return (1.0 + 2 * kUpdated) * sizeof(float) * kElements / times[kRounds * 3 / 4] / 1e9;
}

template <int kUpdated>
Reached gbytes(int threads) {
  const float* gradient = filled(1);
  float* updated[kUpdated];
  for (float*& array : updated) array = filled(2);
  const double sustained = gbytes<kUpdated>(threads, gradient, updated);
  return {sustained, sustained};
}

Reached limit(std::string_view name, int threads) {
  if (name == "float32") return gflops<float>(threads);
  if (name == "float64") return gflops<double>(threads);
  if (name == "streams3") return gbytes<1>(threads);
  if (name == "streams5") return gbytes<2>(threads);
  if (name == "streams7") return gbytes<3>(threads);
  return {};
}

}  // namespace

int main(int count, char** arguments) {
  const int threads = count == 3 ? std::atoi(arguments[1]) : 0;
  const Reached reached = threads > 0 ? limit(arguments[2], threads) : Reached{};
  std::printf("%.1f %.1f\n", reached.most, reached.median);
  return reached.most > 0 ? 0 : 1;
}
