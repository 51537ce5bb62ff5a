import { bindOps } from '../autograd/ops.js';
import { copy_ } from './convert.js';
import { arange, ones, zeros } from './creation.js';
import { index_add } from './indexing.js';
import { sum_to_size } from './reduction.js';
import { as_strided } from './slices.js';
import { addGradient_, addGradients, cloneGradient } from './sparse_tensor.js';
import { reshape } from './view.js';

// Loaded before any op is called: the graph gets the ops it is itself made of.
bindOps({
  add: addGradients,
  add_: addGradient_,
  clone: cloneGradient,
  copy_,
  zeros: (dims, options) => zeros(dims, options),
  ones: (dims, options) => ones(dims, options),
  arange,
  as_strided,
  reshape,
  index_add_: index_add.inPlace,
  sum_to_size,
});
