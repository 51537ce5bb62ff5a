#include <algorithm>
#include <cmath>
#include <limits>
#include <thread>

#include "cpu/features.h"

#ifdef __linux__
#include <sched.h>

#include <fstream>
#include <sstream>
#include <string>
#endif

namespace cresset {

#ifdef __linux__

namespace {

constexpr double kNoQuota = std::numeric_limits<double>::infinity();

// Cores' worth of time a version 2 group grants: "max 100000", "150000 100000".
double quota_v2(const std::string& directory) {
  std::ifstream file(directory + "/cpu.max");
  double quota, period;
  return file >> quota >> period && quota > 0 && period > 0 ? quota / period : kNoQuota;
}

double quota_v1(const std::string& directory) {
  std::ifstream quota_file(directory + "/cpu.cfs_quota_us"), period_file(directory + "/cpu.cfs_period_us");
  double quota, period;
  return quota_file >> quota && period_file >> period && quota > 0 && period > 0 ? quota / period : kNoQuota;
}

// A group is bound by its ancestors' quotas too.
template <class Quota>
double smallest_quota(const std::string& root, std::string path, Quota quota) {
  double smallest = kNoQuota;
  for (;;) {
    smallest = std::min(smallest, quota(root + path));
    const size_t slash = path.rfind('/');
    if (slash == std::string::npos) return smallest;
    path.resize(slash);
  }
}

// Lines of /proc/self/cgroup are "id:controllers:/path"; version 2 has id 0 and names no controllers.
double cgroup_quota() {
  std::ifstream groups("/proc/self/cgroup");
  double quota = kNoQuota;
  for (std::string line; std::getline(groups, line);) {
    const size_t first = line.find(':');
    const size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string path = line.substr(second + 1);
    if (line.compare(0, second + 1, "0::") == 0) {
      quota = std::min(quota, smallest_quota("/sys/fs/cgroup", path, quota_v2));
      continue;
    }
    std::istringstream controllers(line.substr(first + 1, second - first - 1));
    for (std::string controller; std::getline(controllers, controller, ',');) {
      if (controller == "cpu") quota = std::min(quota, smallest_quota("/sys/fs/cgroup/cpu", path, quota_v1));
    }
  }
  return quota;
}

int affinity() {
  cpu_set_t set;
  return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : std::numeric_limits<int>::max();
}

}  // namespace

int usable_cores() {
  const int cores = std::min<int>(std::max(1u, std::thread::hardware_concurrency()), affinity());
  return static_cast<int>(std::max(1.0, std::floor(std::min<double>(cores, cgroup_quota()))));
}

#else

int usable_cores() { return static_cast<int>(std::max(1u, std::thread::hardware_concurrency())); }

#endif

}  // namespace cresset
