// The addon's exports: memory blocks, the frame and `run`, and the weak references by which dead tensors are found.
// The only file that includes Node-API. Everything belongs to one loading of the addon, so worker threads share nothing, nor do
// two instances of the library in one thread. Where a worker is being terminated any call of Node-API may fail, so each result
// is looked at, and nothing here throws in C++.
#include <napi.h>
#ifdef __linux__
#include <sys/mman.h>
#endif

#include <cmath>
#include <string>
#include <vector>

#include "cpu/features.h"
#include "dispatch.h"
#include "frame.h"
#include "large_pages.h"

namespace cresset {
namespace {

constexpr size_t kDeadLength = 4096;
constexpr int kMaxThreads = 1024;
constexpr double kMaxInteger = 9007199254740991;
constexpr int64_t kAlignment = 64;
constexpr int kPollsToOld = 2;
constexpr size_t kPollsPerHandleScope = 1024;

struct Owner {
  napi_ref reference;  // weak
  int32_t id;
  int32_t polls;  // survived
};

struct State {
  explicit State(napi_env environment) : env(environment) {}

  napi_env env;
  int users = 0;  // the exports and their functions, as far as they are not collected
  bool cleaned = false;
  ThreadPool threads{usable_cores()};
  FrameRunner runner{&threads, &State::refresh, this};
  // Over shared memory, which nobody can detach; these keep it.
  napi_ref frame = nullptr, dead = nullptr;
  int32_t* dead_ids = nullptr;
  napi_ref allocator = nullptr;  // Buffer.allocUnsafeSlow

  // By block id, beside runner.blocks.
  struct Holding {
    napi_ref buffer = nullptr;
    std::vector<Owner>* list = nullptr;  // where its owner is tracked
    size_t position = 0;
  };
  std::vector<Holding> holdings{1};
  std::vector<int32_t> free_ids;
  std::vector<Owner> young, old;

  // Before the environment goes: it frees no references that are still held.
  static void clean_up(void* state) {
    auto* self = static_cast<State*>(state);
    self->cleaned = true;
    self->threads.set_threads(1);
    for (const Holding& holding : self->holdings) {
      if (holding.buffer != nullptr) napi_delete_reference(self->env, holding.buffer);
    }
    for (napi_ref reference : {self->frame, self->dead, self->allocator}) {
      if (reference != nullptr) napi_delete_reference(self->env, reference);
    }
    for (const auto* list : {&self->young, &self->old}) {
      for (const Owner& owner : *list) napi_delete_reference(self->env, owner.reference);
    }
  }

  // Whoever holds a function can call it, so the last of the users takes the state along.
  bool add_user(napi_value user) {
    const auto leave = [](napi_env env, void* state, void*) {
      auto* self = static_cast<State*>(state);
      if (--self->users > 0) return;
      if (!self->cleaned) {
        napi_remove_env_cleanup_hook(env, clean_up, self);
        clean_up(self);
      }
      delete self;
    };
    const bool added = napi_add_finalizer(env, user, this, leave, nullptr, nullptr) == napi_ok;
    users += added;
    return added;
  }

  static void refresh(void* state, int32_t id, Block& block) {
    auto* self = static_cast<State*>(state);
    napi_value buffer;
    void* data = nullptr;  // stays if it was detached
    size_t size = 0;
    const bool known = napi_get_reference_value(self->env, self->holdings[id].buffer, &buffer) == napi_ok &&
                       napi_get_arraybuffer_info(self->env, buffer, &data, &size) == napi_ok;
    block.data = static_cast<char*>(data);
    block.size = known && data != nullptr ? static_cast<int64_t>(size) : Block::kDead;
  }

  void insert(std::vector<Owner>& list, const Owner& owner) {
    holdings[owner.id].list = &list;
    holdings[owner.id].position = list.size();
    list.push_back(owner);
  }

  void remove(int32_t id) {
    Holding& holding = holdings[id];
    std::vector<Owner>& list = *holding.list;
    list[holding.position] = list.back();
    holdings[list.back().id].position = holding.position;
    list.pop_back();
    holding.list = nullptr;
  }

  void forget(int32_t id) {
    if (holdings[id].list == nullptr) return;
    napi_delete_reference(env, (*holdings[id].list)[holdings[id].position].reference);
    remove(id);
  }
};

// What an export was called with.
struct Arguments {
  napi_env env;
  State* state = nullptr;
  napi_value values[2] = {};

  Arguments(napi_env env, napi_callback_info info) : env(env) {
    size_t count = std::size(values);
    void* data = nullptr;
    napi_get_cb_info(env, info, &count, values, nullptr, &data);
    state = static_cast<State*>(data);
  }

  double number(int i) const {
    double value;
    return napi_get_value_double(env, values[i], &value) == napi_ok ? value : NAN;
  }

  // The id of a registered block, or 0 and a pending error.
  int32_t block(int i, const char* function) const {
    const double id = number(i);
    if (id >= 1 && id < static_cast<double>(state->holdings.size()) && id == static_cast<int32_t>(id) &&
        state->holdings[static_cast<int32_t>(id)].buffer != nullptr) {
      return static_cast<int32_t>(id);
    }
    refuse(std::string(function) + ": expected the id of a block");
    return 0;
  }

  napi_value refuse(const std::string& message) const {
    napi_throw_range_error(env, nullptr, message.c_str());
    return nullptr;
  }

  napi_value result(double value) const {
    napi_value made = nullptr;
    napi_create_double(env, value, &made);
    return made;
  }
};

// The per-operation path.
napi_value run(napi_env env, napi_callback_info info) {
  void* state;
  napi_value failed = nullptr;
  napi_get_cb_info(env, info, nullptr, nullptr, nullptr, &state);
  if (static_cast<State*>(state)->runner.run() != Status::ok) napi_get_boolean(env, true, &failed);
  return failed;
}

// A buffer of a block's size and where its memory is, or nullptr and a pending error.
napi_value make_buffer(napi_env env, State& state, napi_value bytes, int64_t size, char** data) {
  napi_value buffer, function, receiver, made;
  void* memory = size < kLargePage ? take_large_pages(size) : nullptr;
  *data = static_cast<char*>(memory);
  if (memory != nullptr && napi_create_external_arraybuffer(env, memory, size, nullptr, nullptr, &buffer) == napi_ok) return buffer;
  // By way of JavaScript: where memory runs out this throws, and Node-API's own way ends the process.
  if (napi_get_reference_value(env, state.allocator, &function) != napi_ok || napi_get_undefined(env, &receiver) != napi_ok ||
      napi_call_function(env, receiver, function, 1, &bytes, &made) != napi_ok ||
      napi_get_typedarray_info(env, made, nullptr, nullptr, nullptr, &buffer, nullptr) != napi_ok ||
      napi_get_arraybuffer_info(env, buffer, &memory, nullptr) != napi_ok) {
    return nullptr;
  }
  *data = static_cast<char*>(memory);
  return buffer;
}

// A block's memory is made here and shown to JavaScript only when that asks for it: until then nobody can detach it, and a
// call need not look.
napi_value allocate(napi_env env, napi_callback_info info) {
  const Arguments given(env, info);
  State& state = *given.state;
  const double bytes = given.number(0);
  if (!(bytes >= 0 && bytes <= kMaxInteger && bytes == std::floor(bytes))) return given.refuse("allocate: expected a number of bytes");
  const int64_t size = static_cast<int64_t>(bytes);
  char* data;
  const napi_value buffer = make_buffer(env, state, given.values[0], size, &data);
  if (buffer == nullptr) return nullptr;
  int32_t id;
  if (state.free_ids.empty()) {
    id = static_cast<int32_t>(state.holdings.size());
    state.holdings.emplace_back();
    state.runner.blocks.emplace_back();
  } else {
    id = state.free_ids.back();
    state.free_ids.pop_back();
  }
  if (napi_create_reference(env, buffer, 1, &state.holdings[id].buffer) != napi_ok) {
    state.holdings[id] = {};
    state.free_ids.push_back(id);
    return nullptr;
  }
  state.runner.blocks[id] = {data, size};
  return given.result(id);
}

napi_value buffer(napi_env env, napi_callback_info info) {
  const Arguments given(env, info);
  napi_value shown = nullptr;
  if (const int32_t id = given.block(0, "buffer")) {
    given.state->runner.blocks[id].shown = true;
    napi_get_reference_value(env, given.state->holdings[id].buffer, &shown);
  }
  return shown;
}

napi_value drop_block(napi_env env, napi_callback_info info) {
  const Arguments given(env, info);
  State& state = *given.state;
  const int32_t id = given.block(0, "dropBlock");
  if (id == 0) return nullptr;
  state.forget(id);
  napi_delete_reference(env, state.holdings[id].buffer);
  state.holdings[id] = {};
  state.runner.blocks[id] = {};
  state.free_ids.push_back(id);
  return nullptr;
}

// Where a tensor in the block is to begin: on a cache line, or on a large page if there is room for one and that way to it.
napi_value start(napi_env env, napi_callback_info info) {
  const Arguments given(env, info);
  const int32_t id = given.block(0, "start");
  if (id == 0) return nullptr;
  const Block& block = given.state->runner.blocks[id];
  const bool large = block.size >= 2 * kLargePage;
  const int64_t alignment = large ? kLargePage : kAlignment;
  const int64_t before = -reinterpret_cast<intptr_t>(block.data) & (alignment - 1);
#ifdef MADV_HUGEPAGE
  // Whole ones only, so that no more memory is used. Where the system has none to give, nothing changes.
  if (large && !block.shown) madvise(block.data + before, (block.size - kLargePage) & -kLargePage, MADV_HUGEPAGE);
#endif
  return given.result(static_cast<double>(before));
}

napi_value track(napi_env env, napi_callback_info info) {
  const Arguments given(env, info);
  const int32_t id = given.block(1, "track");
  if (id == 0) return nullptr;
  napi_valuetype type;
  Owner owner{nullptr, id, 0};
  if (napi_typeof(env, given.values[0], &type) != napi_ok || type != napi_object ||
      napi_create_reference(env, given.values[0], 0, &owner.reference) != napi_ok) {
    return given.refuse("track: expected an object as the owner");
  }
  given.state->forget(id);
  given.state->insert(given.state->young, owner);
  return nullptr;
}

napi_value untrack(napi_env env, napi_callback_info info) {
  const Arguments given(env, info);
  if (const int32_t id = given.block(0, "untrack")) given.state->forget(id);
  return nullptr;
}

// Writes the ids whose owners are gone to `dead` and returns how many; stops when `dead` is full.
napi_value poll(napi_env env, napi_callback_info info) {
  const Arguments given(env, info);
  State& state = *given.state;
  size_t found = 0;

  // Backwards, so that what takes a removed entry's place has been looked at.
  const auto look = [&](std::vector<Owner>& list) {
    for (size_t end = list.size(); end > 0 && found < kDeadLength;) {
      const size_t begin = end > kPollsPerHandleScope ? end - kPollsPerHandleScope : 0;
      napi_handle_scope scope;
      if (napi_open_handle_scope(env, &scope) != napi_ok) return;
      for (; end > begin && found < kDeadLength; end--) {
        Owner& owner = list[end - 1];
        napi_value alive = nullptr;
        if (napi_get_reference_value(env, owner.reference, &alive) != napi_ok) continue;
        if (alive == nullptr) {
          state.dead_ids[found++] = owner.id;
          state.forget(owner.id);
        } else if (&list == &state.young && ++owner.polls == kPollsToOld) {
          const Owner survivor = owner;
          state.remove(survivor.id);
          state.insert(state.old, survivor);
        }
      }
      napi_close_handle_scope(env, scope);
    }
  };
  bool all = false;
  if (napi_get_value_bool(env, given.values[0], &all) == napi_ok && all) look(state.old);
  look(state.young);
  return given.result(static_cast<double>(found));
}

// V8 answers a jump in external memory with a full collection.
napi_value collect(napi_env env, napi_callback_info) {
  constexpr int64_t jump = 5'000'000'000;
  int64_t now;
  napi_adjust_external_memory(env, jump, &now);
  napi_adjust_external_memory(env, -jump, &now);
  return nullptr;
}

napi_value get_threads(napi_env env, napi_callback_info info) {
  const Arguments given(env, info);
  return given.result(given.state->threads.threads());
}

napi_value set_threads(napi_env env, napi_callback_info info) {
  const Arguments given(env, info);
  const double n = given.number(0);
  if (!(n >= 1 && n <= kMaxThreads && n == static_cast<int>(n))) {
    return given.refuse("setThreads: expected an integer from 1 to " + std::to_string(kMaxThreads));
  }
  given.state->threads.set_threads(static_cast<int>(n));
  return nullptr;
}

std::string contract_line(const KernelLine& line) {
  std::string text = line.list ? "LIST " : "STRIDED ";
  return text.append(line.name).append("|").append(line.operands).append("|").append(line.scalars);
}

napi_value get(napi_env env, napi_value object, const char* name) {
  napi_value value;
  return object != nullptr && napi_get_named_property(env, object, name, &value) == napi_ok ? value : nullptr;
}

napi_value text(napi_env env, const std::string& text) {
  napi_value value = nullptr;
  napi_create_string_utf8(env, text.data(), text.size(), &value);
  return value;
}

napi_value texts(napi_env env, const std::vector<std::string>& lines) {
  napi_value array;
  if (napi_create_array(env, &array) != napi_ok) return nullptr;
  for (uint32_t i = 0; i < lines.size(); i++) napi_set_element(env, array, i, text(env, lines[i]));
  return array;
}

// The set CRESSET_ISA asks for, else the best; nullptr and a pending error if that cannot be had.
const Target* choose(napi_env env, napi_value global, const std::vector<const Target*>& usable) {
  char name[32] = "";
  const napi_value asked = get(env, get(env, get(env, global, "process"), "env"), "CRESSET_ISA");
  if (asked == nullptr || napi_get_value_string_utf8(env, asked, name, sizeof name, nullptr) != napi_ok || *name == 0) return usable.front();
  std::string names;
  for (const Target* target : usable) {
    if (target->name == std::string(name)) return target;
    names += (names.empty() ? "" : ", ") + std::string(target->name);
  }
  napi_throw_error(env, nullptr, ("CRESSET_ISA: this machine has no " + std::string(name) + "; what it has: " + names).c_str());
  return nullptr;
}

// A typed array over shared memory, exported and kept; its data, or nullptr.
void* export_shared(napi_env env, napi_value exports, const char* name, const std::string& type, size_t length, napi_ref* kept) {
  napi_value array;
  void* data = nullptr;
  size_t found = 0;
  const std::string made = "new " + type + "(new SharedArrayBuffer(" + std::to_string(length) + " * " + type + ".BYTES_PER_ELEMENT))";
  if (napi_run_script(env, text(env, made), &array) != napi_ok ||
      napi_get_typedarray_info(env, array, nullptr, &found, &data, nullptr, nullptr) != napi_ok || found != length ||
      napi_create_reference(env, array, 1, kept) != napi_ok || napi_set_named_property(env, exports, name, array) != napi_ok) {
    return nullptr;
  }
  return data;
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  const CpuFeatures cpu = detect_cpu();
  std::vector<const Target*> usable;
  for (const Target& target : targets()) {
    if (target.usable(cpu)) usable.push_back(&target);
  }
  napi_value global;
  if (napi_get_global(env, &global) != napi_ok) return exports;
  const Target* chosen = choose(env, global, usable);
  if (chosen == nullptr) return exports;

  auto* state = new State(env);
  if (!state->add_user(exports)) {
    delete state;
    return exports;
  }
  napi_add_env_cleanup_hook(env, State::clean_up, state);
  state->runner.set_kernels(chosen->kernels);

  const napi_value allocator = get(env, get(env, global, "Buffer"), "allocUnsafeSlow");
  if (allocator == nullptr || napi_create_reference(env, allocator, 1, &state->allocator) != napi_ok) return exports;
  auto* frame = static_cast<double*>(export_shared(env, exports, "frame", "Float64Array", kFrameLength, &state->frame));
  state->dead_ids = static_cast<int32_t*>(export_shared(env, exports, "dead", "Int32Array", kDeadLength, &state->dead));
  if (frame == nullptr || state->dead_ids == nullptr) return exports;
  state->runner.set_frame(frame);

  std::vector<std::string> contract, isas;
  for (const KernelLine& line : kContract) contract.push_back(contract_line(line));
  for (const Target* target : usable) isas.push_back(target->name);
  napi_set_named_property(env, exports, "contract", texts(env, contract));
  napi_set_named_property(env, exports, "isa", text(env, chosen->name));
  napi_set_named_property(env, exports, "isas", texts(env, isas));
  constexpr struct {
    const char* name;
    napi_callback function;
  } functions[] = {
      {"run", run},         {"allocate", allocate}, {"buffer", buffer}, {"dropBlock", drop_block}, {"start", start}, {"track", track},
      {"untrack", untrack}, {"poll", poll},         {"collect", collect}, {"getThreads", get_threads}, {"setThreads", set_threads},
  };
  for (const auto& [name, function] : functions) {
    napi_value made;
    if (napi_create_function(env, name, NAPI_AUTO_LENGTH, function, state, &made) == napi_ok && state->add_user(made)) {
      napi_set_named_property(env, exports, name, made);
    }
  }
  return exports;
}

}  // namespace
}  // namespace cresset

using cresset::init;
NODE_API_MODULE(cresset, init)
