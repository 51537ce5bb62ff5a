// Writes one checkpoint after the other to the file it is given, each full of its number, until it is killed.
import * as torch from 'cresset';

const file = process.argv[2];
for (let i = 1; ; i++) {
  const model = { weight: torch.full([512, 512], i), bias: torch.full([512], i) };
  torch.save({ i, model, ends: torch.full([300_000], i) }, file);
  if (i === 1) console.log('writing');
}
