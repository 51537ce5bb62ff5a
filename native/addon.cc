// The addon's exports: memory blocks, the frame and `run`, and the weak references by which dead tensors are found.
// The only file that includes Node-API. Everything belongs to the environment, so worker threads share nothing.
#include <napi.h>

#include <string>
#include <vector>

#include "cpu/features.h"
#include "dispatch.h"
#include "frame.h"

namespace cresset {
namespace {

constexpr size_t kDeadLength = 4096;
constexpr int kMaxThreads = 1024;
constexpr uintptr_t kAlignment = 64;
constexpr int kPollsToOld = 2;
constexpr size_t kPollsPerHandleScope = 1024;

struct Owner {
  napi_ref reference;  // weak
  int32_t id;
  int32_t polls;  // survived
};

struct State {
  explicit State(Napi::Env environment) : env(environment) {}

  Napi::Env env;
  ThreadPool threads{usable_cores()};
  FrameRunner runner{&threads, &State::refresh, this};
  Napi::Reference<Napi::Float64Array> frame;
  Napi::Reference<Napi::Int32Array> dead;

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
    self->threads.set_threads(1);
    for (const Holding& holding : self->holdings) {
      if (holding.buffer != nullptr) napi_delete_reference(self->env, holding.buffer);
    }
    for (const auto* list : {&self->young, &self->old}) {
      for (const Owner& owner : *list) napi_delete_reference(self->env, owner.reference);
    }
  }

  static void refresh(void* state, int32_t id, Block& block) {
    auto* self = static_cast<State*>(state);
    napi_value buffer;
    void* data = nullptr;
    size_t size = 0;
    bool detached = true;
    const bool alive = napi_get_reference_value(self->env, self->holdings[id].buffer, &buffer) == napi_ok &&
                       napi_is_detached_arraybuffer(self->env, buffer, &detached) == napi_ok && !detached &&
                       napi_get_arraybuffer_info(self->env, buffer, &data, &size) == napi_ok;
    block.data = static_cast<char*>(data);
    block.size = alive ? static_cast<int64_t>(size) : Block::kDead;
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

State& state_of(const Napi::CallbackInfo& info) { return *static_cast<State*>(info.Data()); }

// The id of a registered block, or 0 and a pending error.
int32_t block_id(const Napi::CallbackInfo& info, size_t argument, const char* function) {
  const State& state = state_of(info);
  const double id = info[argument].IsNumber() ? info[argument].As<Napi::Number>().DoubleValue() : 0;
  if (id >= 1 && id < static_cast<double>(state.holdings.size()) && id == static_cast<int32_t>(id) &&
      state.holdings[static_cast<int32_t>(id)].buffer != nullptr) {
    return static_cast<int32_t>(id);
  }
  Napi::RangeError::New(info.Env(), std::string(function) + ": expected the id of a registered block").ThrowAsJavaScriptException();
  return 0;
}

// The per-operation path: raw Node-API, and no exception leaves it.
napi_value run(napi_env env, napi_callback_info info) {
  void* state;
  napi_value failed = nullptr;
  napi_get_cb_info(env, info, nullptr, nullptr, nullptr, &state);
  if (static_cast<State*>(state)->runner.run() != Status::ok) napi_get_boolean(env, true, &failed);
  return failed;
}

Napi::Value add_block(const Napi::CallbackInfo& info) {
  State& state = state_of(info);
  const Napi::Env env = info.Env();
  const auto refuse = [&](const char* reason) {
    Napi::TypeError::New(env, std::string("addBlock: expected an ArrayBuffer of fixed length, got ") + reason).ThrowAsJavaScriptException();
    return env.Undefined();
  };
  if (!info[0].IsArrayBuffer()) return refuse("something else");
  auto buffer = info[0].As<Napi::ArrayBuffer>();
  if (buffer.IsDetached()) return refuse("a detached one");
  if (buffer.Get("resizable").ToBoolean()) return refuse("a resizable one");
  if (reinterpret_cast<uintptr_t>(buffer.Data()) % alignof(double) != 0) return refuse("a misaligned one");

  int32_t id;
  if (state.free_ids.empty()) {
    id = static_cast<int32_t>(state.holdings.size());
    state.holdings.emplace_back();
    state.runner.blocks.emplace_back();
  } else {
    id = state.free_ids.back();
    state.free_ids.pop_back();
  }
  napi_create_reference(env, buffer, 1, &state.holdings[id].buffer);
  state.runner.blocks[id] = {static_cast<char*>(buffer.Data()), static_cast<int64_t>(buffer.ByteLength()), false};
  return Napi::Number::New(env, id);
}

void drop_block(const Napi::CallbackInfo& info) {
  State& state = state_of(info);
  const int32_t id = block_id(info, 0, "dropBlock");
  if (id == 0) return;
  state.forget(id);
  napi_delete_reference(info.Env(), state.holdings[id].buffer);
  state.holdings[id] = {};
  state.runner.blocks[id] = {};
  state.free_ids.push_back(id);
}

void expose_block(const Napi::CallbackInfo& info) {
  if (const int32_t id = block_id(info, 0, "exposeBlock")) state_of(info).runner.blocks[id].exposed = true;
}

Napi::Value alignment(const Napi::CallbackInfo& info) {
  const int32_t id = block_id(info, 0, "alignment");
  if (id == 0) return info.Env().Undefined();
  const auto start = reinterpret_cast<uintptr_t>(state_of(info).runner.blocks[id].data);
  return Napi::Number::New(info.Env(), static_cast<double>((kAlignment - start % kAlignment) % kAlignment));
}

void track(const Napi::CallbackInfo& info) {
  State& state = state_of(info);
  if (!info[0].IsObject()) {
    Napi::TypeError::New(info.Env(), "track: expected an object as the owner").ThrowAsJavaScriptException();
    return;
  }
  const int32_t id = block_id(info, 1, "track");
  if (id == 0) return;
  state.forget(id);
  Owner owner{nullptr, id, 0};
  napi_create_reference(info.Env(), info[0], 0, &owner.reference);
  state.insert(state.young, owner);
}

void untrack(const Napi::CallbackInfo& info) {
  if (const int32_t id = block_id(info, 0, "untrack")) state_of(info).forget(id);
}

// Writes the ids whose owners are gone to `dead` and returns how many; stops when `dead` is full.
Napi::Value poll(const Napi::CallbackInfo& info) {
  State& state = state_of(info);
  const napi_env env = info.Env();
  auto dead = state.dead.Value();
  int32_t* ids = dead.Data();
  size_t found = 0;

  // Backwards, so that what takes a removed entry's place has been looked at.
  const auto look = [&](std::vector<Owner>& list) {
    for (size_t end = list.size(); end > 0 && found < kDeadLength;) {
      const size_t begin = end > kPollsPerHandleScope ? end - kPollsPerHandleScope : 0;
      napi_handle_scope scope;
      napi_open_handle_scope(env, &scope);
      for (; end > begin && found < kDeadLength; end--) {
        Owner& owner = list[end - 1];
        napi_value alive = nullptr;
        napi_get_reference_value(env, owner.reference, &alive);
        if (alive == nullptr) {
          ids[found++] = owner.id;
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
  if (info[0].ToBoolean()) look(state.old);
  look(state.young);
  return Napi::Number::New(info.Env(), static_cast<double>(found));
}

// V8 answers a jump in external memory with a full collection.
void collect(const Napi::CallbackInfo& info) {
  constexpr int64_t jump = 5'000'000'000;
  Napi::MemoryManagement::AdjustExternalMemory(info.Env(), jump);
  Napi::MemoryManagement::AdjustExternalMemory(info.Env(), -jump);
}

Napi::Value get_threads(const Napi::CallbackInfo& info) { return Napi::Number::New(info.Env(), state_of(info).threads.threads()); }

void set_threads(const Napi::CallbackInfo& info) {
  const double n = info[0].IsNumber() ? info[0].As<Napi::Number>().DoubleValue() : 0;
  if (n >= 1 && n <= kMaxThreads && n == static_cast<int>(n)) return state_of(info).threads.set_threads(static_cast<int>(n));
  Napi::RangeError::New(info.Env(), "setThreads: expected an integer from 1 to " + std::to_string(kMaxThreads)).ThrowAsJavaScriptException();
}

std::string contract_line(const KernelLine& line) {
  std::string text = line.list ? "LIST " : "STRIDED ";
  return text.append(line.name).append("|").append(line.operands).append("|").append(line.scalars);
}

// The set CRESSET_ISA asks for, else the best; nullptr and a pending error if that cannot be had.
const Target* choose(Napi::Env env, const std::vector<const Target*>& usable) {
  const Napi::Value asked = env.Global().Get("process").As<Napi::Object>().Get("env").As<Napi::Object>().Get("CRESSET_ISA");
  const std::string name = asked.IsString() ? asked.As<Napi::String>().Utf8Value() : "";
  if (name.empty()) return usable.front();
  std::string names;
  for (const Target* target : usable) {
    if (name == target->name) return target;
    names += (names.empty() ? "" : ", ") + std::string(target->name);
  }
  Napi::Error::New(env, "CRESSET_ISA: this machine has no " + name + "; what it has: " + names).ThrowAsJavaScriptException();
  return nullptr;
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  const CpuFeatures cpu = detect_cpu();
  std::vector<const Target*> usable;
  for (const Target& target : targets()) {
    if (target.usable(cpu)) usable.push_back(&target);
  }
  const Target* chosen = choose(env, usable);
  if (chosen == nullptr) return exports;

  auto* state = new State(env);
  env.SetInstanceData(state);
  napi_add_env_cleanup_hook(env, State::clean_up, state);
  state->runner.set_kernels(chosen->kernels);

  auto frame = Napi::Float64Array::New(env, kFrameLength);
  auto dead = Napi::Int32Array::New(env, kDeadLength);
  state->frame = Napi::Persistent(frame);
  state->dead = Napi::Persistent(dead);
  state->runner.set_frame(frame.Data());

  auto contract = Napi::Array::New(env);
  for (const KernelLine& line : kContract) contract[contract.Length()] = contract_line(line);
  auto isas = Napi::Array::New(env);
  for (const Target* target : usable) isas[isas.Length()] = target->name;

  exports["contract"] = contract;
  exports["isa"] = chosen->name;
  exports["isas"] = isas;
  exports["frame"] = frame;
  exports["dead"] = dead;
  napi_value run_function;
  napi_create_function(env, "run", NAPI_AUTO_LENGTH, run, state, &run_function);
  exports["run"] = run_function;
  const auto add = [&](const char* name, auto function) { exports[name] = Napi::Function::New(env, function, name, state); };
  add("addBlock", add_block);
  add("dropBlock", drop_block);
  add("exposeBlock", expose_block);
  add("alignment", alignment);
  add("track", track);
  add("untrack", untrack);
  add("poll", poll);
  add("collect", collect);
  add("getThreads", get_threads);
  add("setThreads", set_threads);
  return exports;
}

}  // namespace
}  // namespace cresset

using cresset::init;
NODE_API_MODULE(cresset, init)
