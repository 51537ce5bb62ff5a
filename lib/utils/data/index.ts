export { ConcatDataset, Dataset, IterableDataset, random_split, Subset, TensorDataset } from './dataset.js';
export type { MapDataset } from './dataset.js';
export {
  BatchSampler,
  RandomSampler,
  Sampler,
  SequentialSampler,
  SubsetRandomSampler,
  WeightedRandomSampler,
} from './sampler.js';
export type { RandomSamplerOptions } from './sampler.js';
export { default_collate, default_convert } from './collate.js';
export { DataLoader, type DataLoaderOptions } from './data_loader.js';
