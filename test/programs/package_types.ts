// Compiled in a project that has installed the package, as a module of either kind: what the types must say.
import * as torch from 'cresset';

const model: torch.nn.Module = new torch.nn.Linear(2, 1);
const output = model.forward(torch.ones([3, 2])) as torch.Tensor;
const loss: torch.Tensor = output.mul(2).sum();
export const value: number = loss.item();
export const optimizer: torch.optim.Optimizer = new torch.optim.Adam(model.parameters(), { lr: 0.1 });
// @ts-expect-error An option that there is not.
new torch.optim.Adam(model.parameters(), { learning_rate: 0.1 });
