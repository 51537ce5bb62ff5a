// Prints which backend runs, and the sum of a product computed on it.
import * as torch from 'cresset';

const { name, isa, reason } = torch.backends;
const product = torch
  .full([64, 64], 0.25)
  .mul(2)
  .mm(torch.full([64, 64], 2))
  .sum()
  .item();
console.log(JSON.stringify({ name, isa, reason, threads: torch.get_num_threads(), product }));
