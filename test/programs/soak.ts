// Trains in a synchronous loop with tensors of changing sizes, holds some of them, and checks that what is held stays as it
// was. Prints the resident memory, in MiB, after a third of the steps and at the end. Arguments: steps, MiB per step.
import * as torch from 'cresset';

const steps = Number(process.argv[2]);
const mebibytes = Number(process.argv[3]);

const weight = torch.full([4, 256], 1 / 256, { requires_grad: true });
const held: { value: number; tensor: torch.Tensor }[] = [];
const losses: torch.Tensor[] = [];
const resident: number[] = [];

for (let step = 0; step < steps; step++) {
  const rows = Math.round(((mebibytes * 2 ** 20) / (256 * 4 * 2)) * (0.5 + ((step * 7919) % 97) / 97));
  const input = torch.full([rows, 256], step % 13).relu();
  const output = torch.nn.functional.linear(input, weight).relu();
  const loss = output.sum();
  weight.grad = null;
  loss.backward();
  losses.push(loss);
  held.push({ value: step, tensor: torch.full([(step % 50) * 40 + 1], step) });
  if (held.length > 20) {
    const { value, tensor } = held.splice((step * 31) % held.length, 1)[0];
    if (tensor.amin().item() !== value || tensor.amax().item() !== value)
      throw new Error(`a held tensor changed at step ${step}`);
  }
  if (step === Math.floor(steps / 3) || step === steps - 1) resident.push(process.memoryUsage.rss() / 2 ** 20);
}
losses.forEach((loss, step) => {
  if ((loss.item() === 0) !== (step % 13 === 0)) throw new Error(`the loss of step ${step} changed`);
});
console.log(JSON.stringify(resident));
