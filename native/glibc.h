// Included ahead of every source on Linux (binding.gyp). A function that glibc or libstdc++ has in several versions is
// linked in the oldest, else the binary would need libraries as new as the builder's. So it runs wherever Node.js 20's own
// binary does: with glibc 2.28 and GCC 8's libstdc++. `npm run test:package` checks it.
#pragma once
#include <features.h>

#if defined(__GLIBC__) && defined(__x86_64__)
#define CRESSET_OLD(name) __asm__(".symver " #name ", " #name "@GLIBC_2.2.5")
#elif defined(__GLIBC__) && defined(__aarch64__)
#define CRESSET_OLD(name) __asm__(".symver " #name ", " #name "@GLIBC_2.17")
#endif

#ifdef CRESSET_OLD
CRESSET_OLD(exp);
CRESSET_OLD(exp2);
CRESSET_OLD(log);
CRESSET_OLD(log2);
CRESSET_OLD(pow);
CRESSET_OLD(hypot);
// std::condition_variable::wait
__asm__(".symver _ZNSt18condition_variable4waitERSt11unique_lockISt5mutexE, _ZNSt18condition_variable4waitERSt11unique_lockISt5mutexE@GLIBCXX_3.4.11");
#undef CRESSET_OLD
#endif
