import { no_grad } from '../../autograd/mode.js';
import { Module } from '../../nn/module.js';
import { defineOptions } from '../../options.js';
import { describe, Tensor } from '../../tensor/tensor.js';

const readOptions = defineOptions('optim.swa_utils.update_bn', { device: null as 'cpu' | null });

/** A module of batch normalisation: any that has these. */
type BatchNorm = Module & { momentum: number | null; reset_running_stats(): void };

function isBatchNorm(module: Module): module is BatchNorm {
  const { momentum, reset_running_stats } = module as Module & Partial<BatchNorm>;
  return momentum !== undefined && typeof reset_running_stats === 'function';
}

/**
 * Computes the running statistics of a model's batch normalisation anew, in one pass over data: the mean over all batches.
 * Its modules are those with a `momentum` and a method `reset_running_stats`. PyTorch: `torch.optim.swa_utils.update_bn`.
 * @param loader Batches: tensors, or arrays whose first element is the model's input.
 * @param options.device `'cpu'` or null, which makes no difference.
 * @throws TypeError if `loader` cannot be iterated, `model` is no module, or a batch no tensor.
 */
export function update_bn(loader: Iterable<unknown>, model: Module, options?: { device?: 'cpu' | null }): void {
  const { device } = readOptions(options);
  if (device !== null && device !== 'cpu') {
    throw new TypeError(`update_bn: device: expected 'cpu' or null, got ${describe(device)}`);
  }
  if (typeof (loader as Iterable<unknown> | null)?.[Symbol.iterator] !== 'function') {
    throw new TypeError(`update_bn: loader: expected an iterable of batches, got ${describe(loader)}`);
  }
  if (!(model instanceof Module)) {
    throw new TypeError(`update_bn: model: expected a Module, got ${describe(model)}`);
  }
  const modules = model.modules().filter(isBatchNorm);
  if (modules.length === 0) return;
  const momenta = modules.map((module) => module.momentum);
  const { training } = model;
  try {
    model.train();
    for (const module of modules) {
      module.reset_running_stats();
      module.momentum = null; // the mean of all batches
    }
    no_grad(() => {
      for (const batch of loader) model.forward(inputOf(batch));
    });
  } finally {
    modules.forEach((module, i) => (module.momentum = momenta[i]));
    model.train(training);
  }
}

function inputOf(batch: unknown): Tensor {
  const input: unknown = Array.isArray(batch) ? batch[0] : batch;
  if (input instanceof Tensor) return input;
  throw new TypeError(`update_bn: loader: expected batches that are Tensors or begin with one, got ${describe(batch)}`);
}
